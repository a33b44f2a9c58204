import { otherCluster, PartialWriteError } from '../../../lib/core/index.js';
import { receiptOf } from '../oracle/answers.js';
import type { Setup } from '../history.js';
import type { Scenario } from '../scenario.js';
import { MOMENT_MS, Script } from './building-blocks.js';
import { Course, roundTripMs, statusOf, tookMs } from './course.js';

/** One side answers much later than the other; it is written in the background. */
export const straggler: Scenario = {
  name: 'straggler',
  about:
    'One side is late: calls do not wait for it, what it carries out is not replayed, what it fails is queued once, and a shutdown waits for it.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const late = script.pick('A', 'B');
    script.load('late', { fromMs: 0, toMs: 300, everyMs: 20 });
    script.load('both', { fromMs: 0, toMs: 300, everyMs: 40 }, { ack: 'both' });
    script.load('refused', { fromMs: 0, toMs: 300, everyMs: 80 }, { refusedBy: [late] });
    script.fault(late, { kind: 'requests lost', share: 1 }, 400, 800);
    script.load('fails', { fromMs: 401, toMs: 700, everyMs: 30 });
    script.load('bothFail', { fromMs: 401, toMs: 700, everyMs: 60 }, { ack: 'both' });
    const endMs = 15_000;
    for (let count = random.int(1, 8); count > 0; count--) script.write(endMs - random.int(1, 50), 'last');
    script.add({ atMs: endMs, do: 'restart', how: 'shut down', afterMs: 100 });
    const fast = { baseMs: random.int(1, 3), spreadMs: random.int(0, 3) };
    const slow = { baseMs: 40, spreadMs: random.int(0, 20) };
    return script.history({
      writeStrategy: 'straggler',
      stragglerMs: random.int(0, 20),
      policy: 'active',
      queue: script.pick('memory', 'encoding', 'durable'),
      writeTimeoutMs: 200,
      latency: late === 'A' ? { A: slow, B: fast } : { A: fast, B: slow },
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const { cluster: late } = course.outage();
    const fast = otherCluster(late);
    const replayed = new Set(outcome.ledger.replayed.map(({ id, cluster }) => `${id} ${cluster}`));
    // It is looked twice: when one side has applied it, and when the other has been waited for long enough.
    const waitMs = roundTripMs(setup, fast) + setup.stragglerMs + 2 * lookMs(setup) + MOMENT_MS;

    const background = course.writes('late', 'refused', 'fails', 'last');
    course.mustAll('nobody waits for it', background, (write) => {
      const isTold = statusOf(write, fast) === 'applied' && statusOf(write, late) === 'pending';
      return isTold && write.answer.kind === 'value' && tookMs(write) <= waitMs;
    });
    course.mustAll('what it does is not replayed', course.writes('late', 'both', 'last'), (write) => {
      const { sent, applied, queued, dropped } = write[late];
      return (
        sent === 1 && applied === 1 && queued + dropped === 0 && !replayed.has(`${write.step.id} ${late}`)
      );
    });
    course.mustAll('what it fails is queued once', course.writes('fails'), (write) => {
      const { sent, queued, isThere, dropped } = write[late];
      return sent === 1 && queued === 1 && isThere && dropped === 0;
    });
    course.mustAll('what it refuses is a dead letter', course.writes('refused'), (write) => {
      const { queued, applied, buried } = write[late];
      return queued + applied === 0 && buried.join() === 'rejected';
    });

    course.mustAll(
      'both are waited for',
      course.writes('both').filter(({ step }) => !step.id.startsWith('bothFail')),
      (write) => {
        const isTold = statusOf(write, 'A') === 'applied' && statusOf(write, 'B') === 'applied';
        return (
          isTold &&
          write.answer.kind === 'value' &&
          tookMs(write) >= 2 * setup.latency[late].baseMs - MOMENT_MS
        );
      },
    );
    course.mustAll('nothing is left pending', course.writes('bothFail'), (write) => {
      const { answer } = write;
      const isPartial = answer.kind === 'error' && answer.error instanceof PartialWriteError;
      return (
        isPartial && receiptOf(write)?.[late] === 'queued' && write[late].queued === 1 && write[late].isThere
      );
    });

    const [end] = outcome.ledger.ends;
    const lastMs = Math.max(...course.writes('last').map((write) => write[late].appliedMs ?? Infinity));
    const isAwaited = end !== undefined && end.endedMs >= lastMs;
    course.must(
      'the end waits for it',
      isAwaited,
      () => `it ended at ${end?.endedMs}, the last was there at ${lastMs}`,
    );
    course.mustBeEqual();
    return course.violations;
  },
};

/** A limit is kept to within a tenth; 0 is kept at once. */
function lookMs({ stragglerMs }: Setup): number {
  return stragglerMs === 0 ? 0 : Math.max(1, stragglerMs / 10);
}
