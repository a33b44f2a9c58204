import type { ClusterId, Priority } from '../cluster.js';

/**
 * How often an operation may be applied: `idempotent` any number of times in any order with the same end,
 * `once` at most one time.
 */
export type OperationClass = 'idempotent' | 'once';

/** A parameter as its bytes on the wire; `null` deletes, `undefined` leaves the column as it is (unset). */
export type EncodedValue = Uint8Array | null | undefined;

/** One statement of an envelope, with its parameters as bytes. */
export interface EncodedStatement {
  /** As the application gave it. */
  readonly text: string;
  /** Types of the parameters the bytes were made for; bytes never go to a cluster whose types differ. */
  readonly signature: string;
  /** In the order of the statement, whether they were given by position or by name. */
  readonly params: readonly EncodedValue[];
}

/** One operation for one side, complete enough to be applied by another process much later. */
export interface Envelope {
  /** Of this format. */
  readonly version: 1;
  /** Whose queue it belongs to: a worker never applies a foreign namespace's envelope. */
  readonly namespace: string;
  /** The side that it is for. */
  readonly cluster: ClusterId;
  /** That of the receipt. */
  readonly operationId: string;
  /** Rises each time the envelope is requeued from the dead letters. */
  readonly generation: number;
  /** Whether it may be applied more than once. */
  readonly class: OperationClass;
  /** Its place among others that wait. */
  readonly priority: Priority;
  /** Write time of every cell, µs since the epoch. */
  readonly timestampUs: number;
  /** When the operation was accepted, ms since the epoch. */
  readonly createdAtMs: number;
  /** The session's keyspace when it was written; `undefined` when it had none. */
  readonly keyspace: string | undefined;
  /** Effective consistency, the protocol's code. */
  readonly consistency: number;
  /** The protocol's code; `undefined`: the driver's default. */
  readonly serialConsistency: number | undefined;
  /** TTL literal in the text, in seconds; `undefined` when there is none or it is a parameter. */
  readonly ttlSeconds: number | undefined;
  /** Kind of a batch; `undefined` for a single statement. */
  readonly batch: 'logged' | 'unlogged' | 'counter' | undefined;
  /** One, or those of the batch in their order. */
  readonly statements: readonly EncodedStatement[];
}
