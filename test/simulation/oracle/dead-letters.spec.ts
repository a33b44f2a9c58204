import { describe, expect, it } from 'vitest';
import type { ClusterId, DeadLetterReason, OperationClass } from '../../../lib/core/index.js';
import { brokenRules, HandMadeRun, MISSING } from './hand-made.js';

describe('dead letter', () => {
  it.each<[DeadLetterReason, OperationClass, ClusterId[], ok: boolean]>([
    ['rejected', 'idempotent', ['B'], true],
    ['rejected', 'idempotent', ['A'], false],
    ['rejected', 'idempotent', [], false],
    ['inDoubt', 'once', [], true],
    ['inDoubt', 'idempotent', ['A'], true],
    ['inDoubt', 'idempotent', ['B'], false],
    ['inDoubt', 'idempotent', [], false],
    ['expired', 'idempotent', [], false],
    ['undecodable', 'idempotent', [], false],
    ['conflict', 'idempotent', [], false],
  ])('of B: %s for class %s, refused by %j: %s', (reason, operationClass, refusedBy, ok) => {
    const run = new HandMadeRun();
    run.write(
      { class: operationClass, refusedBy },
      { B: { ...MISSING, handed: 1, queued: 1, buried: [reason] }, told: ['applied', 'queued'] },
    );
    expect(brokenRules(run)).toEqual(ok ? [] : ['dead letter']);
  });
});
