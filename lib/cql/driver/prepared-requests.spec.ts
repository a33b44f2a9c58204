import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { columns, FakeCqlClient, type } from '../../../test/support/fake-cql-client.js';
import type { CqlClientResult } from '../cql-client.js';
import type { DriverClient } from './driver-internals.js';
import { loadDriver } from './load-driver.js';
import type { PreparedRequests } from './prepared-requests.js';
import { parametersSignature } from './types.js';
import { isUnprepared } from './unprepared.js';

const TEXT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const USER = columns({ id: type('int'), name: type('text') });
const driver = await loadDriver();

function requestsOf(
  client: object,
  clock = new FakeClock(),
  onDifference: () => void = () => undefined,
): PreparedRequests {
  return driver.requestsOf(client as DriverClient, clock, onDifference);
}

/** A client on which the texts that are prepared can be seen as they are sent. */
class WatchedClient extends FakeCqlClient {
  readonly sent: string[] = [];

  constructor(...hosts: readonly ((text: string) => Promise<object>)[]) {
    super();
    this.statements.set(TEXT, USER);
    const own = this.profileManager.getDefaultLoadBalancing().newQueryPlan;
    let plan: { borrowConnection(): { prepareOnceAsync(text: string): Promise<object> } }[] = [];
    own(undefined, undefined, (_error, iterator) => {
      plan = [...(iterator as Iterable<(typeof plan)[number]>)];
    });
    const { prepareOnceAsync } = plan[0]!.borrowConnection();
    const answers = hosts.length > 0 ? hosts : [prepareOnceAsync];
    const nodes = answers.map((answer, i) => ({
      address: `10.0.0.${i + 1}`,
      isUp: () => true,
      borrowConnection: () => ({
        keyspace: this.keyspace,
        prepareOnceAsync: (text: string) => {
          this.sent.push(`${i + 1}: ${text}`);
          return answer(text);
        },
      }),
    }));
    let turn = 0;
    Object.assign(this, {
      hosts: { length: nodes.length, values: () => nodes },
      profileManager: {
        getDistance: () => cassandra.types.distance.local,
        getDefaultLoadBalancing: () => ({
          newQueryPlan: (
            _keyspace: unknown,
            _options: unknown,
            give: (error: null, plan: object) => void,
          ) => {
            const first = turn++ % nodes.length;
            give(null, [...nodes.slice(first), ...nodes.slice(0, first)].values());
          },
        }),
      },
    });
  }
}

const int = (id = 1) => ({ id: Buffer.from([id]), meta: { columns: USER } });
const bigint = {
  id: Buffer.from([2]),
  meta: { columns: columns({ id: type('bigint'), name: type('text') }) },
};
const never = (): Promise<object> => new Promise(() => undefined);

