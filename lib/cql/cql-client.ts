/**
 * The part of `cassandra-driver` that Helix's public types speak of. Our own, structurally compatible ones:
 * the package type-checks without the driver installed.
 */

/** One row; columns by name. The driver's `Row`, so that its methods are there too. */
export type CqlRow = Record<string, unknown>;

/** The driver's `Client` as far as Helix uses it. */
export interface CqlClient {
  readonly keyspace: string;
  connect(): Promise<void>;
  execute(query: string, params?: unknown, options?: object): Promise<CqlClientResult>;
  batch(queries: { query: string; params?: unknown }[], options?: object): Promise<CqlClientResult>;
  shutdown(): Promise<void>;
}

export interface CqlClientResult {
  readonly rows: readonly CqlClientRow[] | undefined;
  /** Hexadecimal; where the next page begins. */
  readonly pageState: string | null;
  readonly columns?: readonly CqlColumn[] | null;
  readonly info?: CqlClientInfo;
}

/** What the driver tells about an execution. */
export interface CqlClientInfo {
  readonly queriedHost?: string;
  readonly achievedConsistency?: number;
  /** What the server warns of, `null` when there is nothing. */
  readonly warnings?: readonly string[] | null;
}

/** A column of a result. */
export interface CqlColumn {
  readonly name: string;
  readonly type: CqlColumnType;
}

/** Type of a column or parameter as the driver describes it. */
export interface CqlColumnType {
  /** One of `types.dataTypes`. */
  readonly code: number;
  /** Element types of collections and tuples, `{ name, fields }` of a UDT, class name of a custom type. */
  readonly info?: unknown;
}

export interface CqlClientRow {
  values(): unknown[];
}

/** `ClientOptions` of `cassandra-driver`; see its documentation for what each field does. */
export interface CqlClientOptions {
  contactPoints?: string[];
  localDataCenter?: string;
  keyspace?: string;
  authProvider?: object;
  credentials?: { username: string; password: string };
  cloud?: object;
  encoding?: object;
  isMetadataSyncEnabled?: boolean;
  maxPrepared?: number;
  metrics?: object;
  policies?: object;
  pooling?: object;
  prepareOnAllHosts?: boolean;
  profiles?: object[];
  promiseFactory?: (handler: never) => Promise<unknown>;
  protocolOptions?: object;
  queryOptions?: object;
  refreshSchemaDelay?: number;
  rePrepareOnUp?: boolean;
  requestTracker?: object;
  socketOptions?: object;
  sslOptions?: object;
  id?: object;
  applicationName?: string;
  applicationVersion?: string;
  monitorReporting?: object;
}
