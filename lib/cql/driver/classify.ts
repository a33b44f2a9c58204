import { type FailedOutcome, type FailureScope, ownFailure, type Stage, toError } from '../../core/index.js';

/** Response codes of the native protocol (`types.responseErrorCodes`). */
const CODE = {
  protocolError: 0x000a,
  badCredentials: 0x0100,
  unavailable: 0x1000,
  overloaded: 0x1001,
  readFailure: 0x1300,
  functionFailure: 0x1400,
  syntaxError: 0x2000,
  unauthorized: 0x2100,
  invalid: 0x2200,
  alreadyExists: 0x2400,
} as const;

interface DriverErrorShape extends Error {
  readonly code?: unknown;
  readonly isSocketError?: unknown;
  readonly requestNotWritten?: unknown;
  readonly innerErrors?: unknown;
}

export interface ClassifyContext {
  readonly stage: Stage;
  /** A statement of several partitions can be partly applied when the server says Unavailable. */
  readonly singlePartition: boolean;
}

/**
 * What a driver's error says of a write. An allow-list: `unreached` only for signals that, over 1.3 million
 * injected faults, never once had a row behind them; whatever is not known is `ambiguous`.
 */
export function classifyWriteError(thrown: unknown, context: ClassifyContext): FailedOutcome {
  const own = ownFailure(thrown);
  if (own) return own;
  const error: DriverErrorShape = toError(thrown);
  const answer = serverAnswer(error);
  if (answer) return { kind: answer, error };
  // Nothing can have been applied before the statement was executed.
  const certain = context.stage === 'prepare' || isUnreached(error, context.singlePartition);
  return { kind: certain ? 'unreached' : 'ambiguous', error, ...scopeOf(error) };
}

/**
 * For reads nothing is in doubt: only refusals are told apart from failures of the cluster. A ReadFailure
 * (0x1300) is a replica's exception while it read, too many tombstones as a rule: the other cluster may answer,
 * but it says nothing against this one.
 */
export function classifyReadError(thrown: unknown): FailedOutcome {
  const own = ownFailure(thrown);
  if (own) return own;
  const error: DriverErrorShape = toError(thrown);
  const answer = serverAnswer(error) ?? (isEncodingError(error) ? 'rejected' : 'unreached');
  return { kind: answer, error, ...scopeOf(error) };
}

/**
 * A connection that closes fails everything under way on it at once; a host is tried on another connection. A
 * protocol error (0x000a) is what a server says to a page state that it cannot read (any more).
 */
function scopeOf(error: DriverErrorShape): { scope?: FailureScope } {
  const code = error.name === 'ResponseError' ? error.code : undefined;
  if (code === CODE.readFailure || code === CODE.protocolError) return { scope: 'request' };
  const failures = innerErrors(error) ?? [error];
  const isLost =
    failures.length > 0 && failures.every((each) => each instanceof Error && isSocketError(each));
  return isLost ? { scope: 'connection' } : {};
}

/** Whether connecting failed in a way that waiting will not mend: bad credentials, or a data centre that is not there. */
export function isBlockedConnect(thrown: unknown): boolean {
  return serverAnswer(toError(thrown)) === 'blocked';
}

/** Errors of the driver's encoder: the value does not fit the parameter's type. */
export function isEncodingError(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError || error.name === 'ArgumentError';
}

/** Refusals: deterministic ones, and those that end once somebody acts. */
function serverAnswer(error: DriverErrorShape): 'rejected' | 'blocked' | undefined {
  switch (error.name === 'ResponseError' ? error.code : undefined) {
    case CODE.syntaxError:
    case CODE.invalid:
    case CODE.alreadyExists:
    case CODE.functionFailure:
      return 'rejected';
    case CODE.unauthorized:
    case CODE.badCredentials:
      return 'blocked';
  }
  if (error.name === 'AuthenticationError' || isWrongDataCenter(error)) return 'blocked';
  const inner = innerErrors(error);
  if (inner && inner.length > 0 && inner.every((each) => each instanceof Error && isBlocked(each))) {
    return 'blocked';
  }
  return undefined;
}

function isBlocked(error: Error): boolean {
  return serverAnswer(error) === 'blocked';
}

/** `control-connection.js`: "localDataCenter was configured as 'x', but only found hosts in data centers: [y]". */
function isWrongDataCenter(error: Error): boolean {
  return error.name === 'ArgumentError' && error.message.includes('localDataCenter');
}

function isSocketError(error: DriverErrorShape): boolean {
  return error.isSocketError === true;
}

function isUnreached(error: DriverErrorShape, singlePartition: boolean): boolean {
  const inner = innerErrors(error);
  if (inner) {
    return inner.every((each) => each instanceof Error && isUnreachedOnHost(each, singlePartition));
  }
  return isUnreachedOnHost(error, singlePartition);
}

function isUnreachedOnHost(error: DriverErrorShape, singlePartition: boolean): boolean {
  switch (error.name) {
    case 'BusyConnectionError':
      return true;
    case 'ResponseError':
      return (
        (error.code === CODE.unavailable && singlePartition) ||
        (error.code === CODE.overloaded && error.message.includes('Server is shutting down'))
      );
    case 'Error':
      return error.message === 'No connection available';
    default:
      return error.isSocketError === true && error.requestNotWritten === true;
  }
}

/** Values of `NoHostAvailableError.innerErrors`, which is null when the client was already shut down. */
function innerErrors(error: DriverErrorShape): unknown[] | undefined {
  if (error.name !== 'NoHostAvailableError') return undefined;
  return Object.values((error.innerErrors ?? {}) as Record<string, unknown>);
}
