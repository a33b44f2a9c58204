import cassandra from 'cassandra-driver';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOfHash } from '../../../test/support/murmur3-inverse.js';
import type { Token } from './driver-internals.js';
import { murmur3 } from './murmur3.js';

/** The driver's own hash, as its metadata makes it once a cluster has named this partitioner. */
const { metadata } = new cassandra.Client({
  contactPoints: ['10.0.0.1'],
  localDataCenter: 'dc1',
}) as unknown as { metadata: { setPartitioner(name: string): void; newToken(key: Buffer): Token } };
metadata.setPartitioner('org.apache.cassandra.dht.Murmur3Partitioner');
const driversToken = (key: Buffer): string => metadata.newToken(key).toString();

const { Long } = cassandra.types;

function token(key: Uint8Array): string {
  const { high, low } = murmur3(key);
  return Long.fromBits(low, high).toString();
}

const MIN = '-9223372036854775808';
const MAX = '9223372036854775807';

describe('murmur3', () => {
  it.each<[key: string, token: string]>([
    ['00000001', '-4069959284402364209'],
    ['00000002', '-3248873570005575792'],
    ['00000003', '9010454139840013625'],
    [Buffer.from('foo').toString('hex'), '-2129773440516405919'],
  ])('gives the token that Cassandra gives: %s', (key, expected) => {
    expect(token(Buffer.from(key, 'hex'))).toBe(expected);
  });

  it('equals the driver for keys of 0 to 200 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: 'max' }), (bytes) => {
        const key = Buffer.from(bytes);
        return token(bytes) === driversToken(key);
      }),
      { numRuns: 50_000 },
    );
  });

  it('equals the driver for every length of the tail and every place of a byte with its high bit set', () => {
    for (let length = 0; length <= 48; length++) {
      for (let at = 0; at < length; at++) {
        for (const [rest, byte] of [
          [0x00, 0x80],
          [0x7f, 0xff],
          [0xff, 0x7f],
        ] as const) {
          const key = Buffer.alloc(length, rest);
          key[at] = byte;
          expect(token(key), key.toString('hex')).toBe(driversToken(key));
        }
      }
    }
  });

  it('reads only the part of the memory that the key is a view of', () => {
    const memory = Buffer.from('-------the key itself--------');
    expect(token(memory.subarray(7, 21))).toBe(token(Buffer.from('the key itself')));
  });

  it('gives the greatest token where the hash is the least number, as Cassandra does and the driver does not', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (secondHalf) => {
        const key = keyOfHash(-(1n << 63n), secondHalf);
        expect(driversToken(key)).toBe(MIN);
        expect(token(key)).toBe(MAX);
      }),
    );
  });

  it('leaves the numbers beside the least one alone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(-(1n << 63n) + 1n, (1n << 63n) - 1n, -(1n << 63n) + (1n << 32n), 0n, -1n),
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        (hash, secondHalf) => token(keyOfHash(hash, secondHalf)) === hash.toString(),
      ),
    );
  });
});
