import type { OnApplicationBootstrap, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import {
  type ClusterSession,
  delay,
  type Envelope,
  errorLabel,
  HelixConfigError,
  NoAvailableClusterError,
  resolvesWithin,
  SessionClosedError,
  toError,
} from './core/index.js';
import { ConnectLog } from './helix.connect-log.js';
import type { HelixInstance } from './helix.instance.js';

/** How long `connect: 'any'` waits for a second cluster that neither answers nor fails. */
const SECOND_CLUSTER_MS = 2_000;
/** Share of the shutdown time that running calls may take; the rest is for the queue and the sessions. */
const FOREGROUND_SHARE = 0.6;
const DRAIN_SHARE = 0.9;
const FLUSH_SHARE = 0.95;

/** How a cluster comes to be connected. */
interface Connecting {
  readonly connected: Promise<void>;
  readonly firstFailure: Promise<void>;
  /** Rejects if it never will be. */
  readonly unusable: Promise<never>;
}

/** @internal The one owner of connecting, starting, draining and closing of an instance. */
export class HelixLifecycle implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  #closing: Promise<void> | undefined;

  constructor(
    private readonly instance: HelixInstance,
    /** What must hold or be done before anything is opened: when it throws, there is nothing to close. */
    private readonly beforeOpening: () => void,
  ) {}

  async onModuleInit(): Promise<void> {
    const { parts, sessions, logger } = this.instance;
    if (sessions.B && !parts.replayer) {
      logger.warn('Replay is off: what one cluster misses is lost for it (replayer: false)');
    }
    this.beforeOpening();
    try {
      this.instance.watchTopology();
      this.instance.openPolicy();
      await this.instance.openReplayer();
      await this.#connect();
      this.instance.reporter.onStarted();
    } catch (error) {
      // Nothing may go on connecting or pinging behind an application that did not start.
      const { shutdownTimeoutMs } = this.instance.options;
      this.instance.unwatchTopology();
      this.instance.closePolicy();
      await this.#closeReplayer(shutdownTimeoutMs);
      await this.#closeSessions(shutdownTimeoutMs);
      this.instance.reporter.close();
      throw error;
    }
  }

  onApplicationBootstrap(): void {
    this.instance.worker?.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Ends the instance within `shutdownTimeoutMs`; never rejects, and later calls share the first one's end. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close().catch((error: unknown) => {
      this.instance.logger.error(`Shutdown failed: ${errorLabel(toError(error))}`);
    }));
  }

  async #close(): Promise<void> {
    const { instance } = this;
    const { writePath, readPath, worker, replayer, clock } = instance;
    const totalMs = instance.options.shutdownTimeoutMs;
    const startMs = clock.monotonicMs();
    const leftUntil = (share: number): number =>
      Math.max(0, totalMs * share - (clock.monotonicMs() - startMs));

    instance.reporter.onShutdown();
    writePath.close();
    readPath.close();
    await this.#within(leftUntil(FOREGROUND_SHARE), Promise.all([writePath.settled(), readPath.settled()]));
    // Whatever is still running is decided as it stands: a write that is not confirmed goes to the queue.
    writePath.cutOff();
    readPath.cutOff();
    await this.#within(leftUntil(DRAIN_SHARE), writePath.settled());

    instance.closePolicy();
    if (worker && replayer?.durability === 'volatile') {
      const drainMs = leftUntil(DRAIN_SHARE);
      await this.#within(drainMs, worker.drain(drainMs));
    }
    if (worker) await this.#within(leftUntil(DRAIN_SHARE), worker.stop());
    instance.unwatchTopology();
    await this.#flushReplayer(leftUntil(FLUSH_SHARE));
    await this.#closeReplayer(leftUntil(1));
    await this.#closeSessions(leftUntil(1));
    instance.reporter.close();
  }

  async #connect(): Promise<void> {
    const { instance } = this;
    const { sessions, options } = instance;
    let isHopeless: (() => void) | undefined;
    const hopeless = new Promise<void>((resolve) => (isHopeless = resolve));
    const onFailure = (): void => {
      if (this.#isHopeless()) isHopeless?.();
    };
    const a = this.#keepConnecting(sessions.A, onFailure);
    const b = sessions.B && this.#keepConnecting(sessions.B, onFailure);
    if (options.connect === 'lazy') return;
    const enough = b ? this.#enough(a, b) : a.connected;
    // No other attempt would mend a driver or options that cannot be used.
    const unusable = Promise.race([a.unusable, ...(b ? [b.unusable] : [])]);
    await this.#within(options.connectTimeoutMs, Promise.race([enough, hopeless, unusable]));
    if (!this.#mayStart()) throw this.#cannotConnect();
  }

  #mayStart(): boolean {
    const { sessions, options } = this.instance;
    const all = [sessions.A, sessions.B].filter((session) => session !== undefined);
    const isUp = ({ hasConnected }: ClusterSession): boolean => hasConnected;
    return options.connect === 'any' ? all.some(isUp) : all.every(isUp);
  }

  /** Whether what `connect` asks for will not be there until somebody acts: waiting would only hide why. */
  #isHopeless(): boolean {
    const { sessions, options } = this.instance;
    const all = [sessions.A, sessions.B].filter((session) => session !== undefined);
    const isBlocked = ({ blocked }: ClusterSession): boolean => blocked !== undefined;
    return options.connect === 'both' ? all.some(isBlocked) : all.every(isBlocked);
  }

  #keepConnecting(session: ClusterSession, onFailure: () => void): Connecting {
    const { logger } = this.instance;
    const label = this.instance.label(session.cluster);
    let failed: (() => void) | undefined;
    const firstFailure = new Promise<void>((resolve) => (failed = resolve));
    let cannotBeUsed: ((error: HelixConfigError) => void) | undefined;
    const unusable = new Promise<never>((_, reject) => (cannotBeUsed = reject));
    // With `lazy` nobody waits for it.
    unusable.catch(() => undefined);
    const connected = new Promise<void>((resolve) => {
      const log = new ConnectLog(this.instance.clock, logger, label, session);
      session.keepConnecting(
        () => {
          this.instance.onConnected(session.cluster, log.connected());
          resolve();
        },
        (error) => {
          log.failed(error);
          if (session.blocked) this.instance.reporter.onBlocked(session.cluster, session.blocked);
          failed?.();
          onFailure();
          if (error.cause instanceof HelixConfigError) cannotBeUsed?.(error.cause);
        },
      );
    });
    return { connected, firstFailure, unusable };
  }

  async #enough(a: Connecting, b: Connecting): Promise<void> {
    if (this.instance.options.connect === 'both') {
      await Promise.all([a.connected, b.connected]);
      return;
    }
    const given = delay(this.instance.clock, SECOND_CLUSTER_MS);
    await Promise.race([a.connected, b.connected]);
    const settled = (side: Connecting): Promise<void> => Promise.race([side.connected, side.firstFailure]);
    await Promise.race([Promise.all([settled(a), settled(b)]), given]);
  }

  #cannotConnect(): NoAvailableClusterError {
    const { sessions, options, name } = this.instance;
    const missing = [sessions.A, sessions.B].filter((session) => session && !session.hasConnected);
    const reasons = missing.map(
      (session) => session?.connectError?.message ?? session?.notConnected().message,
    );
    const what = this.#isHopeless()
      ? `cannot start until somebody acts`
      : `could not connect within connectTimeoutMs = ${options.connectTimeoutMs} ms`;
    return new NoAvailableClusterError(
      `Helix "${name}" ${what} (connect: '${options.connect}'): ${reasons.join('; ')}`,
      { cause: missing[0]?.connectError },
    );
  }

  /** What a replayer holds only until its queue can be reached gets there while there is time. */
  async #flushReplayer(timeoutMs: number): Promise<void> {
    const { replayer, logger } = this.instance;
    if (!replayer) return;
    const left = new AbortController();
    try {
      const isFlushed = await this.#within(timeoutMs, replayer.flush(left.signal));
      if (!isFlushed) logger.warn('The replay queue could not be reached in time for what was spooled');
    } catch (error) {
      logger.error(`The replayer failed to flush: ${errorLabel(toError(error))}`);
    } finally {
      left.abort();
    }
  }

  /** Nothing that a replayer does may keep the sessions from being closed; what it hands back late is told late. */
  async #closeReplayer(timeoutMs: number): Promise<void> {
    const { logger } = this.instance;
    const close = async (): Promise<void> => {
      try {
        this.#reportLost(await this.instance.closeReplayer());
      } catch (error) {
        logger.error(`The replayer failed to close: ${errorLabel(toError(error))}`);
      }
    };
    if (!(await this.#within(timeoutMs, close()))) logger.error('The replayer did not close in time');
  }

  /** What the replayer held and cannot keep. */
  #reportLost(remaining: readonly Envelope[]): void {
    if (remaining.length === 0) return;
    const { logger } = this.instance;
    const reason = new SessionClosedError('The application ended before this write could be replayed');
    for (const envelope of remaining) this.instance.reportLost(envelope, reason);
    this.instance.reporter.flush();
    logger.error(`${remaining.length} write(s) were still held in memory at shutdown and are lost`);
  }

  async #closeSessions(timeoutMs: number): Promise<void> {
    const { A, B } = this.instance.sessions;
    await this.#within(timeoutMs, Promise.allSettled([A.close(), B?.close()]));
  }

  #within(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
    return resolvesWithin(this.instance.clock, timeoutMs, promise, true);
  }
}
