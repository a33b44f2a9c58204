import { EventEmitter } from 'node:events';
import cassandra from 'cassandra-driver';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnType, DriverClient, Token } from './driver-internals.js';
import { loadDriver } from './load-driver.js';
import { findTokenClasses, sharedToken, type Routing } from './routing-token.js';

const { policies, types } = cassandra;
const { loadBalancing } = policies;
const { Token: TokenClass } = (cassandra as unknown as { token: { Token: new () => Token } }).token;
const driver = await loadDriver();
const known = driver.policies.loadBalancing;
const MURMUR3 = 'org.apache.cassandra.dht.Murmur3Partitioner';

/** What the real client learns from a cluster, and what it makes of it. */
interface Learnt {
  setPartitioner(name: string): void;
  buildTokens(hosts: unknown): void;
  keyspaces: Record<string, unknown>;
  ring: Token[];
  newToken(key: Buffer): Token;
  getReplicas(keyspace: string, key: Buffer | Token): object[];
}
type RealClient = DriverClient & { readonly metadata: Learnt };

/** A real client that believes it is connected to a cluster with this partitioner. */
function client(
  policy?: cassandra.policies.loadBalancing.LoadBalancingPolicy,
  partitioner = MURMUR3,
): RealClient {
  const made = new cassandra.Client({
    contactPoints: ['10.0.0.1'],
    localDataCenter: 'dc1',
    ...(policy && { policies: { loadBalancing: policy } }),
  }) as unknown as RealClient;
  made.metadata.setPartitioner(partitioner);
  return made;
}

const routing = (partitionKeys: readonly number[] | undefined, of = client()): Routing => ({
  tokenClasses: findTokenClasses(of, known),
  partitionKeys,
});

const { DefaultLoadBalancingPolicy, TokenAwarePolicy, DCAwareRoundRobinPolicy, RoundRobinPolicy } =
  loadBalancing;
const dcAware = () => new DCAwareRoundRobinPolicy('dc1');

describe('findTokenClasses', () => {
  it.each<[what: string, policy: cassandra.policies.loadBalancing.LoadBalancingPolicy | undefined]>([
    ['no policy set', undefined],
    ['the default policy', new DefaultLoadBalancingPolicy()],
    [
      'the default policy with a filter',
      new DefaultLoadBalancingPolicy({ localDc: 'dc1', filter: () => true }),
    ],
    ['token awareness over data centres', new TokenAwarePolicy(dcAware())],
    ['token awareness over all hosts', new TokenAwarePolicy(new RoundRobinPolicy())],
  ])('finds them with %s', (_what, policy) => {
    expect(findTokenClasses(client(policy), known)).toBeDefined();
  });

  class OwnPolicy extends DefaultLoadBalancingPolicy {}
  class OwnTokenAware extends TokenAwarePolicy {}
  class OwnChild extends RoundRobinPolicy {}

  it.each<[what: string, policy: cassandra.policies.loadBalancing.LoadBalancingPolicy]>([
    ['a policy derived from the default one', new OwnPolicy()],
    ['a policy derived from the token-aware one', new OwnTokenAware(dcAware())],
    ['a policy of the user inside the token-aware one', new TokenAwarePolicy(new OwnChild())],
    ['replicas found by the user', new DefaultLoadBalancingPolicy({ getReplicas: () => [] } as never)],
    ['no token awareness', new RoundRobinPolicy()],
  ])('finds none with %s', (_what, policy) => {
    expect(findTokenClasses(client(policy), known)).toBeUndefined();
  });

  it.each(['RandomPartitioner', 'ByteOrderedPartitioner'])('finds none with the %s', (partitioner) => {
    expect(
      findTokenClasses(client(undefined, `org.apache.cassandra.dht.${partitioner}`), known),
    ).toBeUndefined();
  });

  it('goes by the default profile, which a write uses', () => {
    const profile = new cassandra.ExecutionProfile('default', { loadBalancing: new OwnPolicy() });
    const made = new cassandra.Client({
      contactPoints: ['10.0.0.1'],
      localDataCenter: 'dc1',
      profiles: [profile],
    }) as unknown as RealClient;
    made.metadata.setPartitioner(MURMUR3);
    expect(findTokenClasses(made, known)).toBeUndefined();
  });

  const real = client();
  const changed = (changes: object): DriverClient =>
    Object.defineProperties(Object.create(real) as DriverClient, Object.getOwnPropertyDescriptors(changes));
  const withToken = (change: (token: Token) => object): DriverClient =>
    changed({ metadata: { newToken: (key: Buffer) => change(real.metadata.newToken(key)) } });

  it.each<[what: string, made: DriverClient]>([
    ['has no metadata', changed({ metadata: undefined })],
    ['cannot make tokens', changed({ metadata: {} })],
    ['is not connected', new cassandra.Client({ contactPoints: ['x'], localDataCenter: 'y' }) as never],
    ['has no profiles', changed({ profileManager: undefined })],
    ['has no policy', changed({ profileManager: { getDefaultLoadBalancing: () => undefined } })],
    ['makes tokens without a value', withToken((token) => ({ toString: () => token.toString() }))],
    ['has tokens of another make', withToken((token) => Object(BigInt(token.toString())) as object)],
    ['has another hash', withToken(() => real.metadata.newToken(Buffer.from('other')))],
  ])('finds none, and does not throw, when the client %s', (_what, made) => {
    expect(findTokenClasses(made, known)).toBeUndefined();
  });

  it('makes nothing of the tokens of a partitioner that it does not know', () => {
    let constructed = 0;
    class Foreign {
      constructor() {
        constructed++;
      }
      getValue = () => this;
      compare = () => 0;
      toString = () => '42';
    }
    const token = new Foreign();
    expect(
      findTokenClasses(
        withToken(() => token),
        known,
      ),
    ).toBeUndefined();
    expect(constructed).toBe(1);
  });

  it('does not take tokens for its own that do not compare equal', () => {
    class Shifted extends Object {
      constructor(...bits: [number, number, number, number]) {
        super();
        return Reflect.construct(real.metadata.newToken(Buffer.alloc(1)).getValue().constructor, [
          bits[0] + 1,
          ...bits.slice(1),
        ]) as Shifted;
      }
    }
    const made = withToken((token) =>
      Object.assign(Object.create(token) as Token, {
        constructor: token.constructor,
        getValue: () => Object.assign(Object.create(token.getValue()) as object, { constructor: Shifted }),
      }),
    );
    expect(findTokenClasses(made, known)).toBeUndefined();
  });
});

