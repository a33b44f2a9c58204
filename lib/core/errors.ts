import type { ClusterId } from './cluster.js';
import type { FailedOutcome } from './outcome.js';
import type { WriteReceipt } from './receipt.js';

const HELIX_ERROR = Symbol.for('nestjs-helix:error');

/** Whether a failed call can have changed anything: `notApplied` is safe to retry. */
export type FailureOutcome = 'notApplied' | 'unknown';

/** Base of every error that Helix itself raises. `code` is stable, `name` is the class's own. */
export abstract class HelixError extends Error {
  /** Stable across versions; tells the classes apart where `instanceof` cannot. */
  abstract readonly code: string;
  /** @internal Recognised by {@link isHelixError} across copies of the package. */
  readonly [HELIX_ERROR] = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
  }
}

/** True for errors of this package, also when another copy of it raised them. */
export function isHelixError(error: unknown): error is HelixError {
  return typeof error === 'object' && error !== null && HELIX_ERROR in error;
}

/** What was thrown, as an error: anything can be thrown. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error('Something that is not an error was thrown', { cause: thrown });
}

/** The configuration is wrong: names the option, what was received and what is allowed. */
export class HelixConfigError extends HelixError {
  readonly code = 'HELIX_CONFIG';
}

/** The API was used in a way that cannot work; the message names the right call. */
export class HelixUsageError extends HelixError {
  readonly code = 'HELIX_USAGE';
}

/** The instance is shutting down or closed. Nothing was sent. */
export class SessionClosedError extends HelixError {
  readonly code = 'HELIX_SESSION_CLOSED';
}

/** The error of calls that come after the end. */
export function closedError(): SessionClosedError {
  return new SessionClosedError('Helix is shutting down or closed; nothing was sent');
}

/** Neither cluster has ever been reachable since the application started. */
export class NoAvailableClusterError extends HelixError {
  readonly code = 'HELIX_NO_AVAILABLE_CLUSTER';
}

/** Both clusters are draining: the write was refused and nothing was sent. */
export class BothClustersDrainingError extends HelixError {
  readonly code = 'HELIX_BOTH_DRAINING';
}

/**
 * Both sides have `maxInFlight` writes, or `maxReadsInFlight` reads, under way. Nothing was sent: retry later, or run
 * fewer at once.
 */
export class OverloadedError extends HelixError {
  readonly code = 'HELIX_OVERLOADED';
  readonly outcome: FailureOutcome = 'notApplied';

  constructor(
    message: string,
    /** Rows an iterator had delivered when its next page was refused. */
    readonly rowsDelivered?: number,
  ) {
    super(message);
  }
}

/**
 * The caller's time was over or its signal aborted before there was an answer. `cause` is the reason, a
 * `TimeoutError` for a time limit.
 */
export class OperationAbortedError extends HelixError {
  readonly code = 'HELIX_ABORTED';

  constructor(
    message: string,
    /** `notApplied`: nothing has been changed, and nothing will be. */
    readonly outcome: FailureOutcome,
    options: ErrorOptions,
    /** Of a write that goes on: what was known of it by then. A side that had not answered is `pending`. */
    readonly receipt?: WriteReceipt,
  ) {
    super(message, options);
    this.name = 'AbortError';
  }
}

/** Neither cluster did what was asked. `outcome` says whether a retry is safe; `cause` is the error of A. */
export class DualClusterError extends HelixError {
  readonly code = 'HELIX_BOTH_FAILED';

  constructor(
    message: string,
    /** What each cluster failed with; the driver's own errors, where it was the driver. */
    readonly errors: { readonly A: Error; readonly B: Error },
    /** `unknown`: at least one cluster may have applied it. */
    readonly outcome: FailureOutcome,
  ) {
    super(message, { cause: errors.A });
  }
}

/** One cluster refused the operation, or failed in single-cluster mode. `cause` is the driver's error. */
export class ClusterError extends HelixError {
  readonly code = 'HELIX_CLUSTER';

  constructor(
    message: string,
    /** The cluster that refused, or failed. */
    readonly cluster: ClusterId,
    /** What was asked of it. */
    readonly operation: 'read' | 'write',
    /** `unknown`: a cluster may have applied it. */
    readonly outcome: FailureOutcome,
    options: ErrorOptions,
    /** Rows an iterator had delivered when it failed. */
    readonly rowsDelivered?: number,
  ) {
    super(message, options);
  }
}

/**
 * The write was applied, but not as far as was asked for: `ack: 'both'` and one side is missing, or what one
 * side missed could not be kept for replay. `receipt` says what became of it on each side; do not retry blindly.
 */
export class PartialWriteError extends HelixError {
  readonly code = 'HELIX_PARTIAL_WRITE';

  constructor(
    message: string,
    /** What became of the write on each side. */
    readonly receipt: WriteReceipt,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A page state belongs to another cluster, statement or instance, or is damaged. Nothing was read. */
export class PageStateError extends HelixError {
  readonly code = 'HELIX_PAGE_STATE';
}

/** The replay queue has no room for what it was given. */
export class ReplayQueueFullError extends HelixError {
  readonly code = 'HELIX_REPLAY_QUEUE_FULL';
  readonly outcome: FailureOutcome = 'notApplied';
}

/** The statement would not converge on two clusters by itself. `hazard` names the construct. */
export class HazardousStatementError extends HelixError {
  readonly code: string = 'HELIX_HAZARD';

  constructor(
    message: string,
    /** `nondeterministic`, `counter`, `list`, `lwt`, `ddl`, `truncate`, `use`, `multipleStatements`, `unknown`, … */
    readonly hazard: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A parameter has another type on B than on A. Nothing was sent to the side that differs. */
export class SchemaMismatchError extends HazardousStatementError {
  override readonly code = 'HELIX_SCHEMA_MISMATCH';

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'schemaMismatch', options);
  }
}

/** The cluster has not been reached since the application started. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError';

  constructor(
    message: string,
    options?: ErrorOptions,
    /** Waiting will not mend it: the credentials are wrong, say. */
    readonly isBlocked = false,
  ) {
    super(message, options);
  }
}

/**
 * What an error that Helix itself has thrown says of a side, whatever its database is. `undefined`: it is not one of
 * these, and only its driver's classifier knows.
 */
export function ownFailure(error: unknown): FailedOutcome | undefined {
  if (error instanceof HazardousStatementError) return { kind: 'rejected', error, scope: 'local' };
  if (error instanceof NotConnectedError) return { kind: error.isBlocked ? 'blocked' : 'unreached', error };
  return undefined;
}