describe('preparing', () => {
  it('learns the types first, then prepares under a name that spells them', async () => {
    const client = new WatchedClient();
    const { query, signature, meta } = await requestsOf(client).prepare(TEXT);
    expect(client.sent).toEqual([`1: ${TEXT} /* helix */`, `1: ${query}`]);
    expect(query).toMatch(/^INSERT .* \/\* helix [\w-]{12} \*\/$/);
    expect(signature).toBe(parametersSignature(USER));
    expect(meta.columns).toBe(USER);
  });

  it('gives the same name to the same types, and another one to others', async () => {
    const queries = [];
    for (const answer of [int(), int(), bigint]) {
      queries.push((await requestsOf(new WatchedClient(() => Promise.resolve(answer))).prepare(TEXT)).query);
    }
    const [first, same, other] = queries;
    expect(same).toBe(first);
    expect(other).not.toBe(first);
  });

  it('begins anew when the types have changed in between, and gives up after a few times', async () => {
    const answers = [int(), bigint, bigint, bigint];
    const client = new WatchedClient(() => Promise.resolve(answers.shift() ?? int()));
    expect((await requestsOf(client).prepare(TEXT)).meta).toBe(bigint.meta);

    let count = 0;
    const restless = new WatchedClient(() => Promise.resolve(count++ % 2 ? bigint : int()));
    await expect(requestsOf(restless).prepare(TEXT)).rejects.toThrow('its schema is changing');
  });

  it('asks the next host when the first is silent, at once when it is gone', async () => {
    const clock = new FakeClock();
    const client = new WatchedClient(never, () => Promise.resolve(int()));
    const prepared = requestsOf(client, clock).prepare(TEXT);
    await clock.advance(499);
    expect(client.sent).toHaveLength(1);
    await clock.advance(1);
    expect(client.sent[1]).toBe(`2: ${TEXT} /* helix */`);
    // The name is asked for everywhere: one that is silent is waited for as long again, no longer.
    await clock.advance(1_000);
    expect((await prepared).signature).toBeDefined();
    expect(clock.pendingTimers).toBe(0);
  });

  it('has every host prepare the name', async () => {
    const client = new WatchedClient(
      () => Promise.resolve(int()),
      () => Promise.resolve(int()),
    );
    const { query } = await requestsOf(client).prepare(TEXT);
    expect(
      client.sent
        .filter((each) => each.endsWith(query))
        .map((each) => each[0])
        .sort(),
    ).toEqual(['1', '2']);
  });

  it('is not done while a host has other types than another: it would take bytes that are not for it', async () => {
    let isBehind = true;
    const client = new WatchedClient(
      () => Promise.resolve(int()),
      () => Promise.resolve(isBehind ? bigint : int()),
    );
    await expect(requestsOf(client).prepare(TEXT)).rejects.toThrow('its schema is changing');
    isBehind = false;
    expect((await requestsOf(client).prepare(TEXT)).signature).toBe(parametersSignature(USER));
  });

  it('says so when a host turns out to have other types only after it was waited for', async () => {
    const clock = new FakeClock();
    let answer: ((prepared: object) => void) | undefined;
    const client = new WatchedClient(
      () => Promise.resolve(int()),
      () => new Promise((resolve) => (answer = resolve)),
    );
    let differences = 0;
    const prepared = requestsOf(client, clock, () => differences++).prepare(TEXT);
    await clock.advance(500);
    await prepared;
    answer?.(bigint);
    await clock.settle();
    expect(differences).toBe(1);
  });

  it('goes on to the next host when one cannot be asked, and fails when none can', async () => {
    const gone = () => Promise.reject(new Error('No connection available'));
    const client = new WatchedClient(gone, () => Promise.resolve(int()));
    await requestsOf(client).prepare(TEXT);
    await expect(requestsOf(new WatchedClient(gone, gone)).prepare(TEXT)).rejects.toMatchObject({
      name: 'NoHostAvailableError',
      innerErrors: { '10.0.0.1': { message: 'No connection available' }, '10.0.0.2': {} },
    });
  });

  it('rejects with what the server says', async () => {
    const client = new WatchedClient();
    client.statements.delete(TEXT);
    await expect(requestsOf(client).prepare(TEXT)).rejects.toMatchObject({ code: 0x2200 });
  });
});

/** Looks statements up as the driver does, and says by which id it was sent. */
class LookingUpClient extends FakeCqlClient {
  readonly ids: (string | undefined)[] = [];

  override execute(query: string, _params?: unknown, _options?: object): Promise<CqlClientResult> {
    this.ids.push(this.metadata.getPreparedInfo(this.keyspace, query).queryId?.toString('hex'));
    return Promise.resolve({ rows: [], pageState: null });
  }

  override async batch(queries: { query: string }[]): Promise<CqlClientResult> {
    for (const { query } of queries) {
      await Promise.resolve();
      this.ids.push(this.metadata.getPreparedInfo(this.keyspace, query).queryId?.toString('hex'));
    }
    return { rows: [], pageState: null };
  }
}

const statement = (name: string, id: number) => ({
  query: `${TEXT} /* helix ${name} */`,
  queryId: Buffer.from([id]),
  meta: { columns: USER },
  signature: '',
});

