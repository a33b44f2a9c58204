import { type CqlClientResult, parametersSignature, type PreparedText } from '../cql/index.js';
import type { Params, Statement } from './database.js';
import { ANY, type FullDriver, type PreparingClient } from './driver.js';
import type { Faults } from './faults.js';
import type { ReadResult, WireColumn } from './language/index.js';

/** A request as a cluster gets it. */
export interface ClientRequest {
  /** Asked by Helix or the driver for itself. */
  readonly isInternal: boolean;
  readonly statements: readonly Statement[];
  /** `undefined`: one statement alone. */
  readonly batch: 'logged' | 'unlogged' | 'counter' | undefined;
  readonly timestampUs: number | undefined;
  readonly pageSize: number | undefined;
  readonly pageState: Uint8Array | undefined;
}

/** Rows that a test answers with by itself. */
export type GivenRows = readonly Readonly<Record<string, unknown>>[];

export type ClientAnswer =
  | { readonly kind: 'written' }
  | { readonly kind: 'read'; readonly result: ReadResult }
  | { readonly kind: 'given'; readonly rows: GivenRows };

/** The cluster at the other end. Both throw what the server would answer with. */
export interface ClientTarget {
  describe(cql: string): readonly WireColumn[];
  run(request: ClientRequest): ClientAnswer;
  decode(bytes: Uint8Array | null, column: WireColumn): unknown;
}

/** As far as the options of the driver matter here. */
interface ExecuteOptions {
  readonly timestamp?: unknown;
  readonly readTimeout?: number;
  readonly fetchSize?: number;
  readonly pageState?: string | Uint8Array;
  readonly consistency?: number;
  readonly logged?: boolean;
  readonly counter?: boolean;
}

/** The driver's `socketOptions.readTimeout`. */
const READ_TIMEOUT_MS = 12_000;
const OF_THE_DRIVER = /\bfrom\s+system(_schema)?\s*\./i;
const OF_THE_SCHEMA = /\bfrom\s+system_schema\s*\./i;

/** The driver's `Client` as far as Helix uses it, straight to an in-memory cluster. */
export class InMemoryClient implements PreparingClient {
  readonly options: object;
  /** What there is to hear of its schema is known when it is made. */
  readonly controlConnection = { _registerToConnectionEvents: (): Promise<void> => Promise.resolve() };
  readonly hosts = { values: (): { isUp(): boolean }[] => [{ isUp: () => !this.faults.isDown }] };

  constructor(
    private readonly driver: FullDriver,
    private readonly faults: Faults,
    private readonly target: ClientTarget,
    private readonly host: string,
    readonly keyspace: string,
  ) {
    // Helix names the contact points of a cluster that it is not connected to.
    this.options = { contactPoints: [`${host} (a Nest module connects in its init())`] };
  }

  connect(): Promise<void> {
    return this.#send(undefined, () => undefined, true);
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  prepare(text: string): Promise<PreparedText> {
    const describe = (): PreparedText => {
      const columns = this.target.describe(text);
      const queryId = Buffer.from(text);
      return { query: text, queryId, meta: { columns }, signature: parametersSignature(columns) };
    };
    return this.#send(undefined, describe, true);
  }

  execute(query: string, params?: unknown, options: object = {}): Promise<CqlClientResult> {
    const settings = options as ExecuteOptions;
    const isInternal = OF_THE_DRIVER.test(query);
    const statement = { cql: query, params: params as Params };
    const request = { isInternal, batch: undefined, statements: [statement], ...requestOf(settings) };
    return this.#send(
      isInternal ? undefined : query,
      () => this.#result(this.target.run(request), settings),
      OF_THE_SCHEMA.test(query),
      settings.readTimeout,
    );
  }

  batch(queries: { query: string; params?: unknown }[], options: object = {}): Promise<CqlClientResult> {
    const settings = options as ExecuteOptions;
    const unlogged = settings.logged === false ? 'unlogged' : 'logged';
    const kind = settings.counter ? 'counter' : unlogged;
    const statements = queries.map(({ query, params }) => ({ cql: query, params: params as Params }));
    const request = { isInternal: false, batch: kind, statements, ...requestOf(settings) } as const;
    return this.#send(
      statements.map(({ cql }) => cql).join(';\n'),
      () => this.#result(this.target.run(request), settings),
      false,
      settings.readTimeout,
    );
  }

  #send<T>(
    cql: string | undefined,
    run: () => T,
    isPreparing: boolean,
    timeoutMs = READ_TIMEOUT_MS,
  ): Promise<T> {
    return this.faults.send({ cql, run, isPreparing, timeoutMs });
  }

  #result(answer: ClientAnswer, { consistency }: ExecuteOptions): CqlClientResult {
    const { ResultSet } = this.driver.types;
    return new ResultSet(this.#response(answer), this.host, {}, 0, consistency, true) as CqlClientResult;
  }

  #response(answer: ClientAnswer): object {
    const { Row } = this.driver.types;
    switch (answer.kind) {
      case 'written':
        return {};
      case 'given': {
        const names = Object.keys(answer.rows[0] ?? {});
        const columns = names.map((name) => ({ name, type: ANY }));
        const rows = answer.rows.map((row) => Object.assign(new Row(columns), row));
        return { rows, meta: { columns } };
      }
      case 'read': {
        const { columns, pageState } = answer.result;
        const rows = answer.result.rows.map((bytes) => {
          const row = new Row(columns);
          for (const [i, column] of columns.entries()) {
            row[column.name] = this.target.decode(bytes[i] ?? null, column);
          }
          return row;
        });
        return { rows, meta: { columns, pageState } };
      }
    }
  }
}

function requestOf({
  timestamp,
  fetchSize,
  pageState,
}: ExecuteOptions): Pick<ClientRequest, 'timestampUs' | 'pageSize' | 'pageState'> {
  return {
    // A number, or the driver's Long.
    timestampUs: timestamp === undefined || timestamp === null ? undefined : Number(timestamp),
    pageSize: fetchSize,
    pageState: typeof pageState === 'string' ? Buffer.from(pageState, 'hex') : pageState,
  };
}
