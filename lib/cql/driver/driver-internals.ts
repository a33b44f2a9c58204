/**
 * What Helix needs of `cassandra-driver` that its typings do not give, with the places it was read from
 * (4.10). Everything private is reached through this file.
 */
import type { CqlClient, CqlColumn, CqlColumnType } from '../cql-client.js';

/** Parameters and columns are described alike. */
export type Column = CqlColumn;
export type ColumnType = CqlColumnType;

/** `types.distance.ignored`: of hosts that the driver does not connect to. */
export const IGNORED = 2;

/** What a PREPARE answered: `lib/prepare-handler.js`. */
export interface PreparedInfo {
  readonly queryId: Buffer;
  readonly meta: {
    readonly columns: readonly Column[];
    /** Indices of the parameters that are the partition key. */
    readonly partitionKeys?: readonly number[];
    /** Of protocol versions that have one. */
    readonly resultId?: Buffer;
  };
}

/** A place on the ring: `lib/token.js`. Immutable as far as the driver is concerned. */
export interface Token {
  getValue(): TokenValue;
  compare(other: Token): number;
  toString(): string;
}

export type TokenValue = object;

/** What a text is executed by. */
export type LookUp = (keyspace: string | undefined, query: string) => PreparedInfo;

/** The driver's `Client` with what it does not show. */
export interface DriverClient extends CqlClient {
  readonly options: object;
  readonly metadata: {
    /** What `execute` and `batch` take a statement's id and types from: `lib/client.js` by way of `prepare-handler.js`. */
    getPreparedInfo?: LookUp;
    /** Throws before the first connection, which tells the partitioner. */
    newToken?(key: Buffer): Token;
  };
  readonly controlConnection?: ControlConnection;
  readonly profileManager?: {
    getDefaultLoadBalancing(): LoadBalancingPolicy;
    getDistance(host: DriverHost): number;
  };
  readonly hosts?: { readonly length?: number; values(): DriverHost[] };
  /** `hostUp`, `hostDown`, … */
  on?(event: string, listener: () => void): unknown;
  removeListener?(event: string, listener: () => void): unknown;
}

/** `lib/control-connection.js` */
export interface ControlConnection {
  _refresh?: (hostIterator?: unknown) => Promise<void>;
  /** Subscribes to the events of the server, on each new connection. */
  _registerToConnectionEvents?: () => Promise<void>;
  readonly connection?: EventConnection | null;
  readonly _isShuttingDown?: boolean;
}

export interface EventConnection {
  on(event: 'nodeSchemaChange' | 'socketClose', listener: (event: SchemaChangeEvent) => void): unknown;
  removeListener(
    event: 'nodeSchemaChange' | 'socketClose',
    listener: (event: SchemaChangeEvent) => void,
  ): unknown;
}

/** `lib/readers.js`, `parseSchemaChange` */
export interface SchemaChangeEvent {
  readonly keyspace?: string;
  /** Of a table, view or index; none for a keyspace, a type or a function. */
  readonly table?: string | null;
}

/** `lib/host.js` */
export interface DriverHost {
  readonly address: string;
  isUp(): boolean;
  borrowConnection(): HostConnection;
}

/** `lib/connection.js` */
export interface HostConnection {
  readonly keyspace: string | null | undefined;
  changeKeyspace(keyspace: string): Promise<void>;
  prepareOnceAsync(
    query: string,
    keyspace: string | undefined,
  ): Promise<{ readonly id: Buffer; readonly meta: PreparedInfo['meta'] }>;
}

interface LoadBalancingPolicy {
  newQueryPlan(
    keyspace: string | undefined,
    options: null,
    callback: (error: Error | null, iterator: Iterator<DriverHost>) => void,
  ): void;
}

export type NoHostAvailable = new (innerErrors: object) => Error;

/** The encoder gives the same bytes as the driver does when it executes (`lib/encoder.js`). */
export interface Encoder {
  encode(value: unknown, type: ColumnType): Uint8Array | null | object;
}

/** Classes of `lib/policies/load-balancing.js`. */
export type LoadBalancingPolicies = Readonly<
  Record<
    'DefaultLoadBalancingPolicy' | 'TokenAwarePolicy' | 'DCAwareRoundRobinPolicy' | 'RoundRobinPolicy',
    unknown
  >
>;
