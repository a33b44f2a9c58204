import { HelixUsageError, type Priority } from '../core/index.js';
import { type Consistency, consistencyCode } from './consistency.js';
import type { CqlQuery } from './cql-query.js';
import { refusalOfKind } from './judgement.js';
import type { StatementFacts } from './scanner.js';
import {
  checkedAck,
  checkedPageSize,
  checkedPriority,
  checkedSignal,
  checkedTimeoutMs,
  checkedTimestampUs,
} from './settings.js';

/** Options of `execute()`: those of the driver that mean something for two clusters, and Helix's own. */
export interface CqlExecuteOptions {
  /** Default: the cluster's own (`LOCAL_QUORUM` unless configured). */
  readonly consistency?: Consistency | undefined;
  /** Consistency of the Paxos phase of conditional statements, and of serial reads. */
  readonly serialConsistency?: Consistency | undefined;
  /** Rows per page. Default: the driver's (5,000). */
  readonly fetchSize?: number | undefined;
  /** Of an earlier result, to go on after it on the same cluster. */
  readonly pageState?: string | null | undefined;
  /** Write time of every cell, µs since the epoch; the driver's `Long` will do. */
  readonly timestamp?:
    | number
    | {
        /** µs since the epoch. */
        toNumber(): number;
      }
    | undefined;
  /** The whole time that the caller waits, in ms; see `query().withTimeout()`. */
  readonly readTimeout?: number | undefined;
  /** Every statement is prepared. */
  readonly prepare?: true | undefined;
  /** When a write counts as done. Default: the instance's. */
  readonly ack?: 'any' | 'both' | undefined;
  /** Order of replay if one side misses a write. Default: the instance's. */
  readonly priority?: Priority | undefined;
  /** Ends the caller's wait when it aborts; see `query().withSignal()`. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = [
  'consistency',
  'serialConsistency',
  'fetchSize',
  'pageState',
  'timestamp',
  'readTimeout',
  'prepare',
  'ack',
  'priority',
  'signal',
];

const INSTEAD_OF_ROUTING = 'prepared statements know their partition key; leave it out';
const INSTEAD_OF_BATCHING = "use batch(), whose kind is 'logged', 'unlogged' or 'counter'";
const FOR_ONE_CLUSTER = 'it concerns one cluster only; use session() for it';

/** What to do instead of the options that the driver has and Helix cannot honour on two clusters. */
const INSTEAD: Readonly<Record<string, string>> = {
  autoPage: 'iterate the result with for await, which reads every page',
  captureStackTrace: 'set it in the queryOptions of cql.A and cql.B',
  counter: INSTEAD_OF_BATCHING,
  customPayload: 'it would be missing when the write is replayed; use session() for it',
  executionProfile: 'profiles belong to one client; give consistency, serialConsistency or readTimeout here',
  hints: 'the types come from the prepared statement; leave it out',
  host: FOR_ONE_CLUSTER,
  isIdempotent: 'Helix knows what can be sent twice; leave it out',
  keyspace: 'qualify the table in the statement',
  logged: INSTEAD_OF_BATCHING,
  retry: 'Helix sends once to each side and replays what one of them has missed; leave it out',
  routingIndexes: INSTEAD_OF_ROUTING,
  routingKey: INSTEAD_OF_ROUTING,
  routingNames: INSTEAD_OF_ROUTING,
  traceQuery: FOR_ONE_CLUSTER,
};

/** Carries the options over to a query. Throws a {@link HelixUsageError} for those that it cannot honour. */
export function applyOptions(query: CqlQuery<unknown>, options: CqlExecuteOptions): void {
  checkNames(options);
  const { consistency, serialConsistency, fetchSize, pageState, timestamp } = options;
  const { readTimeout, ack, priority, signal } = options;
  if (consistency !== undefined) {
    query.consistency(consistencyCode(consistency, 'execute(): consistency'));
  }
  if (serialConsistency !== undefined) {
    query.serialConsistency(consistencyCode(serialConsistency, 'execute(): serialConsistency'));
  }
  if (fetchSize !== undefined) query.pageSize(checkedPageSize(fetchSize, 'execute(): fetchSize'));
  // The driver's own results have null on the last page.
  query.pageState(pageState ?? undefined);
  if (timestamp !== undefined) {
    query.withTimestamp(checkedTimestampUs(toNumber(timestamp), 'execute(): timestamp'));
  }
  if (readTimeout !== undefined) {
    query.withTimeout(checkedTimeoutMs(readTimeout, 'execute(): readTimeout'));
  }
  if (ack !== undefined) query.ack(checkedAck(ack, 'execute(): ack'));
  if (priority !== undefined) query.withPriority(checkedPriority(priority, 'execute(): priority'));
  if (signal !== undefined) query.withSignal(checkedSignal(signal, 'execute(): signal'));
}

/** Throws for a statement that is neither read nor written in the way of `execute()`. */
export function checkExecutable(facts: StatementFacts): void {
  const refusal = refusalOfKind(facts, 'execute');
  if (refusal) throw refusal();
}

function checkNames(options: CqlExecuteOptions): void {
  if (typeof options !== 'object' || (options as object | null) === null) {
    throw new HelixUsageError(
      `execute(): expected an object of options, received ${typeof options}; it answers with a promise`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || OPTIONS.includes(name)) continue;
    const instead = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
    throw new HelixUsageError(
      instead === undefined
        ? `execute(): there is no option "${name}". Allowed: ${OPTIONS.join(', ')}`
        : `execute(): the option "${name}" is not supported: ${instead}`,
    );
  }
  const { prepare = true } = options as { prepare?: unknown };
  if (prepare !== true) {
    throw new HelixUsageError(
      'execute(): prepare must be true or left out: parameters are encoded once, by the prepared types, for both clusters',
    );
  }
}

function toNumber(timestamp: number | { toNumber(): number }): number {
  const long = timestamp as { toNumber?: unknown } | null;
  return typeof long?.toNumber === 'function'
    ? (timestamp as { toNumber(): number }).toNumber()
    : (timestamp as number);
}
