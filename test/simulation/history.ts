import type { ClusterId, OperationClass, Priority } from '../../lib/core/index.js';

/** What a history runs on; everything about it that a seed chooses. */
export interface Setup {
  /**
   * How the process calls Helix: operations of the model go to the core's write path and read path, or statements to
   * `HelixCqlService`. Default `core`.
   */
  readonly surface?: 'core' | 'cql';
  /** `hasty`: one of a user's own, that answers when it likes. */
  readonly writeStrategy: 'concurrent' | 'straggler' | 'A first' | 'B first' | 'hasty';
  /** Of the strategies `concurrent`, which waits long, and `straggler`, which hardly waits. */
  readonly stragglerMs: number;
  readonly readStrategy: 'sticky' | 'primary only' | 'round robin';
  readonly preferred: ClusterId;
  readonly cooldownMs: number;
  readonly policy: 'active' | 'breaker' | 'latency breaker';
  readonly threshold: number;
  readonly resetTimeoutMs: number;
  readonly slowMs: number;
  /** `encoding`: the memory queue, but keeping bytes, so that what an envelope lacks is missed. */
  readonly queue: 'memory' | 'encoding' | 'durable' | 'none';
  readonly capacity: number;
  readonly onReplayLost: 'throw' | 'report';
  /** `queue` needs the durable queue. */
  readonly whenBothFail: 'throw' | 'queue';
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly enqueueTimeoutMs: number;
  readonly executeTimeoutMs: number;
  readonly maxInFlight: number;
  readonly maxReadLagMs: number;
  /** Default: the library's. */
  readonly suspectAfterMs?: number;
  readonly shutdownTimeoutMs: number;
  readonly connect: 'any' | 'lazy';
  /** A driver gives a request up after so many times the time limit that Helix has for it. */
  readonly driverPatience: number;
  /** One way, of each cluster: `base + 0…spread` ms. */
  readonly latency: Readonly<Record<ClusterId, { readonly baseMs: number; readonly spreadMs: number }>>;
}

/**
 * What becomes another about the schema of a cluster: the type of the column `n`, whether the type of the column `u`
 * has a further field, whether there is a column that is a list.
 */
export type SchemaChange =
  | { readonly of: 'number'; readonly to: 'int' | 'float' | 'bigint' | 'double' }
  | { readonly of: 'further field'; readonly isThere: boolean }
  | { readonly of: 'list'; readonly isThere: boolean };

/** What a write does to its row. Values are made of the id of the write. */
export type Change =
  | { readonly kind: 'set'; readonly columns: readonly string[] }
  /** Deletes one cell. */
  | { readonly kind: 'unset'; readonly column: string }
  /** Deletes the row. */
  | { readonly kind: 'delete' }
  /** Adds one to the row's counter: of class `once`, and nothing else is. */
  | { readonly kind: 'add' };

/** How a call is put in CQL. On the surface `core` none of it means anything. */
export interface InCql {
  /** One of the ways to spell the same thing: INSERT or UPDATE, DELETE or null. Default 0. */
  readonly style?: number;
  /** Its text is used by nobody else, so it is prepared for this call. */
  readonly isNewText?: boolean;
  /** Parameters by name. */
  readonly isNamed?: boolean;
  /** As soon as it has made the call, the caller uses its parameters for something else. */
  readonly reuses?: boolean;
  /**
   * Where the settings are said. Default: on the query. `by both`: a decorated call around it says others, which do
   * not count.
   */
  readonly said?: 'by call' | 'by both' | 'to execute';
  /** Protocol code. */
  readonly serialConsistency?: number;
  /** The side on which alone preparing takes `prepareMs`. Default: on both. */
  readonly preparesLate?: ClusterId;
  /** It gives the further field of a UDT, whether the type has it or not. */
  readonly givesFurtherField?: boolean;
}

export interface WriteStep extends InCql {
  readonly do: 'write';
  readonly id: string;
  readonly key: string;
  readonly change: Change;
  readonly class: OperationClass;
  readonly ack: 'any' | 'both';
  readonly priority: Priority;
  /** Protocol code. In CQL 6 is not asked for: each cluster has a default of its own. */
  readonly consistency: number;
  /** In CQL: a batch, with these changes after the first. */
  readonly batch?: {
    readonly kind: 'logged' | 'unlogged';
    readonly also: readonly { readonly key: string; readonly change: Change }[];
  };
  /** In CQL: the write time, from the caller. */
  readonly ownTimestampUs?: number;
  /** Not prepared yet: so long does it take on each side, as a step of its own. */
  readonly prepareMs?: number;
  /** Its statement is used for the first time: so long does it take until it can be sent anywhere. */
  readonly firstUseMs?: number;
  readonly timeoutMs?: number;
  readonly abortAfterMs?: number;
  /** Its signal says that a time is over, as `AbortSignal.timeout()` does. Default: that the caller has gone. */
  readonly abortsAs?: 'timeout';
  /** The decorated call it is made in. */
  readonly call?: string;
  /** Sides whose schema does not take this statement. */
  readonly refusedBy?: readonly ClusterId[];
  /** In CQL: when they say so. Default: when it is prepared. */
  readonly refusedAt?: 'execute';
  /** A side on which too few replicas of its row are up, until so long after it was made. */
  readonly shortOfReplicas?: { readonly on: ClusterId; readonly forMs: number };
}

