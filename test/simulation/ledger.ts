import type {
  BreakerState,
  ClusterId,
  DeadLetter,
  DeadLetterReason,
  Envelope,
  ReplayStats,
  SignOfLife,
  WriteReceipt,
} from '../../lib/core/index.js';
import type { ReadStep, StoredCell, WriteStep } from './history.js';
import type { UnpreparedAnswer } from './model/operations.js';
import type { RequestKind } from './model/session.js';

/** What really happened to a write on one side, as only the model knows. */
export interface SideTruth {
  /** Requests sent by the write itself, not by replay, but for those that it does not count as sent any more. */
  sent: number;
  /** Requests of the write itself that were answered in time by UNPREPARED: nothing was executed, so they do not count. */
  unprepared: number;
  unpreparedAs: UnpreparedAnswer | undefined;
  /** Its time is over, or nobody waits for it any longer because its cluster is dead. */
  isExpired: boolean;
  /** When it was given up because its cluster is dead; `undefined`: it was not. */
  releasedMs: number | undefined;
  /** The types of its parameters, or its table, made it refuse, and they were reason to. */
  refusesTypes: boolean;
  /** When the write itself turned to it, and when it had its acknowledgement; `undefined`: never. */
  attemptedMs: number | undefined;
  acknowledgedMs: number | undefined;
  /** How the driver failed it, if it did. */
  failure: { readonly error: Error; readonly atMs: number } | undefined;
  /** How often the cluster carried it out. */
  applied: number;
  /** When it was first carried out, virtual ms; `undefined`: never. */
  appliedMs: number | undefined;
  /** It is in the cluster's store: carried out, and not lost in a crash of the cluster since. */
  isThere: boolean;
  /** The cluster crashed and came back without it, although it had carried it out. */
  wasLostByCluster: boolean;
  /** Given to the replay queue, to keep or to bury, whether it took it or not. */
  handed: number;
  /** The same, each time as what. */
  handedAs: ('envelope' | DeadLetterReason)[];
  /** Given to the replay queue to keep, and taken. */
  queued: number;
  /** Reported through `onReplayDropped`. */
  dropped: number;
  /** Room that the replay queue has kept for it. */
  reserved: number;
  /** When the queue refused it last because it was full, as its process heard it. */
  refusedMs: number | undefined;
  /** Why it was in the dead letters, since an operator put it back into the queue last. */
  buried: DeadLetterReason[];
  /** Why it ever was, whatever an operator did about it. */
  burials: DeadLetterReason[];
  /** An operator removed its dead letter. */
  purged: boolean;
}

/** How a call ended. */
export type Answer<T> =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'value'; readonly value: T; readonly atMs: number }
  | { readonly kind: 'error'; readonly error: Error; readonly atMs: number };

export const WAITING: { readonly kind: 'waiting' } = { kind: 'waiting' };

/** A write that a caller made. */
export interface WriteRecord {
  readonly step: WriteStep;
  /** 0 until it has one: where it must be prepared first, that is afterwards. */
  timestampUs: number;
  readonly startedMs: number;
  /** The process it was made in, by number. */
  readonly process: number;
  /** By version, what could have been heard of each schema when it was made. */
  heard: Readonly<Record<ClusterId, number>>;
  /** What its envelopes must say, from the operation itself. */
  createdAtMs: number;
  answer: Answer<WriteReceipt>;
  /** Sides that were draining, for all the process knew, when it was decided what the write is sent to. */
  draining: readonly ClusterId[];
  /** Sides that were draining, for all the process knew, at some time from its start to its end. Set with the answer. */
  drained: readonly ClusterId[];
  /** Sides that had as many writes under way as is allowed, at some time from its start to its end. Set with the answer. */
  full: readonly ClusterId[];
  /** Sides that were well, connected, and not draining, from the write's start to its end. Set with the answer. */
  usable: readonly ClusterId[];
  readonly A: SideTruth;
  readonly B: SideTruth;
}

/** The row that a read found: column → id of the write and its write time. Empty: there is none. */
export type SeenRow = ReadonlyMap<string, { readonly value: string; readonly writeTimeUs: number }>;

/** A read that a caller made. */
export interface ReadRecord {
  readonly step: ReadStep;
  readonly startedMs: number;
  readonly process: number;
  /** Sides that were draining when it began. */
  readonly draining: readonly ClusterId[];
  /** Sides it was sent to, in order. */
  readonly asked: {
    readonly cluster: ClusterId;
    readonly atMs: number;
    /** When its driver failed it, if it did. */
    failedMs: number | undefined;
  }[];
  /** Requests that were answered by UNPREPARED. */
  unprepared: number;
  /** Set with the answer: the side that gave it. */
  answeredBy: ClusterId | undefined;
  answer: Answer<SeenRow>;
  /** Sides that were well, and connected, all the time from the read's start to its end. Set with the answer. */
  usable: readonly ClusterId[];
}

export interface SyncPointRecord {
  readonly startedMs: number;
  readonly process: number;
  /** Writes that had been accepted, in this process, when it was asked for. */
  readonly writes: readonly WriteRecord[];
  answer: Answer<{ readonly applied: number; readonly deadLettered: number }>;
}

export interface BreakerChange {
  readonly process: number;
  readonly cluster: ClusterId;
  readonly state: BreakerState;
  readonly atMs: number;
}

