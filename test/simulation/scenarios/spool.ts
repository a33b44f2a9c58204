import type { Scenario } from '../scenario.js';
import { OUTAGES, Script } from './building-blocks.js';
import { Course, statusOf } from './course.js';

/** The process ends while its queue is away, which is back just before the end. */
export const spool: Scenario = {
  name: 'spool',
  about:
    'The queue is away, and B as well, when the process ends: what was only held in memory gets to the queue while there is time, and nothing is lost.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const endMs = random.int(400, 600);
    script.add({ atMs: 80, do: 'queue fault', fault: 'down', forMs: endMs + random.int(100, 800) - 80 });
    script.fault('B', random.pick(OUTAGES), 100, endMs + 5_000);
    for (let count = random.int(3, 20); count > 0; count--)
      script.write(random.int(110, endMs - 10), 'missed');
    script.add({ atMs: endMs, do: 'restart', how: 'shut down', afterMs: random.int(1, 500) });
    return script.history({
      policy: script.pick('active', 'breaker'),
      queue: 'durable',
      // What is not answered at once may still be kept: then it is not known to be.
      enqueueTimeoutMs: 10_000,
      shutdownTimeoutMs: 5_000,
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const missed = course.writes('missed');
    course.mustAll('A has them', missed, ({ A }) => A.isThere);
    const kept = missed.filter((write) => ['queued', 'spooled'].includes(statusOf(write, 'B') ?? ''));
    course.mustAll('nothing that was kept is lost', kept, ({ B }) => B.isThere && B.dropped === 0);
    course.must(
      'some is only spooled',
      kept.some((write) => statusOf(write, 'B') === 'spooled'),
      () => 'nothing is',
    );
    return course.violations;
  },
};
