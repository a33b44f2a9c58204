import type { ReadRecord } from '../ledger.js';
import type { Scenario } from '../scenario.js';
import { MOMENT_MS, OUTAGES, RECONNECT_MS, Script } from './building-blocks.js';
import { Course, roundTripMs } from './course.js';

/** One side fails, then the other within the cooldown of the change; then once more after it. */
export const stickyCooldown: Scenario = {
  name: 'sticky-cooldown',
  about:
    'A fails and is back, B fails within the cooldown and again after it: no read fails, and the preference moves at most once in a cooldown.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const cooldownMs = random.int(3_000, 10_000);
    script.write(0, 'only');
    const during = (name: string, fromMs: number, toMs: number): void => {
      for (let atMs = fromMs; atMs < toMs; atMs += random.int(5, 45)) script.read(atMs, name);
    };
    const fail = (cluster: 'A' | 'B', name: string, fromMs: number): void => {
      const toMs = fromMs + random.int(300, 500);
      script.fault(cluster, random.pick(OUTAGES), fromMs, toMs);
      during(`${name}-fails`, fromMs + 1, toMs - 1);
      during(`${name}-back`, toMs + RECONNECT_MS + MOMENT_MS, toMs + RECONNECT_MS + 100);
    };
    during('before', 100, 200);
    fail('A', 'A', 300);
    fail('B', 'B-early', 300 + random.int(1_600, cooldownMs - 1_200));
    // A whole cooldown after the change, which comes with the first failure.
    fail('B', 'B-late', 500 + cooldownMs + random.int(2_000, 4_000));
    return script.history({ cooldownMs, policy: 'active', queue: script.pick('memory', 'none') });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { cooldownMs, readTimeoutMs } = course.setup;
    const reads = course.reads();
    course.mustAllReads('no read fails', reads, ({ answer }) => answer.kind === 'value');

    course.mustAllReads('stays on A', course.reads('before'), (read) => asked(read) === 'A');
    const moved = course.reads('A-fails');
    const movedMs = Math.min(...moved.map((read) => read.asked[1]?.atMs ?? Infinity));
    const isSoon = movedMs < course.outage('A').fromMs + 2 * readTimeoutMs;
    course.must('moves to B', isSoon, () => `it had moved at ${movedMs}`);
    const settled = moved.filter(({ startedMs }) => startedMs > movedMs);
    course.mustAllReads('is on B at once', settled, (read) => asked(read) === 'B');
    course.mustAllReads('does not go back by itself', course.reads('A-back'), (read) => asked(read) === 'B');

    const deepMs = (course.outages[1]?.toMs ?? 0) - readTimeoutMs - roundTripMs(course.setup, 'B');
    const early = course.reads('B-early-fails').filter(({ startedMs }) => startedMs < deepMs);
    course.mustAllReads('does not move in the cooldown', early, (read) => asked(read) === 'B A');
    course.mustAllReads('is where it was', course.reads('B-early-back'), (read) => asked(read) === 'B');

    const late = course.reads('B-late-fails');
    const movedBackMs = Math.min(...late.map((read) => read.asked[1]?.atMs ?? Infinity));
    const settledBack = [
      ...late.filter(({ startedMs }) => startedMs > movedBackMs),
      ...course.reads('B-late-back'),
    ];
    course.mustAllReads('moves after the cooldown', settledBack, (read) => asked(read) === 'A');
    course.must(
      'once in a cooldown',
      movedBackMs - movedMs >= cooldownMs,
      () => `at ${movedMs}, at ${movedBackMs}`,
    );
    return course.violations;
  },
};

function asked(read: ReadRecord): string {
  return read.asked.map(({ cluster }) => cluster).join(' ');
}
