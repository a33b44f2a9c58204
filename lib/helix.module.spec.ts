import { type DynamicModule, Injectable, type LoggerService, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLUSTER_OPTIONS } from '../test/support/cql.js';
import { columns, FakeCqlClient, invalid, type, unreachable } from '../test/support/fake-cql-client.js';
import { Watched } from '../test/support/fake-operations.js';
import { RecordingReplayer } from '../test/support/recording-replayer.js';
import {
  ActiveFailover,
  CircuitBreaker,
  ConcurrentDualWriteStrategy,
  type Envelope,
  FailoverPolicy,
  getHelixSessionToken,
  getHelixToken,
  HelixConfigError,
  HelixCqlService,
  HelixModule,
  type HelixModuleOptions,
  type HelixOptionsFactory,
  type BreakerEvent,
  HelixService,
  InjectHelix,
  InjectHelixSession,
  MemoryReplayer,
  type ReplayQueueFullError,
  NoAvailableClusterError,
  type PolicyContext,
  PrimaryOnlyReadStrategy,
  ReadStrategy,
  Replayer,
  ReplayWorker,
  SessionClosedError,
  StickyReadStrategy,
  WriteStrategy,
} from './index.js';
import type { HelixInstance } from './helix.instance.js';
import { internalToken } from './helix.tokens.js';

const INSERT = 'INSERT INTO users (id, name) VALUES (?, ?)';
const USER = columns({ id: type('int'), name: type('text') });

function client(): FakeCqlClient {
  const made = new FakeCqlClient();
  made.statements.set(INSERT, USER);
  made.tables.set('users', USER);
  return made;
}

class SilentLogger implements LoggerService {
  readonly lines: string[] = [];
  log = (message: unknown): void => void this.lines.push(`log ${String(message)}`);
  warn = (message: unknown): void => void this.lines.push(`warn ${String(message)}`);
  error = (message: unknown): void => void this.lines.push(`error ${String(message)}`);
}

let logger: SilentLogger;
let modules: TestingModule[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  logger = new SilentLogger();
  modules = [];
});

afterEach(async () => {
  const closed = Promise.allSettled(modules.map((module) => module.close()));
  await vi.advanceTimersByTimeAsync(60_000);
  await closed;
  vi.useRealTimers();
});

function testing(...imports: (DynamicModule | (new () => object))[]) {
  return Test.createTestingModule({ imports }).setLogger(logger);
}

async function compile(...imports: (DynamicModule | (new () => object))[]): Promise<TestingModule> {
  const module = await testing(...imports).compile();
  modules.push(module);
  return module;
}

async function init(module: TestingModule): Promise<TestingModule> {
  const ready = new Watched(module.init());
  await vi.advanceTimersByTimeAsync(0);
  if (!ready.isSettled) throw new Error('the application is not ready at once');
  return ready.value;
}

/** An application over two clusters, connected. */
async function start(options: Partial<HelixModuleOptions> = {}) {
  const A = client();
  const B = client();
  const module = await init(await compile(HelixModule.forRoot({ cql: { A, B }, ...options })));
  return { A, B, module, helix: module.get(HelixCqlService), status: module.get(HelixService) };
}

describe('registering', () => {
  const options = (): HelixModuleOptions => ({ cql: { A: client(), B: client() } });

  @Injectable()
  class Settings implements HelixOptionsFactory {
    readonly names: string[] = [];
    readonly made = options();

    createHelixOptions(name: string): HelixModuleOptions {
      this.names.push(name);
      return this.made;
    }
  }

  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  it('works by forRoot', async () => {
    const given = options();
    const module = await compile(HelixModule.forRoot(given));
    expect(module.get(HelixCqlService).session('A')).toBe(given.cql.A);
  });

  it('works by useFactory, with what is injected', async () => {
    const module = await compile(
      HelixModule.forRootAsync({
        imports: [SettingsModule],
        inject: [Settings],
        useFactory: (settings: Settings) => Promise.resolve(settings.made),
      }),
    );
    expect(module.get(HelixCqlService).session('A')).toBe(module.get(Settings).made.cql.A);
  });

  it('works by useFactory without inject', async () => {
    const given = options();
    const module = await compile(HelixModule.forRootAsync({ useFactory: () => given }));
    expect(module.get(HelixCqlService).session('B')).toBe(given.cql.B);
  });

  it('works by useFactory with extraProviders', async () => {
    const module = await compile(
      HelixModule.forRootAsync({
        extraProviders: [{ provide: 'SETTINGS', useFactory: options }],
        inject: ['SETTINGS'],
        useFactory: (settings: HelixModuleOptions) => settings,
      }),
    );
    expect(module.get(HelixService).isSingleCluster).toBe(false);
  });

  it('works by useClass, which is told the name', async () => {
    const module = await compile(HelixModule.forRootAsync({ name: 'analytics', useClass: Settings }));
    const settings = module.get(Settings, { strict: false });
    expect(settings.names).toEqual(['analytics']);
    expect(module.get<HelixCqlService>(getHelixToken(HelixCqlService, 'analytics')).session('A')).toBe(
      settings.made.cql.A,
    );
  });

  it('works by useExisting, without a second object', async () => {
    const module = await compile(
      HelixModule.forRootAsync({ imports: [SettingsModule], useExisting: Settings }),
    );
    const settings = module.get(Settings);
    expect(settings.names).toEqual(['default']);
    expect(module.get(HelixCqlService).session('A')).toBe(settings.made.cql.A);
  });

  it.each<[what: string, given: object, count: number]>([
    ['none', {}, 0],
    ['two', { useFactory: options, useClass: Settings }, 2],
    ['other two', { useClass: Settings, useExisting: Settings }, 2],
    ['three', { useFactory: options, useClass: Settings, useExisting: Settings }, 3],
  ])('needs exactly one way of giving options, not %s', (_what, given, count) => {
    const register = () => HelixModule.forRootAsync(given as never);
    expect(register).toThrow(HelixConfigError);
    expect(register).toThrow(`received ${count}`);
  });

  it('refuses wrong options when the application is made', async () => {
    const given = { ...options(), connect: 'all' as 'any' };
    await expect(compile(HelixModule.forRoot(given))).rejects.toThrow(HelixConfigError);
  });

  it('refuses a name within the options: it stands beside them', async () => {
    const made = { ...options(), name: 'x' };
    await expect(compile(HelixModule.forRootAsync({ useFactory: () => made }))).rejects.toThrow('name');
  });
});

