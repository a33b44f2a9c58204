import { decode, encode } from '@msgpack/msgpack';
import { type EncodedStatement, type EncodedValue, type Envelope, HelixError } from '../core/index.js';

/** Bytes that are not a whole envelope of a known version. Names the field, never its value. */
export class UndecodableEnvelopeError extends HelixError {
  readonly code = 'HELIX_UNDECODABLE';
}

const CLUSTERS = ['A', 'B'] as const;
const CLASSES = ['idempotent', 'once'] as const;
const PRIORITIES = ['high', 'low'] as const;
const BATCHES = ['logged', 'unlogged', 'counter'] as const;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The envelope as MessagePack: a map with every field under a key that never changes its meaning. `v` stands
 * first. A field that is `undefined` is nil rather than left out, so that a damaged key is noticed.
 * In `p`, bytes are bin (empty ones too), `null` is nil and unset is `false`.
 *
 * | key | field       | key | field       | key | field             | in `q` | field     |
 * |-----|-------------|-----|-------------|-----|-------------------|--------|-----------|
 * | `v` | version     | `k` | class       | `s` | keyspace          | `t`    | text      |
 * | `n` | namespace   | `p` | priority    | `l` | consistency       | `s`    | signature |
 * | `c` | cluster     | `t` | timestampUs | `r` | serialConsistency | `p`    | params    |
 * | `o` | operationId | `a` | createdAtMs | `x` | ttlSeconds        |        |           |
 * | `g` | generation  | `q` | statements  | `b` | batch             |        |           |
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return encode({
    v: envelope.version,
    n: wellFormed(envelope.namespace),
    c: envelope.cluster,
    o: wellFormed(envelope.operationId),
    g: envelope.generation,
    k: envelope.class,
    p: envelope.priority,
    t: envelope.timestampUs,
    a: envelope.createdAtMs,
    s: envelope.keyspace === undefined ? null : wellFormed(envelope.keyspace),
    l: envelope.consistency,
    r: envelope.serialConsistency ?? null,
    x: envelope.ttlSeconds ?? null,
    b: envelope.batch ?? null,
    q: envelope.statements.map(({ text, signature, params }) => ({
      t: wellFormed(text),
      s: wellFormed(signature),
      p: params.map((value) => (value === undefined ? false : value)),
    })),
  });
}

/**
 * The envelope that {@link encodeEnvelope} was given, whole or not at all. Its parameters are copies, so the
 * bytes may be reused. Keys it does not know are ignored: a later version may add some.
 *
 * @throws {UndecodableEnvelopeError} bytes are missing, damaged or left over, or the version is unknown.
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const fields = new Fields(unpack(bytes), '');
  const version = fields.integer('v', 'version');
  if (version !== 1)
    throw new UndecodableEnvelopeError('Envelope cannot be decoded: its version is unknown.');
  return {
    version,
    namespace: fields.text('n', 'namespace'),
    cluster: fields.oneOf('c', 'cluster', CLUSTERS),
    operationId: fields.text('o', 'operationId'),
    generation: fields.count('g', 'generation'),
    class: fields.oneOf('k', 'class', CLASSES),
    priority: fields.oneOf('p', 'priority', PRIORITIES),
    timestampUs: fields.integer('t', 'timestampUs'),
    createdAtMs: fields.number('a', 'createdAtMs'),
    keyspace: fields.isNil('s') ? undefined : fields.text('s', 'keyspace'),
    consistency: fields.count('l', 'consistency'),
    serialConsistency: fields.isNil('r') ? undefined : fields.count('r', 'serialConsistency'),
    ttlSeconds: fields.isNil('x') ? undefined : fields.count('x', 'ttlSeconds'),
    batch: fields.isNil('b') ? undefined : fields.oneOf('b', 'batch', BATCHES),
    statements: statementsOf(fields),
  };
}

function statementsOf(fields: Fields): EncodedStatement[] {
  const statements = fields.list('q', 'statements');
  // Executing nothing would look like success.
  if (statements.length === 0) throw fieldError('statements', 'a list that is not empty');
  return statements.map((value, index) => {
    const statement = new Fields(value, `statements[${index}].`);
    return {
      text: statement.text('t', 'text'),
      signature: statement.text('s', 'signature'),
      params: statement.list('p', 'params').map((param, at) => parameterOf(param, index, at)),
    };
  });
}

function parameterOf(value: unknown, statement: number, index: number): EncodedValue {
  if (value === null) return null;
  if (value === false) return undefined;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw fieldError(`statements[${statement}].params[${index}]`, 'bytes, nil or false');
}

function unpack(bytes: Uint8Array): unknown {
  // No list can be longer than its bytes: a damaged length must not reserve memory for itself.
  const limit = bytes.length;
  try {
    // Texts stay raw until Fields decodes them, because the library's own decoder accepts broken UTF-8.
    return decode(bytes, { rawStrings: true, maxArrayLength: limit, maxMapLength: limit });
  } catch (cause) {
    throw new UndecodableEnvelopeError('Envelope cannot be decoded: it is not one MessagePack value.', {
      cause,
    });
  }
}

/** Typed access to a decoded map; `path` leads to it in error messages. */
class Fields {
  readonly #map: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(map: unknown, path: string) {
    if (!isMap(map)) throw fieldError(path.slice(0, -1) || 'envelope', 'a map');
    this.#map = map;
    this.#path = path;
  }

  isNil(key: string): boolean {
    return this.#map[key] === null;
  }

  text(key: string, name: string): string {
    const value = this.#map[key];
    if (!(value instanceof Uint8Array)) throw this.#error(name, 'text');
    try {
      return UTF8.decode(value);
    } catch (cause) {
      throw this.#error(name, 'text in UTF-8', cause);
    }
  }

  number(key: string, name: string): number {
    const value = this.#map[key];
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.#error(name, 'a number');
    return value;
  }

  integer(key: string, name: string): number {
    const value = this.#map[key];
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#error(name, 'an integer');
    return value;
  }

  count(key: string, name: string): number {
    const value = this.integer(key, name);
    if (value < 0) throw this.#error(name, 'an integer, 0 or more');
    return value;
  }

  oneOf<T extends string>(key: string, name: string, allowed: readonly T[]): T {
    const value = this.text(key, name);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw this.#error(name, `one of: ${allowed.join(', ')}`);
    return found;
  }

  list(key: string, name: string): readonly unknown[] {
    const value = this.#map[key];
    if (!Array.isArray(value)) throw this.#error(name, 'a list');
    return value;
  }

  #error(name: string, expected: string, cause?: unknown): UndecodableEnvelopeError {
    return fieldError(this.#path + name, expected, cause);
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function fieldError(name: string, expected: string, cause?: unknown): UndecodableEnvelopeError {
  const message = `Envelope cannot be decoded: ${name} is missing or not ${expected}.`;
  return new UndecodableEnvelopeError(message, { cause });
}

/** Half a surrogate pair has no UTF-8; drivers send it as U+FFFD too. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}
