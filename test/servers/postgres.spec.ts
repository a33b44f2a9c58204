import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers } from './answers.js';
import { simpleQuery } from './fixtures/simple-query.js';
import { startPostgres, type PostgresServer } from './index.js';
import { sslRequest } from './postgres.js';
import { isGone } from './process-tree.js';

describe('a PostgreSQL server', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres({ name: 'postgres-spec' });
  });
  afterAll(() => server.stop());

  it('keeps a committed row when it is killed, and comes back on the same port', async () => {
    const { port, pid } = server;
    await simpleQuery(server, 'CREATE TABLE users (name text)');
    await simpleQuery(server, `INSERT INTO users VALUES ('Ada')`);
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await simpleQuery(server, 'SELECT name FROM users')).toEqual(['Ada']);
  });

  it('is killed together with the processes that serve its clients', async () => {
    const pid = server.pid!;
    const sleeper = simpleQuery(server, 'SELECT pg_sleep(60)');
    await expect
      .poll(
        () => simpleQuery(server, `SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`),
        {
          message: 'the sleeping query is served',
        },
      )
      .toHaveLength(1);
    const backend = await simpleQuery(
      server,
      `SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`,
    );
    const cut = expect(sleeper).rejects.toThrow();
    await server.kill();
    expect([pid, ...backend.map(Number)].filter((each) => !isGone(each))).toEqual([]);
    await cut;
    await server.start();
  });

  it('answers nothing while it is frozen and goes on when it is thawed', async () => {
    const answered = () => answers(server, sslRequest, () => true);
    expect(await answered()).toBe(true);
    server.freeze();
    try {
      expect(await answered()).toBe(false);
      expect(server.running).toBe(true);
    } finally {
      server.thaw();
    }
    expect(await answered()).toBe(true);
    expect(await simpleQuery(server, 'CHECKPOINT')).toEqual([]); // a request to another process of the tree
  });
});
