import { Logger } from '@nestjs/common';
import { Subject } from 'rxjs';
import {
  type BreakerState,
  CallContexts,
  type ClusterId,
  type Clock,
  type Envelope,
  errorLabel,
  Failover,
  type FailoverPolicy,
  MonotonicTimestamps,
  OperationIds,
  type PerCluster,
  ReadLag,
  ReadPath,
  type ReadStrategy,
  type Replayer,
  type ReplayTarget,
  sideLabel,
  toError,
  WritePath,
  type WriteStrategy,
} from './core/index.js';
import { type CqlContext, CqlReplayTarget, type CqlSession, Statements } from './cql/index.js';
import { type ResolvedOptions } from './helix.options.js';
import { DEFAULT_INSTANCE } from './helix.tokens.js';
import { GuardedTarget, ReplayWorker } from './replay/index.js';

export interface HelixInstanceParts {
  readonly name: string;
  readonly options: ResolvedOptions;
  readonly clock: Clock;
  readonly sessions: PerCluster<CqlSession>;
  readonly readStrategy: ReadStrategy;
  readonly writeStrategy: WriteStrategy;
  readonly failoverPolicy: FailoverPolicy;
  /** `undefined`: replay is off. */
  readonly replayer: Replayer | undefined;
}

/** Something that happened to an instance, for {@link HelixService.events$}. */
export interface HelixEvent {
  /** The breaker of a cluster has changed. */
  readonly type: 'breaker';
  /** The cluster it happened to. */
  readonly cluster: ClusterId;
  /** The state it is in now. */
  readonly state: BreakerState;
  /** When it happened. */
  readonly at: Date;
}

/** How long a policy's ping may take, in ms. */
const POLICY_PING_MS = 2_000;

/** At most one error line of a kind in so many ms. */
const LOG_INTERVAL_MS = 1_000;

/** Logs the first of many equal lines, then at most one a second with how many there were. */
class RateLimitedLog {
  #unlogged = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly log: (message: string) => void,
  ) {}

  add(message: string): void {
    this.#unlogged++;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    this.log(this.#unlogged === 1 ? message : `${message} (and ${this.#unlogged - 1} more like it)`);
    this.#loggedMs = nowMs;
    this.#unlogged = 0;
  }
}

/** @internal One pair of clusters, wired: what every provider of an instance is made from. */
export class HelixInstance {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly context: CqlContext;
  /** What decorated methods ask of the calls made inside them. */
  readonly contexts = new CallContexts();
  readonly failover: Failover;
  /** `undefined` in single-cluster mode, and when replay is off: nothing is ever queued. */
  readonly replayer: Replayer | undefined;
  readonly worker: ReplayWorker | undefined;
  readonly events = new Subject<HelixEvent>();
  #policyState: 'new' | 'open' | 'closed' = 'new';
  #isReplayerOpen = false;
  #lost = 0;
  readonly #lostLog: RateLimitedLog;
  readonly #divergenceLog: RateLimitedLog;

