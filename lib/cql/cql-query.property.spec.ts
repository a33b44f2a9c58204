import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setUpCql } from '../../test/support/cql.js';
import { columns, invalid, type, unreachable } from '../../test/support/fake-cql-client.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const NAMED = 'UPDATE users SET name = :name WHERE id = :id';

/** Values that are no int and can be told from everything else in a message. */
const text = fc.string({ minLength: 8 }).map((inner) => `<${inner}>`);
const value = fc.oneof(
  text,
  fc.array(text, { minLength: 1 }),
  text.map((inner) => ({ inner })),
  text.map((inner) => Buffer.from(inner)),
  fc.integer({ min: 1_000_000_000_000, max: 9_000_000_000_000 }),
);
const spelled = (given: unknown): string => {
  if (Array.isArray(given)) return String(given[0]);
  if (typeof given === 'object' && given !== null && 'inner' in given) return String(given.inner);
  return String(given);
};

describe('what Helix says when it fails', () => {
  it('never contains a parameter or a literal', async () => {
    const { helix, knows, hasTable } = await setUpCql();
    const types = columns({ id: type('int'), name: type('text') });
    knows(INSERT, types);
    knows(NAMED, [...types].reverse());
    hasTable('users', types);

    await fc.assert(
      fc.asyncProperty(value, async (given) => {
        const secret = spelled(given);
        const literal = `'${secret.replaceAll("'", "''")}'`;
        const queries = [
          helix.query(INSERT, [given]),
          helix.query(INSERT, [given, given, given]),
          helix.query(NAMED, { id: given }),
          helix.query(`INSERT INTO nowhere (id, name) VALUES (1, ${literal})`),
          helix.query(`UPDATE users SET name = ${literal} WHERE id = 1 IF EXISTS`),
          helix.query(`SELECT * FROM users WHERE name = ${literal}`),
          // A Buffer counts as encoded already.
          ...(Buffer.isBuffer(given) ? [] : [helix.query(INSERT, [given, 'Ada'])]),
          ...(Buffer.isBuffer(given) ? [] : [helix.query(NAMED, { id: given, name: 'Ada' })]),
        ];
        for (const query of queries) {
          const error = await query.exec().then(
            () => undefined,
            (thrown: unknown) => thrown as Error,
          );
          expect(error?.message).toBeTypeOf('string');
          expect(error?.message).not.toContain(secret);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('never contains what a server said, which may repeat a value', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), async (secret, reached) => {
        const { helix, clients } = await setUpCql();
        for (const client of [clients.A, clients.B]) {
          client.statements.set(INSERT, columns({ id: type('int'), name: type('text') }));
          client.tables.set('users', columns({ id: type('int'), name: type('text') }));
          const error = reached ? invalid(`Invalid value ${secret}`) : unreachable();
          client.answers.push(error, error);
        }
        for (const run of [
          () => helix.query(INSERT, [1, secret]).exec(),
          () => helix.query('SELECT * FROM users WHERE name = ?', [secret]).all(),
        ]) {
          const error = await run().then(
            () => undefined,
            (thrown: unknown) => thrown as Error,
          );
          expect(error?.message).toBeTypeOf('string');
          expect(error?.message).not.toContain(secret);
        }
      }),
      { numRuns: 30 },
    );
  });
});
