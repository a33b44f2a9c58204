import { decode, encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { envelope } from '../../test/support/envelope.js';
import type { EncodedValue, Envelope } from '../core/index.js';
import { decodeEnvelope, encodeEnvelope, UndecodableEnvelopeError } from './codec.js';

const pinned: Envelope = {
  version: 1,
  namespace: 'shop',
  cluster: 'B',
  operationId: 'op-1',
  generation: 2,
  class: 'once',
  priority: 'low',
  timestampUs: 1_735_689_600_123_457,
  createdAtMs: 1_735_689_600_123,
  keyspace: 'ks',
  consistency: 6,
  serialConsistency: 9,
  ttlSeconds: 3600,
  batch: 'logged',
  statements: [
    {
      text: 'INSERT INTO t (a, b, c, d) VALUES (?, ?, ?, ?)',
      signature: 'int,blob,text,text',
      params: [new Uint8Array([0, 0, 0, 7]), new Uint8Array(), null, undefined],
    },
  ],
};

const PINNED_BYTES = [
  '8f', // map of 15
  'a17601', // v
  'a16ea473686f70', // n
  'a163a142', // c
  'a16fa46f702d31', // o
  'a16702', // g
  'a16ba46f6e6365', // k
  'a170a36c6f77', // p
  'a174cf00062a99ba0e4241', // t
  'a161cf000001941f297c7b', // a
  'a173a26b73', // s
  'a16c06', // l
  'a17209', // r
  'a178cd0e10', // x
  'a162a66c6f67676564', // b
  'a17191', // q: list of 1
  '83', // map of 3
  'a174d92e494e5345525420494e544f20742028612c20622c20632c2064292056414c55455320283f2c203f2c203f2c203f29', // t
  'a173b2696e742c626c6f622c746578742c74657874', // s
  'a17094c40400000007c400c0c2', // p: bytes, empty, null, unset
].join('');

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function stored(change: (fields: Record<string, unknown>) => void = () => undefined): Uint8Array {
  const fields = decode(encodeEnvelope(pinned)) as Record<string, unknown>;
  change(fields);
  return encode(fields);
}

function params(...values: EncodedValue[]): Envelope {
  return envelope('op', { statements: [{ text: 'q', signature: 's', params: values }] });
}

describe('the envelope codec', () => {
  it('writes exactly these bytes, which are stored on disks and servers', () => {
    expect(hex(encodeEnvelope(pinned))).toBe(PINNED_BYTES);
  });

  it('reads exactly these bytes', () => {
    expect(decodeEnvelope(Buffer.from(PINNED_BYTES, 'hex'))).toEqual(pinned);
  });

  it('begins with the version', () => {
    expect(hex(encodeEnvelope(envelope('op')).subarray(1, 4))).toBe('a17601');
  });

  it('stores the write time as an integer of 64 bits, never as a float', () => {
    expect(hex(encodeEnvelope(pinned))).toContain(
      `a174cf${1_735_689_600_123_457n.toString(16).padStart(16, '0')}`,
    );
    expect(hex(encodeEnvelope(envelope('op', { timestampUs: -5_000_000_000 })))).toContain('a174d3');
  });

  it.each([0, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])(
    'keeps write time %d',
    (timestampUs) => {
      expect(decodeEnvelope(encodeEnvelope(envelope('op', { timestampUs }))).timestampUs).toBe(timestampUs);
    },
  );

  it('keeps an empty value, a null and an unset one apart', () => {
    const [statement] = decodeEnvelope(encodeEnvelope(params(new Uint8Array(), null, undefined))).statements;
    expect(statement!.params).toEqual([new Uint8Array(), null, undefined]);
  });

  it('answers with parameters of its own, so that the bytes may be reused', () => {
    const bytes = encodeEnvelope(params(new Uint8Array([7])));
    const decoded = decodeEnvelope(bytes);
    bytes.fill(0);
    expect(decoded.statements[0]!.params[0]).toEqual(new Uint8Array([7]));
  });

  it('keeps a byte order mark at the start of a text', () => {
    const keyspace = '\uFEFFks';
    expect(decodeEnvelope(encodeEnvelope(envelope('op', { keyspace }))).keyspace).toBe(keyspace);
  });

  it('writes half a surrogate pair as the replacement character, as drivers do', () => {
    const bytes = encodeEnvelope(envelope('op', { keyspace: 'a\uD800b' }));
    expect(decodeEnvelope(bytes).keyspace).toBe('a\uFFFDb');
  });

  it('ignores keys that a later version may add', () => {
    const bytes = stored((fields) => {
      fields['z'] = { anything: [1] };
      (fields['q'] as Record<string, unknown>[])[0]!['z'] = 'more';
    });
    expect(decodeEnvelope(bytes)).toEqual(pinned);
  });

  it.each([
    ['v', 'version'],
    ['n', 'namespace'],
    ['c', 'cluster'],
    ['o', 'operationId'],
    ['g', 'generation'],
    ['k', 'class'],
    ['p', 'priority'],
    ['t', 'timestampUs'],
    ['a', 'createdAtMs'],
    ['s', 'keyspace'],
    ['l', 'consistency'],
    ['r', 'serialConsistency'],
    ['x', 'ttlSeconds'],
    ['b', 'batch'],
    ['q', 'statements'],
  ])('refuses bytes without %s and names %s', (key, name) => {
    const bytes = stored((fields) => Reflect.deleteProperty(fields, key));
    expect(() => decodeEnvelope(bytes)).toThrow(UndecodableEnvelopeError);
    expect(() => decodeEnvelope(bytes)).toThrow(name);
  });

  it.each<[string, unknown, string]>([
    ['n', 5, 'namespace'],
    ['c', 'C', 'cluster'],
    ['g', -1, 'generation'],
    ['g', 1.5, 'generation'],
    ['k', 'twice', 'class'],
    ['p', true, 'priority'],
    ['t', 2 ** 60, 'timestampUs'],
    ['t', 0.5, 'timestampUs'],
    ['a', NaN, 'createdAtMs'],
    ['l', '6', 'consistency'],
    ['x', [], 'ttlSeconds'],
    ['b', 'big', 'batch'],
    ['q', {}, 'statements'],
    ['q', [], 'statements'],
    ['q', [null], 'statements[0]'],
    ['q', [{ t: 'q', s: 's' }], 'statements[0].params'],
    ['q', [{ s: 's', p: [] }], 'statements[0].text'],
    ['q', [{ t: 'q', s: 1, p: [] }], 'statements[0].signature'],
    ['q', [{ t: 'q', s: 's', p: [null, 7] }], 'statements[0].params[1]'],
    ['q', [{ t: 'q', s: 's', p: [true] }], 'statements[0].params[0]'],
  ])('refuses %s = %o and names %s', (key, value, name) => {
    const bytes = stored((fields) => (fields[key] = value));
    expect(() => decodeEnvelope(bytes)).toThrow(UndecodableEnvelopeError);
    expect(() => decodeEnvelope(bytes)).toThrow(`cannot be decoded: ${name} is missing or not`);
  });

  it('refuses a batch whole when one of its statements cannot be decoded', () => {
    const good = { t: 'q', s: 's', p: [] };
    expect(() =>
      decodeEnvelope(stored((fields) => (fields['q'] = [good, { ...good, t: null }, good]))),
    ).toThrow('statements[1].text');
  });

  it('refuses a version it does not know', () => {
    expect(() => decodeEnvelope(stored((fields) => (fields['v'] = 2)))).toThrow('version is unknown');
  });

  it('refuses text that is not UTF-8', () => {
    const bytes = Buffer.from(
      hex(encodeEnvelope(pinned)).replace(hex(Buffer.from('shop')), 'c3286f70'),
      'hex',
    );
    expect(() => decodeEnvelope(bytes)).toThrow('namespace is missing or not text in UTF-8');
  });

  it.each([
    ['nothing at all', new Uint8Array()],
    ['one byte too few', encodeEnvelope(pinned).subarray(0, -1)],
    ['one byte too many', Buffer.concat([encodeEnvelope(pinned), Buffer.of(0)])],
    ['another value', encode(['v', 1])],
    ['a list of four thousand million', Buffer.from('ddffffffff', 'hex')],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeEnvelope(bytes)).toThrow(UndecodableEnvelopeError);
  });

  it('says nothing of what it found', () => {
    const bytes = stored((fields) => (fields['k'] = 'secret'));
    const error = thrownBy(() => decodeEnvelope(bytes));
    expect(error).toMatchObject({ code: 'HELIX_UNDECODABLE', name: 'UndecodableEnvelopeError' });
    expect(String(error)).not.toContain('secret');
  });
});

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}
