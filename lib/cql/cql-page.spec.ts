import { describe, expect, it } from 'vitest';
import { setUpCql } from '../../test/support/cql.js';
import { timedOut } from '../../test/support/fake-cql-client.js';
import { askedPages, driverState, PAGE_COLUMNS, pageRow, servePages } from '../../test/support/pages.js';
import { ClusterError, PageStateError } from '../core/index.js';
import { CqlIter, type CqlPage, type CqlQuery } from './index.js';

const SELECT = 'SELECT id, home FROM users';

interface User {
  readonly id: number;
  readonly home: string;
}

async function setUp(sizes: readonly number[] = [2, 1, 1]) {
  const fixture = await setUpCql();
  servePages(fixture.clients.A, 'A', sizes);
  servePages(fixture.clients.B, 'B', sizes);
  const query = () => fixture.helix.query<User>(SELECT);
  /** Reads one page and leaves the clients as if nothing had been asked. */
  const firstPage = async (): Promise<CqlPage<User>> => {
    const page = await query().page();
    fixture.clients.A.executed.length = fixture.clients.B.executed.length = 0;
    return page;
  };
  return { ...fixture, query, firstPage };
}

const caught = async (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('was expected to fail');
    },
    (error: unknown) => error as Error,
  );

describe('page()', () => {
  it('is one page, with what is known about it', async () => {
    const { query } = await setUp();
    expect(await query().page()).toMatchObject({
      rows: [pageRow('A', 0), pageRow('A', 1)],
      rowCount: 2,
      pageState: expect.stringMatching(/^[\w-]+$/) as string,
      columns: PAGE_COLUMNS,
      warnings: ['page 0 of A'],
      cluster: 'A',
    });
  });

  it('has no page state on the last', async () => {
    const { query } = await setUp([1]);
    expect((await query().page()).pageState).toBeUndefined();
  });

  it('may be empty', async () => {
    const { helix } = await setUpCql();
    expect(await helix.query(SELECT).page()).toEqual({
      rows: [],
      rowCount: 0,
      pageState: undefined,
      columns: [],
      warnings: [],
      cluster: 'A',
    });
  });

  it('names the cluster that answered, and its page state leads there', async () => {
    const { query, clients } = await setUp();
    clients.A.isDown = true;
    const first = await query().page();
    expect(first.cluster).toBe('B');
    clients.A.isDown = false;
    expect(await query().pageState(first.pageState).page()).toMatchObject({
      cluster: 'B',
      rows: [pageRow('B', 2)],
    });
  });

  it('leads through all pages', async () => {
    const { query, clients } = await setUp();
    const ids: number[] = [];
    let pageState: string | undefined;
    do {
      const page: CqlPage<User> = await query().pageState(pageState).page();
      ids.push(...page.rows.map(({ id }) => id));
      pageState = page.pageState;
    } while (pageState !== undefined);
    expect(ids).toEqual([0, 1, 2, 3]);
    expect(askedPages(clients.A, 'A')).toEqual([0, 1, 2]);
  });
});

describe('pageState()', () => {
  const reads: [call: string, read: (query: CqlQuery<User>) => Promise<unknown>, rows: unknown][] = [
    ['one', (query) => query.one(), pageRow('A', 2)],
    ['values', (query) => query.values(), [2, 'A']],
    ['all', (query) => query.all(), [pageRow('A', 2), pageRow('A', 3)]],
    ['page', async (query) => (await query.page()).rows, [pageRow('A', 2)]],
  ];

  it.each(reads)('is where %s() begins', async (_call, read, rows) => {
    const { query, clients, firstPage } = await setUp();
    const { pageState } = await firstPage();
    expect(await read(query().pageState(pageState))).toMatchObject(rows as object);
    expect(clients.A.executed[0]?.options['pageState']).toBe(driverState('A', 1));
  });

  it.each(reads)('goes to its cluster with %s(), whatever the strategy prefers', async (_call, read) => {
    const { query, clients, context, firstPage } = await setUp();
    const { pageState } = await firstPage();
    context.readPath.strategy.select = () => 'B';
    await read(query().pageState(pageState));
    expect(clients.B.executed).toEqual([]);
  });

  it.each(reads)('never goes to the other cluster with %s(), and says why', async (_call, read) => {
    const { query, clients, firstPage } = await setUp();
    const { pageState } = await firstPage();
    clients.A.serve = () => timedOut();
    const error = await caught(read(query().pageState(pageState)));
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', operation: 'read', outcome: 'notApplied' });
    expect(error.message).toContain(
      'The other cluster was not asked: what was read before came from this one',
    );
    expect(clients.B.executed).toEqual([]);
  });

  it.each(reads)('is refused by %s() for another statement, and nothing is read', async (_call, read) => {
    const { helix, clients, firstPage } = await setUp();
    const { pageState } = await firstPage();
    const other = helix.query<User>('SELECT id, home FROM people').pageState(pageState);
    expect(await caught(read(other))).toBeInstanceOf(PageStateError);
    expect([...clients.A.executed, ...clients.B.executed]).toEqual([]);
  });

  it('is refused by iter() at once', async () => {
    const { query } = await setUp();
    expect(() => query().pageState('damaged').iter()).toThrow(PageStateError);
  });

  it('undefined is the first page', async () => {
    const { query } = await setUp();
    expect(await query().pageState(undefined).one()).toMatchObject(pageRow('A', 0));
    expect(query().pageState(undefined).iter()).toBeInstanceOf(CqlIter);
  });
});

describe('all()', () => {
  it('takes its parameters when it is run', async () => {
    const { helix, clients } = await setUp();
    const params = [1];
    const all = helix.query('SELECT id, home FROM users WHERE id > ?', params).all();
    params[0] = 9;
    await all;
    expect(clients.A.executed.map(({ params: sent }) => sent)).toEqual([[1], [1], [1]]);
  });
});
