import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelope } from '../../test/support/envelope.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { connectionError, FakeTarget, ObservedReplayer } from '../../test/support/replay.js';
import type { ClusterId, OperationClass } from '../core/index.js';
import { ReplayWorker } from './worker.js';

type Why = 'operator' | 'draining';
type Step =
  | { readonly do: 'enqueue'; readonly count: number; readonly class: OperationClass; readonly low: boolean }
  | { readonly do: 'fail'; readonly cluster: ClusterId; readonly as: 'unreached' | 'ambiguous' }
  /** The target is well and does not take every n-th of what there is by now. */
  | {
      readonly do: 'refuse';
      readonly cluster: ClusterId;
      readonly as: 'unreached' | 'blocked' | 'ambiguous';
      readonly every: number;
    }
  | { readonly do: 'recover'; readonly cluster: ClusterId }
  | { readonly do: 'pause' | 'resume'; readonly cluster: ClusterId; readonly why: Why }
  | { readonly do: 'advance'; readonly ms: number };

const cluster = fc.constantFrom<ClusterId[]>('A', 'B');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('enqueue' as const),
    count: fc.integer({ min: 1, max: 40 }),
    class: fc.constantFrom<OperationClass[]>('idempotent', 'once'),
    low: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('fail' as const),
    cluster,
    as: fc.constantFrom('unreached' as const, 'ambiguous' as const),
  }),
  fc.record({
    do: fc.constant('refuse' as const),
    cluster,
    as: fc.constantFrom('unreached' as const, 'blocked' as const, 'ambiguous' as const),
    every: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ do: fc.constant('recover' as const), cluster }),
  fc.record({
    do: fc.constantFrom('pause' as const, 'resume' as const),
    cluster,
    why: fc.constantFrom<Why[]>('operator', 'draining'),
  }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.oneof(fc.nat(50), fc.nat(20_000)) }),
);
const history = fc.array(step, { maxLength: 40, size: 'max' });

const SIDES = ['A', 'B'] as const;

async function setUp(latencyMs: number) {
  const clock = new FakeClock();
  const replayer = new ObservedReplayer();
  await replayer.open({ namespace: 'shop', clock, describe: () => ({ statement: '' }) });
  const targets = { A: new FakeTarget(clock), B: new FakeTarget(clock) };
  for (const target of [targets.A, targets.B]) Object.assign(target, { latencyMs, appliesInDoubt: true });
  const options = { executeTimeoutMs: 30_000 };
  const worker = new ReplayWorker({
    replayer,
    targets,
    namespace: 'shop',
    clock,
    options,
    random: () => 0.5,
  });
  /** Class of every operation; their ids count from 0. */
  const classes: OperationClass[] = [];

  async function take(taken: Step): Promise<void> {
    switch (taken.do) {
      case 'enqueue':
        for (let count = 0; count < taken.count; count++) {
          const id = String(classes.push(taken.class) - 1);
          const fields = { class: taken.class, priority: taken.low ? ('low' as const) : ('high' as const) };
          await replayer.enqueue(SIDES.map((side) => envelope(id, { ...fields, cluster: side })));
        }
        return;
      case 'fail':
        Object.assign(targets[taken.cluster], { isUp: false, whileDown: taken.as });
        return;
      case 'refuse':
        for (let index = 0; index < classes.length; index += taken.every) {
          const outcome = { kind: taken.as, error: connectionError() };
          targets[taken.cluster].outcomes.set(String(index), outcome);
        }
        return;
      case 'recover':
        targets[taken.cluster].isUp = true;
        targets[taken.cluster].outcomes.clear();
        return;
      case 'pause':
      case 'resume':
        worker[taken.do](taken.cluster, taken.why);
        return;
      case 'advance':
        return clock.advance(taken.ms);
    }
  }

  return { clock, replayer, targets, worker, classes, take };
}

describe('ReplayWorker', () => {
  it('brings everything to both sides through any history of outages and refusals, and once-only writes at most once', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(20), async (steps, latencyMs) => {
        const { clock, replayer, targets, worker, classes, take } = await setUp(latencyMs);
        worker.start();
        for (const one of steps) await take(one);
        for (const id of SIDES) {
          await take({ do: 'recover', cluster: id });
          await take({ do: 'resume', cluster: id, why: 'operator' });
          await take({ do: 'resume', cluster: id, why: 'draining' });
        }
        await clock.advance(120_000);

        const isOnce = (operationId: string): boolean => classes[Number(operationId)] === 'once';
        const stats = await replayer.stats();
        for (const id of SIDES) {
          expect(stats[id]).toMatchObject({ queued: 0, inFlight: 0, open: true, enqueued: classes.length });
          const dead = await replayer.deadLetters.list({ cluster: id, limit: 10_000 });
          for (const { reason, operationId } of dead) {
            expect([reason, isOnce(operationId)]).toEqual(['inDoubt', true]);
          }
          const { applied } = targets[id];
          const ended = new Set([...applied, ...dead.map(({ operationId }) => operationId)]);
          expect(ended.size).toBe(classes.length);
          const once = applied.filter(isOnce);
          expect(once).toHaveLength(new Set(once).size);
        }
        await worker.stop();
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
