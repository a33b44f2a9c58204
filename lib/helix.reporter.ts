import type { Subject } from 'rxjs';
import {
  type BlockedReason,
  type BreakerState,
  type Clock,
  type ClusterId,
  type ClusterSession,
  type ClusterState,
  type DeadLetterReason,
  type Envelope,
  errorLabel,
  type PerCluster,
  type QueueUsage,
  type ReplayContext,
  sideLabel,
  type Timer,
  type WriteOperation,
} from './core/index.js';
import type { Backlog, BacklogListener, BehindFigures, CaughtUp } from './helix.backlog.js';
import { BurstLog } from './helix.burst-log.js';
import type { HelixEvent } from './helix.events.js';

/** Where an instance says what happens to it; Nest's `Logger` is one. */
export interface InstanceLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
}

export interface ReporterParts {
  readonly sessions: PerCluster<ClusterSession>;
  readonly clock: Clock;
  readonly logger: InstanceLogger;
  readonly events: Subject<HelixEvent>;
  readonly describe: ReplayContext['describe'];
  /** The word for how a cluster is now. */
  readonly stateOf: (cluster: ClusterId) => ClusterState;
  /** `undefined`: nothing is ever queued. */
  readonly backlog: (listener: BacklogListener) => Backlog | undefined;
}

/** How often is looked at what nobody tells, while something is amiss. */
const LOOK_MS = 1_000;
/** A cluster that is behind for less is not worth a line. */
const WORTH_A_LINE_MS = 1_000;
/** Reads that go to the other cluster after so long without any are told anew. */
const READS_SETTLED_MS = 10_000;
/** Silence is worth a line so often: a cluster may fall silent again and again. */
const SUSPICION_LINE_MS = 10_000;

/** What has been said of a cluster. */
interface Said {
  /** `undefined` before the first connection. */
  isConnected: boolean | undefined;
  isAvoided: boolean;
  /** That it is behind, with figures. */
  isBehind: boolean;
  /** How many writes it has lost since it fell behind. */
  lost: number;
  /** When reads that were meant for it last went to the other one, in monotonic ms. */
  readsMovedMs: number | undefined;
  /** When it was last said to be silent, in monotonic ms. */
  suspectedMs: number;
  isSuspected: boolean;
  isDead: boolean;
  blockedBy: BlockedReason | undefined;
}

type Unstamped<Event> = Event extends unknown ? Omit<Event, 'at'> : never;

/**
 * Tells what happens to an instance: every happening once, as an event, and as a line for who reads the log in the
 * middle of the night. While all is well it costs nothing; while something is amiss it looks once a second.
 */
export class Reporter implements BacklogListener {
  /** What there may be thousands of. */
  readonly #bursts: BurstLog;
  readonly backlog: Backlog | undefined;
  readonly #said: Readonly<Record<ClusterId, Said>> = { A: nothingSaid(), B: nothingSaid() };
  readonly #clusters: readonly ClusterId[];
  #look: Timer | undefined;
  #isStarted = false;
  #isClosed = false;

  private readonly on: ReporterParts;

  constructor(parts: ReporterParts) {
    this.on = { ...parts, logger: quiet(parts.logger) };
    const { on } = this;
    this.#bursts = new BurstLog(on.clock, (message, stack) => on.logger.error(message, stack));
    this.#clusters = on.sessions.B ? ['A', 'B'] : ['A'];
    this.backlog = on.backlog(this);
  }

  /** The instance has connected as far as its start waits for. */
  onStarted(): void {
    this.#isStarted = true;
    const there = this.#clusters.filter((cluster) => this.on.sessions[cluster]?.hasConnected);
    if (there.length > 0) this.on.logger.log(`Connected to ${there.map(this.#whereabouts).join(' and ')}`);
  }

