import type { ClusterId, LaneStats, ReplayStats } from '../../../lib/core/index.js';
import type { ProcessEnd, Violation } from '../ledger.js';
import { type Evidence, SIDES } from './evidence.js';

const FIGURES = [
  'enqueued',
  'applied',
  'queued',
  'inFlight',
  'deadLettered',
  'purged',
  'superseded',
  'dropped',
] as const satisfies readonly (keyof LaneStats)[];

type Report = (message: string) => void;

/** The figures of the queue add up, and say what happened. */
export function accounting(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const end of evidence.ledger.ends) {
    const report = (message: string): void =>
      void found.push({ rule: 'accounting', message: `Process ${end.process}, ${end.how}: ${message}` });
    const isSettled = end === evidence.settledEnd;
    if (end.dropped !== end.lost) {
      report(`onReplayDropped was called ${end.dropped} times, the instance counted ${end.lost}`);
    }
    if (isSettled) checkWire(end, report);
    if (!end.stats) continue;
    for (const cluster of SIDES) checkSums(end.stats[cluster], cluster, report);
    // The list of a queue elsewhere takes time, in which more may be buried.
    if (end.how === 'shut down' && (isSettled || evidence.isQueueVolatile)) checkLetters(end, report);
    if (isSettled) checkEmptiness(end, report);
    if (evidence.isQueueVolatile) checkDrops(evidence, end, end.stats, report);
    if (isSettled && evidence.isQueueVolatile) checkHanded(evidence, end, end.stats, report);
  }
  return found;
}

function checkSums(stats: LaneStats, cluster: ClusterId, report: Report): void {
  const { enqueued, applied, queued, inFlight, deadLettered, purged, superseded, dropped } = stats;
  const sum = applied + queued + inFlight + deadLettered + purged + superseded + dropped;
  if (sum !== enqueued || FIGURES.some((figure) => !(stats[figure] >= 0))) {
    report(`${cluster} does not add up: ${FIGURES.map((each) => `${each} ${stats[each]}`).join(', ')}`);
  }
}

function checkLetters({ stats, deadLetters }: ProcessEnd, report: Report): void {
  for (const cluster of SIDES) {
    const count = deadLetters.reduce((sum, each) => sum + Number(each.cluster === cluster), 0);
    const counted = stats?.[cluster].deadLettered;
    if (counted !== count) report(`${cluster} has ${count} dead letters, and counts ${counted}`);
  }
}

/** Everything has settled: nothing is under way. */
function checkWire({ inFlight }: ProcessEnd, report: Report): void {
  for (const cluster of SIDES) {
    if (inFlight[cluster] !== 0)
      report(`${inFlight[cluster]} call(s) to ${cluster} are still counted in flight`);
  }
}

function checkEmptiness({ stats, reserved }: ProcessEnd, report: Report): void {
  if (reserved !== 0)
    report(`${reserved} places in the queue are still kept, although everything had settled`);
  for (const cluster of SIDES) {
    const { queued = 0, inFlight = 0 } = stats?.[cluster] ?? {};
    if (queued !== 0 || inFlight !== 0) {
      report(`${cluster} has ${queued} queued and ${inFlight} in flight, although everything had settled`);
    }
  }
}

/** Nothing is refused while there is room, and everything that is not kept is reported. */
function checkDrops(evidence: Evidence, end: ProcessEnd, { A, B }: ReplayStats, report: Report): void {
  const { history, setup, writes } = evidence;
  if (history.steps.some((step) => step.do === 'queue fault')) return;
  // At its fullest: all it was ever given, and room reserved for both sides of every write.
  const mostHeld = A.enqueued + B.enqueued + 2 * writes.length;
  const refused = A.dropped + B.dropped;
  if (refused > 0 && mostHeld <= setup.capacity) {
    report(`the queue refused ${refused}, although its ${setup.capacity} places were never taken`);
  }
  if (end !== evidence.settledEnd) return;
  const expected = refused + A.deadLettered + B.deadLettered;
  if (end.dropped !== expected) {
    report(
      `${end.dropped} were reported lost; the queue refused ${refused} and ended with ${expected - refused} dead letters`,
    );
  }
}

/** What a queue counts as given to it is what was given to it. */
function checkHanded(
  { writes }: Evidence,
  { process }: ProcessEnd,
  stats: ReplayStats,
  report: Report,
): void {
  for (const cluster of SIDES) {
    const handed = writes.reduce(
      (sum, each) => sum + (each.process === process ? each[cluster].handed : 0),
      0,
    );
    const { enqueued } = stats[cluster];
    if (enqueued !== handed) report(`${cluster} counts ${enqueued} enqueued; ${handed} were given to it`);
  }
}