export interface PingRecord {
  readonly process: number;
  readonly cluster: ClusterId;
  readonly wasAnswered: boolean;
  readonly endedMs: number;
  /** What it took if it was answered, though perhaps too late for whoever asked; `undefined`: not known here. */
  readonly tookMs?: number;
}

/** A process does nothing. */
export interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Every host of a cluster was asked for a sign of life: the cluster is silent, or was found dead before. */
export interface SuspicionRecord {
  readonly process: number;
  readonly cluster: ClusterId;
  readonly fromMs: number;
  /** How long they had, in ms. */
  readonly limitMs: number;
  /** `undefined`: nobody knows yet. */
  end: { readonly atMs: number; readonly sign: SignOfLife } | undefined;
}

/** Something that reached a process from a cluster. */
export interface NewsRecord {
  readonly process: number;
  readonly cluster: ClusterId;
  readonly atMs: number;
}

/** A process as it was at its end: killed, shut down in the middle, or shut down after everything else. */
export interface ProcessEnd {
  readonly process: number;
  readonly how: 'killed' | 'shut down';
  readonly atMs: number;
  /** When a process that is shut down had ended. */
  readonly endedMs: number;
  /** The queue's figures and dead letters just before; `undefined`: there was no queue. */
  readonly stats: ReplayStats | undefined;
  readonly deadLetters: readonly DeadLetter[];
  /** Writes and reads on the wire, as the instance counted them, just before. */
  readonly inFlight: Readonly<Record<ClusterId, number>>;
  /** `onReplayDropped` calls and what the instance counted as lost, both over its whole life. */
  readonly dropped: number;
  readonly lost: number;
  /** Places in the queue that were still kept for somebody, just before. */
  readonly reserved: number;
  /** Timers it still had when it had ended. */
  readonly leftTimers: number;
  /** Clusters that were taken for dead just before, and for how long they had been there by then. */
  readonly takenForDead: readonly { readonly cluster: ClusterId; readonly forMs: number }[];
}

/** What the clusters hold when everything is over. */
export interface FinalState {
  /** Everything drained within the time allowed, and every call was answered. If not, what was left. */
  readonly undrained: string | undefined;
  /** Key → column → cell. */
  readonly cells: Readonly<Record<ClusterId, ReadonlyMap<string, ReadonlyMap<string, StoredCell>>>>;
  /** Key → ids of the writes that added to its counter, one for each time. */
  readonly counters: Readonly<Record<ClusterId, ReadonlyMap<string, readonly string[]>>>;
}

/** Something that must not be. */
export interface Violation {
  /** Short and stable, so that shrinking keeps to one of them: `receipt`, `cells`, `liveness` … */
  readonly rule: string;
  readonly message: string;
}

/** Everything that happened, as the oracle needs it. */
export class Ledger {
  readonly writes = new Map<string, WriteRecord>();
  readonly reads: ReadRecord[] = [];
  readonly syncPoints: SyncPointRecord[] = [];
  /** Found while the history ran. */
  readonly violations: Violation[] = [];
  readonly ends: ProcessEnd[] = [];
  /** Every request of a driver, in order. */
  readonly requests: { readonly cluster: ClusterId; readonly kind: RequestKind; readonly atMs: number }[] =
    [];
  /** Every envelope that replay sent, in order. */
  readonly replayed: { readonly id: string; readonly cluster: ClusterId; readonly atMs: number }[] = [];
  /** Every change of a breaker, in order. */
  readonly breakers: BreakerChange[] = [];
  /** Every ping that a process waited for, in the order in which they ended. */
  readonly pings: PingRecord[] = [];
  /** Every time a process asked all hosts of a cluster, in order. */
  readonly suspicions: SuspicionRecord[] = [];
  /** Everything that a server has answered to a write, a read, a delivery or a ping, in order. */
  readonly heard: (NewsRecord & { readonly isUnsure: boolean })[] = [];
  /** Every time a driver told its process that a host can be reached again, in order. */
  readonly hostUps: NewsRecord[] = [];
  /** Spans in which the process did nothing. */
  readonly stalls: Stall[] = [];

  /** The write that is being accepted at this very moment. */
  accepting: WriteRecord | undefined;

  violate(rule: string, message: string): void {
    if (this.violations.length < 20) this.violations.push({ rule, message });
  }

  /** The write that an envelope belongs to. One that nobody made is a violation. */
  writeOf({ operationId }: Envelope): WriteRecord | undefined {
    const write = this.writes.get(operationId);
    if (!write) this.violate('unknown envelope', `Nobody made an operation ${operationId}`);
    return write;
  }
}

export function newSideTruth(): SideTruth {
  return {
    sent: 0,
    unprepared: 0,
    unpreparedAs: undefined,
    isExpired: false,
    releasedMs: undefined,
    refusesTypes: false,
    attemptedMs: undefined,
    acknowledgedMs: undefined,
    failure: undefined,
    applied: 0,
    appliedMs: undefined,
    isThere: false,
    wasLostByCluster: false,
    handed: 0,
    handedAs: [],
    queued: 0,
    dropped: 0,
    reserved: 0,
    refusedMs: undefined,
    buried: [],
    burials: [],
    purged: false,
  };
}
