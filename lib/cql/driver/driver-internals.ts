/**
 * What Helix needs of `cassandra-driver` that its typings do not give, with the places it was read from
 * (4.10). Everything private is reached through this file.
 */
import type { CqlClient, CqlColumn, CqlColumnType } from '../cql-client.js';

/** Parameters and columns are described alike. */
export type Column = CqlColumn;
export type ColumnType = CqlColumnType;

/** What a PREPARE answered: `lib/prepare-handler.js`. */
export interface PreparedInfo {
  readonly queryId: Buffer;
  readonly meta: { readonly columns: readonly Column[]; readonly partitionKeys?: readonly number[] };
}

/** A place on the ring: `lib/token.js`. Immutable as far as the driver is concerned. */
export interface Token {
  getValue(): TokenValue;
  compare(other: Token): number;
  toString(): string;
}

export type TokenValue = object;

/** The driver's `Client` with what it does not show. */
export interface DriverClient extends CqlClient {
  readonly options: object;
  readonly metadata: {
    clearPrepared?(): void;
    /** Throws before the first connection, which tells the partitioner. */
    newToken?(key: Buffer): Token;
  };
  readonly controlConnection?: ControlConnection;
  readonly profileManager?: { getDefaultLoadBalancing(): unknown };
  readonly hosts?: { values(): { isUp(): boolean }[] };
}

export interface ControlConnection {
  _refresh?: (hostIterator?: unknown) => Promise<void>;
  readonly _isShuttingDown?: boolean;
}

interface PrepareHandler {
  getPrepared(
    client: DriverClient,
    loadBalancing: unknown,
    query: string,
    keyspace: string | undefined,
  ): Promise<PreparedInfo>;
}

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

interface DriverModule {
  readonly version: string;
  readonly Client: new (options: object) => DriverClient;
  readonly Encoder: new (protocolVersion: number, options: object) => Encoder;
  readonly types: { readonly unset: object };
  readonly policies: {
    readonly loadBalancing: LoadBalancingPolicies;
    readonly reconnection: { readonly ConstantReconnectionPolicy: new (delayMs: number) => object };
    readonly retry: { readonly RetryPolicy: new () => { rethrowResult(): object } };
  };
}

export interface Driver extends Omit<DriverModule, 'version'> {
  readonly prepareHandler: PrepareHandler;
}

/** Loads the driver when an instance is made for it; a package without `cql` never needs it installed. */
export async function loadDriver(): Promise<Driver> {
  const [driver, prepareHandler] = await Promise.all([
    importDefault<DriverModule>('cassandra-driver'),
    importDefault<PrepareHandler>('cassandra-driver/lib/prepare-handler.js'),
  ]);
  return { ...driver, prepareHandler };
}

async function importDefault<T>(specifier: string): Promise<T> {
  const { default: value } = (await import(specifier)) as { default: T };
  return value;
}
