import { describe, expect, it } from 'vitest';
import { PageStateError } from '../core/index.js';
import { decodePageState, encodePageState, type PageStateOwner } from './page-state.js';

const DRIVER_STATE = '0023000000010100f07fffffffd6c1e39ab1f8d2d9c9e0d0f5a7b3c1';

const owner = (fields: Partial<PageStateOwner> = {}): PageStateOwner => ({
  namespace: 'default',
  sessions: { A: { keyspace: 'shop' }, B: { keyspace: 'shop' } },
  ...fields,
});
const statement = (text: string) => ({ text, facts: { masked: text } });
const SELECT = statement('SELECT * FROM users');

const fromA = () => encodePageState({ cluster: 'A', driverState: DRIVER_STATE }, owner(), SELECT);
const refusal = (state: unknown, by = owner(), read = SELECT): Error => {
  try {
    decodePageState(state, by, read);
  } catch (error) {
    return error as Error;
  }
  throw new Error('was not refused');
};

describe('a page state', () => {
  it.each(['A', 'B'] as const)('of %s is given back as it was', (cluster) => {
    const position = { cluster, driverState: DRIVER_STATE };
    expect(decodePageState(encodePageState(position, owner(), SELECT), owner(), SELECT)).toEqual(position);
  });

  it('is refused for a statement that differs in nothing but a literal', () => {
    const of = (id: number) => ({
      text: `SELECT * FROM users WHERE id = ${id}`,
      facts: { masked: 'SELECT * FROM users WHERE id = ?' },
    });
    const state = encodePageState({ cluster: 'A', driverState: DRIVER_STATE }, owner(), of(1));
    expect(refusal(state, owner(), of(2))).toBeInstanceOf(PageStateError);
    expect(decodePageState(state, owner(), of(1))).toMatchObject({ driverState: DRIVER_STATE });
  });

  it('can stand in a URL as it is', () => {
    expect(fromA()).toMatch(/^[\w-]+$/);
  });

  it.each<[what: string, by: PageStateOwner, read: ReturnType<typeof statement>]>([
    ['another statement', owner(), statement('SELECT * FROM users WHERE id = ?')],
    ['the same statement spelled in another way', owner(), statement('SELECT *  FROM users')],
    ['another instance', owner({ namespace: 'analytics' }), SELECT],
    ['another keyspace', owner({ sessions: { A: { keyspace: 'stock' }, B: { keyspace: 'shop' } } }), SELECT],
    ['no keyspace', owner({ sessions: { A: { keyspace: undefined } } }), SELECT],
  ])('is refused for %s', (_what, by, read) => {
    const error = refusal(fromA(), by, read);
    expect(error).toBeInstanceOf(PageStateError);
    expect(error).toMatchObject({ code: 'HELIX_PAGE_STATE' });
    expect(error.message).toContain('belongs to another statement, keyspace or Helix instance');
    expect(error.message).toContain(read.facts.masked);
  });

  it('of a cluster that is not configured is refused', () => {
    const state = encodePageState({ cluster: 'B', driverState: DRIVER_STATE }, owner(), SELECT);
    const error = refusal(state, owner({ sessions: { A: { keyspace: 'shop' } } }));
    expect(error).toBeInstanceOf(PageStateError);
    expect(error.message).toContain('comes from cluster B, which this instance does not have');
  });

  it('of another format is refused and says which', () => {
    const bytes = Buffer.from(fromA(), 'base64url');
    bytes[0] = 2;
    const error = refusal(bytes.toString('base64url'));
    expect(error).toBeInstanceOf(PageStateError);
    expect(error.message).toContain('of format 2, this version of nestjs-helix reads 1');
  });

  it.each<[what: string, state: unknown]>([
    ['nothing', ''],
    ["the driver's own state", DRIVER_STATE],
    ['text', 'page 2'],
    ['a single byte', Buffer.from([1]).toString('base64url')],
    ['a number', 5],
    ['null', null],
    ['bytes', Buffer.from(fromA(), 'base64url')],
    ['a list of states', [fromA(), fromA()]],
  ])('is what page() gave: %s is refused', (_what, state) => {
    const error = refusal(state);
    expect(error).toBeInstanceOf(PageStateError);
    expect(error.message).toContain('Read from the first page again');
  });
});
