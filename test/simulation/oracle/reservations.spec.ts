import { describe, expect, it } from 'vitest';
import type { SideTruth } from '../ledger.js';
import { brokenRules, HandMadeRun, MISSING } from './hand-made.js';

const LOST: Partial<SideTruth> = {
  ...MISSING,
  sent: 0,
  handed: 1,
  handedAs: ['envelope'],
  refusedMs: 2,
  dropped: 1,
};

describe('reservation', () => {
  it('says nothing of a write that no room was kept for', () => {
    const run = new HandMadeRun();
    run.write({}, { B: LOST, told: ['applied', 'lost'] });
    expect(brokenRules(run)).not.toContain('reservation');
  });

  it('finds one that the queue refuses although it had kept room for it', () => {
    const run = new HandMadeRun();
    run.write({}, { B: { ...LOST, reserved: 1 }, told: ['applied', 'lost'] });
    expect(brokenRules(run)).toContain('reservation');
  });

  it('allows for an envelope of the other side, which no room was kept for', () => {
    const run = new HandMadeRun();
    run.write(
      {},
      { A: { handed: 1, handedAs: ['envelope'] }, B: { ...LOST, reserved: 1 }, told: ['queued', 'lost'] },
    );
    expect(brokenRules(run)).not.toContain('reservation');
  });

  it('asks nothing of a queue elsewhere', () => {
    const run = new HandMadeRun({ queue: 'durable' });
    run.write({}, { B: { ...LOST, reserved: 1 }, told: ['applied', 'lost'] });
    expect(brokenRules(run)).not.toContain('reservation');
  });

  it('finds room that is kept for ever', () => {
    const run = new HandMadeRun();
    run.write();
    run.end = { reserved: 1 };
    expect(brokenRules(run)).toEqual(['accounting']);
  });
});
