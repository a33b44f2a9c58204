import cassandra from 'cassandra-driver';
import type { CqlClient, CqlClientResult } from 'nestjs-helix';
import { type Column, describeStatement, KEYSPACE } from './tables.js';

interface Encoder {
  encode(value: unknown, type: { code: number }): unknown;
}

// The driver exports it, its typings do not.
const { Encoder } = cassandra as unknown as { Encoder: new (version: number, options: object) => Encoder };

/** First byte of an id that was never given out. */
const NOBODYS = 0xff;

const host = {
  address: 'fake',
  isUp: () => true,
  borrowConnection: () => ({
    keyspace: KEYSPACE,
    prepareOnceAsync: async (text: string) => {
      const { queryId: id, meta } = preparedInfo(text);
      return { id, meta };
    },
  }),
};

/** One host, each time. */
function newQueryPlan(
  _keyspace: unknown,
  _options: unknown,
  answer: (error: null, plan: object) => void,
): void {
  answer(null, [host].values());
}

/** Enough of the driver's `Client` for an application to boot with; statements are answered at once. */
export class FakeClient implements CqlClient {
  readonly keyspace = KEYSPACE;
  readonly options = { contactPoints: ['fake'], queryOptions: {}, policies: {}, encoding: {} };
  readonly hosts = { values: () => [{ isUp: () => true }] };
  readonly profileManager = {
    getDefaultLoadBalancing: () => ({ newQueryPlan }),
    getDistance: () => cassandra.types.distance.local,
  };
  readonly controlConnection = { _registerToConnectionEvents: () => Promise.resolve() };
  readonly metadata: { getPreparedInfo(keyspace: string, text: string): PreparedInfo } = {
    getPreparedInfo: (_keyspace, text) => preparedInfo(text),
  };

  readonly #result: CqlClientResult;

  constructor(result: CqlClientResult = { rows: undefined, pageState: null }) {
    this.#result = result;
  }

  async connect(): Promise<void> {
    // Always connected.
  }

  /** Looks up what it is to execute, as the driver does. */
  async execute(...[query, , options]: Parameters<CqlClient['execute']>): Promise<CqlClientResult> {
    const { prepare } = (options ?? {}) as { prepare?: boolean };
    if (prepare && this.metadata.getPreparedInfo(this.keyspace, query).queryId[0] === NOBODYS) {
      throw new cassandra.errors.ResponseError(cassandra.types.responseErrorCodes.unprepared, 'not found');
    }
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
    // What Helix asks about the cluster itself has no parameters.
    if (query.includes('system.')) return super.execute(query, params, options);
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

interface PreparedInfo {
  readonly queryId: Buffer;
  readonly meta: { readonly columns: ColumnMeta[]; readonly partitionKeys: number[] };
}

function preparedInfo(text: string): PreparedInfo {
  return {
    queryId: Buffer.from(text),
    meta: { columns: describeStatement(text).bound.map(columnMeta), partitionKeys: [0] },
  };
}