describe('what can be injected', () => {
  @Injectable()
  class Everything {
    constructor(
      readonly cql: HelixCqlService,
      readonly helix: HelixService,
      readonly readStrategy: ReadStrategy,
      readonly writeStrategy: WriteStrategy,
      readonly failoverPolicy: FailoverPolicy,
      readonly replayer: Replayer,
      readonly worker: ReplayWorker,
      @InjectHelixSession('A') readonly a: FakeCqlClient,
      @InjectHelixSession('B') readonly b: FakeCqlClient,
    ) {}
  }

  @Module({ providers: [Everything], exports: [Everything] })
  class User {}

  it('is everything, in every module, by default', async () => {
    const cql = { A: client(), B: client() };
    const module = await compile(HelixModule.forRoot({ cql }), User);
    const all = module.get(Everything);
    expect(all.cql).toBeInstanceOf(HelixCqlService);
    expect(all.helix).toBeInstanceOf(HelixService);
    expect(all.readStrategy).toBeInstanceOf(StickyReadStrategy);
    expect(all.writeStrategy).toBeInstanceOf(ConcurrentDualWriteStrategy);
    expect(all.failoverPolicy).toBeInstanceOf(CircuitBreaker);
    expect(all.replayer).toBeInstanceOf(MemoryReplayer);
    expect(all.worker).toBeInstanceOf(ReplayWorker);
    expect(all.a).toBe(cql.A);
    expect(all.b).toBe(cql.B);
  });

  it('is what the options say', async () => {
    const given = { readStrategy: new PrimaryOnlyReadStrategy(), replayer: new RecordingReplayer() };
    const { module } = await start(given);
    expect(module.get(ReadStrategy)).toBe(given.readStrategy);
    expect(module.get(Replayer)).toBe(given.replayer);
  });

  it('is nothing in a module that does not import it when isGlobal is false', async () => {
    const local = HelixModule.forRoot({ cql: { A: client() }, isGlobal: false });
    await expect(compile(local, User)).rejects.toThrow(/resolve dependencies/);
  });

  it('is there for a module that imports it when isGlobal is false', async () => {
    const local = HelixModule.forRoot({ cql: { A: client(), B: client() }, isGlobal: false });
    @Module({ imports: [local], providers: [Everything] })
    class Importing {}
    const module = await compile(Importing);
    expect(module.get(Everything, { strict: false }).cql).toBeInstanceOf(HelixCqlService);
  });

  it('has no worker, replayer or second session on a single cluster or without replay', async () => {
    const single = await compile(HelixModule.forRoot({ cql: { A: client() } }));
    expect(single.get(ReplayWorker)).toBeUndefined();
    expect(single.get<unknown>(getHelixSessionToken('B'))).toBeUndefined();
    const off = await compile(HelixModule.forRoot({ cql: { A: client(), B: client() }, replayer: false }));
    expect(off.get(Replayer)).toBeUndefined();
    expect(off.get(ReplayWorker)).toBeUndefined();
    const elsewhere = await compile(
      HelixModule.forRoot({ cql: { A: client(), B: client() }, replayWorker: { mode: 'off' } }),
    );
    expect(elsewhere.get(ReplayWorker)).toBeUndefined();
    expect(elsewhere.get(Replayer)).toBeInstanceOf(MemoryReplayer);
  });

  it('can be overridden in tests', async () => {
    const strategy = new PrimaryOnlyReadStrategy();
    const A = client();
    const B = client();
    const overridden = testing(
      HelixModule.forRoot({ cql: { A, B }, readStrategy: new StickyReadStrategy({ preferred: 'B' }) }),
    );
    const module = await overridden.overrideProvider(ReadStrategy).useValue(strategy).compile();
    modules.push(module);
    await init(module);
    await module.get(HelixCqlService).query('SELECT * FROM users').one();
    expect([A.executed.length, B.executed.length]).toEqual([1, 0]);
  });
});

