import { describe, expect, it } from 'vitest';
import type { FailoverPolicy } from '../core/index.js';
import { ActiveFailover } from './index.js';

describe('ActiveFailover', () => {
  it('always fails over and never leaves a side out, however often it fails', () => {
    const policy: FailoverPolicy = new ActiveFailover();
    for (let i = 0; i < 100; i++) policy.recordFailure('A', new Error('down'));
    policy.recordSuccess('B');
    for (const cluster of ['A', 'B'] as const) {
      expect(policy.isAvailable(cluster)).toBe(true);
      expect(policy.shouldFailover(cluster, new Error('down'))).toBe(true);
    }
  });

  it('needs no latencies', () => {
    const policy: FailoverPolicy = new ActiveFailover();
    expect(policy.needsLatency).toBeFalsy();
  });
});
