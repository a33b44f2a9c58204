import { describe, expect, it } from 'vitest';
import { READ_TIMEOUT_MS, setUpCql } from '../../test/support/cql.js';
import { invalid, timedOut, unreachable } from '../../test/support/fake-cql-client.js';
import { Watched } from '../../test/support/fake-operations.js';
import { askedPages, type Failures, PAGE_COLUMNS, pageRow, servePages } from '../../test/support/pages.js';
import {
  CallContext,
  CARRIES_CONTEXT,
  ClusterError,
  DualClusterError,
  HelixUsageError,
  OperationAbortedError,
  SessionClosedError,
} from '../core/index.js';
import type { CqlIter } from './index.js';

const SELECT = 'SELECT id, home FROM users WHERE id > ? ALLOW FILTERING';

interface User {
  readonly id: number;
  readonly home: string;
}

/** Both clusters have pages of these sizes. */
async function setUp(sizes: readonly number[], failures: { A?: Failures; B?: Failures } = {}) {
  const fixture = await setUpCql();
  servePages(fixture.clients.A, 'A', sizes, failures.A);
  servePages(fixture.clients.B, 'B', sizes, failures.B);
  const query = () => fixture.helix.query<User>(SELECT, [0]);
  return { ...fixture, query };
}

/** The rows that were delivered, and how it ended. */
async function drain(iter: AsyncIterable<User>): Promise<{ rows: User[]; error: unknown }> {
  const rows: User[] = [];
  try {
    for await (const { id, home } of iter) rows.push({ id, home });
  } catch (error) {
    return { rows, error };
  }
  return { rows, error: undefined };
}

const rowsOf = (cluster: 'A' | 'B', count: number): User[] =>
  Array.from({ length: count }, (_, id) => pageRow(cluster, id));
const begin = (iter: CqlIter<User>) => iter[Symbol.asyncIterator]();

describe('iter()', () => {
  it('gives every row of every page, in order, from one cluster', async () => {
    const { query, clients } = await setUp([2, 0, 3, 0]);
    expect(await drain(query().iter())).toEqual({ rows: rowsOf('A', 5), error: undefined });
    expect(askedPages(clients.A, 'A')).toEqual([0, 1, 2, 3]);
    expect(clients.B.executed).toEqual([]);
  });

  it('gives nothing for an empty result', async () => {
    const { query } = await setUp([0]);
    expect(await drain(query().iter())).toEqual({ rows: [], error: undefined });
  });

  it('asks for nothing before it is iterated, and for a page only when the rows before it are taken', async () => {
    const { query, clients } = await setUp([2, 2, 2]);
    const iter = query().iter();
    expect(clients.A.executed).toEqual([]);
    const rows = begin(iter);
    for (const pages of [[0], [0], [0, 1], [0, 1], [0, 1, 2]]) {
      await rows.next();
      expect(askedPages(clients.A, 'A')).toEqual(pages);
    }
  });

  it('asks for no more pages once the loop is left', async () => {
    const { query, clients } = await setUp([2, 2, 2]);
    for await (const { id } of query().iter()) if (id === 1) break;
    expect(askedPages(clients.A, 'A')).toEqual([0]);
  });

  it.each(['return', 'throw'] as const)('is ended by %s()', async (end) => {
    const { query, clients } = await setUp([1, 1]);
    const rows = begin(query().iter());
    await rows.next();
    await rows[end](new Error('enough') as never).catch(() => undefined);
    expect(await rows.next()).toMatchObject({ done: true });
    expect(askedPages(clients.A, 'A')).toEqual([0]);
  });

  it('answers calls of next() that do not wait for each other in order', async () => {
    const { query } = await setUp([1, 0, 2]);
    const rows = begin(query().iter());
    const answers = await Promise.all([rows.next(), rows.next(), rows.next(), rows.next()]);
    expect(answers.map(({ value }) => (value as User | undefined)?.id)).toEqual([0, 1, 2, undefined]);
  });

  it('takes its parameters when it is made', async () => {
    const { helix, clients } = await setUp([1, 1]);
    const params = [0];
    const iter = helix.query<User>(SELECT, params).iter();
    params[0] = 9;
    await drain(iter);
    expect(clients.A.executed.map(({ params: sent }) => sent)).toEqual([[0], [0]]);
  });

  it('sends the settings of the query with every page', async () => {
    const { query, clients } = await setUp([1, 1]);
    await drain(query().pageSize(17).consistency('ONE').serialConsistency('SERIAL').iter());
    for (const { options } of clients.A.executed) {
      expect(options).toMatchObject({ fetchSize: 17, consistency: 1, serialConsistency: 8 });
    }
  });

  it('can be iterated once', async () => {
    const { query, clients } = await setUp([1]);
    const iter = query().iter();
    await drain(iter);
    expect(() => begin(iter)).toThrow(HelixUsageError);
    expect(() => begin(iter)).toThrow('once');
    expect(clients.A.executed).toHaveLength(1);
  });

  it('uses the query up, and is for SELECT only', async () => {
    const { query, helix } = await setUp([1]);
    const used = query();
    used.iter();
    expect(() => used.iter()).toThrow(HelixUsageError);
    expect(() => helix.query('DELETE FROM users WHERE id = 1').iter()).toThrow('use exec() to write');
  });
});

