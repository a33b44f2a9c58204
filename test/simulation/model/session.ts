import {
  type BlockedReason,
  type Clock,
  type ClusterId,
  ClusterSession,
  type SignOfLife,
} from '../../../lib/core/index.js';
import { signOfLifeIn } from '../../../lib/cql/driver/classify.js';
import { blockedReason } from '../../../lib/cql/driver/connect-failure.js';
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
  /** Changes more than one partition. */
  isOfMany = false;
  /** Of the server it was sent to. */
  life = 0;
  #isGivenUpInTime = false;

  constructor(
    private readonly connection: ModelConnection,
    readonly kind: RequestKind,
    readonly sentMs: number,
    readonly timeoutMs: number,
    /** What the server does; throws what it refuses with. */
    readonly perform: () => unknown,
    private readonly resolve: (result: unknown) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  answered(result: unknown, error: Error | undefined): void {
    if (!this.connection.end(this)) return;
    this.connection.onAnswer(this.kind, error !== undefined);
    if (error) this.reject(error);
    else this.resolve(result);
  }

  failed(error: Error): void {
    if (this.connection.end(this)) this.reject(error);
  }

  /** No answer will come in time: the driver gives up when its time is over. */
  giveUpInTime(): void {
    if (this.#isGivenUpInTime || this.isOver) return;
    this.#isGivenUpInTime = true;
    const { scheduler } = this.connection.server;
    const leftMs = this.sentMs + this.timeoutMs - scheduler.nowMs;
    scheduler.after(leftMs, 'io', () => this.failed(timedOut()));
  }
}

/** A driver that wants to know what becomes of its connection. */
export interface ConnectionListener {
  /** `isOfHost`: the server has gone, or what leads to it. */
  onLost(isOfHost: boolean): void;
  onBack(isOfHost: boolean): void;
  onSchemaChange(): void;
}

/** Who notes what a process learns of its clusters beside its calls. */
export interface PingObserver {
  onPinged(cluster: ClusterId, wasAnswered: boolean, tookMs?: number): void;
  /** Every host of a cluster is being asked. */
  onSuspected(cluster: ClusterId, limitMs: number, sign: Promise<SignOfLife>): void;
  onHostUp(cluster: ClusterId): void;
}

/** The connection that the driver of one process has to a cluster. */
export class ModelConnection {
  /** Since when it is there; infinite while it is not. */
  #sinceMs = Infinity;
  #wasMade = false;
  #wasHostLost = false;
  listener: ConnectionListener | undefined;
  /** Since when its driver has been found fit for use, if that has to be found out. */
  fitSinceMs = -Infinity;
  readonly #pending = new Set<ModelRequest>();
  #isClosed = false;

  constructor(
    readonly server: ModelCluster,
    private readonly isAlive: () => boolean,
    private readonly onRequest: (kind: RequestKind, cluster: ClusterId) => void,
    /** The server has answered, whatever it said. */
    private readonly onAnswered?: (kind: RequestKind, cluster: ClusterId, isError: boolean) => void,
  ) {
    server.connections.add(this);
  }

  get isThere(): boolean {
    return this.#sinceMs !== Infinity;
  }

  /** Tells one connection from the next; infinite while there is none. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Since when every request would have been answered; infinite while one might not be. */
  get usableSinceMs(): number {
    return Math.max(this.#sinceMs, this.server.wellSinceMs, this.fitSinceMs);
  }

  /** One attempt to make it, as the driver's `connect()`. */
  async make(): Promise<void> {
    await this.#shakeHands();
    this.#wasMade = true;
    this.#sinceMs = this.server.scheduler.nowMs;
  }

  /** Sends a request; the promise is the driver's. */
  request<T>(kind: RequestKind, timeoutMs: number, perform: () => T, isOfMany = false): Promise<T> {
    if (!this.isThere) return Promise.reject(noHostAvailable());
    return this.#send(kind, timeoutMs, perform, isOfMany);
  }

  onAnswer(kind: RequestKind, isError: boolean): void {
    this.onAnswered?.(kind, this.server.id, isError);
  }

  /** Resolves after so long, in a turn of its own. */
  takesTime(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.server.scheduler.after(ms, 'io', () => {
        if (this.isAlive()) resolve();
      });
    });
  }

  /** The process has closed it, or has gone, and with it everything that waited for an answer. */
  close(): void {
    this.#isClosed = true;
    this.server.connections.delete(this);
    this.#sinceMs = Infinity;
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
    const wasThere = this.isThere;
    this.#sinceMs = Infinity;
    if (wasThere) this.#wasHostLost = !maySome;
    if (wasThere) this.#tell((listener) => listener.onLost(!maySome));
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
    if (!this.#wasMade || this.isThere) return;
    const { scheduler, random } = this.server;
    scheduler.after(random.chance(0.7) ? random.int(0, 20) : random.int(0, 1_000), 'world', () => {
      if (this.isThere || this.#isClosed || !this.server.isReachable || !this.isAlive()) return;
      if (this.server.refusesCredentials) return;
      this.#sinceMs = scheduler.nowMs;
      this.#tell((listener) => listener.onBack(this.#wasHostLost));
      if (this.server.timeline.isOn) this.server.timeline.add(this.server.id, 'is connected again');
    });
  }

  /** In a turn of its own. */
  #tell(tell: (listener: ConnectionListener) => void): void {
    const { listener } = this;
    if (!listener) return;
    this.server.scheduler.after(0, 'io', () => {
      if (this.isAlive() && !this.#isClosed) tell(listener);
    });
  }

  #shakeHands(): Promise<void> {
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

  #send<T>(kind: RequestKind, timeoutMs: number, perform: () => T, isOfMany = false): Promise<T> {
    this.onRequest(kind, this.server.id);
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
      request.isOfMany = isOfMany;
      this.#pending.add(request);
      this.server.send(request);
    });
  }
}

