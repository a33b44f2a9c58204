import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import { type Setup } from '../history.js';
import { type Scenario } from '../scenario.js';
import {
  BREAKER_PING_MS,
  Course,
  LANE_PING_MS,
  lastAppliedMs,
  MOMENT_MS,
  OUTAGES,
  roundTripMs,
  Script,
  statusOf,
} from './building-blocks.js';

/** By then the other side has its backlog. */
const LEVEL_MS = 15_000;
const DEAD_UNTIL_MS = 30_000;

/** Both sides have missed something; one of them comes back much later than the other. */
export const laneIsolation: Scenario = {
  name: 'lane-isolation',
  about:
    'Both sides have a backlog and one stays dead: the other gets its own all the same, poison is buried after one attempt, and one priority may fill the whole queue.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const dead = script.pick('A', 'B');
    const other = otherCluster(dead);
    script.fault(other, random.pick(OUTAGES), 100, 800);
    script.load('other', { fromMs: 101, toMs: 500, everyMs: 30 });
    // Dead before the other one is back.
    script.fault(dead, random.pick(OUTAGES), 750, DEAD_UNTIL_MS);
    const poison = random.int(1, 3);
    const all = random.int(40, 60);
    const priority = script.pick('high', 'low', undefined);
    for (let count = 0; count < all; count++) {
      const details = { priority: priority ?? script.pick('high', 'low') };
      const atMs = LEVEL_MS + random.int(0, 2_000);
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
    const dead = course.outages.find(({ toMs }) => toMs === course.at(DEAD_UNTIL_MS))?.cluster ?? 'B';
    const other = otherCluster(dead);
    course.mustAll('the whole queue is there for one side', course.writes('dead', 'poison'), (write) => {
      return (
        write.answer.kind === 'value' &&
        statusOf(write, other) === 'applied' &&
        statusOf(write, dead) === 'queued'
      );
    });

    const missed = course.writes('other');
    course.mustAll('the other has missed some', missed, (write) => statusOf(write, other) === 'queued');
    mustBeLevel(course, other, missed.length, lastAppliedMs(missed, other));
    const kept = course.writes('dead');
    // Poison among them costs one more attempt each, and nothing else.
    mustBeLevel(course, dead, kept.length + course.writes('poison').length, lastAppliedMs(kept, dead));

    const { toMs: backMs } = course.outage(dead);
    course.mustAll('poison is buried at its first attempt', course.writes('poison'), (write) => {
      const attempts = outcome.ledger.replayed.filter(({ id, cluster, atMs }) => {
        return id === write.step.id && cluster === dead && atMs >= backMs;
      });
      return attempts.length <= 1 && write[dead].buried.join() === 'rejected' && write[dead].applied === 0;
    });
    course.mustBeEqual();
    const stats = outcome.ledger.ends.at(-1)?.stats?.[dead];
    const isCounted = stats?.applied === kept.length && stats.dropped === 0;
    course.must('accounts for them', isCounted, () => `${kept.length} were kept: ${JSON.stringify(stats)}`);
    return course.violations;
  },
};

/** A side has its backlog soon after it is back, whatever the other one does. */
function mustBeLevel(course: Course, cluster: ClusterId, backlog: number, levelMs: number): void {
  const { setup } = course;
  const replayMs = (backlog + 2) * roundTripMs(setup, cluster) + MOMENT_MS;
  const limitMs = course.outage(cluster).usableMs + noticeMs(setup) + setup.executeTimeoutMs + replayMs;
  course.must('level in time', levelMs <= limitMs, () => `${cluster} was at ${levelMs}, not by ${limitMs}`);
}

/** When it is known at the latest that a side is back: a ping in vain, then the time to the next one. */
function noticeMs({ policy, resetTimeoutMs }: Setup): number {
  return policy === 'active' ? 2 * LANE_PING_MS : BREAKER_PING_MS + resetTimeoutMs;
}
