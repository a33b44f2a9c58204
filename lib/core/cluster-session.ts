import type { Clock, Timer } from './clock.js';
import type { ClusterId } from './cluster.js';
import { type ClusterIdentity, haveClonedNodes, shareNode } from './cluster-identity.js';
import { HelixConfigError, NotConnectedError, toError } from './errors.js';
import type { SignOfLife } from './failure-detector.js';
import { errorLabel, type Side, sideLabel } from './sides.js';
import { withTimeout } from './time-limit.js';

/** Pause after the first failed attempt to connect, in ms; each one after that is twice as long, … */
const FIRST_RETRY_MS = 250;
/** … up to this, … */
const LAST_RETRY_MS = 2_000;
/** … or to this while somebody has to act. */
const LAST_BLOCKED_RETRY_MS = 30_000;
/** An answered ping makes sure again after so long that it is its own cluster which answers. */
const IDENTITY_MS = 30_000;

/** Why a cluster cannot be used until somebody acts. */
export type BlockedReason =
  /** The configured local data centre is none of its own. */
  | 'wrongDataCenter'
  /** Credentials are wrong or missing. */
  | 'unauthorized'
  /** The configured keyspace is not there. */
  | 'noKeyspace'
  /** It is the other cluster of the pair. */
  | 'sameCluster';

interface ConnectListener {
  readonly onConnected: () => void;
  readonly onFailure: (error: Error) => void;
}

/** Who wants to know of a cluster what is learnt beside the requests to it. */
export interface SessionListener {
  /** It has answered a ping, whoever had asked for it. */
  onPing(latencyMs: number): void;
  /** It has answered what was asked before a request could be sent to it. */
  onAnswer(): void;
  /** Its driver says that a host can be reached again. */
  onHostUp(): void;
}

/**
 * One cluster as an instance needs it, whatever its driver is: connected in the background, asked for a sign of life,
 * closed. What its driver does for that is the subclass's.
 */
export abstract class ClusterSession implements Side {
  /** True once the first connection was made. A field, not a getter: it is read for every write. */
  hasConnected = false;
  #connectError: Error | undefined;
  #blocked: BlockedReason | undefined;
  #identity: ClusterIdentity | undefined;
  #identifiedMs = Number.NEGATIVE_INFINITY;
  #other: ClusterSession | undefined;
  #warn: (message: string) => void = () => undefined;
  #listener: ConnectListener | undefined;
  #connecting: Promise<void> | undefined;
  #pinging: Promise<unknown> | undefined;
  #retryTimer: Timer | undefined;
  #isClosed = false;
  #signs: SessionListener | undefined;
  /** Ends the ping under way, whichever was answered. */
  #onAnyAnswer: (() => void) | undefined;

  constructor(
    /** The side it is. */
    readonly cluster: ClusterId,
    readonly name: string,
    protected readonly clock: Clock,
  ) {}

  /** Whether the driver believes that the cluster can be reached now. */
  abstract get isConnected(): boolean;
  /** Where the cluster is looked for, for messages. */
  protected abstract get address(): string;
  /** One attempt of the driver; rejects with the driver's own error. */
  protected abstract connectOnce(): Promise<void>;
  /** A request that every cluster answers that is there. The driver may take longer than it is told. */
  protected abstract askForLife(timeoutMs: number): Promise<unknown>;
  /**
   * Asks every host that can be asked; the first answer, whatever it says, is enough. Rejects never, and takes no
   * longer than it is told. Each answer, also a late one, is {@link pingAnswered}.
   */
  abstract askEveryHost(timeoutMs: number): Promise<SignOfLife>;
  /** Why that error of {@link connectOnce} will stay until somebody acts; `undefined`: it may go by itself. */
  protected abstract blockedBy(error: unknown): BlockedReason | undefined;
  /** Whether the driver's client was made here: a user's own is left alone when the session is closed. */
  protected abstract readonly isOwnClient: boolean;
  /** Ends the driver's client; no attempt to connect is under way. */
  protected abstract end(): Promise<void>;

  /** What the driver says of that error of {@link connectOnce}: nothing of the application is in it yet. */
  protected reasonOf(error: unknown): string {
    return errorLabel(toError(error));
  }

  /** Asks the cluster which nodes it is made of. */
  protected identify(): Promise<ClusterIdentity | undefined> {
    return Promise.resolve(undefined);
  }

  /** Makes an attempt to connect that is under way fail soon. */
  protected abandon(): void {
    // Nothing to be done by default: it ends at its own time limits.
  }

  /** Why it cannot be used until somebody acts. */
  get blocked(): BlockedReason | undefined {
    return this.#blocked;
  }

  /** Which nodes it is made of; known only if it has to differ from another one. */
  get identity(): ClusterIdentity | undefined {
    return this.#identity;
  }

  /** From now on neither of the two is used while it turns out to be the other. */
  mustDifferFrom(other: ClusterSession, warn: (message: string) => void): void {
    this.#warn = other.#warn = warn;
    this.#other = other;
    other.#other = this;
  }

  /** Why the last attempt to connect failed, the driver's own error as its `cause`; names the hosts. */
  get connectError(): Error | undefined {
    return this.#connectError;
  }

  /** Its label and where it is looked for, for the log: an address is no secret there. */
  get whereabouts(): string {
    return `${sideLabel({ A: this, B: this }, this.cluster)} at ${this.address}`;
  }