describe('sharedToken', () => {
  const encoder = new driver.Encoder(4, {});
  const bytes = (length = 40) => fc.uint8Array({ maxLength: length }).map((value) => Buffer.from(value));

  /** As the driver derives the routing key of a prepared statement. */
  function driversKey(params: readonly unknown[], partitionKeys: readonly number[]): Buffer | undefined {
    let key: Buffer | undefined;
    const blob: { type: ColumnType } = { type: { code: types.dataTypes.blob } };
    (encoder as unknown as { setRoutingKeyFromMeta(...args: unknown[]): void }).setRoutingKeyFromMeta(
      { columns: params.map(() => blob) },
      params,
      { getRoutingIndexes: () => partitionKeys, setRoutingKey: (value: Buffer) => (key = value) },
    );
    return key;
  }

  it('makes the token that the driver makes of the same parameters', () => {
    const indices = fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 6 });
    const params = fc.array(bytes(), { minLength: 6, maxLength: 6 });
    const { metadata } = client();
    fc.assert(
      fc.property(indices, params, (partitionKeys, values) => {
        const token = sharedToken(routing(partitionKeys), routing(partitionKeys))?.(values);
        const key = driversKey(values, partitionKeys);
        expect(token?.compare(metadata.newToken(key!))).toBe(0);
      }),
    );
  });

  it('makes one that the driver takes for its own', () => {
    const token = sharedToken(routing([0]), routing([0]))?.([Buffer.from('key')]);
    const execOptions = { getRoutingKey: () => token };
    const take = (): unknown =>
      (encoder as unknown as { setRoutingKeyFromUser(...args: unknown[]): void }).setRoutingKeyFromUser(
        [],
        execOptions,
      );
    expect(token).toBeInstanceOf(TokenClass);
    expect(take).not.toThrow();
  });

  it.each<[what: string, params: unknown[]]>([
    ['null', [Buffer.from('a'), null]],
    ['unset', [Buffer.from('a'), types.unset]],
    ['missing', [Buffer.from('a')]],
    ['too long for its two bytes of length', [Buffer.from('a'), Buffer.alloc(0x10000)]],
  ])('makes none when a component is %s', (_what, params) => {
    expect(sharedToken(routing([0, 1]), routing([0, 1]))!(params)).toBeUndefined();
    expect(sharedToken(routing([0, 1]), routing([0, 1]))!([...params].reverse())).toBeUndefined();
  });

  it.each([[null], [types.unset], [undefined]])('makes none when the only component is %s', (value) => {
    expect(sharedToken(routing([0]), routing([0]))!([value])).toBeUndefined();
  });

  it.each<[what: string, a: Routing, b: Routing]>([
    ['the key is not among the parameters', routing([]), routing([])],
    ['the server does not tell the key', routing(undefined), routing(undefined)],
    ['the keys differ', routing([0, 1]), routing([0, 2])],
    ['the order of the key differs', routing([0, 1]), routing([1, 0])],
    ['one key is longer', routing([0]), routing([0, 1])],
    ['A has no tokens of this kind', routing([0], client(new RoundRobinPolicy())), routing([0])],
    ['B has no tokens of this kind', routing([0]), routing([0], client(new RoundRobinPolicy()))],
  ])('is not to be had when %s', (_what, a, b) => {
    expect(sharedToken(a, b)).toBeUndefined();
  });

  it.each(['Token', 'Value'] as const)('is not to be had when the %s class is of another driver', (which) => {
    const a = routing([0]);
    const b = { ...a, tokenClasses: { ...a.tokenClasses!, [which]: Map as never } };
    expect(sharedToken(a, b)).toBeUndefined();
  });
});