  constructor(readonly parts: HelixInstanceParts) {
    const { name, options, sessions } = parts;
    this.logger = new Logger(name === DEFAULT_INSTANCE ? 'Helix' : `Helix:${name}`);
    this.clock = parts.clock;
    this.#lostLog = new RateLimitedLog(this.clock, (message) => this.logger.error(message));
    this.#divergenceLog = new RateLimitedLog(this.clock, (message) => this.logger.error(message));
    this.replayer = sessions.B ? parts.replayer : undefined;
    this.failover = new Failover(parts.failoverPolicy, this.clock, (error) =>
      this.#reportStrategyError(error),
    );
    const statements = new Statements(sessions, this.clock, undefined, options.cql.sharedToken);
    this.worker = this.#makeWorker(statements);
    this.context = {
      namespace: name,
      sessions,
      statements,
      writePath: new WritePath({
        sides: sessions,
        clock: this.clock,
        strategy: parts.writeStrategy,
        failover: this.failover,
        replayer: this.replayer,
        maxInFlight: options.maxInFlight,
        writeTimeoutMs: options.writeTimeoutMs,
        enqueueTimeoutMs: options.enqueueTimeoutMs,
        whenBothFail: options.whenBothFail,
        onReplayLost: options.onReplayLost ?? (this.replayer?.durability === 'durable' ? 'throw' : 'report'),
        onDropped: (envelope, error) => this.reportLost(envelope, error),
        onStrategyError: (error) => this.#reportStrategyError(error),
        onDivergence: (cluster, error, operation) => {
          this.#divergenceLog.add(
            `divergence: ${sideLabel(sessions, cluster)} refused (${errorLabel(error)}) what the other applied, kept in the dead letters: ${operation.masked}`,
          );
        },
      }),
      readPath: new ReadPath({
        sides: sessions,
        clock: this.clock,
        strategy: parts.readStrategy,
        failover: this.failover,
        readTimeoutMs: options.readTimeoutMs,
        lag: this.replayer && new ReadLag(this.replayer, this.clock, options.maxReadLagMs),
        onStrategyError: (error) => this.#reportStrategyError(error),
      }),
      timestamps: options.timestampProvider ?? this.#defaultTimestamps(),
      ids: new OperationIds(),
      contexts: this.contexts,
      clock: this.clock,
      ack: options.ack,
      priority: options.priority,
      writeTimeoutMs: options.writeTimeoutMs,
      readTimeoutMs: options.readTimeoutMs,
    };
  }

  get name(): string {
    return this.parts.name;
  }

  get options(): ResolvedOptions {
    return this.parts.options;
  }

  get sessions(): PerCluster<CqlSession> {
    return this.parts.sessions;
  }

  /** Envelopes that could not be kept since the start. */
  get lost(): number {
    return this.#lost;
  }

  async openReplayer(): Promise<void> {
    const { statements } = this.context;
    await this.replayer?.open({
      namespace: this.name,
      clock: this.clock,
      describe: ({ statements: [first] }) => {
        if (!first) return { statement: '' };
        const { masked, table } = statements.get(first.text).facts;
        return table === undefined ? { statement: masked } : { statement: masked, table };
      },
    });
    this.#isReplayerOpen = true;
  }

  /** Ends the queue and answers with what it held and cannot keep. */
  async closeReplayer(): Promise<readonly Envelope[]> {
    // One that refused to open belongs to somebody else.
    if (!this.#isReplayerOpen) return [];
    this.#isReplayerOpen = false;
    return (await this.replayer?.close()) ?? [];
  }

  /** An accepted write that one side will never get: told to the application and logged, never silent. */
  reportLost(envelope: Envelope, error: Error): void {
    this.#lost++;
    this.#lostLog.add(
      `A write is lost for ${sideLabel(this.sessions, envelope.cluster)}, operation ${envelope.operationId}: ${errorLabel(error)}`,
    );
    void this.#tellDropped(envelope, error);
  }

  async #tellDropped(envelope: Envelope, error: Error): Promise<void> {
    try {
      // An async function is a valid callback too, and its rejection would end the process.
      await this.options.onReplayDropped(envelope, error);
    } catch (thrown) {
      this.logger.error(`onReplayDropped threw ${errorLabel(toError(thrown))}`);
    }
  }

  /** Label of a cluster for messages. */
  label(cluster: ClusterId): string {
    return sideLabel(this.sessions, cluster);
  }

  /** Starts what the policy does by itself. */
  openPolicy(): void {
    this.parts.failoverPolicy.open?.({
      clock: this.clock,
      ping: (cluster) =>
        this.sessions[cluster]?.ping(POLICY_PING_MS) ?? Promise.reject(new Error(`No cluster ${cluster}`)),
      onStateChange: (cluster, state) => this.#onBreakerChange(cluster, state),
    });
    this.#policyState = 'open';
  }

  /** The end: no ping any more, and the last replay may try a side whatever the policy says of it. */
  closePolicy(): void {
    // One that refused to open belongs to somebody else.
    const isOurs = this.#policyState === 'open';
    this.#policyState = 'closed';
    try {
      if (isOurs) this.parts.failoverPolicy.close?.();
    } catch (error) {
      this.#reportStrategyError(toError(error));
    }
  }

  #onBreakerChange(cluster: ClusterId, state: BreakerState): void {
    if (state === 'open') this.logger.warn(`${this.label(cluster)} is being avoided: its breaker is open`);
    if (state === 'closed') {
      this.logger.log(`${this.label(cluster)} is in use again: its breaker is closed`);
      this.worker?.probe(cluster);
    }
    this.events.next({ type: 'breaker', cluster, state, at: new Date(this.clock.nowMs()) });
  }

  #makeWorker(statements: Statements): ReplayWorker | undefined {
    const { options, sessions } = this.parts;
    if (!this.replayer || !sessions.B || options.replayWorker.mode === 'off') return undefined;
    const targetOn = (session: CqlSession): ReplayTarget =>
      new GuardedTarget(
        new CqlReplayTarget(session, statements, this.clock),
        () => this.#policyState === 'closed' || this.failover.isAvailable(session.cluster),
      );
    return new ReplayWorker({
      replayer: this.replayer,
      targets: { A: targetOn(sessions.A), B: targetOn(sessions.B) },
      namespace: this.name,
      clock: this.clock,
      options: options.replayWorker,
      log: (level, message) => this.logger[level](message),
    });
  }

  #defaultTimestamps(): CqlContext['timestamps'] {
    const timestamps = new MonotonicTimestamps(this.clock, (aheadMs) => {
      this.logger.warn(`Write times run ${aheadMs} ms ahead of the wall clock, which has stepped back`);
    });
    return (monotonicMs) => timestamps.next(monotonicMs);
  }

  #reportStrategyError(error: Error): void {
    this.logger.error(`A strategy or policy threw ${errorLabel(error)}`, error.stack);
  }
}
