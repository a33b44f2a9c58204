import { type ClusterId, type ClusterSession, toError } from '../../../lib/core/index.js';
import type { ModelCluster } from './cluster.js';
import { connectionLost, noHostAvailable, timedOut } from './driver-errors.js';

export type RequestKind = 'write' | 'read' | 'ping' | 'prepare' | 'connect';

/** A driver that cannot connect says so after this time at the latest. */
const CONNECT_TIMEOUT_MS = 400;

/** A request on its way to a cluster, and the promise of whoever waits for its answer. */
export class ModelRequest {
  isOver = false;
  /** False when the connection was lost before it was written. */
  isOnItsWay = true;
  /** Of the server it was sent to. */
  life = 0;
  #isGivenUpInTime = false;

  constructor(
    private readonly session: ModelSession,
    readonly kind: RequestKind,
    readonly sentMs: number,
    readonly timeoutMs: number,
    /** What the server does; throws what it refuses with. */
    readonly perform: () => unknown,
    private readonly resolve: (result: unknown) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  answered(result: unknown, error: Error | undefined): void {
    if (!this.session.end(this)) return;
    if (error) this.reject(error);
    else this.resolve(result);
  }

  failed(error: Error): void {
    if (this.session.end(this)) this.reject(error);
  }

  /** No answer will come in time: the driver gives up when its time is over. */
  giveUpInTime(): void {
    if (this.#isGivenUpInTime || this.isOver) return;
    this.#isGivenUpInTime = true;
    const { scheduler } = this.session.server;
    const leftMs = this.sentMs + this.timeoutMs - scheduler.nowMs;
    scheduler.after(leftMs, 'io', () => this.failed(timedOut()));
  }
}

/** What one process has of a cluster: a driver with its connection. */
export class ModelSession implements ClusterSession {
  readonly cluster: ClusterId;
  readonly name: string;
  hasConnected = false;
  connectError: Error | undefined;
  /** Since when the connection is there; infinite while it is not. */
  #connectedSinceMs = Infinity;
  readonly #pending = new Set<ModelRequest>();
  #isClosed = false;
  #pinging: Promise<void> | undefined;

  constructor(
    readonly server: ModelCluster,
    private readonly isAlive: () => boolean,
    private readonly onRequest: (kind: RequestKind, cluster: ClusterId) => void,
    private readonly onPinged?: (cluster: ClusterId, wasAnswered: boolean) => void,
  ) {
    this.cluster = server.id;
    this.name = server.id;
    server.sessions.add(this);
  }

  get isConnected(): boolean {
    return this.#connectedSinceMs !== Infinity;
  }

  /** Since when every request would have been answered; infinite while one might not be. */
  get usableSinceMs(): number {
    return Math.max(this.#connectedSinceMs, this.server.wellSinceMs);
  }

  /** Sends a request; the promise is the driver's. */
  request<T>(kind: RequestKind, timeoutMs: number, perform: () => T): Promise<T> {
    if (!this.isConnected) return Promise.reject(noHostAvailable());
    return this.#send(kind, timeoutMs, perform);
  }

  /** Resolves after so long, in a turn of its own. */
  takesTime(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.server.scheduler.after(ms, 'io', () => {
        if (this.isAlive()) resolve();
      });
    });
  }

  /** Shared by all who ask while it is under way, each with a time limit of its own. */
  ping(timeoutMs: number): Promise<void> {
    const answer = this.#askForLife(timeoutMs);
    answer.then(
      () => this.onPinged?.(this.cluster, true),
      () => this.onPinged?.(this.cluster, false),
    );
    return answer;
  }

  keepConnecting(onConnected: () => void, onFailure: (error: Error) => void, retryMs = 250): void {
    const { scheduler } = this.server;
    this.#connect().then(
      () => {
        this.hasConnected = true;
        this.#connectedSinceMs = scheduler.nowMs;
        onConnected();
      },
      (error: unknown) => {
        if (this.#isClosed) return;
        this.connectError = toError(error);
        onFailure(this.connectError);
        scheduler.after(retryMs, 'io', () => {
          if (!this.#isClosed && this.isAlive()) {
            this.keepConnecting(onConnected, onFailure, Math.min(2 * retryMs, 2_000));
          }
        });
      },
    );
  }

  notConnected(): Error {
    return new NotConnected(`Not connected to ${this.cluster} yet`);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.forget();
    return Promise.resolve();
  }

  /** The process has gone, and with it everything that waited for an answer. */
  forget(): void {
    this.server.sessions.delete(this);
    this.#connectedSinceMs = Infinity;
    for (const request of this.#pending) request.isOver = true;
    this.#pending.clear();
  }

  /** True once: its answer is the caller's, and whatever comes later is nobody's. */
  end(request: ModelRequest): boolean {
    if (request.isOver) return false;
    request.isOver = true;
    this.#pending.delete(request);
    return this.isAlive();
  }

  /** The connection is gone, and with it every request on it. What was written already may still arrive. */
  lose(maySome: boolean): void {
    const { scheduler, random } = this.server;
    this.#connectedSinceMs = Infinity;
    const lost = [...this.#pending].filter(({ kind }) => kind !== 'connect');
    if (lost.length > 0) {
      for (const request of lost) request.isOnItsWay = maySome && random.chance(0.5);
      const delayMs = random.int(0, 2);
      scheduler.after(delayMs, 'io', () => {
        for (const request of lost) request.failed(connectionLost());
      });
    }
    if (this.server.isReachable) this.onReachable();
  }

  /** The cluster can be reached (again): the driver finds out at its next attempt. */
  onReachable(): void {
    if (!this.hasConnected || this.isConnected) return;
    const { scheduler, random } = this.server;
    scheduler.after(random.chance(0.7) ? random.int(0, 20) : random.int(0, 1_000), 'world', () => {
      if (this.isConnected || this.#isClosed || !this.server.isReachable || !this.isAlive()) return;
      this.#connectedSinceMs = scheduler.nowMs;
      if (this.server.timeline.isOn) this.server.timeline.add(this.cluster, 'is connected again');
    });
  }

  #askForLife(timeoutMs: number): Promise<void> {
    if (!this.hasConnected) return Promise.reject(this.notConnected());
    this.#pinging ??= this.request('ping', timeoutMs, () => undefined).finally(() => {
      this.#pinging = undefined;
    });
    return this.#answerWithin(timeoutMs, this.#pinging);
  }

  #answerWithin(timeoutMs: number, answer: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const limit = this.server.scheduler.after(timeoutMs, 'io', () => {
        if (this.isAlive()) reject(timedOut());
      });
      answer.then(resolve, reject).finally(() => {
        limit.isCancelled = true;
      });
    });
  }

  #connect(): Promise<void> {
    if (this.server.isDown) {
      const { scheduler, random } = this.server;
      return new Promise((_resolve, reject) => {
        scheduler.after(random.int(0, 3), 'io', () => {
          if (this.isAlive()) reject(noHostAvailable());
        });
      });
    }
    return this.#send('connect', CONNECT_TIMEOUT_MS, () => undefined);
  }

  #send<T>(kind: RequestKind, timeoutMs: number, perform: () => T): Promise<T> {
    this.onRequest(kind, this.cluster);
    return new Promise<T>((resolve, reject) => {
      const request = new ModelRequest(
        this,
        kind,
        this.server.scheduler.nowMs,
        timeoutMs,
        perform,
        resolve as (result: unknown) => void,
        reject,
      );
      this.#pending.add(request);
      this.server.send(request);
    });
  }
}

/** The process has never had a connection to the cluster. */
export class NotConnected extends Error {
  override readonly name = 'NotConnectedError';
}
