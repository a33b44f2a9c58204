import { type FactoryProvider, type InjectionToken, Logger, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  type Clock,
  FailoverPolicy,
  HelixConfigError,
  ReadStrategy,
  Replayer,
  systemClock,
  WriteStrategy,
} from './core/index.js';
import { type CqlContext, type CqlSessions, HelixCqlService, type Statements } from './cql/index.js';
import { HelixCallBinder, HelixCallHost } from './decorators/index.js';
import {
  createContext,
  createSessions,
  createStatements,
  loadCqlDriver,
  replayTargets,
} from './helix.cql.js';
import { HelixInstance, type InstanceLogger } from './helix.instance.js';
import { HelixLifecycle } from './helix.lifecycle.js';
import type { HelixModuleAsyncOptions, HelixOptionsFactory } from './helix.module-options.js';
import { type HelixModuleOptions, type ResolvedOptions, resolveOptions } from './helix.options.js';
import { refuseSharing } from './helix.registrations.js';
import { HelixService } from './helix.service.js';
import { DEFAULT_INSTANCE, getHelixSessionToken, getHelixToken, internalToken } from './helix.tokens.js';
import { CircuitBreaker } from './policies/index.js';
import { MemoryReplayer, ReplayWorker } from './replay/index.js';
import { ConcurrentDualWriteStrategy, StickyReadStrategy } from './strategies/index.js';

/** Every provider of one instance. None does I/O before the application starts. */
export function createProviders(name: string, async: HelixModuleAsyncOptions): FactoryProvider[] {
  const options = internalToken('options', name);
  const clock = internalToken('clock', name);
  const driver = internalToken('driver', name);
  const logger = internalToken('logger', name);
  const sessions = internalToken('sessions', name);
  const statements = internalToken('statements', name);
  const context = internalToken('context', name);
  const instance = internalToken('instance', name);
  const lifecycle = internalToken('lifecycle', name);
  const calls = getHelixToken(HelixCallHost, name);
  const fromOptions = <T>(
    provide: InjectionToken<T>,
    useFactory: (resolved: ResolvedOptions, on: Clock) => T | undefined,
  ): FactoryProvider => ({ provide, useFactory, inject: [options, clock] });
  const fromSessions = (cluster: 'A' | 'B'): FactoryProvider => ({
    provide: getHelixSessionToken(cluster, name),
    useFactory: (all: CqlSessions) => all[cluster]?.client,
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
    {
      provide: logger,
      useFactory: () => new Logger(name === DEFAULT_INSTANCE ? 'Helix' : `Helix:${name}`),
    },
    { provide: sessions, useFactory: createSessions, inject: [options, driver, clock, logger] },
    { provide: statements, useFactory: createStatements, inject: [options, sessions, clock, logger] },
    { provide: context, useFactory: createContext, inject: [instance, sessions, statements] },
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
        log: InstanceLogger,
        all: CqlSessions,
        known: Statements,
        readStrategy: ReadStrategy,
        writeStrategy: WriteStrategy,
        failoverPolicy: FailoverPolicy,
        replayer: Replayer | undefined,
      ) =>
        new HelixInstance({
          name,
          kind: 'cql',
          options: resolved,
          clock: on,
          sessions: all,
          targets: replayTargets(all, known, on),
          describe: (envelope) => known.describe(envelope),
          readStrategy,
          writeStrategy,
          failoverPolicy,
          replayer,
          logger: log,
        }),
      inject: [
        options,
        clock,
        logger,
        sessions,
        statements,
        getHelixToken(ReadStrategy, name),
        getHelixToken(WriteStrategy, name),
        getHelixToken(FailoverPolicy, name),
        getHelixToken(Replayer, name),
      ],
    },
    {
      provide: lifecycle,
      useFactory: (made: HelixInstance, host: HelixCallHost, modules: ModulesContainer) =>
        new HelixLifecycle(made, () => {
          refuseSharing(made, modules);
          new HelixCallBinder(name, host, modules).bindAll();
        }),
      inject: [instance, calls, ModulesContainer],
    },
    {
      provide: calls,
      useFactory: (made: HelixInstance) => new HelixCallHost(made.contexts),
      inject: [instance],
    },
    fromInstance(getHelixToken(ReplayWorker, name), (made) => made.worker),
    {
      provide: getHelixToken(HelixCqlService, name),
      useFactory: (shared: CqlContext, owner: HelixLifecycle, host: HelixCallHost) =>
        new HelixCqlService(shared, () => owner.close(), host),
      inject: [context, lifecycle, calls],
    },
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
