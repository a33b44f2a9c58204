import cassandra from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CqlConnection } from './cql-connection.js';
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

  it('tells a connection without a driver values as bytes, and schema changes as they come', async () => {
    const connection = await CqlConnection.open(server);
    await connection.listen();
    await connection.rows(
      `CREATE KEYSPACE told WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    );
    await connection.rows('CREATE TABLE told.numbers (id int PRIMARY KEY, v float)');
    await connection.rows('INSERT INTO told.numbers (id, v) VALUES (1, 42)');
    await connection.rows('INSERT INTO told.numbers (id) VALUES (2)');
    const rows = await connection.rows('SELECT v FROM told.numbers WHERE id IN (1, 2)');
    expect(rows).toEqual([[Buffer.from('42280000', 'hex')], [null]]);
    await expect
      .poll(() => connection.events, { message: 'events' })
      .toEqual([
        { change: 'CREATED', target: 'KEYSPACE', keyspace: 'told', name: '' },
        { change: 'CREATED', target: 'TABLE', keyspace: 'told', name: 'numbers' },
      ]);
    await expect(connection.rows('SELECT v FROM told.missing')).rejects.toThrow('0x2200');
    connection.close();
  });
});
