import { AsyncLocalStorage } from 'node:async_hooks';
import { Subject, type Subscription } from 'rxjs';
import {
  type BreakerState,
  type CallContext,
  type CallContexts,
  checkedTimestamps,
  type ClusterId,
  type Clock,
  type ClusterSession,
  type ClusterState,
  clusterState,
  type Draining,
  type Envelope,
  Failover,
  FailureDetector,
  type FailoverPolicy,
  Invariants,
  type Liveness,
  MonotonicTimestamps,
  type PerCluster,
  ReadLag,
  ReadPath,
  type ReadStrategy,
  type ReplayContext,
  type Replayer,
  type ReplayTarget,
  Rounds,
  sideLabel,
  toError,
  type TopologyWatcher,
  type Watch,
  WritePath,
  type WriteStrategy,
} from './core/index.js';
import type { InstanceOptions } from './helix.options.js';
import { Backlog } from './helix.backlog.js';
import type { HelixEvent } from './helix.events.js';
import { type InstanceLogger, Reporter } from './helix.reporter.js';
import { ReplayWorker, WatchedReplayer } from './replay/index.js';

export type { InstanceLogger } from './helix.reporter.js';

export interface HelixInstanceParts {
  readonly name: string;
  /** What the clusters are, for status. */
  readonly kind: 'cql';
  readonly options: InstanceOptions;
  readonly clock: Clock;
  readonly sessions: PerCluster<ClusterSession>;
  /** The same clusters as replay sees them; left alone while the failover policy avoids them. */
  readonly targets: PerCluster<ReplayTarget>;
  /** Readable, masked description of an envelope, for dead letters. */
  readonly describe: ReplayContext['describe'];
  readonly readStrategy: ReadStrategy;
  readonly writeStrategy: WriteStrategy;
  readonly failoverPolicy: FailoverPolicy;
  /** `undefined`: replay is off. */
  readonly replayer: Replayer | undefined;
  /** Who drains. Default: nobody, ever. */
  readonly topology?: TopologyWatcher | undefined;
  readonly logger: InstanceLogger;
  /** Jitter of replay's delays, from 0 up to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** How long a ping for the policy or for the failure detector may take, in ms. */
const PING_MS = 2_000;

/** Since when a cluster drains, and why. */
export interface Drain {
  readonly since: Date;
  readonly reason?: string;
}

/** @internal One pair of clusters, wired: what every provider of an instance is made from. */
export class HelixInstance {
  readonly logger: InstanceLogger;
  readonly clock: Clock;
  readonly writePath: WritePath;
  readonly readPath: ReadPath;
  /** Write times, from a fresh reading of the monotonic clock if they need one. */
  readonly timestamps: (monotonicMs: number) => number;
  /** What decorated methods ask of the calls made inside them. */
  readonly contexts: CallContexts = new AsyncLocalStorage<CallContext>();
  readonly failover: Failover;
  /** Looks after what is under way to either cluster. */
  readonly watch: Watch;
  /** What must hold whatever happens; a breach is an error in the log. */
  readonly invariants = new Invariants((message) => this.logger.error(message));
  /** `undefined` in single-cluster mode, and when replay is off: nothing is ever queued. */
  readonly replayer: Replayer | undefined;
  readonly worker: ReplayWorker | undefined;
  readonly events = new Subject<HelixEvent>();
  /** Events and the log of what happens. */
  readonly reporter: Reporter;
  #isReplayerOpen = false;
  readonly #draining: Draining = { A: false, B: false };
  readonly #drains: Record<ClusterId, Drain | undefined> = { A: undefined, B: undefined };
  #topologyChanges: Subscription | undefined;
  #lost = 0;

