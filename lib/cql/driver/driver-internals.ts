/**
 * What Helix needs of `cassandra-driver` that its typings do not give, with the places it was read from
 * (4.10). Everything private is reached through this file.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
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
  readonly options: DriverOptions;
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
    /** `lib/execution-profile.js`: hands the hosts to the load balancing policies, on each attempt to connect. */
    init?: (...args: unknown[]) => Promise<unknown>;
  };
  readonly hosts?: HostMap;
  /** True once it has connected. */
  readonly connected?: boolean;
  readonly connecting?: boolean;
  /** `hostUp`, `hostDown`, … */
  on?(event: string, listener: () => void): unknown;
  removeListener?(event: string, listener: () => void): unknown;
}

/** `lib/client-options.js` */
export interface DriverOptions {
  /** Called as a method of whatever logs: `lib/utils.js`, `log`. */
  logEmitter?: LogEmitter;
}

export type LogEmitter = (this: Loud, ...args: unknown[]) => unknown;

/** Takes its emitter from the options at its first line, and keeps it. */
export interface Loud {
  logEmitter?: LogEmitter;
}

/** `lib/host.js` */
export interface HostMap {
  readonly length?: number;
  values(): DriverHost[];
  get?(address: string): unknown;
  on?(event: 'add' | 'remove', listener: HostListener): unknown;
  removeListener?(event: 'add' | 'remove', listener: HostListener): unknown;
  listeners?(event: 'add' | 'remove'): HostListener[];
}

export type HostListener = (host: DriverHost) => void;

/** `lib/control-connection.js` */
export interface ControlConnection {
  _refresh?: (hostIterator?: unknown) => Promise<void>;
  /** Makes the first connection, and another one when no pool has any: for the pool of a host that it makes anew. */
  _initializeConnection?: () => Promise<void>;
  /** One contact point after the other, until one takes the connection. */
  _borrowFirstConnection?: (contactPoints: unknown) => Promise<void>;
  /** Looks out for the end of its connection; a method of the class. */
  _setHealthListeners?: () => void;
  /** What the contact points resolved to; every attempt to connect adds to them. */
  readonly _contactPoints?: { clear(): void };
  readonly _resolvedContactPoints?: { clear(): void };
  readonly host?: DriverHost | null;
  /** Cancels its timers. */
  shutdown?(): void;
  /** Subscribes to the events of the server, on each new connection. */
  _registerToConnectionEvents?: () => Promise<void>;
  connection?: (EventConnection & Partial<OpenConnection>) | null;
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
  /** `lib/host-connection-pool.js` */
  readonly pool?: HostPool;
  /** Opens what is missing to the number of connections that its pool should have. */
  initializePool?(): void;
  shutdown?(waitForPending: boolean): Promise<void>;
}

/** `lib/host-connection-pool.js` */
export interface HostPool {
  readonly connections: readonly unknown[];
  isClosing(): boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** `lib/connection.js`, seen from below. */
export interface OpenConnection extends Loud {
  /** Ready for requests: not while it is opened, not once it is closed. */
  readonly connected: boolean;
  /** It is closed when what is under way on it has ended. */
  readonly emitDrain: boolean;
  /** Another one after a change of the protocol's version. */
  readonly netClient?: Socket | TLSSocket;
  readonly protocol?: Duplex;
  readonly parser?: Duplex;
  /** Once the socket is connected, before the first request. */
  bindSocketListeners(): void;
  /** After the last part of an answer; throws if the id is not one that there could be. */
  freeStreamId(header: object): void;
  /** Sets the timer of the next heartbeat, after each request. */
  _setIdleTimeout(): void;
  /** Stops the heartbeat and fails what is under way. */
  clearAndInvokePending(error?: Error): void;
  close(): void;
  /** Requests that wait for an answer. */
  getInFlight(): number;
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
