import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EncodedValue, Envelope } from '../core/index.js';
import { decodeEnvelope, encodeEnvelope, UndecodableEnvelopeError } from './codec.js';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'binary', minLength: 200, maxLength: 400 }),
);
const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ minLength: 250, maxLength: 300 }),
  fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array)),
);
const param = fc.oneof(bytes, fc.constantFrom<EncodedValue[]>(null, undefined));
const orUndefined = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const anyEnvelope: fc.Arbitrary<Envelope> = fc.record({
  version: fc.constant(1 as const),
  namespace: text,
  cluster: fc.constantFrom('A', 'B'),
  operationId: text,
  generation: count,
  class: fc.constantFrom('idempotent', 'once'),
  priority: fc.constantFrom('high', 'low'),
  timestampUs: fc.maxSafeInteger(),
  createdAtMs: fc.oneof(fc.maxSafeInteger(), fc.double({ min: 0, max: 1e13, noNaN: true })),
  keyspace: orUndefined(text),
  consistency: count,
  serialConsistency: orUndefined(count),
  ttlSeconds: orUndefined(count),
  batch: fc.constantFrom('logged', 'unlogged', 'counter', undefined),
  statements: fc.array(fc.record({ text, signature: text, params: fc.array(param, { maxLength: 20 }) }), {
    minLength: 1,
    maxLength: 4,
  }),
});

/** Buffers come back as the plain bytes they are. */
function plain(envelope: Envelope): Envelope {
  return {
    ...envelope,
    statements: envelope.statements.map((statement) => ({
      ...statement,
      params: statement.params.map((value) => value && new Uint8Array(value)),
    })),
  };
}

function decodesOrRefuses(damaged: Uint8Array): void {
  try {
    encodeEnvelope(decodeEnvelope(damaged));
  } catch (error) {
    expect(error).toBeInstanceOf(UndecodableEnvelopeError);
  }
}

describe('the envelope codec', () => {
  it('gives back every envelope as it was', () => {
    fc.assert(
      fc.property(anyEnvelope, (envelope) => {
        expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(plain(envelope));
      }),
      { numRuns: 300 },
    );
  });

  it('refuses every envelope that was cut short', () => {
    fc.assert(
      fc.property(
        anyEnvelope,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (envelope, share) => {
          const whole = encodeEnvelope(envelope);
          const cut = whole.subarray(0, Math.floor(share * whole.length));
          expect(() => decodeEnvelope(cut)).toThrow(UndecodableEnvelopeError);
        },
      ),
    );
  });

  it('decodes damaged bytes to an envelope or refuses them, and never fails in another way', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyEnvelope, flips, (envelope, places) => {
        const damaged = encodeEnvelope(envelope);
        for (const [place, bit] of places) damaged[place % damaged.length]! ^= 1 << bit;
        decodesOrRefuses(damaged);
      }),
      { numRuns: 1_000 },
    );
  });

  it('decodes any bytes or refuses them, and never fails in another way', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrRefuses), { numRuns: 1_000 });
  });
});