  constructor(readonly parts: HelixInstanceParts) {
    const { options, sessions } = parts;
    this.logger = parts.logger;
    this.clock = parts.clock;
    this.replayer = sessions.B ? parts.replayer : undefined;
    this.reporter = this.#makeReporter();
    const watched = this.#watchedReplayer();
    this.failover = new Failover(parts.failoverPolicy, this.clock, (error) =>
      this.#reportStrategyError(error),
    );
    this.watch = this.#makeWatch();
    this.worker = this.#makeWorker(watched);
    this.timestamps = options.timestampProvider
      ? checkedTimestamps(options.timestampProvider)
      : this.#defaultTimestamps();
    this.writePath = new WritePath({
      sides: sessions,
      clock: this.clock,
      strategy: parts.writeStrategy,
      failover: this.failover,
      replayer: watched,
      draining: this.#draining,
      maxInFlight: options.maxInFlight,
      writeTimeoutMs: options.writeTimeoutMs,
      invariants: this.invariants,
      watch: this.watch,
      enqueueTimeoutMs: options.enqueueTimeoutMs,
      whenBothFail: options.whenBothFail,
      onReplayLost: options.onReplayLost ?? (this.replayer?.durability === 'durable' ? 'throw' : 'report'),
      onDropped: (envelope, error) => this.reportLost(envelope, error),
      onStrategyError: (error) => this.#reportStrategyError(error),
      onDivergence: (cluster, error, operation) => this.reporter.onDivergence(cluster, error, operation),
    });
    this.readPath = new ReadPath({
      sides: sessions,
      clock: this.clock,
      strategy: parts.readStrategy,
      failover: this.failover,
      draining: this.#draining,
      maxInFlight: options.maxReadsInFlight,
      readTimeoutMs: options.readTimeoutMs,
      invariants: this.invariants,
      watch: this.watch,
      lag: this.replayer && new ReadLag(this.replayer, this.clock, options.maxReadLagMs),
      onStrategyError: (error) => this.#reportStrategyError(error),
      onMoved: (from, to) => this.reporter.onReadsMoved(from, to),
    });
  }

  get name(): string {
    return this.parts.name;
  }

  get options(): InstanceOptions {
    return this.parts.options;
  }

  get sessions(): PerCluster<ClusterSession> {
    return this.parts.sessions;
  }

  /** Envelopes that could not be kept since the start. */
  get lost(): number {
    return this.#lost;
  }

  async openReplayer(): Promise<void> {
    const { describe } = this.parts;
    await this.replayer?.open({
      namespace: this.name,
      clock: this.clock,
      describe,
      onDropped: (envelope, error) => this.reportLost(envelope, error),
      invariants: this.invariants,
    });
    this.#isReplayerOpen = true;
    this.reporter.backlog?.onOpened();
  }

  /** Ends the queue and answers with what it held and cannot keep. */
  async closeReplayer(): Promise<readonly Envelope[]> {
    // One that refused to open belongs to somebody else.
    if (!this.#isReplayerOpen) return [];
    this.#isReplayerOpen = false;
    this.reporter.backlog?.close();
    return (await this.replayer?.close()) ?? [];
  }

  /** Follows from now on which clusters are draining. */
  watchTopology(): void {
    const { topology } = this.parts;
    // A single cluster has nobody to drain to.
    if (!topology || !this.sessions.B) return;
    this.#topologyChanges = topology.changes.subscribe(({ cluster, draining, reason }) =>
      this.#setDraining(cluster, draining, reason),
    );
    for (const cluster of ['A', 'B'] as const) {
      if (topology.isDraining(cluster)) this.#setDraining(cluster, true);
    }
  }

  /** Every cluster stays as it is. */
  unwatchTopology(): void {
    this.#topologyChanges?.unsubscribe();
  }

  /** Since when a cluster drains, as far as this process knows; `undefined` if it does not. */
  drainOf(cluster: ClusterId): Drain | undefined {
    return this.#drains[cluster];
  }

  /** How a cluster is, in one word. */
  stateOf(cluster: ClusterId, isBehind = this.reporter.backlog?.isBehind(cluster) ?? false): ClusterState {
    return clusterState({
      isBlocked: this.sessions[cluster]?.blocked !== undefined,
      hasConnected: this.sessions[cluster]?.hasConnected ?? false,
      isDraining: this.#draining[cluster],
      breaker: this.failover.state(cluster),
      isSuspected: (this.watch.detector?.liveness(cluster) ?? 'alive') !== 'alive',
      isBehind,
    });
  }

  /** A cluster was connected for the first time, after so many attempts that failed. */
  onConnected(cluster: ClusterId, failedAttempts = 0): void {
    this.worker?.probe(cluster);
    this.reporter.onConnected(cluster, failedAttempts);
  }

  #setDraining(cluster: ClusterId, draining: boolean, reason?: string): void {
    this.#draining[cluster] = draining;
    const since = this.#drains[cluster]?.since ?? new Date(this.clock.nowMs());
    this.#drains[cluster] = draining ? { since, ...(reason !== undefined && { reason }) } : undefined;
    if (draining) this.worker?.pause(cluster, 'draining');
    else this.worker?.resume(cluster, 'draining');
    this.reporter.onDraining(cluster, draining, reason);
  }

  /** An accepted write that one side will never get: told to the application and logged, never silent. */
  reportLost(envelope: Envelope, error: Error): void {
    this.#lost++;
    this.reporter.onLost(envelope, error);
    void this.#tellDropped(envelope, error);
  }

