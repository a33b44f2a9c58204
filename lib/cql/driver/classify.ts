import {
  type FailedOutcome,
  type FailureScope,
  ownFailure,
  type SignOfLife,
  type Stage,
  toError,
} from '../../core/index.js';
import { isUnprepared } from './unprepared.js';

/** Response codes of the native protocol (`types.responseErrorCodes`). */
const CODE = {
  badCredentials: 0x0100,
  unavailable: 0x1000,
  overloaded: 0x1001,
  isBootstrapping: 0x1002,
  functionFailure: 0x1400,
  syntaxError: 0x2000,
  unauthorized: 0x2100,
  invalid: 0x2200,
  configError: 0x2300,
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
 * injected faults, never once had a row behind them; `rejected` for what the server always answers with, and for what
 * the driver could not put into a frame; whatever is not known is `ambiguous`.
 */
export function classifyWriteError(thrown: unknown, context: ClassifyContext): FailedOutcome {
  const own = ownFailure(thrown);
  if (own) return own;
  const error: DriverErrorShape = toError(thrown);
  const kind = refusal(error) ?? (wasNeverFramed(error) ? neverFramed(error) : undefined);
  if (kind) return { kind, error, ...saidBy(error) };
  // Nothing can have been applied before the statement was executed.
  const certain = context.stage === 'prepare' || isUnreached(error, context.singlePartition);
  return { kind: certain ? 'unreached' : 'ambiguous', error, ...saidBy(error) };
}

/** For reads nothing is in doubt: only refusals are told apart from failures. */
export function classifyReadError(thrown: unknown): FailedOutcome {
  const own = ownFailure(thrown);
  if (own) return own;
  const error: DriverErrorShape = toError(thrown);
  const kind = refusal(error) ?? (isEncodingError(error) ? 'rejected' : 'unreached');
  return { kind, error, ...saidBy(error) };
}

/** Whether connecting failed in a way that waiting will not mend: bad credentials, or a data centre that is not there. */
export function isBlockedConnect(thrown: unknown): boolean {
  return refusal(toError(thrown)) === 'blocked';
}

/** Errors of the driver's encoder: the value does not fit the parameter's type. */
export function isEncodingError(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError || error.name === 'ArgumentError';
}

/**
 * Whether it was thrown while the request was being made into a frame, so that not a byte of it has left. The same
 * classes are thrown while an answer is being read, when the write may well have been applied; only the place tells.
 * Where a bundler has renamed the driver's functions nothing is known, and the write stays in doubt.
 */
function wasNeverFramed(error: Error): boolean {
  return isEncodingError(error) && FRAMING.test(error.stack ?? '');
}

/** `writers.js` writes one request after the other; `encoder.js` makes the routing key before that. */
const FRAMING = /^ {4}at (?:WriteQueue\.process|concatRoutingKey) /m;

/** The frame may fit when there is more memory. */
function neverFramed(error: Error): 'rejected' | 'unreached' {
  return error.message.includes('allocation failed') ? 'unreached' : 'rejected';
}

/** Refusals: deterministic ones, and those of the side as a whole, which end once somebody acts. */
function refusal(error: DriverErrorShape): 'rejected' | 'blocked' | undefined {
  const inner = innerErrors(error);
  if (!inner) return refusalOnHost(error);
  const answers = new Set(inner.map((each) => (each instanceof Error ? refusalOnHost(each) : undefined)));
  const [answer] = answers;
  return answers.size === 1 ? answer : undefined;
}

function refusalOnHost(error: DriverErrorShape): 'rejected' | 'blocked' | undefined {
  switch (responseCode(error)) {
    case CODE.invalid:
      return isUnknownKeyspace(error) ? 'blocked' : 'rejected';
    case CODE.syntaxError:
    case CODE.unauthorized:
    case CODE.alreadyExists:
    case CODE.functionFailure:
      return 'rejected';
    case CODE.configError:
      // ScyllaDB says so when a partition is over its rate limit; some of its replicas may have taken the write.
      return /rate limit/i.test(error.message) ? undefined : 'rejected';
    case CODE.badCredentials:
      return 'blocked';
  }
  return error.name === 'AuthenticationError' || isWrongDataCenter(error) ? 'blocked' : undefined;
}

/** The answer to the driver's own `USE`: the client is configured for a keyspace that is not there. */
function isUnknownKeyspace(error: Error): boolean {
  return /^Keyspace '.*' does not exist$/.test(error.message);
}

/** `control-connection.js`: "localDataCenter was configured as 'x', but only found hosts in data centers: [y]". */
function isWrongDataCenter(error: Error): boolean {
  return error.name === 'ArgumentError' && error.message.includes('localDataCenter');
}

/** What it says of the cluster: also one that says that it is overloaded is there. */
function saidBy(error: DriverErrorShape): Pick<FailedOutcome, 'scope' | 'isAnswer'> {
  const scope = scopeOf(error);
  const isSaid = scope === 'cluster' && (innerErrors(error) ?? [error]).some(isResponse);
  return isSaid ? { scope, isAnswer: true } : { scope };
}

function isResponse(error: unknown): boolean {
  return error instanceof Error && responseCode(error) !== undefined;
}

/** What it says of the cluster. Only what is known to do so counts against it. */
function scopeOf(error: DriverErrorShape): FailureScope {
  const inner = innerErrors(error);
  if (!inner) return scopeOnHost(error);
  // The driver found no host that it could ask, or none that answered.
  const scopes = new Set(inner.map((each) => (each instanceof Error ? innerScope(each) : 'cluster')));
  if (scopes.has('request')) return 'request';
  if (scopes.size <= 1) return [...scopes][0] ?? 'cluster';
  return scopes.has('cluster') || scopes.has('connection') ? 'cluster' : 'local';
}

function scopeOnHost(error: DriverErrorShape): FailureScope {
  // A connection that closes fails everything under way on it at once; a host is tried on another connection.
  if (isSocketError(error)) return 'connection';
  const code = responseCode(error);
  if (code === CODE.overloaded || code === CODE.isBootstrapping) return 'cluster';
  if (code !== undefined || error.name === 'AuthenticationError' || isUnprepared(error)) {
    return 'request';
  }
  return error.name === 'OperationTimedOutError' || isWithoutConnection(error) ? 'cluster' : 'local';
}

/** Of one host of several: why the driver could not connect to it comes as whatever error there was. */
function innerScope(error: DriverErrorShape): FailureScope {
  const scope = scopeOnHost(error);
  return scope === 'local' && error.name !== 'BusyConnectionError' ? 'cluster' : scope;
}

function responseCode(error: DriverErrorShape): unknown {
  return error.name === 'ResponseError' ? error.code : undefined;
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
  if (isUnprepared(error)) return true;
  switch (error.name) {
    case 'BusyConnectionError':
    case 'AuthenticationError':
      return true;
    case 'ResponseError':
      return (
        (error.code === CODE.unavailable && singlePartition) ||
        (error.code === CODE.overloaded && error.message.includes('Server is shutting down')) ||
        refusalOnHost(error) !== undefined
      );
    case 'Error':
      return isWithoutConnection(error);
    default:
      return error.isSocketError === true && error.requestNotWritten === true;
  }
}

function isWithoutConnection(error: Error): boolean {
  return error.name === 'Error' && error.message === 'No connection available';
}

/** Values of `NoHostAvailableError.innerErrors`, which is null when the client was already shut down. */
function innerErrors(error: DriverErrorShape): unknown[] | undefined {
  if (error.name !== 'NoHostAvailableError') return undefined;
  return Object.values((error.innerErrors ?? {}) as Record<string, unknown>);
}

/**
 * What an error of a ping says of its host: whatever a server has said is a sign of life, and a connection with no room
 * tells nothing. `undefined`: the driver has no connection to it, and knows that.
 */
export function signOfLifeIn(error: unknown): SignOfLife | undefined {
  const { name, innerErrors } = toError(error) as Error & { innerErrors?: Readonly<Record<string, unknown>> };
  switch (name) {
    case 'ResponseError':
      return 'answered';
    case 'OperationTimedOutError':
      return 'silent';
    case 'BusyConnectionError':
      return 'notSent';
    default: {
      const [inner] = Object.values(innerErrors ?? {});
      return inner === undefined ? undefined : signOfLifeIn(inner);
    }
  }
}