describe('two instances side by side', () => {
  @Injectable()
  class Both {
    constructor(
      readonly shop: HelixCqlService,
      @InjectHelix(HelixCqlService, 'analytics') readonly analytics: HelixCqlService,
      @InjectHelixSession('A', 'analytics') readonly session: FakeCqlClient,
    ) {}
  }

  @Module({ providers: [Both], exports: [Both] })
  class User {}

  it('have clusters, replayers and figures of their own', async () => {
    const shop = { A: client(), B: client() };
    const analytics = { A: client(), B: client() };
    const module = await init(
      await compile(
        HelixModule.forRoot({ cql: shop }),
        HelixModule.forRoot({ name: 'analytics', cql: analytics }),
        User,
      ),
    );
    const both = module.get(Both);
    await both.analytics.query(INSERT, [1, 'Ada']).exec();
    expect([shop.A, shop.B, analytics.A, analytics.B].map(({ executed }) => executed.length)).toEqual([
      0, 0, 1, 1,
    ]);
    expect(both.session).toBe(analytics.A);
    expect(module.get(Replayer)).not.toBe(module.get(getHelixToken(Replayer, 'analytics')));
    expect(module.get(HelixService).status().instance).toBe('default');
    expect(module.get<HelixService>(getHelixToken(HelixService, 'analytics')).status().instance).toBe(
      'analytics',
    );
  });
});

describe('what two instances may not share', () => {
  const cql = () => ({ A: client(), B: client() });
  const inModule = (...imports: DynamicModule[]): new () => object => {
    @Module({ imports })
    class Importing {}
    return Importing;
  };
  const refusal = async (...imports: (DynamicModule | (new () => object))[]): Promise<string> => {
    const module = await compile(...imports);
    const ready = new Watched(module.init());
    await vi.advanceTimersByTimeAsync(0);
    expect(ready.error).toBeInstanceOf(HelixConfigError);
    return (ready.error as Error).message;
  };

  it.each<[where: string, register: () => (DynamicModule | (new () => object))[]]>([
    ['two forRoot', () => [HelixModule.forRoot({ cql: cql() }), HelixModule.forRoot({ cql: cql() })]],
    [
      'forRoot and forRootAsync',
      () => [
        HelixModule.forRoot({ cql: cql() }),
        HelixModule.forRootAsync({ useFactory: () => ({ cql: cql() }) }),
      ],
    ],
    [
      'one of them in a module of its own',
      () => [HelixModule.forRoot({ cql: cql() }), inModule(HelixModule.forRoot({ cql: cql() }))],
    ],
    [
      'neither of them global',
      () => [
        inModule(HelixModule.forRoot({ cql: cql(), isGlobal: false })),
        inModule(HelixModule.forRoot({ cql: cql(), isGlobal: false })),
      ],
    ],
  ])('is the name: %s', async (_where, register) => {
    const message = await refusal(...register());
    expect(message).toContain('Two Helix instances are registered as "default"');
    expect(message).toContain('another name');
  });

  it('is a name that was given, either', async () => {
    const message = await refusal(
      HelixModule.forRoot({ cql: cql() }),
      HelixModule.forRoot({ name: 'orders', cql: cql() }),
      HelixModule.forRootAsync({ name: 'orders', useFactory: () => ({ cql: cql() }) }),
    );
    expect(message).toContain('"orders"');
  });

  it.each<[part: string, options: () => Partial<HelixModuleOptions>]>([
    ['readStrategy', () => ({ readStrategy: new StickyReadStrategy() })],
    ['writeStrategy', () => ({ writeStrategy: new ConcurrentDualWriteStrategy() })],
    ['failoverPolicy', () => ({ failoverPolicy: new CircuitBreaker() })],
    ['replayer', () => ({ replayer: new MemoryReplayer() })],
  ])('is one object as %s, and nothing is connected', async (part, options) => {
    const shared = options();
    const clusters = [cql(), cql()];
    const message = await refusal(
      HelixModule.forRoot({ cql: clusters[0]!, ...shared }),
      HelixModule.forRoot({ name: 'orders', cql: clusters[1]!, ...shared }),
    );
    expect(message).toContain(`the same object as ${part}`);
    expect(message).toContain('"default"');
    expect(message).toContain('"orders"');
    expect(clusters.flatMap(({ A, B }) => [A.connects, B.connects])).toEqual([0, 0, 0, 0]);
  });

  it('is not a registration that two modules import', async () => {
    const registration = HelixModule.forRoot({ cql: cql() });
    const module = await init(await compile(registration, inModule(registration), inModule(registration)));
    expect(module.get(HelixCqlService)).toBeInstanceOf(HelixCqlService);
  });

  it('is not what each has by default, or has none of', async () => {
    const module = await init(
      await compile(
        HelixModule.forRoot({ cql: cql(), replayer: false }),
        HelixModule.forRoot({ name: 'orders', cql: cql(), replayer: false }),
      ),
    );
    expect(module.get(HelixService).name).toBe('default');
  });

  it('may be used by one application after the other', async () => {
    const shared = {
      readStrategy: new StickyReadStrategy(),
      writeStrategy: new ConcurrentDualWriteStrategy(),
      failoverPolicy: new CircuitBreaker(),
    };
    for (let i = 0; i < 2; i++) {
      const { module, helix } = await start(shared);
      expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'applied' });
      await module.close();
    }
  });
});