  async #tellDropped(envelope: Envelope, error: Error): Promise<void> {
    try {
      // An async function is a valid callback too, and its rejection would end the process.
      await this.options.onReplayDropped(envelope, error);
    } catch (thrown) {
      this.reporter.onMistake('onReplayDropped', toError(thrown));
    }
  }

  /** Label of a cluster for messages. */
  label(cluster: ClusterId): string {
    return sideLabel(this.sessions, cluster);
  }

  /** Starts what the policy does by itself. */
  openPolicy(): void {
    this.#listenToSessions();
    this.failover.open({
      clock: this.clock,
      random: this.parts.random ?? Math.random,
      ping: (cluster) => this.#ping(cluster),
      onStateChange: (cluster, state) => this.#onBreakerChange(cluster, state),
    });
  }

  #onBreakerChange(cluster: ClusterId, state: BreakerState): void {
    this.reporter.onBreaker(cluster, state);
    if (state === 'closed') this.worker?.probe(cluster);
  }

  /** The end: nobody is suspected any more, and no policy is asked. */
  closePolicy(): void {
    this.watch.rounds.end();
    this.watch.detector?.end();
    this.failover.close();
  }

  #listenToSessions(): void {
    for (const session of [this.sessions.A, this.sessions.B]) {
      if (!session) continue;
      const { cluster } = session;
      session.listen({
        onPing: (latencyMs) => {
          this.watch.detector?.heardPing(cluster, latencyMs);
          this.failover.recordPing(cluster, latencyMs);
        },
        onAnswer: () => this.watch.detector?.heardAnswer(cluster),
        onHostUp: () => {
          this.failover.hostUp(cluster);
          this.worker?.probe(cluster);
        },
      });
    }
  }

  #makeWatch(): Watch {
    const { sessions, writeStrategy, options } = this.parts;
    const rounds = new Rounds(this.clock, writeStrategy.stragglerMs);
    // What waits for the only cluster has nothing to be decided by.
    if (!sessions.B) return { rounds, detector: undefined };
    const detector = new FailureDetector(
      {
        clock: this.clock,
        suspectAfterMs: options.suspectAfterMs,
        ask: async (cluster, timeoutMs) => sessions[cluster]?.askEveryHost(timeoutMs) ?? 'notSent',
        ping: (cluster) => this.#ping(cluster),
        isAskedByPolicy: (cluster) => !this.failover.isAvailable(cluster),
        onChange: (cluster, liveness) => this.#onLiveness(cluster, liveness),
      },
      rounds,
    );
    return { rounds, detector };
  }

  #ping(cluster: ClusterId): Promise<void> {
    return this.sessions[cluster]?.ping(PING_MS) ?? Promise.reject(new Error(`No cluster ${cluster}`));
  }

  #onLiveness(cluster: ClusterId, liveness: Liveness): void {
    switch (liveness) {
      case 'suspected':
        this.reporter.onSuspected(cluster);
        return;
      case 'dead':
        this.reporter.onDead(cluster);
        this.failover.suspect(cluster);
        return;
      case 'alive':
        this.reporter.onAlive(cluster);
    }
  }

  #makeReporter(): Reporter {
    const { sessions, logger, describe } = this.parts;
    const { clock, events, replayer } = this;
    return new Reporter({
      sessions,
      clock,
      logger,
      events,
      describe,
      stateOf: (cluster) => this.stateOf(cluster),
      backlog: (listener) => replayer && new Backlog(replayer, clock, listener),
    });
  }

  /** What goes into the queue and comes out of it passes whoever reports on it. */
  #watchedReplayer(): Replayer | undefined {
    const { backlog } = this.reporter;
    return this.replayer && backlog && new WatchedReplayer(this.replayer, backlog);
  }

  #makeWorker(replayer: Replayer | undefined): ReplayWorker | undefined {
    const { options, targets, random } = this.parts;
    if (!replayer || options.replayWorker.mode === 'off') return undefined;
    return new ReplayWorker({
      replayer,
      label: (cluster) => this.label(cluster),
      targets,
      failover: this.failover,
      invariants: this.invariants,
      watch: this.watch,
      namespace: this.name,
      clock: this.clock,
      options: options.replayWorker,
      log: (level, message) => this.logger[level](message),
      ...(random && { random }),
    });
  }

  #defaultTimestamps(): HelixInstance['timestamps'] {
    const timestamps = new MonotonicTimestamps(this.clock, (aheadMs) => {
      this.logger.warn(`Write times run ${aheadMs} ms ahead of the wall clock, which has stepped back`);
    });
    return timestamps.next.bind(timestamps);
  }

  #reportStrategyError(error: Error): void {
    this.reporter.onMistake('A strategy or policy', error);
  }
}
