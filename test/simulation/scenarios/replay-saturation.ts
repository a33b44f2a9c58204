import { PartialWriteError, ReplayQueueFullError } from '../../../lib/core/index.js';
import type { WriteRecord } from '../ledger.js';
import type { Scenario } from '../scenario.js';
import { Script } from './building-blocks.js';
import { Course, statusOf } from './course.js';

/** So many of high priority go before one of low. */
const HIGH_BEFORE_LOW = 10;

/** A side is away for longer than the queue holds, then once more. */
export const replaySaturation: Scenario = {
  name: 'replay-saturation',
  about:
    'B is away longer than the queue holds, twice: what it takes is exactly its capacity, what it does not take is refused or reported, and it goes in the order of priority.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const capacity = random.int(25, 40);
    const down = { kind: 'refuse', error: 'shutting down', share: 1 } as const;
    const policy = script.pick('breaker', 'active');
    script.fault('B', down, 100, 2_000);
    // Three are enough to open the breaker; from then on there is room only for what is known to be missed.
    for (let atMs = 110; atMs < 160; atMs += 20) script.write(atMs, 'first');
    const all = capacity + random.int(5, 15);
    for (let count = 0; count < 5; count++)
      script.write(random.int(200, 900), 'refused', { refusedBy: ['A', 'B'] });
    for (let count = 3; count < all; count++) {
      // At least two of low priority, each with more than ten of high priority before it.
      const priority = count < 5 || (count < capacity && random.chance(0.1)) ? 'low' : 'high';
      script.write(random.int(1_000, 1_900), 'first', { priority });
    }
    script.load('well', { fromMs: 6_000, toMs: 6_200, everyMs: 20 });
    script.fault('B', down, 6_500, 8_000);
    for (let count = 0; count < capacity; count++) script.write(random.int(6_510, 7_900), 'second');
    return script.history({
      policy,
      queue: script.pick('memory', 'encoding'),
      capacity,
      onReplayLost: script.pick('throw', 'report'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { capacity, onReplayLost, policy } = course.setup;
    const first = course.writes('first');
    const kept = first.filter((write) => statusOf(write, 'B') === 'queued');
    const others = first.filter((write) => !kept.includes(write));
    course.must(
      'takes its capacity',
      kept.length === capacity,
      () => `${kept.length} were queued, not ${capacity}`,
    );
    if (onReplayLost === 'throw' && policy === 'breaker') {
      course.mustAll('what is refused changes nothing', others, ({ answer, A, B }) => {
        const isRefused = answer.kind === 'error' && answer.error instanceof ReplayQueueFullError;
        return isRefused && A.sent + B.sent + A.applied + B.applied + B.queued + B.dropped === 0;
      });
    } else {
      course.mustAll('what is lost is reported once', others, (write) => {
        const { answer, A, B } = write;
        const isTold =
          onReplayLost === 'report'
            ? answer.kind === 'value'
            : answer.kind === 'error' && answer.error instanceof PartialWriteError;
        return isTold && A.isThere && statusOf(write, 'B') === 'lost' && B.dropped === 1 && B.applied === 0;
      });
    }
    course.mustAll(
      'what is kept is brought to B',
      kept,
      ({ A, B }) => A.isThere && B.isThere && B.dropped === 0,
    );
    mustGoByPriority(course, kept);

    course.mustAll(
      'goes on when B is back',
      course.writes('well'),
      (write) => statusOf(write, 'B') === 'applied',
    );
    course.mustAll('all of its room is there again', course.writes('second'), (write) => {
      return statusOf(write, 'B') === 'queued' && write.B.isThere;
    });

    const stats = outcome.ledger.ends.at(-1)?.stats?.B;
    const lost = others.filter(({ B }) => B.dropped > 0).length;
    const isCounted =
      stats?.applied === 2 * capacity && stats.dropped === lost && stats.enqueued === 2 * capacity + lost;
    course.must(
      'accounts for them',
      isCounted,
      () => `${lost} of the first were lost: ${JSON.stringify(stats)}`,
    );
    return course.violations;
  },
};

/** Ten of high priority, one of low, as long as both wait. */
function mustGoByPriority(course: Course, kept: readonly WriteRecord[]): void {
  const waiting = new Map(kept.map(({ step }) => [step.id, step.priority]));
  const left = { high: 0, low: 0 };
  for (const { step } of kept) left[step.priority]++;
  const backMs = course.outage().toMs;
  let highInARow = 0;
  let isFirstLow = true;
  for (const { id, cluster, atMs } of course.outcome.ledger.replayed) {
    const priority = waiting.get(id);
    if (atMs < backMs || cluster !== 'B' || !priority) continue;
    waiting.delete(id);
    let isInTurn: boolean;
    if (priority === 'high') {
      isInTurn = highInARow < HIGH_BEFORE_LOW || left.low === 0;
      highInARow++;
    } else {
      // What went before the outage counts for the first of them.
      isInTurn =
        left.high === 0 || highInARow === HIGH_BEFORE_LOW || (isFirstLow && highInARow < HIGH_BEFORE_LOW);
      highInARow = 0;
      isFirstLow = false;
    }
    left[priority]--;
    course.must('high before low', isInTurn, () => `${id} of ${priority} priority went out of turn`);
  }
  course.must(
    'high before low',
    waiting.size === 0,
    () => `${[...waiting.keys()].join(' ')} were never sent`,
  );
}