  /** A cluster was connected for the first time, after so many attempts that failed. */
  onConnected(cluster: ClusterId, failedAttempts = 0): void {
    const said = this.#said[cluster];
    said.blockedBy = undefined;
    said.isConnected = true;
    this.#tell({ type: 'connected', cluster });
    // Those that are there at the start are named in one line.
    if (!this.#isStarted) return;
    const after = failedAttempts > 0 ? ` after ${failedAttempts} failed attempt(s)` : '';
    this.on.logger.log(`${this.#whereabouts(cluster)} is connected${after}`);
  }

  /** A cluster cannot be used until somebody acts. Told again only if it is for something else; its line is said elsewhere. */
  onBlocked(cluster: ClusterId, reason: BlockedReason): void {
    const said = this.#said[cluster];
    if (said.blockedBy === reason) return;
    said.blockedBy = reason;
    this.#tell({ type: 'blocked', cluster, reason });
  }

  /** The driver believes something else of a host. */
  onHosts(cluster: ClusterId): void {
    this.#checkConnected(cluster, false);
    this.#keepLooking();
  }

  onSuspected(cluster: ClusterId): void {
    const said = this.#said[cluster];
    const nowMs = this.on.clock.monotonicMs();
    if (nowMs - said.suspectedMs >= SUSPICION_LINE_MS) {
      said.suspectedMs = nowMs;
      said.isSuspected = true;
      this.on.logger.warn(`${this.#label(cluster)} is silent: its hosts are being pinged`);
    }
    this.#tell({ type: 'suspected', cluster, verdict: 'silent' });
    this.#keepLooking();
  }

  onDead(cluster: ClusterId): void {
    this.#said[cluster].isDead = true;
    this.on.logger.warn(`${this.#label(cluster)} is taken for dead: none of its hosts answers a ping`);
    this.#tell({ type: 'suspected', cluster, verdict: 'dead' });
  }

  onAlive(cluster: ClusterId): void {
    const said = this.#said[cluster];
    if (said.isDead) this.on.logger.log(`${this.#label(cluster)} answers again`);
    else if (said.isSuspected) this.on.logger.log(`${this.#label(cluster)} is not taken for dead`);
    said.isSuspected = said.isDead = false;
    this.#tell({ type: 'suspected', cluster, verdict: 'alive' });
  }

  /** A ping that decides opens and closes it again and again: that is told, but it is no news for the log. */
  onBreaker(cluster: ClusterId, state: BreakerState): void {
    const said = this.#said[cluster];
    const isAvoided = state !== 'closed';
    if (isAvoided && !said.isAvoided) {
      this.on.logger.warn(`${this.#label(cluster)} is being avoided: its breaker is open`);
    } else if (!isAvoided && said.isAvoided) {
      this.#checkConnected(cluster, false);
      this.on.logger.log(
        `${this.#label(cluster)} is in use again: its breaker is closed${this.#toReplay(cluster)}`,
      );
    }
    said.isAvoided = isAvoided;
    this.#tell({ type: 'breaker', cluster, state });
    this.#keepLooking();
  }

  onDraining(cluster: ClusterId, draining: boolean, reason: string | undefined): void {
    const why = reason === undefined ? '' : ` (${reason})`;
    const what = draining ? `is draining${why}` : `does not drain any more${this.#toReplay(cluster)}`;
    this.on.logger.log(`${this.#label(cluster)} ${what}`);
    this.#keepLooking();
  }

  /** An accepted write that one side will never get. */
  onLost({ cluster, operationId }: Envelope, error: Error): void {
    const label = errorLabel(error);
    this.#said[cluster].lost++;
    this.#bursts.add(`A write is lost for ${this.#label(cluster)}`, `, operation ${operationId}: ${label}`);
    this.#tell({ type: 'lost', cluster, operationId, error: label });
  }

  onDivergence(
    cluster: ClusterId,
    error: Error,
    { id, masked }: Pick<WriteOperation, 'id' | 'masked'>,
  ): void {
    const label = errorLabel(error);
    this.#bursts.add(
      `divergence: ${this.#label(cluster)} refused (${label}) what the other applied, kept in the dead letters`,
      `: ${masked}`,
    );
    this.#tell({ type: 'divergence', cluster, operationId: id, error: label });
  }

