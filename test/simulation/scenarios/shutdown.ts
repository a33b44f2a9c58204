import type { Scenario } from '../scenario.js';
import { isCertain, MOMENT_MS, OUTAGES, Script } from './building-blocks.js';
import { Course, statusOf } from './course.js';

/** A breaker that does not notice by itself that the side is back. */
const FOR_EVER_MS = 60_000;

/** The process ends while one side has a backlog. */
export const shutdown: Scenario = {
  name: 'shutdown',
  about:
    'The process ends under load while B has a backlog: what a memory queue holds is applied or reported, each once and in time, what a durable one has taken is never lost.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const queue = script.pick('memory', 'encoding', 'durable');
    const endMs = random.int(600, 900);
    const isBack = queue !== 'durable' && random.chance(0.5);
    const fault = isBack
      ? ({ kind: 'refuse', error: 'shutting down', share: 1 } as const)
      : random.pick(OUTAGES);
    script.fault('B', fault, 100, isBack ? endMs - random.int(20, 100) : endMs + random.int(3_000, 5_000));
    script.load('load', { fromMs: 0, toMs: endMs, everyMs: 15 });
    const how = queue === 'durable' ? script.pick('kill', 'shut down') : 'shut down';
    script.add({ atMs: endMs, do: 'restart', how, afterMs: random.int(1, 500) });
    return script.history({
      policy: script.pick('active', 'breaker'),
      resetTimeoutMs: isBack ? FOR_EVER_MS : 500,
      queue,
      // Calls that would take longer than the process may.
      writeTimeoutMs: how === 'kill' ? 100 : script.pick(100, 10_000),
      shutdownTimeoutMs: random.int(500, 2_500),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { queue, shutdownTimeoutMs } = course.setup;
    const { fault, fromMs, toMs } = course.outage();
    const [end] = outcome.ledger.ends;
    const { atMs, endedMs } = end ?? { atMs: 0, endedMs: Infinity };
    const writes = course.writes();
    course.must(
      'ends in time',
      endedMs - atMs <= shutdownTimeoutMs + MOMENT_MS,
      () => `from ${atMs} to ${endedMs}`,
    );
    if (end?.how === 'shut down') {
      course.mustAll('every call is answered before', writes, ({ answer }) => {
        return answer.kind === 'value' && answer.atMs <= endedMs;
      });
    }
    const promised = writes.filter((write) => statusOf(write, 'B') === 'queued');
    if (queue === 'durable') {
      course.mustAll(
        'what is queued is kept',
        promised,
        ({ A, B }) => A.isThere && B.isThere && B.dropped === 0,
      );
      return course.violations;
    }
    if (toMs < atMs) {
      course.mustAll(
        'the last replay finds B',
        promised,
        ({ A, B }) => A.isThere && B.isThere && B.dropped === 0,
      );
      course.mustBeEqual();
      return course.violations;
    }
    course.mustAll('what cannot be kept is reported once', promised, ({ startedMs, A, B }) => {
      // What was in doubt may be there all the same.
      const mayBeThere = startedMs <= fromMs || !isCertain(fault);
      return A.isThere && B.dropped === 1 && (mayBeThere || !B.isThere);
    });
    // Who was answered before B had ended was told that it is pending.
    const pending = writes.filter((write) => statusOf(write, 'B') === 'pending');
    const dropped = end?.dropped ?? 0;
    const most = promised.length + pending.length;
    course.must('reports nothing else', dropped >= promised.length && dropped <= most, () => {
      return `${end?.dropped} were reported, ${promised.length} were queued and ${pending.length} pending`;
    });
    return course.violations;
  },
};
