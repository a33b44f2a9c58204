import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyReadError, classifyWriteError } from './classify.js';

/** What is on no list: anything at all, but not with the names by which the lists go. */
const LISTED = [
  'ResponseError',
  'AuthenticationError',
  'ArgumentError',
  'NoHostAvailableError',
  'BusyConnectionError',
];
const unlistedName = fc.string().filter((name) => !LISTED.includes(name));
const unlistedError = fc
  .record(
    {
      message: fc.string().filter((message) => message !== 'No connection available'),
      name: unlistedName,
      code: fc.oneof(fc.integer(), fc.constantFrom(0x1000, 0x1001, 0x2000, 0x2200, 0x2100, 'ECONNREFUSED')),
      isSocketError: fc.boolean(),
      innerErrors: fc.oneof(fc.constant({}), fc.constant(null), fc.object()),
    },
    { requiredKeys: ['message'] },
  )
  .map(({ message, name, ...fields }) =>
    Object.assign(new Error(message), fields, name !== undefined && { name }),
  );
const thrown = fc.oneof(unlistedError, fc.anything());
const anyStage = fc.constantFrom('prepare' as const, 'execute' as const);

describe('classification of what is not known', () => {
  it('is ambiguous once the statement was handed to the driver, whatever was thrown', () => {
    fc.assert(
      fc.property(thrown, fc.boolean(), (error, singlePartition) => {
        expect(classifyWriteError(error, { stage: 'execute', singlePartition }).kind).toBe('ambiguous');
      }),
    );
  });

  it('is ambiguous as soon as one host of several ended with it', () => {
    fc.assert(
      fc.property(fc.array(thrown, { minLength: 1, maxLength: 4 }), fc.nat(3), (inner, known) => {
        const listed = Array.from({ length: known }, () => new Error('No connection available'));
        const error = Object.assign(new Error('All host(s) tried for query failed.'), {
          name: 'NoHostAvailableError',
          innerErrors: Object.fromEntries([...listed, ...inner].map((each, i) => [`host${i}`, each])),
        });
        expect(classifyWriteError(error, { stage: 'execute', singlePartition: true }).kind).toBe('ambiguous');
      }),
    );
  });

  it('is never a refusal, and always comes with an error', () => {
    fc.assert(
      fc.property(thrown, anyStage, (error, stage) => {
        const outcome = classifyWriteError(error, { stage, singlePartition: true });
        expect(['unreached', 'ambiguous']).toContain(outcome.kind);
        expect(outcome.error).toBeInstanceOf(Error);
        expect(classifyReadError(error).error).toBeInstanceOf(Error);
      }),
    );
  });
});
