import type { Scenario } from '../scenario.js';
import { MOMENT_MS, Script } from './building-blocks.js';
import { Course, lastAppliedMs, roundTripMs, statusOf } from './course.js';

const FROM_MS = 100;
const TO_MS = 30_000;
/** Until the pause after each refusal is as long as it gets; then that long: half of 100 ms at least. */
const SHORT_PAUSES = 7;
const LONGEST_PAUSE_MS = 50;
/** An envelope that fails while its target is well comes again after so long at most. */
const LONGEST_DELAY_MS = 30_000;

/** A side answers pings and takes nothing: nodes are down that hold the data, or it does not let anybody in. */
export const takesNothing: Scenario = {
  name: 'takes-nothing',
  about:
    'B answers pings and takes no write for a long time: it is asked with little, one envelope at a time, and gets the rest as soon as it takes something again.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const error = script.pick('locked out', 'unavailable');
    script.fault('B', { kind: 'refuse', error, share: 1 }, FROM_MS, TO_MS);
    for (let count = random.int(100, 140); count > 0; count--) {
      script.write(random.int(FROM_MS + 10, 5_000), 'early');
    }
    // Its turn has not come by then.
    for (let count = random.int(20, 40); count > 0; count--) script.write(TO_MS - 50, 'late');
    return script.history({
      policy: 'active',
      queue: script.pick('memory', 'encoding'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const { fromMs, toMs, usableMs } = course.outage('B');
    const during = course.writes('early', 'late');
    course.mustAll('what B does not take is queued', during, (write) => {
      return write.answer.kind === 'value' && statusOf(write, 'B') === 'queued';
    });
    const tries = outcome.ledger.replayed.filter(({ atMs }) => atMs > fromMs && atMs < toMs).length;
    const mostTries = SHORT_PAUSES + (toMs - fromMs) / LONGEST_PAUSE_MS;
    course.must('B is asked with little', tries <= mostTries, () => `${tries} envelopes were sent to it`);
    const late = course.writes('late');
    // Before them in the queue: all others that wait, and the ones before them.
    const replayMs = (during.length + 2) * (roundTripMs(setup, 'B') + MOMENT_MS);
    const limitMs = usableMs + 2 * LONGEST_PAUSE_MS + replayMs;
    const mustBeLevel = (fact: string, levelMs: number, byMs: number): void => {
      course.must(fact, levelMs <= byMs, () => `at ${levelMs}, not by ${byMs}`);
    };
    mustBeLevel('goes on at once', lastAppliedMs(late, 'B'), limitMs);
    mustBeLevel('level in time', lastAppliedMs(during, 'B'), limitMs + LONGEST_DELAY_MS);
    course.mustBeEqual();
    return course.violations;
  },
};
