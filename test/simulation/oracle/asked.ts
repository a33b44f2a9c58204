import { type ClusterId, DualClusterError, otherCluster } from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import type { Violation, WriteRecord } from '../ledger.js';
import { receiptOf } from './answers.js';
import { describeTruths, describeWrite, ms } from './describe.js';
import { type Evidence, refuses, SIDES } from './evidence.js';
import { fateOf } from './fates.js';

/** A write is sent to a side when it may be, and does not fail before it has been sent to all that it may be. */
export function asked(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const write of evidence.writes) {
    for (const cluster of SIDES) {
      const wrong =
        write[cluster].attemptedMs === undefined
          ? wrongWithLeavingOut(evidence, write, cluster)
          : wrongWithAsking(evidence, write, cluster, write[cluster].attemptedMs);
      if (!wrong) continue;
      found.push({ rule: 'asked', message: `${describeWrite(write)} ${wrong} (${describeTruths(write)})` });
    }
  }
  return found;
}

function wrongWithAsking(
  evidence: Evidence,
  write: WriteRecord,
  cluster: ClusterId,
  atMs: number,
): string | undefined {
  if (write.step.abortAfterMs === 0) return `turned to ${cluster}, although its caller had gone before`;
  if (write.draining.includes(cluster)) return `turned to ${cluster}, which was draining when it began`;
  const other = otherCluster(cluster);
  if (!refuses(write, other)) return undefined;
  const fate = fateOf(evidence, write, other);
  // In CQL, what was refused when it was prepared says so as soon as it is turned to: both sides at one moment.
  const isAfterwards =
    evidence.setup.surface !== 'cql' || (write[other].sent > 0 && !isAtOnce(evidence.setup));
  const isBefore = fate && (isAfterwards ? fate.atMs <= atMs : fate.atMs < atMs);
  return fate?.kind === 'refused' && isBefore
    ? `turned to ${cluster} at ${ms(atMs)}, although ${other} had refused it`
    : undefined;
}

/**
 * Where no side has applied it, each that was not asked must be one that drains, or that is full. Without a queue
 * only one that drains is left out at all.
 */
function wrongWithLeavingOut(evidence: Evidence, write: WriteRecord, cluster: ClusterId): string | undefined {
  const { answer, drained, full, process } = write;
  if (answer.kind === 'waiting' || evidence.isClosing(process, answer.atMs)) return undefined;
  if (!isLeftOut(write, cluster) || drained.includes(cluster)) return undefined;
  const receipt = receiptOf(write);
  if (receipt && !evidence.hasQueue)
    return `left ${cluster} out, and there is no queue to bring it there later`;
  const isOnNeither = receipt
    ? receipt.A !== 'applied' && receipt.B !== 'applied'
    : answer.kind === 'error' && answer.error instanceof DualClusterError;
  if (!isOnNeither) return undefined;
  if (!full.includes(cluster)) return `did not turn to ${cluster}, which was never full`;
  // Where one is asked after the other, the one that was avoided may be full as well by then.
  const isOnNobody =
    isAtOnce(evidence.setup) && isLeftOut(write, otherCluster(cluster)) && drained.length === 0;
  return isOnNobody ? 'was sent to nobody, though not for being one too many' : undefined;
}

/** Whether both sides are turned to when the write begins. */
export function isAtOnce({ writeStrategy }: Setup): boolean {
  return writeStrategy !== 'A first' && writeStrategy !== 'B first';
}

function isLeftOut(write: WriteRecord, cluster: ClusterId): boolean {
  const { attemptedMs, sent } = write[cluster];
  return attemptedMs === undefined && sent === 0;
}
