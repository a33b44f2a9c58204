import cassandra from 'cassandra-driver';
import { beforeEach, describe, expect, it } from 'vitest';
import { type CqlFixture, setUpCql } from '../../test/support/cql.js';
import { columns, type FakeCqlClient, type } from '../../test/support/fake-cql-client.js';
import { HelixCqlService, Statements } from './index.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const { DefaultLoadBalancingPolicy } = cassandra.policies.loadBalancing;

/** What a client that is connected to a cluster has: its policy, and tokens of the cluster's partitioner. */
function route(client: FakeCqlClient, partitioner = 'org.apache.cassandra.dht.Murmur3Partitioner'): void {
  const { metadata } = new cassandra.Client({ contactPoints: ['10.0.0.1'], localDataCenter: 'dc1' });
  (metadata as unknown as { setPartitioner(name: string): void }).setPartitioner(partitioner);
  Object.assign(client.metadata, { newToken: (key: Buffer) => metadata.newToken(key) });
  const { profileManager } = client;
  const { newQueryPlan } = profileManager.getDefaultLoadBalancing();
  const policy = Object.assign(new DefaultLoadBalancingPolicy(), { newQueryPlan });
  Object.assign(client, { profileManager: { ...profileManager, getDefaultLoadBalancing: () => policy } });
}

let fixture: CqlFixture;
let helix: HelixCqlService;

function serviceWith(sharesToken: boolean | undefined): HelixCqlService {
  const { context, sessions, clock } = fixture;
  const statements = new Statements(sessions, clock, undefined, sharesToken);
  return new HelixCqlService({ ...context, statements }, () => Promise.resolve());
}

beforeEach(async () => {
  fixture = await setUpCql();
  route(fixture.clients.A);
  route(fixture.clients.B);
  fixture.knows(INSERT, columns({ id: type('text'), name: type('text') }));
  fixture.hasTable('users', columns({ id: type('text'), name: type('text') }));
  helix = serviceWith(true);
});

const write = (id: string | null = 'foo') => helix.query(INSERT, [id, 'Ada']).exec();
const keysOf = ({ executed }: FakeCqlClient): unknown[] =>
  executed.map(({ options }) => options['routingKey']);

describe('a write with a shared token', () => {
  it('gives both clusters the same one, that of its partition key', async () => {
    await write();
    await write('bar');
    const [onA, onB] = [keysOf(fixture.clients.A), keysOf(fixture.clients.B)];
    expect(onA.map(String)).toEqual(['-2129773440516405919', '-7911037993560119804']);
    expect(onB[0]).toBe(onA[0]);
    expect(onB[1]).toBe(onA[1]);
  });

  it.each([false, undefined])('has none unless it is asked for: %s', async (sharesToken) => {
    helix = serviceWith(sharesToken);
    await write();
    expect([...keysOf(fixture.clients.A), ...keysOf(fixture.clients.B)]).toEqual([undefined, undefined]);
  });

  it('has none when one of the clusters has another partitioner', async () => {
    route(fixture.clients.B, 'org.apache.cassandra.dht.RandomPartitioner');
    await write();
    expect([...keysOf(fixture.clients.A), ...keysOf(fixture.clients.B)]).toEqual([undefined, undefined]);
  });

  it('has none when a part of the key has no value', async () => {
    await write(null);
    expect([...keysOf(fixture.clients.A), ...keysOf(fixture.clients.B)]).toEqual([undefined, undefined]);
  });

  it('has none before both clusters have prepared the statement, and one afterwards', async () => {
    fixture.clients.B.isDown = true;
    expect(await write()).toMatchObject({ A: 'applied', B: 'queued' });
    fixture.clients.B.isDown = false;
    await write();
    await write();
    const [onA, onB] = [keysOf(fixture.clients.A), keysOf(fixture.clients.B)];
    expect(onA[0]).toBeUndefined();
    expect(String(onA[2])).toBe('-2129773440516405919');
    expect(onB.at(-1)).toBe(onA[2]);
  });

  it('has none with a single cluster, which has nothing to share', async () => {
    fixture = await setUpCql({ single: true });
    route(fixture.clients.A);
    fixture.knows(INSERT, columns({ id: type('text'), name: type('text') }));
    helix = serviceWith(true);
    await write();
    expect(keysOf(fixture.clients.A)).toEqual([undefined]);
  });
});