describe('what an iterator tells', () => {
  it('is empty before the first page', async () => {
    const { query } = await setUp([1]);
    const iter = query().iter();
    begin(iter);
    const { columns, warnings, pageState, rowCount } = iter;
    expect({ columns, warnings, pageState, rowCount }).toEqual({
      columns: [],
      warnings: [],
      pageState: undefined,
      rowCount: 0,
    });
  });

  it('belongs to the current page', async () => {
    const { query } = await setUp([2, 1]);
    const iter = query().iter();
    const seen: unknown[] = [];
    for await (const { id } of iter) seen.push([id, iter.rowCount, iter.warnings, iter.columns]);
    expect(seen).toEqual([
      [0, 2, ['page 0 of A'], PAGE_COLUMNS],
      [1, 2, ['page 0 of A'], PAGE_COLUMNS],
      [2, 1, ['page 1 of A'], PAGE_COLUMNS],
    ]);
    expect(iter.pageState).toBeUndefined();
  });

  it('includes a page state that continues after the current page, on its cluster', async () => {
    const { query, clients } = await setUp([2, 1, 1]);
    const iter = query().iter();
    for await (const row of iter) if (row.id === 0) break;
    clients.A.executed.length = 0;
    expect(await drain(query().pageState(iter.pageState).iter())).toMatchObject({
      rows: [pageRow('A', 2), pageRow('A', 3)],
    });
    expect(askedPages(clients.A, 'A')).toEqual([1, 2]);
  });
});

describe('an iteration whose cluster fails', () => {
  it('goes to the other one if it is the first page', async () => {
    const { query } = await setUp([2, 1], { A: { 0: timedOut() } });
    expect(await drain(query().iter())).toEqual({ rows: rowsOf('B', 3), error: undefined });
  });

  it('starts over on the other one if all pages so far were empty', async () => {
    const { query, clients } = await setUp([0, 0, 2, 1], { A: { 2: timedOut() } });
    expect(await drain(query().iter())).toEqual({ rows: rowsOf('B', 3), error: undefined });
    expect(askedPages(clients.A, 'A')).toEqual([0, 1, 2]);
    expect(askedPages(clients.B, 'B')).toEqual([0, 1, 2, 3]);
  });

  it.each<[what: string, sizes: number[], failures: Failures, rowsDelivered: number]>([
    ['the second page', [2, 1], { 1: timedOut() }, 2],
    ['a page after an empty one', [2, 0, 1], { 2: unreachable() }, 2],
    ['the last page', [1, 1, 1, 1], { 3: timedOut() }, 3],
    ['a page that is refused', [2, 1], { 1: invalid() }, 2],
  ])('ends with the number of its rows: %s', async (_what, sizes, failures, rowsDelivered) => {
    const { query, clients } = await setUp(sizes, { A: failures });
    const { rows, error } = await drain(query().iter());
    expect(rows).toEqual(rowsOf('A', rowsDelivered));
    expect(error).toBeInstanceOf(ClusterError);
    expect(error).toMatchObject({ cluster: 'A', operation: 'read', outcome: 'notApplied', rowsDelivered });
    expect((error as Error).message).toContain(`With ${rowsDelivered} rows delivered, cluster A`);
    expect((error as Error).cause).toBeInstanceOf(Error);
    expect(clients.B.executed).toEqual([]);
  });

  it('says why the other one is not asked', async () => {
    const { query } = await setUp([1, 1], { A: { 1: timedOut() } });
    const { error } = await drain(query().iter());
    expect((error as Error).message).toContain('The other cluster was not asked');
  });

  it('is over after that', async () => {
    const { query } = await setUp([1, 1], { A: { 1: timedOut() } });
    const rows = begin(query().iter());
    await rows.next();
    await expect(rows.next()).rejects.toThrow(ClusterError);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
  });

  it('fails when both fail before the first row', async () => {
    const { query } = await setUp([0, 1], { A: { 1: timedOut() }, B: { 0: timedOut() } });
    expect(await drain(query().iter())).toMatchObject({ rows: [], error: { code: 'HELIX_BOTH_FAILED' } });
    const { error } = await drain(query().iter());
    expect(error).toBeInstanceOf(DualClusterError);
  });

  it('waits readTimeoutMs for each page', async () => {
    const { query, clock } = await setUp([1, 1], { A: { 1: 'never' } });
    const rows = begin(query().iter());
    await rows.next();
    const next = new Watched(rows.next());
    await clock.advance(READ_TIMEOUT_MS - 1);
    expect(next.isSettled).toBe(false);
    await clock.advance(1);
    expect(next.error).toMatchObject({ cluster: 'A', rowsDelivered: 1 });
  });
});

