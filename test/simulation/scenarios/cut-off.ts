import { DualClusterError } from '../../../lib/core/index.js';
import { receiptOf } from '../oracle/answers.js';
import type { Scenario } from '../scenario.js';
import { MOMENT_MS, Script } from './building-blocks.js';
import { Course, statusOf } from './course.js';

/** The process ends while one side has long held what was sent to it. */
export const cutOff: Scenario = {
  name: 'cut-off',
  about:
    'The process ends while writes wait for a frozen side: they are decided as they stand, nothing more is sent, and what they leave is queued or reported before the end.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const writeStrategy = script.pick('A first', 'B first', 'concurrent', 'straggler');
    const frozen = writeStrategy === 'B first' ? 'B' : 'A';
    script.fault(frozen, { kind: 'hang' }, 100, 30_000);
    for (let count = random.int(5, 15); count > 0; count--) script.write(random.int(110, 490), 'cut');
    script.add({ atMs: 500, do: 'restart', how: 'shut down', afterMs: random.int(1, 500) });
    return script.history({
      writeStrategy,
      stragglerMs: writeStrategy === 'straggler' ? random.int(0, 20) : 20_000,
      policy: 'active',
      queue: script.pick('memory', 'encoding', 'durable'),
      // None of them ends by itself before the process does.
      writeTimeoutMs: 20_000,
      executeTimeoutMs: 20_000,
      suspectAfterMs: 0,
      shutdownTimeoutMs: random.int(500, 2_000),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { queue, writeStrategy, shutdownTimeoutMs } = course.setup;
    const [end] = outcome.ledger.ends;
    const { atMs, endedMs } = end ?? { atMs: 0, endedMs: Infinity };
    const isInTime = endedMs - atMs <= shutdownTimeoutMs + MOMENT_MS;
    course.must('ends in time', isInTime, () => `from ${atMs} to ${endedMs}`);

    const writes = course.writes('cut');
    const frozen = course.outage().cluster;
    const other = frozen === 'A' ? 'B' : 'A';
    const isSequential = writeStrategy === 'A first' || writeStrategy === 'B first';
    course.mustAll('every call is answered before', writes, (write) => {
      const { answer } = write;
      if (answer.kind === 'waiting' || answer.atMs > endedMs) return false;
      if (!isSequential) return statusOf(write, other) === 'applied' && receiptOf(write) !== undefined;
      const error = answer.kind === 'error' ? answer.error : undefined;
      return error instanceof DualClusterError && error.outcome === 'unknown';
    });
    course.mustAll('nothing more is sent', writes, (write) => {
      return write[frozen].sent === 1 && write[other].sent === (isSequential ? 0 : 1);
    });
    course.mustAll('what they leave is handed to the queue, once', writes, (write) => {
      return write[frozen].handed === 1 && write[other].handed === (isSequential ? 1 : 0);
    });
    course.mustAll('a side that is well has them', writes, (write) => write[other].isThere);
    const dropped = queue === 'durable' ? 0 : 1;
    course.mustAll('what cannot be kept is reported, once', writes, (write) => {
      return write[frozen].dropped === dropped && write[other].dropped === 0;
    });
    return course.violations;
  },
};