/** Everything that a write changes: one row, or those of its batch. */
export function changesOf({ key, change, batch }: Pick<WriteStep, 'key' | 'change' | 'batch'>): readonly {
  readonly key: string;
  readonly change: Change;
}[] {
  return batch ? [{ key, change }, ...batch.also] : [{ key, change }];
}

export interface ReadStep extends InCql {
  readonly do: 'read';
  readonly id: string;
  readonly key: string;
  /** The decorated call it is made in. */
  readonly call?: string;
  /** In a part of that call whose reads stay on one side. */
  readonly isSticky?: boolean;
  readonly hedgeAfterMs?: number;
  readonly timeoutMs?: number;
  readonly abortAfterMs?: number;
  /** Its signal says that a time is over, as `AbortSignal.timeout()` does. Default: that the caller has gone. */
  readonly abortsAs?: 'timeout';
  /** A syntax error: every side refuses it. */
  readonly isBad?: boolean;
  /** In CQL: the call that runs it. Default `one`. */
  readonly how?: 'all' | 'page' | 'iter';
  /** In CQL: the row is looked for in the whole table, by so many rows a page. Needs `all` or `iter`. */
  readonly pageSize?: number;
  /** In CQL. Protocol code; default: each cluster's own. */
  readonly consistency?: number;
}

/** What a cluster, or the network before it, does to requests. */
export type ClusterFault =
  /** Its processes are killed. When it comes back, what it acknowledged in the last `losesMs` may be gone. */
  | { readonly kind: 'crash'; readonly losesMs: number }
  /** Frozen: requests wait, and are carried out when it goes on, whoever still waits for them. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'slow'; readonly factor: number }
  /** Nothing gets through; afterwards everything does, or the connection is found dead. */
  | { readonly kind: 'partition'; readonly thenReset: boolean }
  /** Requests are carried out and the answers get lost. */
  | { readonly kind: 'answers lost'; readonly share: number }
  /** Requests get lost. */
  | { readonly kind: 'requests lost'; readonly share: number }
  /** Connections drop, and are made anew. */
  | { readonly kind: 'disconnect' }
  /** Every message takes up to so much longer: they overtake each other. */
  | { readonly kind: 'reorder'; readonly spreadMs: number }
  /** The server answers with an error instead. */
  | {
      readonly kind: 'refuse';
      readonly error:
        | 'overloaded'
        | 'shutting down'
        | 'unavailable'
        | 'write timeout'
        | 'read failure'
        | 'locked out'
        /** To whoever connects anew. */
        | 'bad credentials'
        | 'unknown';
      readonly share: number;
    };

export type QueueFault =
  /** Not reachable: what is handed over is spooled, or not answered. */
  | 'down'
  /** Takes what it is given and does not say so. */
  | 'answers lost'
  /** Refuses. */
  | 'full'
  /** Delivers some envelopes again that were settled already. */
  | 'redelivers';

export type Step = { readonly atMs: number } & (
  | WriteStep
  | ReadStep
  | {
      readonly do: 'fault';
      readonly cluster: ClusterId;
      readonly fault: ClusterFault;
      readonly forMs: number;
    }
  | { readonly do: 'queue fault'; readonly fault: QueueFault; readonly forMs: number }
  /** The process does nothing for so long. */
  | { readonly do: 'stall'; readonly forMs: number }
  /** The wall clock is set. */
  | { readonly do: 'set clock'; readonly byMs: number }
  | { readonly do: 'drain'; readonly cluster: ClusterId; readonly forMs: number }
  /** The process hears nothing from the control plane. */
  | { readonly do: 'control partition'; readonly forMs: number }
  | { readonly do: 'pause replay'; readonly cluster: ClusterId; readonly forMs: number }
  | { readonly do: 'sync point' }
  | { readonly do: 'requeue' }
  | { readonly do: 'purge' }
  /**
   * A cluster's schema changes, and with it go the ids of all statements. With `onBoth()` it changes on each cluster,
   * one after the other, if it can be reached. Then another process may prepare again whatever was ever prepared: the
   * texts as they are; with the mark of Helix and the types of now; with the mark and the types that it had before.
   */
  | {
      readonly do: 'schema change';
      readonly change: SchemaChange;
      readonly by: readonly ClusterId[] | 'onBoth';
      readonly preparedAgain?: {
        readonly as: 'plain' | 'Helix' | 'Helix as before';
        readonly afterMs: number;
      };
    }
  /** The process ends, one way or the other, and a new one begins. */
  | { readonly do: 'restart'; readonly how: 'kill' | 'shut down'; readonly afterMs: number }
);

export type FaultStep = Extract<Step, { do: 'fault' }>;

/** Everything that happens in a run, as data: what one replays, and what one shrinks. */
export interface History {
  readonly seed: number;
  readonly setup: Setup;
  /** In the order of their moments. */
  readonly steps: readonly Step[];
}

/** A cell of a model cluster as the oracle compares it. */
export interface StoredCell {
  readonly value: string;
  readonly writeTimeUs: number;
  /** Second since the epoch. */
  readonly expiresAtS?: number;
}
