import { type DynamicModule, Injectable, type LoggerService, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLUSTER_OPTIONS } from '../test/support/cql.js';
import { columns, FakeCqlClient, invalid, type, unreachable } from '../test/support/fake-cql-client.js';
import { Watched } from '../test/support/fake-operations.js';
import { RecordingReplayer } from '../test/support/recording-replayer.js';
import {
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
  HelixService,
  InjectHelix,
  InjectHelixSession,
  MemoryReplayer,
  NoAvailableClusterError,
  PrimaryOnlyReadStrategy,
  ReadStrategy,
  Replayer,
  ReplayWorker,
  SessionClosedError,
  StickyReadStrategy,
  WriteStrategy,
} from './index.js';

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
    expect(events).toEqual(['A applied, B queued', 'queue closed']);
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
    expect(events).toEqual(['A applied, B queued', 'queue closed']);
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
      return compile(HelixModule.forRoot({ cql, replayer, shutdownTimeoutMs: 1_000 }));
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

  it('keeps what one side refused among the dead letters, without its values', async () => {
    const { status, helix, B } = await start();
    B.answers.push(invalid('secret'));
    const receipt = await helix.query(INSERT, [1, 'secret']).exec();
    expect(await status.deadLetters.list()).toMatchObject([
      { operationId: receipt.id, cluster: 'B', reason: 'rejected', statement: INSERT, table: 'users' },
    ]);
  });
});
