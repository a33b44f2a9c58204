import { BothClustersDrainingError } from '../../../lib/core/index.js';
import type { Scenario } from '../scenario.js';
import { MOMENT_MS, OUTAGES, Script } from './building-blocks.js';
import { Course, isNotApplied, lastAppliedMs, roundTripMs, statusOf } from './course.js';

/** So soon has a process learnt what the control plane says, in ms. */
const LEARN_MS = 10 + MOMENT_MS;
const DRAIN = { fromMs: 200, toMs: 2_600 };
const DRAIN_OF_BOTH = { fromMs: 6_000, toMs: 6_300 };

/** One side is drained, then both. */
export const drain: Scenario = {
  name: 'drain',
  about:
    'B is drained under load: nothing but reads that A fails goes there, what it misses follows as soon as the drain is over, and what is known of it holds while the control plane is away. With both drained writes are refused.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const { fromMs, toMs } = DRAIN;
    script.add({ atMs: fromMs, do: 'drain', cluster: 'B', forMs: toMs - fromMs });
    // Over the beginning, the end, or neither.
    const partitionMs = script.pick(fromMs - 100, toMs - 300, undefined);
    if (partitionMs !== undefined) script.add({ atMs: partitionMs, do: 'control partition', forMs: 600 });
    script.fault('A', random.pick(OUTAGES), 1_000, 1_300);
    script.read(random.int(1_001, 1_150), 'load');
    script.load('load', { fromMs: 0, toMs: 1_300, everyMs: 40, reads: true });
    script.load('load', { fromMs: 2_200, toMs: 3_000, everyMs: 40, reads: true });

    for (const cluster of ['A', 'B'] as const) {
      const forMs = DRAIN_OF_BOTH.toMs - DRAIN_OF_BOTH.fromMs;
      script.add({ atMs: DRAIN_OF_BOTH.fromMs, do: 'drain', cluster, forMs });
    }
    script.load('both', { fromMs: 6_015, toMs: 6_300, everyMs: 40, reads: true });
    script.load('after', { fromMs: 6_315, toMs: 6_400, everyMs: 30, reads: true });
    const queue = script.pick('memory', 'encoding', 'durable');
    return script.history({
      writeStrategy: script.pick('concurrent', 'A first', 'B first'),
      readStrategy: script.pick('sticky', 'round robin'),
      preferred: 'B',
      policy: script.pick('active', 'breaker'),
      queue,
      whenBothFail: queue === 'durable' ? script.pick('throw', 'queue') : 'throw',
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const partition = outcome.history.steps.find((step) => step.do === 'control partition');
    const [hiddenFromMs, hiddenToMs] = partition
      ? [partition.atMs, partition.atMs + partition.forMs]
      : [0, 0];
    const isHidden = (atMs: number): boolean => atMs >= hiddenFromMs && atMs < hiddenToMs;
    const knownFromMs = course.at(isHidden(DRAIN.fromMs) ? hiddenToMs : DRAIN.fromMs);
    const knownToMs = course.at(isHidden(DRAIN.toMs) ? hiddenToMs : DRAIN.toMs);
    const isKnown = (atMs: number): boolean => atMs > knownFromMs + LEARN_MS && atMs < knownToMs;
    const a = course.outage('A');
    const isAWell = (atMs: number): boolean => atMs < a.fromMs - setup.writeTimeoutMs || atMs > a.usableMs;
    const openSpans = course.openSpans('A');
    const isAPreferred = (atMs: number): boolean =>
      isAWell(atMs - setup.readTimeoutMs) &&
      openSpans.every((span) => atMs < span.fromMs || atMs > span.toMs + setup.readTimeoutMs);

    const load = course.writes('load');
    const toB = outcome.ledger.requests.filter(({ cluster, atMs }) => cluster === 'B' && isKnown(atMs));
    const wrong = toB.filter(({ kind, atMs }) => kind !== 'read' || isAPreferred(atMs));
    course.must('B is left alone', wrong.length === 0, () => JSON.stringify(wrong.slice(0, 3)));
    const during = load.filter(({ startedMs }) => isKnown(startedMs) && isAWell(startedMs));
    course.mustAll('what B misses is queued', during, (write) => {
      return statusOf(write, 'A') === 'applied' && statusOf(write, 'B') === 'queued' && write.B.sent === 0;
    });
    const outside = load.filter(({ startedMs }) => {
      const isNear = startedMs > knownFromMs - 50 && startedMs < knownToMs + LEARN_MS;
      return !isNear && isAWell(startedMs);
    });
    course.mustAll('B is used else', outside, (write) => statusOf(write, 'B') === 'applied');
    course.mustAllReads('every read is answered', course.reads(), ({ answer }) => answer.kind === 'value');
    const helped = course.reads('load').filter(({ startedMs, asked }) => {
      return isKnown(startedMs) && asked.some(({ cluster }) => cluster === 'B');
    });
    const isDrainedThen = isKnown(a.fromMs) && isKnown(a.toMs);
    course.must('B helps out', !isDrainedThen || helped.length > 0, () => 'no read was answered by it');

    // A's own trouble has nothing to do with it: the breaker of B has not opened.
    const missed = load.filter(({ B, startedMs }) => B.queued > 0 && startedMs < knownToMs);
    const trips = (missed.length + 3) * (roundTripMs(setup, 'B') + (setup.queue === 'durable' ? 10 : 0));
    const levelMs = lastAppliedMs(missed, 'B');
    const limitMs = knownToMs + LEARN_MS + trips;
    course.must(
      'level in time',
      levelMs <= limitMs,
      () => `B had everything at ${levelMs}, not by ${limitMs}`,
    );

    course.mustAll('with both drained nothing is sent', course.writes('both'), (write) => {
      const { answer, A, B } = write;
      if (A.sent + B.sent > 0) return false;
      if (setup.whenBothFail === 'queue') return statusOf(write, 'A') === 'queued' && A.isThere && B.isThere;
      const isRefused = answer.kind === 'error' && answer.error instanceof BothClustersDrainingError;
      return isRefused && A.applied + B.applied + A.queued + B.queued === 0;
    });
    course.mustAll('both are used afterwards', course.writes('after'), (write) => {
      return statusOf(write, 'A') === 'applied' && statusOf(write, 'B') === 'applied';
    });
    const kept = load.filter((write) => !isNotApplied(write));
    course.mustAll('everything is on both', kept, ({ A, B }) => A.isThere && B.isThere);
    course.mustBeEqual();
    return course.violations;
  },
};
