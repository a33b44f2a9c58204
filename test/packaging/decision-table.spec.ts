import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decide,
  type Decision,
  type OperationClass,
  type Outcome,
  type SkipReason,
} from '../../lib/core/index.js';

type Name = Exclude<Outcome['kind'], 'skipped'> | SkipReason;

interface Cell {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly classes: readonly string[];
  readonly lines: readonly string[];
}

const file = 'docs/images/decision-table.svg';
const svg = readFileSync(file, 'utf8');
const cells = [...svg.matchAll(/<g class="cell[^"]*"([^>]*)>(.*?)<\/g>/gs)].map(
  ([, attributes = '', content = '']): Cell => ({
    a: names(attributes, 'a'),
    b: names(attributes, 'b'),
    classes: names(attributes, 'class'),
    lines: [...content.matchAll(/<tspan[^>]*>(.*?)<\/tspan>/gs)].map(([, text = '']) => text),
  }),
);

const failed = (kind: 'unreached' | 'blocked' | 'ambiguous' | 'rejected'): Outcome => ({
  kind,
  error: new Error(kind),
});
const outcomes: Record<Name, Outcome> = {
  applied: { kind: 'applied' },
  unreached: failed('unreached'),
  blocked: failed('blocked'),
  ambiguous: failed('ambiguous'),
  rejected: failed('rejected'),
  draining: { kind: 'skipped', reason: 'draining' },
  breaker: { kind: 'skipped', reason: 'breaker' },
  limit: { kind: 'skipped', reason: 'limit' },
  firstRejected: { kind: 'skipped', reason: 'firstRejected' },
  pending: { kind: 'pending', settled: new Promise(() => undefined) },
};

function names(attributes: string, name: string): string[] {
  return new RegExp(`data-${name}="([^"]*)"`).exec(attributes)?.[1]?.split(' ') ?? [];
}

/** The cell of a pair. A cell for fewer pairs is an exception within one for more, and wins. */
function cellOf(a: string, b: string, operationClass: OperationClass): Cell {
  const found = cells.filter(
    (cell) => cell.a.includes(a) && cell.b.includes(b) && cell.classes.includes(operationClass),
  );
  const size = (cell: Cell): number => cell.a.length * cell.b.length;
  found.sort((one, other) => size(one) - size(other));
  const [first, second] = found;
  if (!first || (second && size(first) === size(second))) {
    throw new Error(`${file}: ${first ? 'several cells' : 'no cell'} for A ${a}, B ${b}, ${operationClass}`);
  }
  return first;
}

/** A decision in the words of the picture. */
function linesOf(decision: Decision): string[] {
  switch (decision.kind) {
    case 'receipt':
      return ['receipt', `A ${decision.A}, B ${decision.B}`, ...replayLines(decision.replay)];
    case 'refused':
      return [`ClusterError of ${decision.by}`, decision.outcome, ...replayLines(decision.replay)];
    case 'bothFailed':
      return ['DualClusterError', decision.outcome, ...replayLines(decision.replay)];
    case 'bothDraining':
      return ['BothClustersDrainingError', 'notApplied'];
    case 'overloaded':
      return ['OverloadedError', 'notApplied'];
    case 'await':
      return ['waits'];
  }
}

function replayLines(plan: Extract<Decision, { kind: 'receipt' }>['replay']): string[] {
  const [action] = new Set(Object.values(plan));
  if (action === undefined) return [];
  const sides = Object.keys(plan).join(', ');
  return [action === 'enqueue' ? `replay queue: ${sides}` : `dead letter ${action}: ${sides}`];
}

const pairs = Object.keys(outcomes).flatMap((a) => Object.keys(outcomes).map((b) => [a, b] as const));

describe('the picture of the decision on the pair', () => {
  it.each(pairs)('says what is decided: A %s, B %s', (a, b) => {
    for (const operationClass of ['idempotent', 'once'] as const) {
      const decision = decide(outcomes[a as Name], outcomes[b as Name], operationClass);
      expect(cellOf(a, b, operationClass).lines).toEqual(linesOf(decision));
    }
  });

  it('has no cell that is never used', () => {
    const used = pairs.flatMap(([a, b]) => [cellOf(a, b, 'idempotent'), cellOf(a, b, 'once')]);
    expect(cells.filter((cell) => !used.includes(cell))).toEqual([]);
  });

  it('can be read without seeing it, and on any background', () => {
    expect(svg).toMatch(/<svg[^>]* role="img"[^>]* aria-labelledby="title desc"/);
    expect(svg).toMatch(/<title id="title">[^<]+<\/title>\s*<desc id="desc">[^<]{100,}<\/desc>/);
    expect(svg).toMatch(/<rect class="background" width="100%" height="100%"\s*\/>/);
  });
});
