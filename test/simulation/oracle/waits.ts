import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import type { ReadRecord, SideTruth, Violation, WriteRecord } from '../ledger.js';
import { isAtOnce } from './asked.js';
import { describeRead, describeTruths, describeWrite, ms } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';
import { ROUNDING_MS } from './fates.js';
import { PING_MS, ROUND_MS } from './silence.js';
import { isWaitLimited } from './told.js';

/** Looks that a limit may be late by: at the silence, at the verdict, at what waits. */
const LOOKS = 3;

/**
 * While the other side is well nobody waits longer than it takes to find out that one does not answer at all, nor
 * longer than `stragglerMs` for one that is slow.
 */
export function waits(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'waits', message });
  for (const write of evidence.writes) {
    const wrong =
      SIDES.map((cluster) => wrongWithWait(evidence, write, cluster)).find((each) => each !== undefined) ??
      wrongWithStraggler(evidence, write);
    if (wrong) report(`${describeWrite(write)} ${wrong} (${describeTruths(write)})`);
  }
  for (const read of evidence.ledger.reads) {
    const wrong = wrongWithRead(evidence, read);
    if (wrong) report(`${describeRead(read)} ${wrong}`);
  }
  return found;
}

/** A dead side is given up as soon as it is waited for alone. */
function wrongWithWait(evidence: Evidence, write: WriteRecord, cluster: ClusterId): string | undefined {
  const { answer, step, usable } = write;
  const { attemptedMs, acknowledgedMs = Infinity, failure, releasedMs = Infinity } = write[cluster];
  const other = otherCluster(cluster);
  if (attemptedMs === undefined || answer.kind === 'waiting' || step.class === 'once') return undefined;
  if (!usable.includes(other) || write.full.includes(other)) return undefined;
  const dueMs = attemptedMs + evidence.setup.writeTimeoutMs;
  const endMs = Math.min(acknowledgedMs, failure?.atMs ?? Infinity, releasedMs, dueMs, answer.atMs);
  // Its turn came afterwards: it was not left out.
  const turnMs = write[other].attemptedMs;
  const isAlone = !isAtOnce(evidence.setup) && turnMs !== undefined && turnMs > endMs - ROUNDING_MS;
  const aloneMs = isAlone ? attemptedMs : acknowledgedInTimeMs(evidence, write[other]);
  const limitMs = foundDeadMs(evidence, write.process, cluster, attemptedMs, aloneMs, endMs);
  return limitMs !== undefined && endMs > limitMs
    ? `waited for ${cluster} until ${ms(endMs)}, although nothing had come from it and ${other} was well: ${ms(limitMs)} would have been enough`
    : undefined;
}

/** `undefined`: nobody can say. */
function foundDeadMs(
  evidence: Evidence,
  process: number,
  cluster: ClusterId,
  sentMs: number,
  aloneMs: number,
  endMs: number,
): number | undefined {
  const { silence, suspectAfterMs } = evidence;
  // Most by far: no silence is noticed sooner.
  if (endMs - sentMs < suspectAfterMs) return undefined;
  if (suspectAfterMs === 0 || evidence.stalledMs(sentMs, endMs) > 0 || evidence.isClosing(process, endMs)) {
    return undefined;
  }
  // A time that begins anew, for whatever reason, begins at the look after that.
  const asked = silence.asked(process, cluster).flatMap(({ end }) => {
    return end && end.sign !== 'silent' && end.atMs < endMs ? [end.atMs] : [];
  });
  const silentMs = Math.max(sentMs, silence.lastAnsweredMs(process, cluster, endMs), ...asked);
  const isOtherAsked = silence
    .asked(process, otherCluster(cluster))
    .some(({ fromMs, end }) => fromMs < endMs && (end?.atMs ?? Infinity) > sentMs);
  if (isOtherAsked || isLeftAlone(evidence, process, otherCluster(cluster), sentMs, endMs)) return undefined;
  const slowMs = silence.slowMs(process, cluster, sentMs, endMs);
  const foundMs = silentMs + Math.max(suspectAfterMs, slowMs) + Math.max(PING_MS, slowMs);
  return Math.max(foundMs, aloneMs) + LOOKS * ROUND_MS + ROUNDING_MS;
}

/** Whether the process takes a cluster that is well for one that is not, at some time within this span. */
function isLeftAlone(
  { ledger, silence }: Evidence,
  process: number,
  cluster: ClusterId,
  fromMs: number,
  toMs: number,
): boolean {
  if (silence.mayBeDead(process, cluster, fromMs) || silence.mayBeDead(process, cluster, toMs)) return true;
  const changes = ledger.breakers.filter((each) => each.process === process && each.cluster === cluster);
  const isOpen = changes.findLast(({ atMs }) => atMs <= fromMs)?.state ?? 'closed';
  return isOpen !== 'closed' || changes.some(({ atMs }) => atMs > fromMs && atMs <= toMs);
}

function wrongWithStraggler(evidence: Evidence, write: WriteRecord): string | undefined {
  const { setup } = evidence;
  const { answer, process, step } = write;
  if (answer.kind === 'waiting' || step.ack === 'both' || !isWaitLimited(setup.writeStrategy))
    return undefined;
  const appliedMs = Math.min(...SIDES.map((cluster) => acknowledgedInTimeMs(evidence, write[cluster])));
  const { atMs } = answer;
  if (appliedMs >= atMs || evidence.stalledMs(appliedMs, atMs) > 0 || evidence.isClosing(process, atMs)) {
    return undefined;
  }
  const lookMs = setup.stragglerMs === 0 ? 0 : Math.max(1, Math.min(ROUND_MS, setup.stragglerMs / 10));
  const limitMs = setup.stragglerMs + 2 * lookMs + setup.enqueueTimeoutMs;
  return atMs - appliedMs > limitMs + ROUNDING_MS
    ? `was answered ${ms(atMs - appliedMs)} after one side had applied it; at most ${ms(limitMs)} are allowed`
    : undefined;
}

function acknowledgedInTimeMs(
  { setup }: Evidence,
  { attemptedMs = Infinity, acknowledgedMs = Infinity, releasedMs = Infinity }: SideTruth,
): number {
  return acknowledgedMs < Math.min(attemptedMs + setup.writeTimeoutMs, releasedMs)
    ? acknowledgedMs
    : Infinity;
}

/** The other side is asked as soon as the first is found dead, unless the call may not leave it. */
function wrongWithRead(evidence: Evidence, read: ReadRecord): string | undefined {
  const { answer, asked, process, step, usable } = read;
  const [first] = asked;
  if (!first || answer.kind === 'waiting' || step.call !== undefined) return undefined;
  const other = otherCluster(first.cluster);
  // Each further page has its own time.
  if (!usable.includes(other) || step.pageSize !== undefined) return undefined;
  const secondMs = asked.find(({ cluster }) => cluster === other)?.atMs ?? Infinity;
  const dueMs = first.atMs + evidence.setup.readTimeoutMs;
  const endMs = Math.min(first.failedMs ?? Infinity, secondMs, dueMs, answer.atMs);
  const limitMs = foundDeadMs(evidence, process, first.cluster, first.atMs, first.atMs, endMs);
  return limitMs !== undefined && endMs > limitMs
    ? `waited for ${first.cluster} alone until ${ms(endMs)}, although nothing had come from it and ${other} was well: ${ms(limitMs)} would have been enough`
    : undefined;
}