describe('the failover policy', () => {
  /** Notes when it is opened and closed, and what else happens. */
  class WatchedPolicy extends ActiveFailover {
    readonly events: string[] = [];
    context: PolicyContext | undefined;

    override open(context: PolicyContext): void {
      this.context = context;
      this.events.push('opened');
    }

    override close(): void {
      this.events.push('closed');
    }
  }

  it('is opened once before anything is connected, and closed once at the end', async () => {
    const failoverPolicy = new WatchedPolicy();
    const A = client();
    const connect = A.connect.bind(A);
    vi.spyOn(A, 'connect').mockImplementation(() => {
      failoverPolicy.events.push('connecting');
      return connect();
    });
    const module = await init(
      await compile(HelixModule.forRoot({ cql: { A, B: client() }, failoverPolicy })),
    );
    expect(failoverPolicy.events).toEqual(['opened', 'connecting']);
    await module.get(HelixCqlService).close();
    await module.close();
    expect(failoverPolicy.events).toEqual(['opened', 'connecting', 'closed']);
  });

  it('is closed when the application cannot start, and the replayer too', async () => {
    const failoverPolicy = new WatchedPolicy();
    const replayer = new RecordingReplayer();
    const closed = vi.spyOn(replayer, 'close');
    const down = () => Object.assign(client(), { isDown: true });
    const module = await compile(
      HelixModule.forRoot({ cql: { A: down(), B: down() }, failoverPolicy, replayer, connectTimeoutMs: 10 }),
    );
    const ready = new Watched(module.init());
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ready.error).toBeInstanceOf(NoAvailableClusterError);
    expect([failoverPolicy.events, closed.mock.calls.length]).toEqual([['opened', 'closed'], 1]);
    await Promise.all([module.close(), vi.advanceTimersByTimeAsync(20_000)]);
    expect([failoverPolicy.events, closed.mock.calls.length]).toEqual([['opened', 'closed'], 1]);
  });

  it('asks the cluster it names, and no other', async () => {
    const failoverPolicy = new WatchedPolicy();
    const { A, B } = await start({ failoverPolicy });
    await failoverPolicy.context?.ping('B');
    const pings = B.unprepared.length;
    await failoverPolicy.context?.ping('B');
    expect(B.unprepared.length).toBe(pings + 1);
    B.pingError = unreachable();
    await expect(failoverPolicy.context?.ping('B')).rejects.toThrow();
    await expect(failoverPolicy.context?.ping('A')).resolves.toBeUndefined();
    A.pingError = 'never';
    const hanging = new Watched(failoverPolicy.context!.ping('A'));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(hanging.error).toBeDefined();
  });

  it('cannot ask a cluster that is not there', async () => {
    const failoverPolicy = new WatchedPolicy();
    await init(await compile(HelixModule.forRoot({ cql: { A: client() }, failoverPolicy })));
    await expect(failoverPolicy.context?.ping('B')).rejects.toThrow('No cluster B');
  });

  it('of another application is left as it is when it cannot be had', async () => {
    const failoverPolicy = new CircuitBreaker({ threshold: 1, resetTimeoutMs: 1_000 });
    const replayer = new MemoryReplayer();
    const first = await start({ failoverPolicy, replayer });
    await first.helix.query(INSERT, [0, 'Ada']).exec();
    first.B.isDown = true;
    await first.helix.query(INSERT, [1, 'Ada']).exec();
    for (const options of [{ failoverPolicy }, { replayer }]) {
      const second = await compile(HelixModule.forRoot({ cql: { A: client(), B: client() }, ...options }));
      const ready = new Watched(second.init());
      await vi.advanceTimersByTimeAsync(0);
      expect((ready.error as Error).message).toContain('in use already');
      await Promise.all([second.close(), vi.advanceTimersByTimeAsync(500)]);
    }
    first.B.isDown = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(first.status.status()).toMatchObject({ B: { breaker: 'closed' }, replay: { B: { applied: 1 } } });
    expect(await first.helix.query(INSERT, [2, 'Ada']).exec()).toMatchObject({ B: 'applied' });
  });

  it('of another application is left as it is when this one ends without a beginning', async () => {
    const failoverPolicy = new WatchedPolicy();
    const module = await compile(HelixModule.forRoot({ cql: { A: client(), B: client() }, failoverPolicy }));
    await module.get(HelixCqlService).close();
    expect(failoverPolicy.events).toEqual([]);
  });

  it('keeps nothing from being closed when it throws at the end', async () => {
    const failoverPolicy = new WatchedPolicy();
    const replayer = new RecordingReplayer();
    const closed = vi.spyOn(replayer, 'close');
    vi.spyOn(failoverPolicy, 'close').mockImplementation(() => {
      throw new Error('broken policy');
    });
    const { module } = await start({ failoverPolicy, replayer });
    await Promise.all([module.close(), vi.advanceTimersByTimeAsync(20_000)]);
    expect(closed).toHaveBeenCalledTimes(1);
    expect(logger.lines.filter((line) => line.includes('strategy or policy threw Error'))).toHaveLength(1);
  });

  it('does not hide why the application cannot start when it throws then', async () => {
    const failoverPolicy = new WatchedPolicy();
    vi.spyOn(failoverPolicy, 'close').mockImplementation(() => {
      throw new Error('broken policy');
    });
    const A = Object.assign(client(), { isDown: true });
    const module = await compile(HelixModule.forRoot({ cql: { A }, failoverPolicy, connectTimeoutMs: 10 }));
    const ready = new Watched(module.init());
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ready.error).toBeInstanceOf(NoAvailableClusterError);
  });
});

