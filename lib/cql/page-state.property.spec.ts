import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageStateError } from '../core/index.js';
import { decodePageState, encodePageState } from './page-state.js';

const OWNER = { namespace: 'default', sessions: { A: { keyspace: 'shop' }, B: { keyspace: 'shop' } } };
const SELECT = { text: 'SELECT * FROM users', facts: { masked: 'SELECT * FROM users' } };
const CHARACTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é');

const position = fc.record({
  cluster: fc.constantFrom('A' as const, 'B' as const),
  driverState: fc
    .uint8Array({ minLength: 1, maxLength: 200 })
    .map((bytes) => Buffer.from(bytes).toString('hex')),
});
const state = position.map((each) => encodePageState(each, OWNER, SELECT));
const decode = (given: string) => decodePageState(given, OWNER, SELECT);

describe('a page state, whatever the driver’s state is', () => {
  it('is given back as it was', () => {
    fc.assert(
      fc.property(position, (each) => {
        expect(decode(encodePageState(each, OWNER, SELECT))).toEqual(each);
      }),
    );
  });

  it('is refused when any one character is another', () => {
    fc.assert(
      fc.property(state, fc.nat(), fc.constantFrom(...CHARACTERS), (given, at, char) => {
        const index = at % given.length;
        fc.pre(given[index] !== char);
        const changed = given.slice(0, index) + char + given.slice(index + 1);
        expect(() => decode(changed)).toThrow(PageStateError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused when any one byte is another', () => {
    fc.assert(
      fc.property(state, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, bits) => {
        const bytes = Buffer.from(given, 'base64url');
        bytes[at % bytes.length]! ^= bits;
        expect(() => decode(bytes.toString('base64url'))).toThrow(PageStateError);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused when it is cut short at either end, or longer', () => {
    fc.assert(
      fc.property(state, fc.nat(), fc.string({ minLength: 1 }), (given, at, more) => {
        const cut = 1 + (at % (given.length - 1));
        for (const changed of [given.slice(0, cut), given.slice(cut), given + more, more + given]) {
          expect(() => decode(changed)).toThrow(PageStateError);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('is refused when it is anything else', () => {
    fc.assert(
      fc.property(fc.string(), (given) => {
        expect(() => decode(given)).toThrow(PageStateError);
      }),
      { numRuns: 1_000 },
    );
  });
});
