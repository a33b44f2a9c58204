import { expect, it } from 'vitest';
import { envelope } from '../../test/support/envelope.js';
import { APPLIED, type Envelope, type ReplayTarget } from '../core/index.js';
import { GuardedTarget } from './guarded-target.js';

function setUp() {
  const guard = { isAvailable: true };
  const pings: number[] = [];
  const applied: [Envelope, number][] = [];
  const target: ReplayTarget = {
    ping: (timeoutMs) => {
      pings.push(timeoutMs);
      return Promise.resolve();
    },
    apply: (each, timeoutMs) => {
      applied.push([each, timeoutMs]);
      return Promise.resolve(APPLIED);
    },
  };
  return { guard, pings, applied, guarded: new GuardedTarget(target, () => guard.isAvailable) };
}

it('passes everything on while the target is available', async () => {
  const { guarded, pings, applied } = setUp();
  const one = envelope('op1');
  await guarded.ping(7);
  expect(await guarded.apply(one, 9)).toBe(APPLIED);
  expect([pings, applied]).toEqual([[7], [[one, 9]]]);
});

it('leaves the target alone while it is avoided, and asks anew each time', async () => {
  const { guard, guarded, pings, applied } = setUp();
  guard.isAvailable = false;
  await expect(guarded.ping(7)).rejects.toThrow('avoided by the failover policy');
  expect(await guarded.apply(envelope('op1'), 9)).toEqual({ kind: 'skipped', reason: 'breaker' });
  expect([pings, applied]).toEqual([[], []]);
  guard.isAvailable = true;
  await guarded.ping(7);
  expect(pings).toEqual([7]);
});