describe('an iteration from a page state', () => {
  const stateOf = async ({ query }: Awaited<ReturnType<typeof setUp>>) => {
    const { pageState } = await query().page();
    return pageState!;
  };

  it('goes on, on the same cluster', async () => {
    const fixture = await setUp([1, 2, 1]);
    const state = await stateOf(fixture);
    expect(await drain(fixture.query().pageState(state).iter())).toMatchObject({
      rows: [1, 2, 3].map((id) => pageRow('A', id)),
    });
  });

  it('never starts over on the other, even before its first row', async () => {
    const fixture = await setUp([1, 0, 1], { A: { 2: timedOut() } });
    const state = await stateOf(fixture);
    const { rows, error } = await drain(fixture.query().pageState(state).iter());
    expect(rows).toEqual([]);
    expect(error).toBeInstanceOf(ClusterError);
    expect((error as Error).message).toContain('The other cluster was not asked');
    expect(fixture.clients.B.executed).toEqual([]);
  });
});

describe('withTimeout() of an iteration', () => {
  it('limits the wait for each page', async () => {
    const { query, clock } = await setUp([1, 1, 1], { A: { 2: 'never' } });
    const rows = begin(query().withTimeout(100).iter());
    for (let i = 0; i < 2; i++) {
      await clock.advance(99);
      await rows.next();
    }
    const next = new Watched(rows.next());
    await clock.advance(99);
    expect(next.isSettled).toBe(false);
    await clock.advance(1);
    expect(next.error).toBeInstanceOf(OperationAbortedError);
    expect(next.error).toMatchObject({ cause: { name: 'TimeoutError' } });
  });

  it('leaves no timer behind', async () => {
    const { query, clock } = await setUp([1, 1]);
    await drain(query().withTimeout(100).iter());
    await clock.advance(READ_TIMEOUT_MS);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('withSignal() of an iteration', () => {
  const aborting = async (sizes: readonly number[], failures?: Failures) => {
    const fixture = await setUp(sizes, failures && { A: failures });
    const controller = new AbortController();
    const rows = begin(fixture.query().withSignal(controller.signal).iter());
    return { ...fixture, controller, rows };
  };

  it('ends it before the first page', async () => {
    const { controller, rows, clients } = await aborting([1]);
    controller.abort();
    await expect(rows.next()).rejects.toThrow(OperationAbortedError);
    expect(clients.A.executed).toEqual([]);
  });

  it('ends it while it waits for a page', async () => {
    const { controller, rows, clock } = await aborting([1, 1], { 1: 'never' });
    await rows.next();
    const next = new Watched(rows.next());
    await clock.settle();
    controller.abort(new Error('user has gone'));
    await clock.settle();
    expect(next.error).toBeInstanceOf(OperationAbortedError);
    expect(next.error).toMatchObject({ name: 'AbortError', cause: { message: 'user has gone' } });
  });

  it('ends it between two rows of one page', async () => {
    const { controller, rows } = await aborting([3]);
    await rows.next();
    controller.abort(new Error('user has gone'));
    const error = await rows.next().then(undefined, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OperationAbortedError);
    expect(error).toMatchObject({ outcome: 'notApplied', cause: { message: 'user has gone' } });
    expect((error as Error).message).toContain('after 1 row:');
    expect(await rows.next()).toMatchObject({ done: true });
  });

  it('ends it between two pages, and no more are asked for', async () => {
    const { controller, rows, clients } = await aborting([1, 1]);
    await rows.next();
    controller.abort();
    await expect(rows.next()).rejects.toThrow('after 1 row:');
    expect(clients.A.executed).toHaveLength(1);
  });
});

describe('an iterator made inside a decorated method', () => {
  it('may be returned by it', async () => {
    const { query } = await setUp([1]);
    expect(CARRIES_CONTEXT in query().iter()).toBe(true);
  });

  it('belongs to that method, wherever it is iterated', async () => {
    const { query, context, clients } = await setUp([1, 1]);
    const inside = CallContext.stickyRead({ cluster: 'B', consistency: 1 });
    const iter = context.contexts.run(inside, () => query().iter());
    expect(await drain(iter)).toEqual({ rows: rowsOf('B', 2), error: undefined });
    expect(clients.B.executed.map(({ options }) => options['consistency'])).toEqual([1, 1]);
  });

  it('does not take over the method that iterates it', async () => {
    const { query, context } = await setUp([1]);
    const iter = query().iter();
    const elsewhere = CallContext.stickyRead({ cluster: 'B' });
    expect(await context.contexts.run(elsewhere, () => drain(iter))).toMatchObject({ rows: rowsOf('A', 1) });
  });

  it('binds the reads of the method to the cluster it has read from', async () => {
    const { query, context } = await setUp([1, 1], { A: { 0: timedOut() } });
    const inside = CallContext.stickyRead({});
    await drain(context.contexts.run(inside, () => query().iter()));
    expect(inside.preferred).toBe('B');
  });
});

describe('an iteration at the end of the application', () => {
  it('asks for no more pages', async () => {
    const { query, context, clients } = await setUp([1, 1]);
    const rows = begin(query().iter());
    await rows.next();
    context.readPath.close();
    await expect(rows.next()).rejects.toThrow(SessionClosedError);
    expect(clients.A.executed).toHaveLength(1);
  });
});
