import type { ClusterId } from '../../../lib/core/index.js';
import type { ReadRecord, Violation } from '../ledger.js';
import { describeRead } from './describe.js';
import type { Evidence } from './evidence.js';
import { ROUND_MS } from './silence.js';

/** A lane may be found behind so long after it has caught up, in ms. */
const LAG_NOTICED_MS = 10_000;

/** Where the reads of a call stay, as far as it is certain. */
interface Pin {
  readonly cluster: ClusterId;
  /** One of them was answered there: it is known to be connected. */
  readonly hasAnswered: boolean;
}

/**
 * Inside a sticky call each read asks first the side that the one before has asked, unless something speaks against
 * that side, or it has failed one of them and the other has answered instead.
 */
export function sticky(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const reads of stickyCalls(evidence)) {
    if (hasWrittenAlone(evidence, reads)) continue;
    let pin: Pin | undefined;
    const open = new Set<ReadRecord>();
    for (const read of reads) {
      const ends = takeEnds(open, read.startedMs);
      open.add(read);
      for (const end of ends) if (end.atMs < read.startedMs) pin = afterEnd(evidence, pin, end);
      const tied = ends.filter(({ atMs }) => atMs === read.startedMs);
      if (tied.some((end) => afterEnd(evidence, pin, end)?.cluster !== pin?.cluster)) {
        // Whether it began before the reads of its call were moved, or after, nobody knows.
        pin = undefined;
        continue;
      }
      for (const end of tied) pin = afterEnd(evidence, pin, end);
      const first = read.asked[0]?.cluster;
      if (first && pin?.hasAnswered && first !== pin.cluster && !speaksAgainst(evidence, pin.cluster, read)) {
        found.push({
          rule: 'sticky',
          message: `${describeRead(read)} asked ${first}, although the reads of its call stay on ${pin.cluster}`,
        });
      }
      if (first !== pin?.cluster) pin = first && { cluster: first, hasAnswered: false };
    }
  }
  return found;
}

/** Reads in the order they began; a call of the same name in the next process is another one. */
function stickyCalls({ ledger }: Evidence): Iterable<readonly ReadRecord[]> {
  const calls = new Map<string, ReadRecord[]>();
  for (const read of ledger.reads) {
    const { call, isSticky } = read.step;
    if (call === undefined || !isSticky) continue;
    const name = `${read.process} ${call}`;
    const reads = calls.get(name);
    if (reads) reads.push(read);
    else calls.set(name, [read]);
  }
  return calls.values();
}

/** What it wrote may be on one side only: then that is the side to ask. */
function hasWrittenAlone(evidence: Evidence, [first]: readonly ReadRecord[]): boolean {
  if (first?.step.call === undefined) return true;
  const { known, hiddenFromMs } = evidence.writesOf(first.step.call, first.process);
  return hiddenFromMs < Infinity || known.some(({ receipt: { A, B } }) => A !== 'applied' || B !== 'applied');
}

interface End {
  readonly read: ReadRecord;
  readonly atMs: number;
  /** Another one ended at the same moment: nobody knows which was first. */
  readonly isTied: boolean;
}

/** Takes from `open` the reads that have ended by this moment, in that order. */
function takeEnds(open: Set<ReadRecord>, nowMs: number): readonly End[] {
  const ends = [...open].flatMap((read) => {
    const { answer } = read;
    return answer.kind !== 'waiting' && answer.atMs <= nowMs ? [{ read, atMs: answer.atMs }] : [];
  });
  for (const { read } of ends) open.delete(read);
  return ends
    .map((end) => ({ ...end, isTied: ends.some((other) => other !== end && other.atMs === end.atMs) }))
    .sort((a, b) => a.atMs - b.atMs);
}

function afterEnd({ setup }: Evidence, pin: Pin | undefined, { read, atMs, isTied }: End): Pin | undefined {
  const { answeredBy, asked, step } = read;
  const [first] = asked;
  if (!answeredBy || !first) return pin;
  if (answeredBy === first.cluster) {
    return pin?.cluster === answeredBy ? { cluster: answeredBy, hasAnswered: true } : pin;
  }
  if (step.hedgeAfterMs === undefined) {
    return isTied ? undefined : { cluster: answeredBy, hasAnswered: true };
  }
  // A hedge that is faster moves nothing. The first may also have failed before.
  const mayHaveFailed = first.failedMs !== undefined || atMs >= first.atMs + setup.readTimeoutMs;
  return mayHaveFailed ? undefined : pin;
}

/** Whether the side may be asked last: it drains, is avoided or dead, or is behind, for all that can be said. */
function speaksAgainst(
  { history, ledger, setup, silence, writes }: Evidence,
  cluster: ClusterId,
  read: ReadRecord,
): boolean {
  const { process, startedMs, draining } = read;
  if (draining.includes(cluster)) return true;
  // That something has come from it is noticed when it is looked for.
  if ([startedMs, startedMs - ROUND_MS].some((atMs) => silence.mayBeDead(process, cluster, atMs)))
    return true;
  const changes = ledger.breakers.filter(
    (change) => change.process === process && change.cluster === cluster && change.atMs <= startedMs,
  );
  const last = changes.at(-1);
  if (last && (last.state !== 'closed' || last.atMs === startedMs)) return true;
  const isClockSet = history.steps.some((step) => step.do === 'set clock');
  // What the queue brings back makes a side look behind that has long had it.
  const mayBringBack = history.steps.some((step) => step.do === 'queue fault');
  return writes.some((write) => {
    const { handed, appliedMs = Infinity } = write[cluster];
    const isOld = isClockSet || write.startedMs <= startedMs - setup.maxReadLagMs;
    return handed > 0 && isOld && (mayBringBack || appliedMs > startedMs - LAG_NOTICED_MS);
  });
}
