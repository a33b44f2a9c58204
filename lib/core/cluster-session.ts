import type { Clock, Timer } from './clock.js';
import type { ClusterId } from './cluster.js';
import { NotConnectedError, toError } from './errors.js';
import type { SignOfLife } from './failure-detector.js';
import { type Side, sideLabel } from './sides.js';
import { withTimeout } from './time-limit.js';

/** Pause after the first failed attempt to connect, in ms; each one after that is twice as long, … */
const FIRST_RETRY_MS = 250;
/** … up to this. */
const LAST_RETRY_MS = 2_000;

/** Who wants to know of a cluster what is learnt beside the requests to it. */
export interface SessionListener {
  /** It has answered a ping, whoever had asked for it. */
  onPing(latencyMs: number): void;
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
  #isBlocked = false;
  #connecting: Promise<void> | undefined;
  #pinging: Promise<unknown> | undefined;
  #retryTimer: Timer | undefined;
  #isClosed = false;
  #listener: SessionListener | undefined;

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
   * longer than it is told.
   */
  abstract askEveryHost(timeoutMs: number): Promise<SignOfLife>;
  /** Whether that error of {@link connectOnce} will stay until somebody acts. */
  protected abstract isBlockedBy(error: unknown): boolean;
  /** Whether the driver's client was made here: a user's own is left alone when the session is closed. */
  protected abstract readonly isOwnClient: boolean;
  /** Ends the driver's client; no attempt to connect is under way. */
  protected abstract end(): Promise<void>;

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

  /** Connects, trying again until it succeeds or the session is closed. `onFailure` is told of each failure. */
  keepConnecting(onConnected: () => void, onFailure: (error: Error) => void, retryMs = FIRST_RETRY_MS): void {
    this.connect().then(onConnected, (error: unknown) => {
      if (this.#isClosed) return;
      onFailure(toError(error));
      const nextMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      this.#retryTimer = this.clock.setTimer(() => {
        if (!this.#isClosed) this.keepConnecting(onConnected, onFailure, nextMs);
      }, retryMs);
    });
  }

  /** What is to be said of a cluster that was never reached. */
  notConnected(): NotConnectedError {
    return new NotConnectedError(
      `Not connected to ${this.cluster} at ${this.address} yet`,
      this.#connectError && { cause: this.#connectError },
      this.#isBlocked,
    );
  }

  /**
   * Resolves when the cluster answers within the time; rejects at once if it was never reached. One ping at a time is
   * on its way, whoever asks: a cluster that is down or slow is not asked ten times over.
   */
  ping(timeoutMs: number): Promise<void> {
    if (!this.hasConnected) return Promise.reject(this.notConnected());
    this.#pinging ??= this.#ping(timeoutMs).finally(() => {
      this.#pinging = undefined;
    });
    return this.#answerWithin(timeoutMs, this.#pinging);
  }

  /** From now on that one is told; nobody else is. */
  listen(listener: SessionListener): void {
    this.#listener = listener;
  }

  protected hostUp(): void {
    this.#listener?.onHostUp();
  }

  /** Ends every connection and attempt to connect, unless the client is the user's own. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    if (!this.isOwnClient) return;
    // A driver's shutdown does nothing while it connects, and would leave the connection that comes of it.
    await this.#connecting?.catch(() => undefined);
    await this.end();
  }

  async #connect(): Promise<void> {
    try {
      await this.connectOnce();
      this.hasConnected = true;
      this.#connectError = undefined;
    } catch (cause) {
      this.#connectError = new Error(`Cannot connect to ${this.cluster} at ${this.address}`, { cause });
      this.#isBlocked = this.isBlockedBy(cause);
      throw this.#connectError;
    }
  }

  #ping(timeoutMs: number): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    const answer = this.askForLife(timeoutMs);
    // Also an answer that comes late: it comes now.
    answer.then(
      () => this.#listener?.onPing(this.clock.monotonicMs() - startedMs),
      () => undefined,
    );
    return this.#answerWithin(timeoutMs, answer);
  }

  async #answerWithin(timeoutMs: number, answer: Promise<unknown>): Promise<void> {
    await withTimeout(this.clock, timeoutMs, answer, `No answer to a ping within ${timeoutMs} ms`);
  }
}
