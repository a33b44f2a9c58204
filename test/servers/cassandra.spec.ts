import cassandra from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCassandra, type CassandraServer } from './index.js';

describe('a Cassandra server', () => {
  let server: CassandraServer;
  const clients: cassandra.Client[] = [];

  async function connected(options: Partial<cassandra.ClientOptions> = {}): Promise<cassandra.Client> {
    const client = new cassandra.Client({ ...server.clientOptions, ...options });
    clients.push(client);
    await client.connect();
    return client;
  }

  beforeAll(async () => {
    server = await startCassandra({ name: 'cassandra-spec' });
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.shutdown()));
  });
  afterAll(() => server.stop());

  it('keeps an acknowledged row when it is killed, and comes back on the same port', async () => {
    const { port, pid } = server;
    const before = await connected();
    await before.execute(
      `CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    );
    await before.execute('CREATE TABLE kept.users (id int PRIMARY KEY, name text)');
    await before.execute(`INSERT INTO kept.users (id, name) VALUES (1, 'Ada')`);
    await server.kill();
    expect([server.running, server.pid]).toEqual([false, undefined]);
    await before.shutdown();

    await server.start();
    expect(server.pid).not.toBe(pid);
    expect(server.port).toBe(port);
    const after = await connected();
    const { rows } = await after.execute('SELECT id, name FROM kept.users');
    expect(rows.map(({ id, name }: cassandra.types.Row) => [id, name] as unknown[])).toEqual([[1, 'Ada']]);
  });

  it('answers nothing while it is frozen and goes on when it is thawed', async () => {
    const client = await connected({ socketOptions: { readTimeout: 300 } });
    const ask = () => client.execute('SELECT cluster_name FROM system.local');
    server.freeze();
    try {
      await expect(ask()).rejects.toBeInstanceOf(cassandra.errors.OperationTimedOutError);
      expect(server.running).toBe(true);
    } finally {
      server.thaw();
    }
    await expect(ask()).resolves.toMatchObject({ rows: [{ cluster_name: 'cassandra-spec' }] });
  });
});
