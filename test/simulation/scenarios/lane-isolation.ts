import { otherCluster } from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import type { Scenario } from '../scenario.js';
import { BREAKER_PING_MS, LANE_PING_MS, MOMENT_MS, OUTAGES, Script } from './building-blocks.js';
import { Course, lastAppliedMs, roundTripMs, statusOf } from './course.js';

/** Replay to the side that is back begins; the other one has long been dead. */
const RESUME_MS = 6_000;
const DEAD_UNTIL_MS = 20_000;

/** Both sides have missed something; one of them comes back much later than the other. */
export const laneIsolation: Scenario = {
  name: 'lane-isolation',
  about:
    'Both sides have a backlog and one stays dead: the other gets its own all the same, poison is buried after one attempt and delays nobody, and one priority may fill the whole queue.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const dead = script.pick('A', 'B');
    const other = otherCluster(dead);
    script.add({ atMs: 90, do: 'pause replay', cluster: other, forMs: RESUME_MS - 90 });
    script.fault(other, random.pick(OUTAGES), 100, 500);
    for (let count = 0; count < 10; count++) script.write(random.int(101, 390), 'other');
    script.fault(dead, random.pick(OUTAGES), 1_700, DEAD_UNTIL_MS);
    const poison = random.int(1, 3);
    const all = random.int(40, 60);
    const priority = script.pick('high', 'low', undefined);
    for (let count = 0; count < all; count++) {
      const details = { priority: priority ?? script.pick('high', 'low') };
      // The first of them while the other one's are in the queue as well.
      const atMs = count < 10 ? random.int(1_710, 2_500) : random.int(10_000, 12_000);
      if (count < poison) script.write(atMs, 'poison', { ...details, refusedBy: [dead] });
      else script.write(atMs, 'dead', details);
    }
    return script.history({
      policy: script.pick('active', 'breaker'),
      queue: script.pick('memory', 'encoding'),
      // Not one more than is needed.
      capacity: all,
      onReplayLost: script.pick('throw', 'report'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const dead = course.outages.find(({ toMs }) => toMs === course.at(DEAD_UNTIL_MS))?.cluster ?? 'B';
    const other = otherCluster(dead);
    const toDead = course.writes('dead', 'poison');
    course.mustAll('the whole queue is there for one side', toDead, (write) => {
      const isKept = statusOf(write, other) === 'applied' && statusOf(write, dead) === 'queued';
      return isKept && write.answer.kind === 'value';
    });

    const mustBeLevel = (fact: string, levelMs: number, limitMs: number): void => {
      course.must(fact, levelMs <= limitMs, () => `at ${levelMs}, not by ${limitMs}`);
    };
    const missed = course.writes('other');
    course.mustAll('the other has missed them', missed, (write) => statusOf(write, other) === 'queued');
    const replayMs = (missed.length + 2) * roundTripMs(setup, other) + MOMENT_MS;
    mustBeLevel('a dead side holds up nobody', lastAppliedMs(missed, other), course.at(RESUME_MS) + replayMs);

    const { toMs: backMs, usableMs } = course.outage(dead);
    const toIt = outcome.ledger.replayed.filter(({ cluster }) => cluster === dead);
    const sent = toIt.filter(({ atMs }) => atMs >= backMs);
    // One to find out; then pings do.
    course.must(
      'a dead side is left alone',
      toIt.length - sent.length <= 1,
      () => `${toIt.length - sent.length} envelopes were sent to it`,
    );
    const [tried] = toIt.filter(({ atMs }) => atMs < backMs);
    const priorityOf = (id: string): string | undefined => outcome.ledger.writes.get(id)?.step.priority;
    const firstLike = tried && sent.find(({ id }) => priorityOf(id) === priorityOf(tried.id));
    course.must(
      'what has been tried keeps its place',
      firstLike?.id === tried?.id,
      () => `${firstLike?.id} came before ${tried?.id}`,
    );
    const beginMs = sent[0]?.atMs ?? Infinity;
    mustBeLevel('begins when it is back', beginMs, usableMs + noticeMs(setup) + roundTripMs(setup, dead));
    const kept = course.writes('dead');
    const allMs = toDead.length * roundTripMs(setup, dead) + MOMENT_MS;
    mustBeLevel('poison delays nobody', lastAppliedMs(kept, dead), Math.max(beginMs, usableMs) + allMs);
    course.mustAll(
      'poison is buried at its first attempt',
      course.writes('poison'),
      ({ step, [dead]: truth }) => {
        const attempts = sent.filter(({ id }) => id === step.id);
        return attempts.length === 1 && truth.buried.join() === 'rejected' && truth.applied === 0;
      },
    );
    course.mustBeEqual();
    const stats = outcome.ledger.ends.at(-1)?.stats?.[dead];
    const isCounted = stats?.applied === kept.length && stats.dropped === 0;
    course.must('accounts for them', isCounted, () => `${kept.length} were kept: ${JSON.stringify(stats)}`);
    return course.violations;
  },
};

/** When it is known at the latest that a side is back: a ping in vain, then the time to the next one. */
function noticeMs({ policy, resetTimeoutMs }: Setup): number {
  return policy === 'active' ? 2 * LANE_PING_MS : BREAKER_PING_MS + resetTimeoutMs + MOMENT_MS;
}
