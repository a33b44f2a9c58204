import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import type { ReadRecord, SuspicionRecord, Violation } from '../ledger.js';
import { describeRead, describeTruth, describeWrite, ms } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';
import { ROUNDING_MS } from './fates.js';
import { ROUND_MS } from './silence.js';

/** A dead cluster is asked again so often, in ms. */
const ASK_AGAIN_MS = 2_000;
/** A target that does not keep its own time limit has so long beside it, in ms. */
const GRACE_MS = 1_000;

/**
 * A cluster is suspected only when a request has waited for `suspectAfterMs` and nothing has come from the cluster
 * since, and what waits for it alone is decided without it only when it was found dead and the other one is not silent
 * too.
 */
export function suspicion(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'suspicion', message });
  for (const each of evidence.ledger.suspicions) {
    const wrong = wrongWithAsking(evidence, each);
    const { cluster, fromMs, process } = each;
    if (wrong)
      report(`${cluster} was asked for a sign of life at ${ms(fromMs)}, process ${process}, ${wrong}`);
  }
  for (const write of evidence.writes) {
    for (const cluster of SIDES) {
      const { releasedMs } = write[cluster];
      if (releasedMs === undefined) continue;
      const wrong =
        write.step.class === 'once'
          ? 'although it must not be applied twice'
          : wrongWithGivingUp(evidence, write.process, cluster, releasedMs);
      if (wrong)
        report(`${describeWrite(write)} gave ${cluster} up, ${wrong} (${describeTruth(write, cluster)})`);
    }
  }
  for (const read of evidence.ledger.reads) {
    const given = givenUp(evidence, read);
    const wrong = given && wrongWithGivingUp(evidence, read.process, given.cluster, given.atMs);
    if (wrong) report(`${describeRead(read)} gave ${given.cluster} up at ${ms(given.atMs)}, ${wrong}`);
  }
  return found;
}

function wrongWithAsking(evidence: Evidence, ask: SuspicionRecord): string | undefined {
  const { silence } = evidence;
  const { process, cluster, fromMs } = ask;
  const suspectAfterMs = evidence.suspectAfterMs;
  const before = silence.asked(process, cluster);
  const last = before[before.indexOf(ask) - 1];
  const sinceLastMs = fromMs - (last?.fromMs ?? Number.NEGATIVE_INFINITY);
  if (silence.mayBeDead(process, cluster, fromMs)) {
    const isTooSoon = silence.isDead(process, cluster, fromMs) && sinceLastMs < ASK_AGAIN_MS - ROUNDING_MS;
    return isTooSoon ? `${ms(sinceLastMs)} after the last time, although it was dead` : undefined;
  }
  if (sinceLastMs >= ASK_AGAIN_MS - ROUNDING_MS && isStillTakenForDead(evidence, before, ask))
    return undefined;
  if (suspectAfterMs === 0) return 'although nobody is to be suspected';
  if (silence.latePingsBefore(ask) > 0) return undefined;
  const sinceMs = fromMs - suspectAfterMs;
  if (silence.hasHeard(process, cluster, sinceMs, fromMs)) {
    return `although something had come from it at ${ms(silence.lastHeardMs(process, cluster, fromMs))}`;
  }
  const quietSinceMs = silence.lastHeardMs(process, cluster, fromMs);
  if (silence.stoodStill(sinceMs, fromMs) && !silence.stoodStillAgain(quietSinceMs, fromMs)) {
    return 'although the process itself had stood still';
  }
  const clearedMs =
    last?.end && !silence.hasHeard(process, cluster, last.fromMs, last.end.atMs) ? last.end.atMs : undefined;
  if (clearedMs !== undefined && clearedMs > sinceMs + ROUNDING_MS && clearedMs < fromMs) {
    return `although it had been cleared at ${ms(clearedMs)}`;
  }
  return isWaitedFor(evidence, process, cluster, sinceMs, fromMs)
    ? undefined
    : `although no request had waited for it since ${ms(sinceMs)}`;
}

/** What came after it was last found silent is heard when it is looked for, and nobody looks while nothing is waited for. */
function isStillTakenForDead(
  { silence }: Evidence,
  asked: readonly SuspicionRecord[],
  ask: SuspicionRecord,
): boolean {
  const before = asked.slice(0, asked.indexOf(ask));
  const found = before.findLast(({ end }) => end?.sign === 'silent' || end?.sign === 'answered')?.end;
  const { process, cluster } = ask;
  return (
    found?.sign === 'silent' && silence.lastHeardMs(process, cluster, ask.fromMs) > found.atMs - ROUND_MS
  );
}

/** A stall that is longer ago changes no time limit any more. */
const LONGEST_MEMORY_MS = 5_000;

/** Whether there is a request that can have waited from the one moment to the other. */
function isWaitedFor(
  evidence: Evidence,
  process: number,
  cluster: ClusterId,
  fromMs: number,
  toMs: number,
): boolean {
  const { ledger, setup, writes } = evidence;
  // A time that was over just after a stall is longer.
  const memoryMs = fromMs - LONGEST_MEMORY_MS;
  const lateMs = evidence.stalledMs(memoryMs, toMs) + evidence.graceMs(memoryMs, toMs);
  const isLong = (sentMs: number, limitMs: number, endMs: number): boolean =>
    sentMs <= fromMs + ROUNDING_MS && Math.min(sentMs + limitMs + lateMs, endMs) >= toMs - ROUNDING_MS;
  const isWrite = writes.some((write) => {
    if (write.process !== process) return false;
    const { attemptedMs = Infinity, acknowledgedMs = Infinity, failure } = write[cluster];
    return isLong(attemptedMs, setup.writeTimeoutMs, Math.min(acknowledgedMs, failure?.atMs ?? Infinity));
  });
  if (isWrite) return true;
  const isRead = ledger.reads.some(({ answer, asked, process: of }) => {
    const endMs = answer.kind === 'waiting' ? Infinity : answer.atMs;
    return (
      of === process && asked.some(({ atMs, cluster: to }) => to === cluster && isLong(atMs, Infinity, endMs))
    );
  });
  if (isRead) return true;
  const limitMs = setup.executeTimeoutMs + GRACE_MS;
  return ledger.replayed.some((each) => each.cluster === cluster && isLong(each.atMs, limitMs, Infinity));
}

/** When a read asked the other side although the first had not failed, and for no other reason. */
function givenUp(
  { setup }: Evidence,
  { asked, step }: ReadRecord,
): { cluster: ClusterId; atMs: number } | undefined {
  const [first] = asked;
  const second = asked.find(({ cluster }) => cluster !== first?.cluster);
  if (!first || !second) return undefined;
  const { cluster, failedMs = Infinity } = first;
  const hedgedMs = first.atMs + (step.hedgeAfterMs ?? Infinity);
  const reasonMs = Math.min(failedMs, first.atMs + setup.readTimeoutMs, hedgedMs);
  return second.atMs < reasonMs - ROUNDING_MS ? { cluster, atMs: second.atMs } : undefined;
}

function wrongWithGivingUp(
  { silence }: Evidence,
  process: number,
  cluster: ClusterId,
  atMs: number,
): string | undefined {
  if (!silence.mayBeDead(process, cluster, atMs)) return 'although it had not been found dead';
  const other = otherCluster(cluster);
  return silence.isSilent(process, other, atMs) ? `although ${other} was silent too` : undefined;
}
