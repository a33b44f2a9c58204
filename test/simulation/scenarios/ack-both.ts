import { DualClusterError, PartialWriteError } from '../../../lib/core/index.js';
import { receiptOf } from '../oracle/answers.js';
import type { Scenario } from '../scenario.js';
import { isCertain, OUTAGES, Script } from './building-blocks.js';
import { Course } from './course.js';

/** Callers who want both sides, of every strategy. */
export const ackBoth: Scenario = {
  name: 'ack-both',
  about:
    "With ack 'both' a write succeeds when both sides have it and not before; otherwise its error says what became of each side, and that is so.",

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const both = { ack: 'both' } as const;
    script.load('well', { fromMs: 0, toMs: 200, everyMs: 15 }, both);
    script.load('refused', { fromMs: 0, toMs: 200, everyMs: 50 }, { ...both, refusedBy: ['B'] });
    const fault = random.pick(OUTAGES);
    script.fault('B', fault, 300, 1_200);
    script.load('half', { fromMs: 301, toMs: 600, everyMs: 20 }, both);
    const once = { class: 'once', change: { kind: 'add' }, key: 'counter' } as const;
    script.load('once', { fromMs: 301, toMs: 600, everyMs: 40 }, { ...both, ...once });
    script.fault('A', fault, 800, 1_200);
    script.load('none', { fromMs: 801, toMs: 900, everyMs: 20 }, both);
    script.load('again', { fromMs: 20_000, toMs: 20_100, everyMs: 20 }, both);
    return script.history({
      writeStrategy: script.pick('concurrent', 'straggler', 'A first', 'B first'),
      stragglerMs: random.int(0, 5),
      policy: script.pick('active', 'breaker'),
      queue: script.pick('memory', 'encoding'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const { fault } = course.outage();
    course.mustAll('both have it', course.writes('well', 'again'), ({ answer, A, B }) => {
      if (answer.kind !== 'value' || answer.value.A !== 'applied' || answer.value.B !== 'applied')
        return false;
      return (A.appliedMs ?? Infinity) < answer.atMs && (B.appliedMs ?? Infinity) < answer.atMs;
    });
    const partly = (fact: string, group: string, statusOfB: (sent: number) => string): void => {
      course.mustAll(fact, course.writes(group), (write) => {
        const { answer, A, B } = write;
        const isPartial = answer.kind === 'error' && answer.error instanceof PartialWriteError;
        const receipt = receiptOf(write);
        return isPartial && A.isThere && receipt?.A === 'applied' && receipt.B === statusOfB(B.sent);
      });
    };
    if (setup.writeStrategy === 'B first') {
      // Nobody has it: B refuses it before A is asked.
      course.mustAll(
        'is refused',
        course.writes('refused'),
        ({ answer, A }) => answer.kind === 'error' && A.sent === 0,
      );
    } else {
      partly('B refuses it', 'refused', () => 'rejected');
    }
    partly('B has it later', 'half', () => 'queued');
    course.mustAll('B has it later', course.writes('half'), ({ B }) => B.queued === 1 && B.isThere);

    // One that must not be repeated is nobody's but an operator's, once it may have arrived.
    partly('B may have it', 'once', (sent) => (sent > 0 && !isCertain(fault) ? 'inDoubt' : 'queued'));
    course.mustAll('B may have it', course.writes('once'), ({ A, B }) => {
      const isQueued = B.sent === 0 || isCertain(fault);
      return A.applied === 1 && B.applied <= 1 && (isQueued ? B.queued === 1 : B.buried.join() === 'inDoubt');
    });
    const outcomeOfNone = isCertain(fault) ? 'notApplied' : 'unknown';
    course.mustAll('nobody has it', course.writes('none'), ({ answer }) => {
      return (
        answer.kind === 'error' &&
        answer.error instanceof DualClusterError &&
        answer.error.outcome === outcomeOfNone
      );
    });
    course.mustBeEqual();
    return course.violations;
  },
};