describe('a breaker that opens', () => {
  /** At the latest: a quarter of it is left to chance. */
  const FIRST_PING_MS = 250;

  async function opened() {
    const failoverPolicy = new CircuitBreaker({ threshold: 2 });
    const started = await start({ failoverPolicy });
    const { helix, status, B } = started;
    const events: BreakerEvent[] = [];
    const ended: boolean[] = [];
    status.events$.subscribe({
      next: (event) => {
        if (event.type === 'breaker') events.push(event);
      },
      complete: () => ended.push(true),
    });
    await helix.query(INSERT, [0, 'Ada']).exec();
    B.isDown = true;
    for (let i = 1; i <= 2; i++) await helix.query(INSERT, [i, 'Ada']).exec();
    return { ...started, events, ended };
  }

  it('is seen on events$ and in the status, through all its states', async () => {
    const { module, B, events, ended, status } = await opened();
    const openedAt = new Date();
    expect(events).toEqual([{ type: 'breaker', cluster: 'B', state: 'open', at: openedAt }]);
    expect(status.status().B?.breaker).toBe('open');
    B.isDown = false;
    B.pingError = 'never';
    await vi.advanceTimersByTimeAsync(FIRST_PING_MS);
    expect(status.status().B?.breaker).toBe('half-open');
    await vi.advanceTimersByTimeAsync(2_000);
    B.pingError = undefined;
    await vi.advanceTimersByTimeAsync(2 * FIRST_PING_MS);
    expect(events.map(({ state }) => state)).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
    expect(events.at(-1)?.at.getTime()).toBeLessThanOrEqual(openedAt.getTime() + 3 * FIRST_PING_MS + 2_000);
    await Promise.all([module.close(), vi.advanceTimersByTimeAsync(20_000)]);
    expect(ended).toEqual([true]);
  });

  it('closes the lane of its cluster, which is left alone until it closes, and then replays at once', async () => {
    const { B, status } = await opened();
    const executed = B.executed.length;
    await vi.advanceTimersByTimeAsync(100);
    B.isDown = false;
    const pings = B.unprepared.length;
    await vi.advanceTimersByTimeAsync(0.75 * FIRST_PING_MS - 101);
    expect(B.unprepared.length).toBe(pings);
    expect(status.status().replay.B).toMatchObject({ open: false, queued: 2, inFlight: 0 });
    expect(B.executed.length).toBe(executed);
    // The breaker's one ping, and the lane's.
    await vi.advanceTimersByTimeAsync(FIRST_PING_MS);
    expect(status.status()).toMatchObject({
      B: { breaker: 'closed' },
      replay: { B: { open: true, applied: 2 } },
    });
    expect(B.executed.length).toBe(executed + 2);
  });

  it('has its cluster left out by writes, and asked last by reads', async () => {
    const { helix, A, B } = await opened();
    const [onA, onB] = [A.executed.length, B.executed.length];
    expect(await helix.query(INSERT, [3, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    for (let i = 0; i < 4; i++) await helix.query('SELECT * FROM users').one();
    expect([A.executed.length - onA, B.executed.length - onB]).toEqual([5, 0]);
  });

  it('does not keep the last replay from trying at the end', async () => {
    const { module, B } = await opened();
    B.isDown = false;
    const executed = B.executed.length;
    await Promise.all([module.close(), vi.advanceTimersByTimeAsync(20_000)]);
    expect(B.executed.length).toBe(executed + 2);
  });
});

describe('connecting', () => {
  async function boot(options: Partial<HelixModuleOptions>, A = client(), B = client()) {
    const module = await compile(HelixModule.forRoot({ cql: { A, B }, ...options }));
    const ready = new Watched(module.init());
    await vi.advanceTimersByTimeAsync(0);
    return { A, B, module, ready, helix: module.get(HelixCqlService) };
  }
  const down = () => Object.assign(client(), { isDown: true });
  const hanging = () => Object.assign(client(), { connectError: 'never' as const });

  it('does not begin before the application does', async () => {
    const A = client();
    const B = client();
    await compile(HelixModule.forRoot({ cql: { A, B } }));
    expect([A.connects, B.connects]).toEqual([0, 0]);
    expect([A.unprepared, B.unprepared, A.preparedTexts]).toEqual([[], [], []]);
  });

  it.each(['any', 'both', 'lazy'] as const)('is done at once when both are up: %s', async (connect) => {
    const { A, B, ready } = await boot({ connect });
    expect(ready.isSettled).toBe(true);
    expect([A.connects, B.connects]).toEqual([1, 1]);
  });

  it.each([
    ['A', () => [down(), client()]],
    ['B', () => [client(), down()]],
  ] as const)("'any' goes on without %s once that has failed", async (missing, make) => {
    const { ready, module } = await boot({ connect: 'any' }, ...(make() as [FakeCqlClient, FakeCqlClient]));
    expect(ready.isSettled).toBe(true);
    expect(module.get(HelixService).status()[missing]?.connected).toBe(false);
  });

  it("'any' gives a cluster that neither answers nor fails two seconds", async () => {
    const { ready } = await boot({ connect: 'any' }, client(), hanging());
    await vi.advanceTimersByTimeAsync(1_999);
    expect(ready.isSettled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(ready.value).toBeDefined();
  });

  it.each([
    ['A', () => [hanging(), client()]],
    ['B', () => [client(), hanging()]],
  ] as const)(
    "'any' goes on without %s when connectTimeoutMs is shorter than that",
    async (_missing, make) => {
      const { ready } = await boot(
        { connect: 'any', connectTimeoutMs: 1_000 },
        ...(make() as [FakeCqlClient, FakeCqlClient]),
      );
      await vi.advanceTimersByTimeAsync(999);
      expect(ready.isSettled).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(ready.value).toBeDefined();
    },
  );

  it("'any' goes on connecting the missing one, whose writes are queued meanwhile", async () => {
    const { B, helix } = await boot({ connect: 'any' }, client(), down());
    expect(await helix.query(INSERT, [1, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'queued' });
    B.isDown = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(B.executed.map(({ query }) => query)).toEqual([INSERT]);
    expect(await helix.query(INSERT, [2, 'Ada']).exec()).toMatchObject({ A: 'applied', B: 'applied' });
  });

  it.each(['any', 'both'] as const)(
    '%s fails the start when nothing has connected within connectTimeoutMs, and stops trying',
    async (connect) => {
      const { A, ready } = await boot({ connect, connectTimeoutMs: 3_000 }, down(), down());
      await vi.advanceTimersByTimeAsync(2_999);
      expect(ready.isSettled).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      const error = ready.error as Error;
      expect(error).toBeInstanceOf(NoAvailableClusterError);
      expect(error.message).toContain('connectTimeoutMs = 3000 ms');
      expect(error.message).toContain('Cannot connect to A at 10.0.0.1:9042');
      expect(error.message).toContain('Cannot connect to B');
      const tried = A.connects;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(A.connects).toBe(tried);
    },
  );

  it("'both' waits for both, and names the one that is missing", async () => {
    const { ready } = await boot({ connect: 'both', connectTimeoutMs: 10_000 }, client(), down());
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ready.error).toBeInstanceOf(NoAvailableClusterError);
    expect((ready.error as Error).message).toContain('Cannot connect to B');
    expect((ready.error as Error).message).not.toContain('Cannot connect to A');
  });

  it("'both' goes on as soon as the second is there", async () => {
    const { B, ready } = await boot({ connect: 'both' }, client(), down());
    await vi.advanceTimersByTimeAsync(4_000);
    expect(ready.isSettled).toBe(false);
    B.isDown = false;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(ready.value).toBeDefined();
  });

  it("'lazy' goes on at once and never fails", async () => {
    const { ready } = await boot({ connect: 'lazy', connectTimeoutMs: 10 }, down(), hanging());
    expect(ready.isSettled).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ready.value).toBeDefined();
  });

  it('waits for the only cluster', async () => {
    const A = down();
    const module = await compile(HelixModule.forRoot({ cql: { A } }));
    const ready = new Watched(module.init());
    await vi.advanceTimersByTimeAsync(500);
    expect(ready.isSettled).toBe(false);
    A.isDown = false;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(ready.value).toBeDefined();
  });

  it('says once that a cluster is missing, and when it is back', async () => {
    const { B } = await boot({}, client(), down());
    await vi.advanceTimersByTimeAsync(20_000);
    expect(logger.lines.filter((line) => line.includes('cannot be connected yet'))).toHaveLength(1);
    B.isDown = false;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(logger.lines.filter((line) => line.includes('is connected after'))).toHaveLength(1);
  });

  it('warns once when replay is off', async () => {
    await boot({ replayer: false });
    expect(logger.lines.filter((line) => line.startsWith('warn Replay is off'))).toHaveLength(1);
  });
});

describe('the end', () => {
  const close = async (module: TestingModule, withinMs = 60_000) => {
    const startedMs = performance.now();
    let endedMs = Number.NaN;
    const closed = new Watched(module.close().then(() => (endedMs = performance.now())));
    await vi.advanceTimersByTimeAsync(withinMs);
    if (!closed.isSettled) throw new Error(`did not end within ${withinMs} ms`);
    return endedMs - startedMs;
  };

  it('refuses what comes afterwards', async () => {
    const { module, helix, A } = await start();
    await helix.query(INSERT, [1, 'Ada']).exec();
    await close(module);
    await expect(helix.query(INSERT, [2, 'Ada']).exec()).rejects.toThrow(SessionClosedError);
    await expect(helix.query('SELECT * FROM users').all()).rejects.toThrow(SessionClosedError);
    await expect(helix.onBoth('TRUNCATE users')).rejects.toThrow(SessionClosedError);
    expect(A.executed).toHaveLength(1);
  });

  it("never closes the user's own clients", async () => {
    const { module, A, B } = await start();
    await close(module);
    expect([A.shutdowns, B.shutdowns]).toEqual([0, 0]);
  });

  it('waits for writes that are running before it closes the queue', async () => {
    const replayer = new RecordingReplayer();
    const events: string[] = [];
    vi.spyOn(replayer, 'close').mockImplementation(() => {
      events.push('queue closed');
      return Promise.resolve([]);
    });
    const { module, helix, B } = await start({ replayer });
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.answers.push('never');
    void helix
      .query(INSERT, [2, 'Ada'])
      .exec()
      .then(({ A: a, B: b }) => events.push(`A ${a}, B ${b}`));
    await close(module);
    expect(events).toEqual(['A applied, B pending', 'queue closed']);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  it('lets a write pass that is still being prepared, and closes the queue after it', async () => {
    const replayer = new RecordingReplayer();
    const events: string[] = [];
    vi.spyOn(replayer, 'close').mockImplementation(() => {
      events.push('queue closed');
      return Promise.resolve([]);
    });
    const { module, helix, B } = await start({ replayer });
    B.statements.set(INSERT, 'never');
    void helix
      .query(INSERT, [1, 'Ada'])
      .exec()
      .then((receipt) => events.push(`A ${receipt.A}, B ${receipt.B}`));
    await close(module);
    expect(events).toEqual(['A applied, B pending', 'queue closed']);
    expect(replayer.enqueuedFor).toEqual([['B']]);
  });

  describe.each<[what: string, close: () => Promise<never>]>([
    ['never closes', () => new Promise(() => undefined)],
    ['fails to close', () => Promise.reject(new Error('broken replayer'))],
    [
      'throws when it is to close',
      () => {
        throw new Error('broken replayer');
      },
    ],
  ])('with a replayer that %s', (_what, closeReplayer) => {
    async function broken() {
      const replayer = new RecordingReplayer();
      vi.spyOn(replayer, 'close').mockImplementation(closeReplayer);
      const cql = { A: { ...CLUSTER_OPTIONS }, B: client() };
      const module = await compile(HelixModule.forRoot({ cql, replayer, shutdownTimeoutMs: 1_000 }));
      // As the start does, without connecting the driver's own client.
      await module.get<HelixInstance>(internalToken('instance', 'default')).openReplayer();
      return module;
    }

    it('comes within shutdownTimeoutMs, and is logged as an error', async () => {
      const module = await broken();
      expect(await close(module)).toBeLessThanOrEqual(1_000);
      expect(logger.lines.filter((line) => line.startsWith('error The replayer'))).toHaveLength(1);
    });

    it('closes the sessions all the same', async () => {
      const module = await broken();
      const shutdown = vi.spyOn(module.get(HelixCqlService).session('A'), 'shutdown');
      await close(module);
      expect(shutdown).toHaveBeenCalledTimes(1);
    });
  });

  it('decides running writes as they stand when their share of the time is over', async () => {
    const replayer = new RecordingReplayer();
    const { module, helix, B } = await start({ replayer, writeTimeoutMs: 600_000, shutdownTimeoutMs: 1_000 });
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.answers.push('never');
    const write = new Watched(helix.query(INSERT, [2, 'Ada']).exec());
    expect(await close(module)).toBeLessThanOrEqual(1_000);
    expect(write.value).toMatchObject({ A: 'applied', B: 'queued' });
  });

  it('replays what is in the memory queue when its cluster is well', async () => {
    const dropped: Envelope[] = [];
    const { module, helix, B } = await start({ onReplayDropped: (envelope) => dropped.push(envelope) });
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.answers.push(unreachable());
    await helix.query(INSERT, [2, 'Ada']).exec();
    await close(module);
    expect(B.executed.map(({ params }) => (params as Buffer[])[0]?.readInt32BE())).toEqual([1, 2, 2]);
    expect(dropped).toEqual([]);
  });

  it('reports what replay has made a dead letter of and cannot keep', async () => {
    const dropped: [string, string][] = [];
    const { module, helix, status, B } = await start({
      replayer: new MemoryReplayer({ deadLetterCapacity: 1 }),
      onReplayDropped: ({ operationId }, error) =>
        dropped.push([operationId, (error as ReplayQueueFullError).code]),
    });
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.answers.push(invalid());
    expect(await helix.query(INSERT, [2, 'Ada']).exec()).toMatchObject({ B: 'rejected' });
    B.answers.push(unreachable(), invalid());
    const { id, ...receipt } = await helix.query(INSERT, [3, 'Ada']).exec();
    expect(receipt).toMatchObject({ A: 'applied', B: 'queued' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(dropped).toEqual([[id, 'HELIX_REPLAY_QUEUE_FULL']]);
    const { lost, replay } = status.status();
    expect([lost, replay.B]).toMatchObject([1, { queued: 0, deadLettered: 1, dropped: 1, enqueued: 2 }]);
    B.answers.push(invalid());
    expect(await helix.query(INSERT, [4, 'Ada']).exec()).toMatchObject({ B: 'lost' });
    expect(dropped).toHaveLength(2);
    await close(module);
  });

  it.each<[what: string, callback: () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('broken callback');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken callback'))],
  ])('goes on with the next envelope when onReplayDropped %s', async (_what, callback) => {
    const dropped: string[] = [];
    const { module, helix, B } = await start({
      onReplayDropped: ({ operationId }) => {
        dropped.push(operationId);
        return callback() as undefined;
      },
    });
    await helix.query(INSERT, [0, 'Ada']).exec();
    B.isDown = true;
    for (let i = 1; i < 3; i++) await helix.query(INSERT, [i, 'Ada']).exec();
    await close(module);
    expect(dropped).toHaveLength(2);
    expect(logger.lines.filter((line) => line.includes('onReplayDropped threw Error'))).toHaveLength(2);
  });

  it('reports every envelope the memory queue still held, within shutdownTimeoutMs', async () => {
    const dropped: { operationId: string; cluster: string; error: string }[] = [];
    const { module, helix, B } = await start({
      shutdownTimeoutMs: 2_000,
      onReplayDropped: ({ operationId, cluster }, error) =>
        dropped.push({ operationId, cluster, error: error.name }),
    });
    await helix.query(INSERT, [0, 'Ada']).exec();
    B.isDown = true;
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await helix.query(INSERT, [i, 'Ada']).exec()).id);
    expect(await close(module)).toBeLessThanOrEqual(2_000);
    expect(dropped).toEqual(
      ids.map((operationId) => ({ operationId, cluster: 'B', error: 'SessionClosedError' })),
    );
    expect(logger.lines.some((line) => line.startsWith('error 3 write(s)'))).toBe(true);
  });

  it('goes on reporting when onReplayDropped throws', async () => {
    let calls = 0;
    const { module, helix, B } = await start({
      shutdownTimeoutMs: 2_000,
      onReplayDropped: () => {
        calls++;
        throw new Error('broken callback');
      },
    });
    B.isDown = true;
    for (let i = 0; i < 2; i++) await helix.query(INSERT, [i, 'Ada']).exec();
    await close(module);
    expect(calls).toBe(2);
  });

  it('is bounded when a cluster never answers and the queue is full of its writes', async () => {
    const { module, helix, A, B } = await start({ shutdownTimeoutMs: 1_000 });
    await helix.query(INSERT, [0, 'Ada']).exec();
    B.answers.push(unreachable(), 'never', 'never', 'never');
    B.pingError = 'never';
    await helix.query(INSERT, [1, 'Ada']).exec();
    A.answers.push('never');
    void helix
      .query('SELECT * FROM users')
      .one()
      .catch(() => undefined);
    expect(await close(module)).toBeLessThanOrEqual(1_000);
  });

  it('comes once, however often it is asked for', async () => {
    const replayer = new RecordingReplayer();
    const spy = vi.spyOn(replayer, 'close');
    const { module, helix, status } = await start({ replayer });
    await Promise.all([helix.close(), status.close(), helix.close()]);
    await close(module);
    expect(spy).toHaveBeenCalledTimes(1);
  });

  it('may come without a beginning', async () => {
    const module = await compile(HelixModule.forRoot({ cql: { A: client(), B: client() } }));
    await module.get(HelixCqlService).close();
  });
});

describe('HelixService', () => {
  it('shows both sides and the queue', async () => {
    const { status, helix, B } = await start({ clusterNames: { A: 'us_east', B: 'us_west' } });
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.isDown = true;
    await helix.query(INSERT, [2, 'Ada']).exec();
    expect(status.status()).toMatchObject({
      instance: 'default',
      kind: 'cql',
      A: { name: 'us_east', connected: true, breaker: 'closed', degraded: false, inFlight: 0 },
      B: { name: 'us_west', connected: true, inFlight: 0 },
      replay: { A: { enqueued: 0 }, B: { enqueued: 1 } },
      lost: 0,
    });
  });

  it('shows one side on a single cluster, and has no dead letters there', async () => {
    const module = await init(await compile(HelixModule.forRoot({ cql: { A: client() } })));
    const status = module.get(HelixService);
    expect(status.isSingleCluster).toBe(true);
    expect(status.status()).not.toHaveProperty('B');
    expect(() => status.deadLetters).toThrow(HelixConfigError);
    await expect(status.ping('B')).rejects.toThrow(HelixConfigError);
  });

  it('counts what was lost, and says so in the log without a flood', async () => {
    const replayer = new RecordingReplayer();
    replayer.mode = 'refuse';
    const dropped: string[] = [];
    const { status, helix, B } = await start({
      replayer,
      onReplayLost: 'report',
      onReplayDropped: ({ operationId }) => dropped.push(operationId),
    });
    await helix.query(INSERT, [0, 'secret']).exec();
    B.isDown = true;
    for (let i = 1; i <= 20; i++) await helix.query(INSERT, [i, 'secret']).exec();
    expect(status.status().lost).toBe(20);
    expect(new Set(dropped).size).toBe(20);
    const lines = logger.lines.filter((line) => line.startsWith('error A write is lost for cluster B'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('secret');
  });

  it('logs a divergence with the masked statement', async () => {
    const { helix, B } = await start();
    B.answers.push(invalid('secret'));
    await helix.query(INSERT, [1, 'secret']).exec();
    const line = logger.lines.find((each) => each.includes('divergence'));
    expect(line).toContain(INSERT);
    expect(line).toContain('ResponseError 0x2200');
    expect(line).not.toContain('secret');
  });

  it('reaches a sync point when what was queued has been applied', async () => {
    const { status, helix, B } = await start();
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.isDown = true;
    await helix.query(INSERT, [2, 'Ada']).exec();
    const point = new Watched(status.syncPoint());
    await vi.advanceTimersByTimeAsync(1_000);
    expect(point.isSettled).toBe(false);
    B.isDown = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(point.value).toMatchObject({ applied: 1, deadLettered: 0 });
  });

  it('counts a write that is still being prepared into a sync point', async () => {
    const { status, helix, B } = await start();
    B.statements.set(INSERT, 'never');
    void helix.query(INSERT, [1, 'Ada']).exec();
    const point = new Watched(status.syncPoint());
    await vi.advanceTimersByTimeAsync(20_000);
    expect(point.isSettled).toBe(false);
    B.statements.set(INSERT, USER);
    B.answerPrepares();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(point.value).toMatchObject({ applied: 1, deadLettered: 0 });
    expect(B.executed).toHaveLength(1);
  });

  it('gives up on a sync point after timeoutMs', async () => {
    const { status, helix, B } = await start();
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.isDown = true;
    await helix.query(INSERT, [2, 'Ada']).exec();
    const point = new Watched(status.syncPoint({ timeoutMs: 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(point.error).toMatchObject({
      name: 'AbortError',
      code: 'HELIX_ABORTED',
      cause: { name: 'TimeoutError' },
    });
  });

  it('does not call a sync point reached when the end comes first', async () => {
    const { status, helix, B } = await start();
    await helix.query(INSERT, [1, 'Ada']).exec();
    B.isDown = true;
    await helix.query(INSERT, [2, 'Ada']).exec();
    const point = new Watched(status.syncPoint());
    const closed = new Watched(status.close());
    const late = new Watched(status.syncPoint());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(closed.isSettled).toBe(true);
    expect(point.error).toBeInstanceOf(SessionClosedError);
    expect(late.error).toBeInstanceOf(SessionClosedError);
  });

  it('keeps what one side refused among the dead letters, without its values', async () => {
    const { status, helix, B } = await start();
    B.answers.push(invalid('secret'));
    const receipt = await helix.query(INSERT, [1, 'secret']).exec();
    expect(await status.deadLetters.list()).toMatchObject([
      { operationId: receipt.id, cluster: 'B', reason: 'rejected', statement: INSERT, table: 'users' },
    ]);
  });
});
