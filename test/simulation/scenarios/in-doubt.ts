import type { ClusterFault, WriteStep } from '../history.js';
import type { WriteRecord } from '../ledger.js';
import type { Scenario } from '../scenario.js';
import { Script } from './building-blocks.js';
import { Course, statusOf } from './course.js';

/** After which nobody knows what became of some of the writes, while most others get through. */
const DOUBTS: readonly [ClusterFault, ...ClusterFault[]] = [
  { kind: 'answers lost', share: 0.5 },
  { kind: 'requests lost', share: 0.5 },
  { kind: 'refuse', error: 'overloaded', share: 0.6 },
  { kind: 'refuse', error: 'unknown', share: 0.6 },
  { kind: 'refuse', error: 'write timeout', share: 0.6 },
];
/** Increments, which must not be repeated. */
const ONCE: Partial<WriteStep> = { class: 'once', change: { kind: 'add' } };

/** Increments while nobody can be sure whether they arrive. */
export const inDoubt: Scenario = {
  name: 'in-doubt',
  about:
    'Increments are lost on their way, or their answers are, or the connection is, and again while they are replayed: each is carried out at most once on each side, and what is in doubt is a dead letter.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const add = (atMs: number, group: string): void =>
      script.write(atMs, group, { ...ONCE, key: `n-${group}` });
    const lostMs = random.int(100, 150);
    for (let count = 0; count < 20; count++) add(lostMs, 'on-it');
    script.fault('B', { kind: 'disconnect' }, lostMs + random.int(1, 8), lostMs + 9);

    script.fault('B', random.pick(DOUBTS), 2_000, 3_000);
    for (let count = 0; count < 20; count++) add(random.int(2_001, 2_990), 'doubtful');

    // Certainly not applied; and then replayed to a side of which one cannot be sure.
    script.fault('B', { kind: 'refuse', error: 'shutting down', share: 1 }, 5_000, 5_500);
    for (let count = 0; count < 20; count++) add(random.int(5_001, 5_450), 'missed');
    script.fault('B', random.pick(DOUBTS), 5_500, 9_000);

    // An operator takes back what can be repeated: nothing.
    script.add({ atMs: 15_000, do: 'requeue' });

    script.fault('A', random.pick(DOUBTS), 20_000, 21_000);
    script.fault('B', random.pick(DOUBTS), 20_000, 21_000);
    for (let count = 0; count < 20; count++) add(random.int(20_001, 20_990), 'both');
    return script.history({
      writeStrategy: script.pick('concurrent', 'straggler', 'A first', 'B first'),
      stragglerMs: random.int(0, 10),
      policy: 'active',
      queue: script.pick('memory', 'encoding'),
      executeTimeoutMs: 100,
      // So that requests are on their way, and answers, when the connection is lost.
      latency: { A: { baseMs: 1, spreadMs: 2 }, B: { baseMs: 4, spreadMs: 3 } },
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    course.mustAll('once at most', course.writes(), ({ A, B }) => A.applied <= 1 && B.applied <= 1);
    const isDoubtful = ({ B }: WriteRecord): boolean => B.queued === 0 && B.buried.join() === 'inDoubt';
    const isTaken = ({ B }: WriteRecord): boolean => B.queued + B.buried.length === 0 && B.applied === 1;
    const sent = course.writes('on-it', 'doubtful');
    course.mustAll('what has been sent is taken, or in doubt', sent, (write) => {
      switch (statusOf(write, 'B')) {
        case 'applied':
          return isTaken(write);
        case 'inDoubt':
          return isDoubtful(write);
        case 'pending':
          return isTaken(write) || isDoubtful(write) || write.B.queued === 1;
        default:
          // There was no connection to send it on.
          return write.B.queued === 1 && write.step.id.startsWith('on-it');
      }
    });
    course.must('some are in doubt', sent.some(isDoubtful), () => 'none is');

    const missed = course.writes('missed');
    course.mustAll(
      'what has not been taken is queued',
      missed,
      ({ A, B }) => A.applied === 1 && B.queued === 1,
    );
    course.mustAll('and replayed, or in doubt by then', missed, ({ B }) => {
      return B.buried.length === 0 ? B.applied === 1 : B.buried.join() === 'inDoubt';
    });
    for (const { step, A, B } of course.writes('both')) {
      const isKnown = A.applied === B.applied || A.buried.length + B.buried.length > 0;
      course.must('a difference is known', isKnown, () => `${step.id}: A ${A.applied}, B ${B.applied}`);
    }
    return course.violations;
  },
};
