/**
 * The part of `cassandra-driver` that Helix's public types speak of. Our own, structurally compatible ones:
 * the package type-checks without the driver installed.
 */

/** One row; columns by name. The driver's `Row`, so that its methods are there too. */
export type CqlRow = Record<string, unknown>;

/** The driver's `Client` as far as Helix uses it. */
export interface CqlClient {
  /** The keyspace it is connected to. */
  readonly keyspace: string;
  /** Connects to the cluster. */
  connect(): Promise<void>;
  /** Runs one statement. */
  execute(query: string, params?: unknown, options?: object): Promise<CqlClientResult>;
  /** Runs several statements as one batch. */
  batch(queries: { query: string; params?: unknown }[], options?: object): Promise<CqlClientResult>;
  /** Closes every connection. */
  shutdown(): Promise<void>;
}

/** The driver's `ResultSet` as far as Helix uses it. */
export interface CqlClientResult {
  /** Rows of the page; `undefined` when the statement gives none. */
  readonly rows: readonly CqlClientRow[] | undefined;
  /** Hexadecimal; where the next page begins. */
  readonly pageState: string | null;
  /** In the order of the statement. */
  readonly columns?: readonly CqlColumn[] | null;
  /** What is known about the execution. */
  readonly info?: CqlClientInfo;
}

/** What the driver tells about an execution. */
export interface CqlClientInfo {
  /** Address of the coordinator. */
  readonly queriedHost?: string;
  /** The protocol's code. */
  readonly achievedConsistency?: number;
  /** What the server warned of, if it did. */
  readonly warnings?: readonly string[] | null | undefined;
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

/** The driver's `Row`: its columns are its properties. */
export interface CqlClientRow {
  /** The columns by position. */
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
  /** Makes the promises that the driver answers with. */
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
