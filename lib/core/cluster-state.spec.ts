import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ClusterFacts, type ClusterState, clusterState } from './cluster-state.js';

const WELL: ClusterFacts = {
  isBlocked: false,
  hasConnected: true,
  isDraining: false,
  breaker: 'closed',
  isSuspected: false,
  isBehind: false,
};

/** What each word stands for, in the order of the table of docs/outages.md. */
const ROWS: readonly [state: ClusterState, fact: Partial<ClusterFacts>][] = [
  ['blocked', { isBlocked: true }],
  ['connecting', { hasConnected: false }],
  ['draining', { isDraining: true }],
  ['avoided', { breaker: 'open' }],
  ['suspected', { isSuspected: true }],
  ['catchingUp', { isBehind: true }],
  ['well', {}],
];

describe('the state of a cluster', () => {
  it.each(ROWS)('is %s for %o', (state, fact) => {
    expect(clusterState({ ...WELL, ...fact })).toBe(state);
  });

  it('is avoided while the ping that decides is under way', () => {
    expect(clusterState({ ...WELL, breaker: 'half-open' })).toBe('avoided');
  });

  it.each(ROWS)('is %s whatever else holds that comes after it', (state, fact) => {
    const after = ROWS.slice(ROWS.findIndex(([each]) => each === state) + 1);
    const facts = after.reduce((all, [, each]) => ({ ...all, ...each }), WELL);
    expect(clusterState({ ...facts, ...fact })).toBe(state);
  });

  it('has the words of the documentation, in its order', () => {
    const [, table = ''] = readFileSync('docs/outages.md', 'utf8').split('## The state of a cluster');
    const words = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, word]) => word);
    expect(words.filter((word) => word !== 'state')).toEqual(ROWS.map(([state]) => state));
  });
});
