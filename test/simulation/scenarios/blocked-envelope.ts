import type { Scenario } from '../scenario.js';
import { Script } from './building-blocks.js';
import { Course, lastAppliedMs } from './course.js';

/** The replicas of some rows are back. */
const BACK_MS = 40_000;
/** What some envelopes in a row cost, before each waits by itself: a short pause each. */
const SORTED_OUT_MS = 2_000;

/** A side that is well does not take some of what it has missed, whatever else it takes. */
export const blockedEnvelope: Scenario = {
  name: 'blocked-envelope',
  about:
    'B is well, but some rows have too few replicas there: their envelopes wait, each by itself, until they are back, and hold up nobody else.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    for (let count = random.int(1, 20); count > 0; count--) {
      const atMs = random.int(10, 300);
      script.write(atMs, 'blocked', { shortOfReplicas: { on: 'B', forMs: BACK_MS - atMs } });
    }
    script.fault('B', { kind: 'refuse', error: 'shutting down', share: 1 }, 100, 400);
    for (let count = random.int(10, 30); count > 0; count--) script.write(random.int(110, 390), 'missed');
    script.load('later', { fromMs: 6_000, toMs: 6_500, everyMs: 50 });
    return script.history({
      policy: 'active',
      queue: script.pick('memory', 'encoding', 'durable'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const missed = course.writes('missed');
    const levelMs = lastAppliedMs(missed, 'B');
    const limitMs = course.outage('B').usableMs + SORTED_OUT_MS;
    course.must('nobody is held up', levelMs <= limitMs, () => `at ${levelMs}, not by ${limitMs}`);
    course.mustAll('foreground goes on', course.writes('later'), ({ A, B }) => A.sent === 1 && B.sent === 1);
    course.mustAll('what is blocked waits', course.writes('blocked'), ({ B }) => {
      return B.queued === 1 && B.buried.length + B.dropped === 0 && (B.appliedMs ?? 0) >= course.at(BACK_MS);
    });
    course.mustBeEqual();
    return course.violations;
  },
};
