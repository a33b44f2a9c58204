import type {
  CqlClient,
  CqlClientResult,
  Driver,
  PreparedBatchItem,
  PreparedRequests,
  PreparedText,
} from '../cql/index.js';
import type { Codec, WireType } from './language/index.js';

type RowClass = new (
  columns: readonly { name: string }[],
) => Record<string, unknown> & { values(): unknown[] };

type ResultSetClass = new (
  response: object,
  host: string,
  tried: object,
  executions: number,
  consistency: unknown,
  agreed: boolean,
) => object;

type ErrorClass<Arguments extends unknown[]> = new (...args: Arguments) => Error;

/** What an in-memory cluster needs of `cassandra-driver` beside what Helix does: no network, but its types and errors. */
export type FullDriver = Omit<Driver, 'Encoder' | 'types'> & {
  readonly Encoder: new (protocolVersion: number, options: object) => Codec;
  readonly types: { readonly unset: object; readonly Row: RowClass; readonly ResultSet: ResultSetClass };
  readonly errors: {
    readonly ArgumentError: ErrorClass<[message: string]>;
    readonly DriverError: ErrorClass<[message: string]>;
    readonly NoHostAvailableError: ErrorClass<[inner: object]>;
    readonly OperationTimedOutError: ErrorClass<[message: string]>;
    readonly ResponseError: ErrorClass<[code: number, message: string]>;
  };
};

/** A client that prepares by itself. */
export interface PreparingClient extends CqlClient {
  prepare(text: string): Promise<PreparedText>;
}

/** Type of a parameter of a statement that was not understood and is answered by hand. */
export const ANY: WireType = { code: 0, info: 'any value' };

/** The driver with nothing but the step that goes over the network replaced. */
export function withoutNetwork(driver: Driver): Driver {
  const full = driver as unknown as FullDriver;
  const Encoder = encoderOfAnything(full);
  return Object.assign({}, full, {
    Encoder,
    requestsOf: (client: unknown) => new DirectRequests(client as PreparingClient),
  }) as unknown as Driver;
}

/** Statements go to the client as they are: a text is all that an in-memory cluster knows one by. */
class DirectRequests implements PreparedRequests {
  constructor(private readonly client: PreparingClient) {}

  prepare(text: string): Promise<PreparedText> {
    return this.client.prepare(text);
  }

  execute({ query }: PreparedText, params: unknown, options: object): Promise<CqlClientResult> {
    return this.client.execute(query, params, options);
  }

  batch(items: readonly PreparedBatchItem[], options: object): Promise<CqlClientResult> {
    const queries = items.map(({ statement: { query }, params }) => ({ query, params }));
    return this.client.batch(queries, options);
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {
    // Nothing was changed about the client.
  }
}

/** Hands values of type {@link ANY} through: their bytes only stand for them. */
function encoderOfAnything({ Encoder }: FullDriver): FullDriver['Encoder'] {
  const given = new WeakMap<object, { readonly value: unknown }>();
  return class extends Encoder {
    override encode(value: unknown, type: WireType): unknown {
      if (type.info !== ANY.info || value === null || Buffer.isBuffer(value))
        return super.encode(value, type);
      const bytes = Buffer.from(typeof value);
      given.set(bytes, { value });
      return bytes;
    }

    override decode(bytes: Uint8Array, type: WireType): unknown {
      if (type.info !== ANY.info) return super.decode(bytes, type);
      const known = given.get(bytes);
      return known ? known.value : bytes;
    }
  };
}
