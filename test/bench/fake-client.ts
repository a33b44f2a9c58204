import cassandra from 'cassandra-driver';
import type { CqlClient, CqlClientResult } from 'nestjs-helix';
import { type Column, describeStatement, KEYSPACE } from './tables.js';

interface Encoder {
  encode(value: unknown, type: { code: number }): unknown;
}

// The driver exports it, its typings do not.
const { Encoder } = cassandra as unknown as { Encoder: new (version: number, options: object) => Encoder };

/** Enough of the driver's `Client` for an application to boot with; statements are answered at once. */
export class FakeClient implements CqlClient {
  readonly keyspace = KEYSPACE;
  readonly options = { contactPoints: ['fake'], queryOptions: {}, policies: {}, encoding: {} };
  readonly hosts = { values: () => [{ isUp: () => true }] };
  readonly profileManager = { getDefaultLoadBalancing: () => undefined };
  readonly metadata = {
    getPreparedInfo: (_keyspace: string, text: string) => preparedInfo(text),
    clearPrepared: () => undefined,
  };

  readonly #result: CqlClientResult;

  constructor(result: CqlClientResult = { rows: undefined, pageState: null }) {
    this.#result = result;
  }

  async connect(): Promise<void> {
    // Always connected.
  }

  async execute(...[]: Parameters<CqlClient['execute']>): Promise<CqlClientResult> {
    return this.#result;
  }

  async batch(): Promise<CqlClientResult> {
    return this.#result;
  }

  async shutdown(): Promise<void> {
    // Nothing to close.
  }
}

/** Encodes the parameters of each statement as the driver does; bytes pass through it as they do there. */
export class EncodingFakeClient extends FakeClient {
  readonly #encoder = new Encoder(4, { encoding: {} });
  readonly #columns = new Map<string, readonly { type: { code: number } }[]>();

  override async execute(query: string, params?: unknown, options?: object): Promise<CqlClientResult> {
    let columns = this.#columns.get(query);
    if (!columns) this.#columns.set(query, (columns = preparedInfo(query).meta.columns));
    const values = params as readonly unknown[];
    for (let i = 0; i < columns.length; i++) this.#encoder.encode(values[i], columns[i]!.type);
    return super.execute(query, params, options);
  }
}

interface ColumnMeta {
  readonly name: string;
  readonly type: { readonly code: number };
}

function columnMeta({ name, code }: Column): ColumnMeta {
  return { name, type: { code } };
}

function preparedInfo(text: string): {
  queryId: Buffer;
  meta: { columns: ColumnMeta[]; partitionKeys: number[] };
} {
  return {
    queryId: Buffer.from(text),
    meta: { columns: describeStatement(text).bound.map(columnMeta), partitionKeys: [0] },
  };
}
