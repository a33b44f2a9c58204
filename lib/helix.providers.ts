import { type FactoryProvider, type InjectionToken, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  type Clock,
  FailoverPolicy,
  HelixConfigError,
  type PerCluster,
  ReadStrategy,
  Replayer,
  systemClock,
  WriteStrategy,
} from './core/index.js';
import { CqlSession, type Driver, HelixCqlService, loadDriver } from './cql/index.js';
import { HelixCallBinder, HelixCallHost } from './decorators/index.js';
import { HelixInstance } from './helix.instance.js';
import { HelixLifecycle } from './helix.lifecycle.js';
import { type HelixModuleAsyncOptions, type HelixOptionsFactory } from './helix.module-options.js';
import { type HelixModuleOptions, type ResolvedOptions, resolveOptions } from './helix.options.js';
import { HelixService } from './helix.service.js';
import { getHelixSessionToken, getHelixToken, internalToken } from './helix.tokens.js';
import { CircuitBreaker } from './policies/index.js';
import { MemoryReplayer, ReplayWorker } from './replay/index.js';
import { ConcurrentDualWriteStrategy, StickyReadStrategy } from './strategies/index.js';

/** Every provider of one instance. None does I/O before the application starts. */
export function createProviders(name: string, async: HelixModuleAsyncOptions): FactoryProvider[] {
  const options = internalToken('options', name);
  const clock = internalToken('clock', name);
  const driver = internalToken('driver', name);
  const sessions = internalToken('sessions', name);
  const instance = internalToken('instance', name);
  const lifecycle = internalToken('lifecycle', name);
  const calls = getHelixToken(HelixCallHost, name);
  const fromOptions = <T>(
    provide: InjectionToken<T>,
    useFactory: (resolved: ResolvedOptions, on: Clock) => T | undefined,
  ): FactoryProvider => ({ provide, useFactory, inject: [options, clock] });
  const fromSessions = (cluster: 'A' | 'B'): FactoryProvider => ({
    provide: getHelixSessionToken(cluster, name),
    useFactory: (all: PerCluster<CqlSession>) => all[cluster]?.client,
    inject: [sessions],
  });
  const fromInstance = <T>(
    provide: InjectionToken<T>,
    useFactory: (made: HelixInstance, owner: HelixLifecycle, host: HelixCallHost) => T | undefined,
  ): FactoryProvider => ({ provide, useFactory, inject: [instance, lifecycle, calls] });

  return [
    optionsProvider(options, name, async),
    { provide: clock, useFactory: () => systemClock },
    { provide: driver, useFactory: loadCqlDriver },
    { provide: sessions, useFactory: createSessions, inject: [options, driver, clock] },
    fromSessions('A'),
    fromSessions('B'),
    fromOptions(
      getHelixToken(ReadStrategy, name),
      (o, on) => o.readStrategy ?? new StickyReadStrategy(undefined, on),
    ),
    fromOptions(
      getHelixToken(WriteStrategy, name),
      (o) => o.writeStrategy ?? new ConcurrentDualWriteStrategy(),
    ),
    fromOptions(getHelixToken(FailoverPolicy, name), (o) => o.failoverPolicy ?? new CircuitBreaker()),
    fromOptions(getHelixToken(Replayer, name), ({ replayer }) =>
      replayer === false ? undefined : (replayer ?? new MemoryReplayer()),
    ),
    {
      provide: instance,
      useFactory: (
        resolved: ResolvedOptions,
        on: Clock,
        all: PerCluster<CqlSession>,
        readStrategy: ReadStrategy,
        writeStrategy: WriteStrategy,
        failoverPolicy: FailoverPolicy,
        replayer: Replayer | undefined,
      ) =>
        new HelixInstance({
          name,
          options: resolved,
          clock: on,
          sessions: all,
          readStrategy,
          writeStrategy,
          failoverPolicy,
          replayer,
        }),
      inject: [
        options,
        clock,
        sessions,
        getHelixToken(ReadStrategy, name),
        getHelixToken(WriteStrategy, name),
        getHelixToken(FailoverPolicy, name),
        getHelixToken(Replayer, name),
      ],
    },
    {
      provide: lifecycle,
      useFactory: (made: HelixInstance, host: HelixCallHost, modules: ModulesContainer) =>
        new HelixLifecycle(made, new HelixCallBinder(name, host, modules), modules),
      inject: [instance, calls, ModulesContainer],
    },
    {
      provide: calls,
      useFactory: (made: HelixInstance) => new HelixCallHost(made.contexts),
      inject: [instance],
    },
    fromInstance(getHelixToken(ReplayWorker, name), (made) => made.worker),
    fromInstance(
      getHelixToken(HelixCqlService, name),
      (made, owner, host) => new HelixCqlService(made.context, () => owner.close(), host),
    ),
    fromInstance(
      getHelixToken(HelixService, name),
      (made, owner, host) => new HelixService(made, owner, host),
    ),
  ];
}

/** What an instance offers to the rest of the application. */
export function exportedTokens(name: string): InjectionToken[] {
  return [
    getHelixSessionToken('A', name),
    getHelixSessionToken('B', name),
    getHelixToken(ReadStrategy, name),
    getHelixToken(WriteStrategy, name),
    getHelixToken(FailoverPolicy, name),
    getHelixToken(Replayer, name),
    getHelixToken(ReplayWorker, name),
    getHelixToken(HelixCallHost, name),
    getHelixToken(HelixCqlService, name),
    getHelixToken(HelixService, name),
  ];
}

/** The class behind `useClass`, so that Nest makes it with its own dependencies. */
export function optionsFactoryProviders(async: HelixModuleAsyncOptions): Provider[] {
  return async.useClass ? [{ provide: async.useClass, useClass: async.useClass }] : [];
}

function optionsProvider(provide: symbol, name: string, async: HelixModuleAsyncOptions): FactoryProvider {
  const resolve = (options: HelixModuleOptions): ResolvedOptions => resolveOptions(options, name);
  const given = [async.useFactory, async.useClass, async.useExisting].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw new HelixConfigError(
      `HelixModule.forRootAsync(${name}): give exactly one of useFactory, useClass or useExisting; received ${given.length}`,
    );
  }
  if (async.useFactory) {
    const { useFactory, inject = [] } = async;
    return { provide, useFactory: async (...args: never[]) => resolve(await useFactory(...args)), inject };
  }
  const factory = async.useClass ?? async.useExisting;
  return {
    provide,
    useFactory: async (made: HelixOptionsFactory) => resolve(await made.createHelixOptions(name)),
    inject: [factory],
  };
}

async function loadCqlDriver(): Promise<Driver> {
  try {
    return await loadDriver();
  } catch (cause) {
    throw new HelixConfigError('`cql` needs cassandra-driver 4.9 or later: npm install cassandra-driver', {
      cause,
    });
  }
}

function createSessions(
  { cql, clusterNames }: ResolvedOptions,
  driver: Driver,
  clock: Clock,
): PerCluster<CqlSession> {
  const A = new CqlSession(driver, 'A', clusterNames.A, cql.A, clock);
  if (!cql.B) return { A };
  return { A, B: new CqlSession(driver, 'B', clusterNames.B, cql.B, clock) };
}
