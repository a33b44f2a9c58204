import { DualClusterError, otherCluster } from '../../../lib/core/index.js';
import type { ClusterFault } from '../history.js';
import type { Scenario } from '../scenario.js';
import { isCertain, OUTAGES, RECONNECT_MS, Script } from './building-blocks.js';
import { Course, isNotApplied, roundTripMs, statusOf } from './course.js';

/** After which a write certainly has not reached the side. */
const CERTAIN = OUTAGES.filter(isCertain) as [ClusterFault, ...ClusterFault[]];

/** Both sides are away at once, and come back one after the other. */
export const completeFailure: Scenario = {
  name: 'complete-failure',
  about:
    'Both sides are out of order, one is back first: writes fail, or are queued, as they say, reads fail only meanwhile, and both sides end equal.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const first = script.pick('A', 'B');
    const bothFromMs = random.int(450, 600);
    const bothToMs = bothFromMs + random.int(400, 600);
    const faults = random.chance(0.5) ? CERTAIN : OUTAGES;
    const [longMs, shortMs] = [bothToMs + random.int(300, 700), bothToMs];
    const isFirstBackFirst = random.chance(0.5);
    script.fault(first, random.pick(faults), 100, isFirstBackFirst ? shortMs : longMs);
    script.fault(otherCluster(first), random.pick(faults), bothFromMs, isFirstBackFirst ? longMs : shortMs);
    script.load('load', {
      fromMs: 0,
      toMs: Math.max(longMs, shortMs + RECONNECT_MS) + 100,
      everyMs: 35,
      reads: true,
    });
    script.read(bothFromMs + random.int(1, 90), 'load');
    const queue = script.pick('memory', 'durable');
    return script.history({
      writeStrategy: script.pick('concurrent', 'A first'),
      readStrategy: script.pick('sticky', 'round robin'),
      policy: script.pick('breaker', 'active'),
      queue,
      whenBothFail: queue === 'durable' ? script.pick('throw', 'queue') : 'throw',
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup, outages } = course;
    const writes = course.writes();
    const [back, late] =
      course.outage('A').toMs < course.outage('B').toMs ? (['A', 'B'] as const) : (['B', 'A'] as const);
    const { toMs: bothToMs, usableMs } = course.outage(back);
    const bothFromMs = Math.max(...outages.map(({ fromMs }) => fromMs));
    const first = course.outage('A').fromMs < course.outage('B').fromMs ? 'A' : 'B';
    const second = otherCluster(first);

    // One side that is asked in vain, then the other.
    const longestMs = 3 * setup.writeTimeoutMs;
    const meanwhile = writes.filter(
      ({ startedMs }) => startedMs > bothFromMs && startedMs < bothToMs - longestMs,
    );
    if (outages.every(({ fault }) => isCertain(fault))) {
      course.mustAll('what reached nobody', meanwhile, (write) => {
        if (setup.whenBothFail === 'throw') return isDualError(write.answer, 'notApplied');
        return [statusOf(write, 'A'), statusOf(write, 'B')].every((status) => status === 'queued');
      });
    } else {
      course.mustAll('what may have reached one', meanwhile, ({ answer }) => isDualError(answer, 'unknown'));
    }
    const failed = writes.filter(isNotApplied);
    const others = writes.filter((write) => !isNotApplied(write));
    for (const { A, B, step } of failed) {
      const traces = A.applied + A.queued + B.applied + B.queued;
      course.must('not applied is nowhere', traces === 0, () => `${step.id} is`);
    }
    course.mustAll('all else is everywhere', others, ({ A, B }) => A.isThere && B.isThere);
    course.mustBeEqual();

    const before = writes.filter(({ startedMs }) => startedMs < bothFromMs - longestMs);
    course.mustAll('one side is enough before', before, (write) => statusOf(write, second) === 'applied');
    const after = writes.filter(({ startedMs }) => startedMs >= usableMs);
    course.mustAll('one side is enough again', after, ({ answer }) => answer.kind === 'value');
    // Also while both breakers are open: that one has just come back is known by trying.
    const alone = after.filter(({ startedMs }) => startedMs < course.outage(late).toMs - longestMs);
    for (const write of alone) {
      const isSo = statusOf(write, back) === 'applied' && statusOf(write, late) === 'queued';
      course.must('the first one back takes them', isSo, () => `${write.step.id} does not say so`);
    }

    const reads = course.reads();
    const vain = reads.filter(({ startedMs }) => startedMs > bothFromMs && startedMs < bothToMs - longestMs);
    course.mustAllReads('both are asked in vain', vain, ({ answer, asked }) => {
      return (
        isDualError(answer, 'notApplied') && asked.length === 2 && asked[0]?.cluster !== asked[1]?.cluster
      );
    });
    const beginMs =
      bothFromMs - setup.readTimeoutMs - Math.max(roundTripMs(setup, 'A'), roundTripMs(setup, 'B'));
    const answerable = reads.filter(({ startedMs }) => startedMs < beginMs || startedMs >= usableMs);
    course.mustAllReads('reads fail only meanwhile', answerable, ({ answer }) => answer.kind === 'value');
    return course.violations;
  },
};

function isDualError(answer: { readonly kind: string; readonly error?: Error }, outcome: string): boolean {
  return answer.error instanceof DualClusterError && answer.error.outcome === outcome;
}