/** What one process has of a cluster: the session that ships, with a model of a driver. */
export class ModelSession extends ClusterSession implements ConnectionListener {
  protected override readonly isOwnClient = true;

  constructor(
    readonly connection: ModelConnection,
    clock: Clock,
    private readonly observer?: PingObserver,
  ) {
    super(connection.server.id, connection.server.id, clock);
    connection.listener = this;
  }

  onLost(): void {
    // What was on it fails.
  }

  onBack(isOfHost: boolean): void {
    if (!isOfHost) return;
    this.observer?.onHostUp(this.cluster);
    this.hostUp();
  }

  onSchemaChange(): void {
    // Operations of the model have no types.
  }

  override get isConnected(): boolean {
    return this.connection.isThere;
  }

  protected override get address(): string {
    return this.name;
  }

  /** Shared by all who ask while it is under way, each with a time limit of its own. */
  override ping(timeoutMs: number): Promise<void> {
    const answer = super.ping(timeoutMs);
    answer.then(
      () => this.observer?.onPinged(this.cluster, true),
      () => this.observer?.onPinged(this.cluster, false),
    );
    return answer;
  }

  protected override connectOnce(): Promise<void> {
    return this.connection.make();
  }

  protected override askForLife(timeoutMs: number): Promise<unknown> {
    return this.connection.request('ping', timeoutMs, () => undefined);
  }

  /** Also when nobody waits for it any more. */
  protected override pingAnswered(startedMs: number): void {
    this.observer?.onPinged(this.cluster, true, this.clock.monotonicMs() - startedMs);
    super.pingAnswered(startedMs);
  }

  override askEveryHost(timeoutMs: number): Promise<SignOfLife> {
    const startedMs = this.clock.monotonicMs();
    const sign = this.connection
      .request('ping', timeoutMs, () => undefined)
      .then(
        () => 'answered' as const,
        (error: unknown) => signOfLifeIn(error) ?? 'notSent',
      );
    void sign.then((said) => {
      if (said === 'answered') this.pingAnswered(startedMs);
    });
    this.observer?.onSuspected(this.cluster, timeoutMs, sign);
    return sign;
  }

  protected override blockedBy(error: unknown): BlockedReason | undefined {
    return blockedReason(error);
  }

  protected override end(): Promise<void> {
    this.connection.close();
    return Promise.resolve();
  }
}