describe('the replicas of a key', () => {
  const HOSTS = 9;
  const RF = 3;
  const VNODES = 16;

  interface FakeHost {
    readonly address: string;
    readonly datacenter: string;
    readonly rack: string;
    readonly tokens: string[];
  }

  /** Nodes in two data centres, each with its share of a ring of random tokens. */
  function hosts(): FakeHost[] {
    const { metadata } = client();
    const tokens = Array.from({ length: HOSTS * VNODES }, (_, i) => metadata.newToken(Buffer.from([i])));
    return Array.from({ length: HOSTS }, (_, i) => ({
      address: `10.0.0.${i}:9042`,
      datacenter: i % 3 === 2 ? 'dc2' : 'dc1',
      rack: 'rack1',
      tokens: tokens.slice(i * VNODES, (i + 1) * VNODES).map(String),
      isUp: () => true,
      isUpSince: null,
      setDistance: () => undefined,
      getInFlight: () => 0,
      getResponseCount: () => 100,
    }));
  }

  type Policy = cassandra.policies.loadBalancing.LoadBalancingPolicy;

  async function connected(policy: Policy): Promise<RealClient> {
    const made = client(policy);
    const all = hosts();
    const map = Object.assign(new EventEmitter(), {
      values: () => all,
      forEach: (each: (host: FakeHost) => void) => all.forEach(each),
    });
    made.metadata.buildTokens(map);
    made.metadata.keyspaces = { shop: { tokenToReplica: successors } };
    await new Promise<void>((resolve, reject) => {
      policy.init(made as never, map as never, (error) =>
        (error as Error | null) ? reject(error) : resolve(),
      );
    });
    return made;
  }

  /** `SimpleStrategy`: the owner of the range and the next other nodes on the ring. */
  function successors(_tokenizer: unknown, ring: string[], owners: Record<string, FakeHost>): object {
    return Object.fromEntries(
      ring.map((token, i) => {
        const following = [...ring.slice(i), ...ring.slice(0, i)].map((each) => owners[each]);
        return [token, [...new Set(following)].slice(0, RF)];
      }),
    );
  }

  /** Hosts of the plan as far as the replicas go, which are tried in random order. */
  function firstHosts(policy: Policy, key: Buffer | Token, count: number): Promise<Set<string>> {
    const options = { getRoutingKey: () => key, getKeyspace: () => 'shop', getPreferredHost: () => null };
    return new Promise((resolve, reject) => {
      policy.newQueryPlan('shop', options as never, (error, plan) => {
        if (error as Error | null) reject(error);
        const first = Array.from({ length: count }, () => (plan.next() as { value: FakeHost }).value.address);
        resolve(new Set(first));
      });
    });
  }

  it.each<[name: string, make: () => Policy]>([
    ['DefaultLoadBalancingPolicy', () => new DefaultLoadBalancingPolicy()],
    ['TokenAwarePolicy', () => new TokenAwarePolicy(dcAware())],
  ])('are the same by the token as by the key itself: %s', async (_name, make) => {
    const policy = make();
    const made = await connected(policy);
    const token = sharedToken(routing([0], made), routing([0], made))!;
    const keys = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 40 }), { numRuns: 10_000, seed: 11 });
    const seen = new Set<object>();
    for (const each of keys) {
      const key = Buffer.from(each);
      const ours = token([key])!;
      const replicas = made.metadata.getReplicas('shop', key);
      expect(made.metadata.getReplicas('shop', ours)).toBe(replicas);
      seen.add(replicas);
      const local = (replicas as FakeHost[]).filter(({ datacenter }) => datacenter === 'dc1');
      const byToken = await firstHosts(policy, ours, local.length);
      expect(byToken).toEqual(new Set(local.map(({ address }) => address)));
      expect(byToken).toEqual(await firstHosts(policy, key, local.length));
    }
    expect(seen.size).toBeGreaterThan(HOSTS * VNODES * 0.9);
  });
});
