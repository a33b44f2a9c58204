import type { ReadRecord } from '../ledger.js';
import type { Scenario } from '../scenario.js';
import { MOMENT_MS, Script } from './building-blocks.js';
import { Course, lastAppliedMs, roundTripMs } from './course.js';

/** It is looked at how old a backlog is so often, in ms. */
const REFRESH_MS = 100 + MOMENT_MS;
const PAUSE = { fromMs: 50, toMs: 3_000 };
/** While the backlog of B is too old, A fails. */
const FAILURE = { fromMs: 1_800, toMs: 2_300 };

/** One side is well, and far behind. */
export const readLag: Scenario = {
  name: 'read-lag',
  about:
    'B is back, but what it has missed is not: as soon as that is too old reads go to A, to B only if A fails, and to B again when it has caught up.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const maxReadLagMs = random.int(400, 1_000);
    script.write(10, 'before');
    script.add({ atMs: PAUSE.fromMs, do: 'pause replay', cluster: 'B', forMs: PAUSE.toMs - PAUSE.fromMs });
    script.fault('B', { kind: 'refuse', error: 'shutting down', share: 1 }, 100, 200);
    for (let count = random.int(2, 10); count > 0; count--) script.write(random.int(110, 150), 'missed');
    script.fault('A', { kind: 'refuse', error: 'shutting down', share: 1 }, FAILURE.fromMs, FAILURE.toMs);
    const read = (group: string, fromMs: number, toMs: number): void => {
      for (let atMs = fromMs; atMs < toMs; atMs += random.int(5, 45)) script.read(atMs, group);
    };
    read('fresh', 210, 100 + maxReadLagMs);
    read('old', 160 + maxReadLagMs + REFRESH_MS, FAILURE.fromMs - 50);
    read('failing', FAILURE.fromMs + 10, FAILURE.toMs - 50);
    read('still old', FAILURE.toMs + MOMENT_MS, PAUSE.toMs - 50);
    read('level', PAUSE.toMs + 500 + REFRESH_MS, PAUSE.toMs + 1_000);
    return script.history({
      readStrategy: 'sticky',
      preferred: 'B',
      policy: 'active',
      queue: script.pick('memory', 'encoding'),
      maxReadLagMs,
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const missed = course.writes('missed');
    course.mustAll('B has missed some', missed, ({ B }) => B.queued === 1 && B.isThere);
    const levelMs = lastAppliedMs(missed, 'B');
    const limitMs = course.at(PAUSE.toMs) + (missed.length + 2) * roundTripMs(course.setup, 'B');
    course.must('B catches up', levelMs <= limitMs, () => `at ${levelMs}, not by ${limitMs}`);

    const areAsked = (group: string, sides: string): void => {
      course.mustAllReads(`${group}: ${sides}`, course.reads(group), (read) => asked(read) === sides);
    };
    areAsked('fresh', 'B');
    areAsked('old', 'A');
    areAsked('failing', 'A B');
    areAsked('still old', 'A');
    areAsked('level', 'B');
    course.mustAllReads('every read is answered', course.reads(), ({ answer }) => answer.kind === 'value');
    course.mustBeEqual();
    return course.violations;
  },
};

function asked(read: ReadRecord): string {
  return read.asked.map(({ cluster }) => cluster).join(' ');
}