  onDeadLetter(
    envelope: Envelope,
    reason: DeadLetterReason,
    error: Error | undefined,
    source: 'write' | 'replay',
  ): void {
    const { cluster, operationId } = envelope;
    const label = error && errorLabel(error);
    // A write that is refused is a divergence, which has a line of its own.
    if (source === 'replay' || reason !== 'rejected') {
      this.#bursts.add(
        `A write for ${this.#label(cluster)} is a dead letter (${reason}${label === undefined ? '' : `, ${label}`})`,
        `, operation ${operationId}: ${this.on.describe(envelope).statement}`,
      );
    }
    this.#tell({
      type: 'deadLetter',
      cluster,
      operationId,
      reason,
      ...(label !== undefined && { error: label }),
    });
  }

  onFellBehind(cluster: ClusterId): void {
    this.#said[cluster].lost = 0;
    this.#tell({ type: 'queued', cluster });
    this.#keepLooking();
  }

  onCaughtUp(cluster: ClusterId, figures: CaughtUp): void {
    const { replayed, deadLettered, tookMs, behindMs } = figures;
    const said = this.#said[cluster];
    // It has just taken writes, whether its driver has said anything or not.
    this.#checkConnected(cluster, false);
    if (said.isBehind || behindMs >= WORTH_A_LINE_MS) {
      const dead = deadLettered > 0 ? `, ${count(deadLettered)} more became dead letters` : '';
      const lost = said.lost > 0 ? `, ${count(said.lost)} more are lost` : '';
      this.on.logger.log(
        `${this.#label(cluster)} has caught up: ${writes(replayed)} in ${seconds(tookMs)}, ` +
          `${seconds(behindMs)} behind${dead}${lost}`,
      );
    }
    said.isBehind = false;
    this.#tell({ type: 'caughtUp', cluster, ...figures });
  }

  onNearlyFull({ held, capacity }: QueueUsage, lastsSeconds: number | undefined): void {
    this.on.logger.warn(
      `The replay queue is nearly full: ${count(held)} of ${count(capacity)} writes${until(lastsSeconds)}. ` +
        'What does not fit is lost for the cluster that misses it',
    );
    this.#tell({ type: 'queueNearlyFull', count: held, capacity, lastsSeconds });
  }

  onEased({ held, capacity }: QueueUsage): void {
    this.on.logger.log(`The replay queue has room again: ${count(held)} of ${count(capacity)} writes`);
  }

  onReadsMoved(from: ClusterId, to: ClusterId): void {
    const said = this.#said[from];
    const isNews = said.readsMovedMs === undefined;
    said.readsMovedMs = this.on.clock.monotonicMs();
    if (!isNews) return;
    this.on.logger.warn(
      `Reads go to ${this.#label(to)} instead of ${this.#label(from)}, which ${WHICH[this.on.stateOf(from)]}`,
    );
    this.#tell({ type: 'readsMoved', from, to });
    this.#keepLooking();
  }

  /** What a strategy, a policy, a callback or a listener of the user's own has thrown; the call went on without it. */
  onMistake(whose: string, error: Error): void {
    this.#bursts.add(`${whose} threw ${errorLabel(error)}`, '', error.stack);
  }

  onShutdown(): void {
    for (const cluster of this.#clusters) {
      const { queued } = this.#figures(cluster);
      if (queued > 0) {
        this.on.logger.log(`Shutting down with ${writes(queued)} still queued for ${this.#label(cluster)}`);
      }
    }
    this.#tell({ type: 'shutdown' });
  }

  /** Says what was only counted. */
  flush(): void {
    this.#bursts.flush();
  }

  /** The end: nobody is told anything any more, and nothing is looked at. */
  close(): void {
    this.#isClosed = true;
    this.#look?.cancel();
    this.#look = undefined;
    this.backlog?.close();
    this.flush();
    this.on.events.complete();
  }

  #keepLooking(): void {
    if (!this.#isClosed) this.#look ??= this.on.clock.setTimer(() => this.#lookNow(), LOOK_MS);
  }

  #lookNow(): void {
    this.#look = undefined;
    this.backlog?.tick();
    for (const cluster of this.#clusters) {
      this.#checkConnected(cluster, true);
      this.#checkBehind(cluster);
      this.#checkReads(cluster);
    }
    if (!this.#clusters.every((cluster) => this.#isAllSaid(cluster))) this.#keepLooking();
  }

  /** A connection that is lost for a moment is no news: only a look says that a cluster is gone. */
  #checkConnected(cluster: ClusterId, isLook: boolean): void {
    const { sessions, logger } = this.on;
    const session = sessions[cluster];
    const said = this.#said[cluster];
    if (!session || said.isConnected === undefined || said.isConnected === session.isConnected) return;
    if (said.isConnected && !isLook) return;
    said.isConnected = !said.isConnected;
    if (said.isConnected) logger.log(`${this.#label(cluster)} can be reached again`);
    else logger.warn(`${this.#label(cluster)} cannot be reached: its driver has no host left that is up`);
    this.#tell({ type: said.isConnected ? 'connected' : 'disconnected', cluster });
  }

  #checkBehind(cluster: ClusterId): void {
    const said = this.#said[cluster];
    if (said.isBehind || !this.backlog || this.backlog.behindMs(cluster) < WORTH_A_LINE_MS) return;
    said.isBehind = true;
    const { queued, perSecond, usage, lastsSeconds } = this.#figures(cluster);
    const rate =
      perSecond !== undefined && perSecond > 0 ? `, ${count(Math.round(perSecond))} more a second` : '';
    const queue = usage ? `; the queue holds ${count(usage.capacity)}${until(lastsSeconds)}` : '';
    this.on.logger.warn(`${this.#label(cluster)} is behind: ${writes(queued)} queued for it${rate}${queue}`);
  }

  #checkReads(cluster: ClusterId): void {
    const said = this.#said[cluster];
    if (said.readsMovedMs === undefined || !this.#isFine(cluster)) return;
    if (this.on.clock.monotonicMs() - said.readsMovedMs >= READS_SETTLED_MS) said.readsMovedMs = undefined;
  }

  #isFine(cluster: ClusterId): boolean {
    return this.on.stateOf(cluster) === 'well' && this.on.sessions[cluster]?.isConnected === true;
  }

  /** Whether there is nothing more to look for until somebody tells of something. */
  #isAllSaid(cluster: ClusterId): boolean {
    const { isConnected, readsMovedMs } = this.#said[cluster];
    if (this.backlog?.isBehind(cluster) || (readsMovedMs !== undefined && isConnected)) return false;
    // One that was never reached is told of by whoever connects it.
    return isConnected === undefined || (isConnected && this.#isFine(cluster));
  }

  #figures(cluster: ClusterId): BehindFigures {
    return this.backlog?.figures(cluster) ?? NO_FIGURES;
  }

  #toReplay(cluster: ClusterId): string {
    const { queued } = this.#figures(cluster);
    return queued > 0 ? `, ${writes(queued)} to replay` : '';
  }

  #tell(event: Unstamped<HelixEvent>): void {
    const { events, clock } = this.on;
    if (events.observed) events.next({ ...event, at: new Date(clock.nowMs()) });
  }

  #label(cluster: ClusterId): string {
    return sideLabel(this.on.sessions, cluster);
  }

  readonly #whereabouts = (cluster: ClusterId): string => this.on.sessions[cluster]?.whereabouts ?? cluster;
}

