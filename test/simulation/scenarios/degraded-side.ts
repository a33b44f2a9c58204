import type { ClusterFault } from '../history.js';
import type { Scenario } from '../scenario.js';
import { BREAKER_PING_MS, LANE_PING_MS, MOMENT_MS, OUTAGES, Script } from './building-blocks.js';
import { Course, lastAppliedMs, roundTripMs, statusOf } from './course.js';

/** So slow that no answer comes in time. */
const TOO_SLOW: ClusterFault = { kind: 'slow', factor: 60 };

/** One side does not do its part for a while: nobody notices but the queue. */
export const degradedSide: Scenario = {
  name: 'degraded-side',
  about:
    'B is out of order for a while under a steady load: every write and read succeeds, and B has everything soon after it is back.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const fromMs = random.int(100, 200);
    const toMs = fromMs + random.int(500, 1_000);
    script.fault('B', random.pick([...OUTAGES, TOO_SLOW]), fromMs, toMs);
    script.load('load', { fromMs: 0, toMs: toMs + 300, everyMs: 30, reads: true });
    return script.history({
      writeStrategy: script.pick('concurrent', 'A first', 'B first'),
      readStrategy: script.pick('sticky', 'round robin'),
      preferred: 'B',
      policy: script.pick('breaker', 'breaker', 'latency breaker', 'active'),
      slowMs: 50,
      queue: script.pick('memory', 'encoding', 'durable'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const { fault, fromMs, toMs, usableMs } = course.outage('B');
    const writes = course.writes();
    course.mustAll('every write is on A', writes, (write) => {
      return write.answer.kind === 'value' && write.answer.value.A === 'applied' && write.A.isThere;
    });
    course.mustAllReads('every read is answered', course.reads(), ({ answer }) => answer.kind === 'value');

    const isDuring = (startedMs: number): boolean =>
      startedMs > fromMs && startedMs < toMs - 2 * setup.writeTimeoutMs;
    const during = writes.filter(({ startedMs }) => isDuring(startedMs));
    course.mustAll('what B misses is queued', during, (write) => statusOf(write, 'B') === 'queued');
    const before = writes.filter(
      ({ startedMs }) => startedMs < fromMs - 2 * roundTripMs(setup, 'B') - roundTripMs(setup, 'A'),
    );
    course.mustAll('what B does not miss is not', before, (write) => statusOf(write, 'B') === 'applied');
    course.mustAll('the queue gets what B misses, once', writes, (write) => {
      return write.A.queued === 0 && write.B.queued === (statusOf(write, 'B') === 'queued' ? 1 : 0);
    });
    course.mustBeEqual();

    const missed = writes.filter((write) => statusOf(write, 'B') === 'queued');
    // One after the other, though more than one at a time would be allowed.
    const replayMs =
      (missed.length + 1) * queueTripMs(setup.queue) + (missed.length + 2) * roundTripMs(setup, 'B');
    const levelMs = lastAppliedMs(missed, 'B');
    if (setup.policy === 'active') {
      const limitMs = usableMs + setup.executeTimeoutMs + 2 * LANE_PING_MS + replayMs;
      course.must(
        'level in time',
        levelMs <= limitMs,
        () => `B had everything at ${levelMs}, not by ${limitMs}`,
      );
      return course.violations;
    }

    const spans = course.openSpans('B');
    const closedMs = spans.at(-1)?.toMs ?? Infinity;
    const closeMs = usableMs + BREAKER_PING_MS + setup.resetTimeoutMs + roundTripMs(setup, 'B') + MOMENT_MS;
    course.must('breaker closes', closedMs <= closeMs, () => `it closed at ${closedMs}, not by ${closeMs}`);
    // What the lane had sent before the breaker opened, it waits for.
    const sentMs = (spans.at(-1)?.fromMs ?? 0) + setup.executeTimeoutMs;
    // A slow side may answer a ping, and is slow for the one that is under way when it is well again.
    const slowMs = fault.kind === 'slow' ? usableMs + fault.factor * roundTripMs(setup, 'B') : 0;
    const limitMs = Math.max(closedMs, sentMs, slowMs) + replayMs + MOMENT_MS;
    course.must(
      'level in time',
      levelMs <= limitMs,
      () => `B had everything at ${levelMs}, not by ${limitMs}`,
    );
    const avoiding = course.reads().filter(({ startedMs }) => {
      return spans.some((span) => startedMs > span.fromMs && startedMs < span.toMs);
    });
    course.mustAllReads('reads prefer A', avoiding, ({ asked }) =>
      asked.every(({ cluster }) => cluster === 'A'),
    );
    return course.violations;
  },
};

/** What a delivery takes beside its execution: the way from a queue elsewhere, and back. */
function queueTripMs(queue: string): number {
  return queue === 'durable' ? 10 : 0;
}