  /** Connects once. Calls share a running attempt. */
  connect(): Promise<void> {
    if (this.hasConnected) return Promise.resolve();
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /**
   * Connects, trying again until it succeeds or the session is closed. `onFailure` is told of each failure. Both may be
   * told once more, if it turns out later that it is the other cluster which answers.
   */
  keepConnecting(onConnected: () => void, onFailure: (error: Error) => void): void {
    this.#listener = { onConnected, onFailure };
    this.#attempt(FIRST_RETRY_MS);
  }

  /** What is to be said of a cluster that was never reached. */
  notConnected(): NotConnectedError {
    return new NotConnectedError(
      `Not connected to ${this.cluster} at ${this.address} yet`,
      this.#connectError && { cause: this.#connectError },
      this.#blocked !== undefined,
    );
  }

  /**
   * Resolves when the cluster answers within the time; rejects at once if it was never reached. One ping at a time is
   * on its way, whoever asks: a cluster that is down or slow is not asked ten times over.
   */
  ping(timeoutMs: number): Promise<void> {
    if (!this.hasConnected) return Promise.reject(this.notConnected());
    this.#pinging ??= this.#ping(timeoutMs)
      .then(() => {
        if (this.clock.monotonicMs() - this.#identifiedMs >= IDENTITY_MS) void this.checkIdentity();
      })
      .finally(() => {
        this.#pinging = undefined;
      });
    return this.#answerWithin(timeoutMs, this.#pinging);
  }

  /** From now on that one is told; nobody else is. */
  listen(listener: SessionListener): void {
    this.#signs = listener;
  }

  protected hostUp(): void {
    this.#signs?.onHostUp();
  }

  protected answered(): void {
    this.#signs?.onAnswer();
  }

  /** A ping was answered that was sent at that moment, in monotonic ms; in time, or late. */
  protected pingAnswered(startedMs: number): void {
    // Whoever waits for another one, which may have been lost, has got what it asked for.
    this.#onAnyAnswer?.();
    this.#signs?.onPing(this.clock.monotonicMs() - startedMs);
  }

  /** Ends every connection and attempt to connect, unless the client is the user's own. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    if (!this.isOwnClient) return;
    if (!this.hasConnected) this.abandon();
    // A driver's shutdown does nothing while it connects, and would leave the connection that comes of it.
    await this.#connecting?.catch(() => undefined);
    await this.end();
  }

  /** It may be another cluster that answers than before: if it is the other one, it is not used any more. */
  protected async checkIdentity(): Promise<void> {
    if (!this.#other || !this.hasConnected) return;
    try {
      await this.#identifyAnew();
    } catch (error) {
      if (this.#blocked || this.#isClosed) return;
      this.hasConnected = false;
      this.#failed(this.#noteFailure(error), FIRST_RETRY_MS);
    }
  }

  #attempt(retryMs: number): void {
    this.connect().then(
      () => this.#listener?.onConnected(),
      (error: unknown) => this.#failed(toError(error), retryMs),
    );
  }

  #failed(error: Error, retryMs: number): void {
    if (this.#isClosed) return;
    this.#listener?.onFailure(error);
    const pauseMs = Math.min(retryMs, this.#blocked ? LAST_BLOCKED_RETRY_MS : LAST_RETRY_MS);
    this.#retryTimer = this.clock.setTimer(() => {
      if (!this.#isClosed) this.#attempt(pauseMs * 2);
    }, pauseMs);
  }

  async #connect(): Promise<void> {
    try {
      await this.connectOnce();
      await this.#identifyAnew();
      this.hasConnected = true;
      this.#connectError = undefined;
      this.#blocked = undefined;
    } catch (cause) {
      throw this.#noteFailure(cause);
    }
  }

  #noteFailure(cause: unknown): Error {
    const isSame = cause instanceof SameClusterError;
    const reason = isSame ? cause.message : this.reasonOf(cause);
    this.#connectError = new Error(`Cannot connect to ${this.cluster} at ${this.address}: ${reason}`, {
      cause,
    });
    this.#blocked = isSame ? 'sameCluster' : this.blockedBy(cause);
    return this.#connectError;
  }

  /** @throws SameClusterError the other one answers */
  async #identifyAnew(): Promise<void> {
    const other = this.#other;
    if (!other) return;
    const known = this.#identity;
    this.#identity = await this.identify().catch(() => undefined);
    this.#identifiedMs = this.clock.monotonicMs();
    // The one that was found first stays in use.
    if (!this.#identity || !other.#identity || other.#blocked === 'sameCluster') return;
    if (shareNode(this.#identity, other.#identity)) {
      throw new SameClusterError(
        `cql.${this.cluster} and cql.${other.cluster} lead to one cluster, so nothing would be written twice. Give cql.${this.cluster} another one, or set cql.allowSameCluster`,
      );
    }
    if (!known && haveClonedNodes(this.#identity, other.#identity)) {
      this.#warn(
        'A and B have nodes with the same host_id at different addresses: one seems to be made of copies of the disks of the other',
      );
    }
  }

  #ping(timeoutMs: number): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    const answer = this.askForLife(timeoutMs);
    // Also an answer that comes late: it comes now.
    answer.then(
      () => this.pingAnswered(startedMs),
      () => undefined,
    );
    const anyAnswer = new Promise<void>((resolve) => (this.#onAnyAnswer = resolve));
    return this.#answerWithin(timeoutMs, Promise.race([answer, anyAnswer]));
  }

  async #answerWithin(timeoutMs: number, answer: Promise<unknown>): Promise<void> {
    await withTimeout(this.clock, timeoutMs, answer, `No answer to a ping within ${timeoutMs} ms`);
  }
}

/** Both sides of the pair lead to one cluster. */
class SameClusterError extends HelixConfigError {}