/** A logger of the user's own that throws must not fail the call that it was told of, nor the process. */
function quiet(logger: InstanceLogger): InstanceLogger {
  const safely = (log: () => void): void => {
    try {
      log();
    } catch {
      // There is nowhere left to say so.
    }
  };
  return {
    log: (message) => safely(() => logger.log(message)),
    warn: (message) => safely(() => logger.warn(message)),
    // Nest's Logger would print a stack that is undefined.
    error: (message, stack) =>
      safely(() => (stack === undefined ? logger.error(message) : logger.error(message, stack))),
  };
}

/** Why a cluster is not read from. */
const WHICH: Readonly<Record<ClusterState, string>> = {
  blocked: 'is blocked',
  connecting: 'has not been reached yet',
  draining: 'is draining',
  avoided: 'is being avoided',
  suspected: 'is silent',
  catchingUp: 'is behind or has failed',
  well: 'has failed',
};

const NO_FIGURES: BehindFigures = {
  queued: 0,
  perSecond: undefined,
  usage: undefined,
  lastsSeconds: undefined,
};

function nothingSaid(): Said {
  return {
    isConnected: undefined,
    isAvoided: false,
    isBehind: false,
    lost: 0,
    readsMovedMs: undefined,
    suspectedMs: Number.NEGATIVE_INFINITY,
    isSuspected: false,
    isDead: false,
    blockedBy: undefined,
  };
}

/** The same in every locale, as a log is read by programs too. */
const NUMBERS = new Intl.NumberFormat('en-US');
const count = (value: number): string => NUMBERS.format(value);
const writes = (value: number): string => `${count(value)} ${value === 1 ? 'write' : 'writes'}`;
const seconds = (ms: number): string => `${count(Math.round(ms / 100) / 10)} s`;
const until = (lastsSeconds: number | undefined): string =>
  lastsSeconds === undefined
    ? ''
    : `, full in about ${count(Math.max(1, Math.round(lastsSeconds)))} s at this rate`;
