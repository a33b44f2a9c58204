import type { BlockedReason, BreakerState, ClusterId, DeadLetterReason } from './core/index.js';

/** What every event of an instance says. */
export interface HelixEventBase {
  /** When it happened. */
  readonly at: Date;
}

/** What every event of one cluster says. */
export interface HelixClusterEvent extends HelixEventBase {
  /** The cluster it happened to. */
  readonly cluster: ClusterId;
}

/** A cluster was connected for the first time, or can be reached again after it was `disconnected`. */
export interface ConnectedEvent extends HelixClusterEvent {
  readonly type: 'connected';
}

/** The driver has no host of the cluster left that it believes to be up. */
export interface DisconnectedEvent extends HelixClusterEvent {
  readonly type: 'disconnected';
}

/** A cluster was silent. */
export interface SuspectedEvent extends HelixClusterEvent {
  readonly type: 'suspected';
  /** `silent`: its hosts are being pinged; `dead`: none has answered; `alive`: something has come from it. */
  readonly verdict: 'silent' | 'dead' | 'alive';
}

/** The breaker of a cluster has changed. */
export interface BreakerEvent extends HelixClusterEvent {
  readonly type: 'breaker';
  /** The state it is in now. */
  readonly state: BreakerState;
}

/** The first write was queued for a cluster that had caught up before, or had missed nothing yet. */
export interface QueuedEvent extends HelixClusterEvent {
  readonly type: 'queued';
}

/** A cluster has all that was queued for it. */
export interface CaughtUpEvent extends HelixClusterEvent {
  readonly type: 'caughtUp';
  /** Writes that were replayed since it fell behind. */
  readonly replayed: number;
  /** Writes that became dead letters in the meantime, and need somebody's decision. */
  readonly deadLettered: number;
  /** How long replay took since the cluster began to take it, in ms. */
  readonly tookMs: number;
  /** How long the cluster was behind, in ms: since the first of them was queued. */
  readonly behindMs: number;
}

/** A write that one cluster has not got, and will not get by itself: it could not be kept. */
export interface LostEvent extends HelixClusterEvent {
  readonly type: 'lost';
  /** That of the receipt. */
  readonly operationId: string;
  /** Name and code of the error, never its message. */
  readonly error: string;
}

/** A write that one cluster has not got, and that needs somebody's decision. */
export interface DeadLetterEvent extends HelixClusterEvent {
  readonly type: 'deadLetter';
  /** That of the receipt. */
  readonly operationId: string;
  /** Why it is not replayed by itself. */
  readonly reason: DeadLetterReason;
  /** Name and code of the error, if there was one. */
  readonly error?: string;
}

/** A cluster has refused what the other one has applied. The write is kept as a `deadLetter` too. */
export interface DivergenceEvent extends HelixClusterEvent {
  readonly type: 'divergence';
  /** That of the receipt. */
  readonly operationId: string;
  /** Name and code of the error. */
  readonly error: string;
}

/** The queue is more than 80 % full. Told again only after it was less than 60 % full. */
export interface QueueNearlyFullEvent extends HelixEventBase {
  readonly type: 'queueNearlyFull';
  /** Writes it holds, of both clusters. */
  readonly count: number;
  /** Writes it can hold. */
  readonly capacity: number;
  /** For how many seconds it lasts at the present rate; `undefined` while it does not grow, or that is not known. */
  readonly lastsSeconds: number | undefined;
}

/** A cluster cannot be used until somebody acts. */
export interface BlockedEvent extends HelixClusterEvent {
  readonly type: 'blocked';
  /** What has to be mended. */
  readonly reason: BlockedReason;
}

/** Reads that would have gone to one cluster go to the other. Told once, until the first one is well again. */
export interface ReadsMovedEvent extends HelixEventBase {
  readonly type: 'readsMoved';
  /** The cluster that has failed, is avoided, drains, or is behind. */
  readonly from: ClusterId;
  /** The cluster that is read from. */
  readonly to: ClusterId;
}

/** The instance has begun to shut down. The last events may still follow. */
export interface ShutdownEvent extends HelixEventBase {
  readonly type: 'shutdown';
}

/** Something that happened to an instance, for {@link HelixService.events$}. `type` tells which. */
export type HelixEvent =
  | ConnectedEvent
  | DisconnectedEvent
  | SuspectedEvent
  | BreakerEvent
  | QueuedEvent
  | CaughtUpEvent
  | LostEvent
  | DeadLetterEvent
  | DivergenceEvent
  | QueueNearlyFullEvent
  | BlockedEvent
  | ReadsMovedEvent
  | ShutdownEvent;