describe('executing', () => {
  it('goes by the id that it is told', async () => {
    const client = new LookingUpClient();
    const requests = requestsOf(client);
    await requests.execute(statement('a'.repeat(12), 1), [], {});
    await requests.execute(statement('a'.repeat(12), 2), [], {});
    expect(client.ids).toEqual(['01', '02']);
  });

  it('goes by the id of each statement of a batch, also of several batches at once', async () => {
    const client = new LookingUpClient();
    const requests = requestsOf(client);
    const [a, b] = [statement('a'.repeat(12), 1), statement('b'.repeat(12), 2)].map((each) => ({
      statement: each,
      params: [],
    }));
    await Promise.all([requests.batch([a!, b!, a!], {}), requests.batch([b!], {})]);
    expect([...client.ids].sort()).toEqual(['01', '01', '02', '02']);
    // Nothing is kept of a batch that is over.
    expect(() => client.metadata.getPreparedInfo('shop', a!.statement.query)).toThrow('cassandra-driver');
  });

  it('leaves to the driver what is not its own, whatever comments it has', async () => {
    const client = new LookingUpClient();
    client.metadata.getPreparedInfo = () => ({ queryId: Buffer.from([7]) });
    requestsOf(client);
    await client.execute('SELECT 1 FROM t');
    await client.execute('SELECT 1 FROM t /* helix */');
    await client.execute('/* helix migration */ SELECT 1 FROM t /* helix 2 */');
    expect(client.ids).toEqual(['07', '07', '07']);
  });

  it('works for two instances on one client, and is gone when both are released', async () => {
    const client = new LookingUpClient();
    const original = client.metadata.getPreparedInfo;
    const [first, second] = [requestsOf(client), requestsOf(client)];
    const item = { statement: statement('a'.repeat(12), 1), params: [] };
    await Promise.all([first.batch([item], {}), second.execute(statement('b'.repeat(12), 2), [], {})]);
    expect([...client.ids].sort()).toEqual(['01', '02']);
    second.release();
    first.release();
    expect(client.metadata.getPreparedInfo).toBe(original);
  });
});

describe('the check of the driver', () => {
  it('passes when an id that nobody has is answered by an error', async () => {
    await expect(requestsOf(new FakeCqlClient()).check()).resolves.toBeUndefined();
  });

  it.each<[what: string, client: FakeCqlClient]>([
    [
      'heals by itself',
      Object.assign(new FakeCqlClient(), { execute: () => Promise.resolve({ rows: [], pageState: null }) }),
    ],
    [
      'looks its statements up later',
      Object.assign(new FakeCqlClient(), {
        async execute(this: FakeCqlClient, query: string): Promise<CqlClientResult> {
          await Promise.resolve();
          this.metadata.getPreparedInfo('shop', `${query} `);
          return { rows: [], pageState: null };
        },
      }),
    ],
  ])('refuses one that %s', async (_what, client) => {
    await expect(requestsOf(client).check()).rejects.toMatchObject({
      code: 'HELIX_CONFIG',
      message: expect.stringContaining('install 4.9 or 4.10') as string,
    });
  });

  it('fails as any request does when the cluster cannot be reached', async () => {
    const client = new FakeCqlClient();
    client.execute = () => Promise.reject(new cassandra.errors.NoHostAvailableError({}));
    await expect(requestsOf(client).check()).rejects.toThrow(cassandra.errors.NoHostAvailableError);
  });

  it('refuses a client that has no place to look statements up', () => {
    expect(() => requestsOf(Object.assign(new FakeCqlClient(), { metadata: {} }))).toThrow('install 4.9');
  });
});

describe('UNPREPARED', () => {
  it.each<[boolean, unknown]>([
    [true, new cassandra.errors.ResponseError(0x2500, 'Prepared query with ID 00 not found')],
    [true, new cassandra.errors.DriverInternalError('Unprepared response invalid, id: 0x00')],
    [false, new cassandra.errors.DriverInternalError('Encoder is not defined')],
    [false, new cassandra.errors.ResponseError(0x2200, 'Unprepared response invalid')],
    [false, new Error('Unprepared response invalid')],
    [false, undefined],
  ])('%s of %s', (expected, error) => {
    expect(isUnprepared(error)).toBe(expected);
  });
});
