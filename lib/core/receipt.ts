import type { SettledOutcome } from './outcome.js';

/**
 * What became of a write on one side when the call answered.
 *
 * - `applied` acknowledged by the cluster
 * - `queued` accepted by the replayer, at the replayer's durability
 * - `spooled` held in this process until the queue is reachable
 * - `pending` sent, not awaited any longer; queued should it fail
 * - `inDoubt` may have been applied and must not be repeated: in the dead letters
 * - `rejected` refused by this side while the other applied it (divergence): in the dead letters
 * - `lost` could be neither written nor queued; reported through `onReplayDropped`
 * - `absent` there is no such cluster (single-cluster mode)
 */
export type SideStatus =
  'applied' | 'queued' | 'spooled' | 'pending' | 'inDoubt' | 'rejected' | 'lost' | 'absent';

/** What a successful write tells its caller. */
export interface WriteReceipt {
  /** Operation id, the same in envelopes and dead letters. */
  readonly id: string;
  /** Write time of every cell, in µs since the epoch. */
  readonly timestamp: number;
  /** What became of it on A. */
  readonly A: SideStatus;
  /** What became of it on B. */
  readonly B: SideStatus;
}

/** What can be said of a write before it is decided; a side that has not ended is pending. */
export function receiptSoFar(
  { id, timestampUs }: { readonly id: string; readonly timestampUs: number },
  a: SettledOutcome | undefined,
  b: SettledOutcome | undefined,
  isSingle: boolean,
): WriteReceipt {
  const statusOf = (outcome: SettledOutcome | undefined): SideStatus =>
    outcome?.kind === 'applied' || outcome?.kind === 'rejected' ? outcome.kind : 'pending';
  return { id, timestamp: timestampUs, A: statusOf(a), B: isSingle ? 'absent' : statusOf(b) };
}
