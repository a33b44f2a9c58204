import type { Socket } from 'node:net';
import { type Clock, toError } from '../../core/index.js';
import { guardControlConnection } from './control-connection-guard.js';
import type {
  DriverClient,
  DriverHost,
  HostListener,
  HostMap,
  Loud,
  OpenConnection,
} from './driver-internals.js';

const HOST_EVENTS = ['add', 'remove'] as const;

type Subscription = readonly [event: (typeof HOST_EVENTS)[number], listener: HostListener];

/** A client is guarded once, however many instances share it. */
const GUARD = Symbol('guard of the connections');

interface GuardedClient extends DriverClient {
  [GUARD]: ClientGuard | undefined;
}

/**
 * Keeps a client of `cassandra-driver` 4.x from leaving sockets, timers and listeners behind.
 *
 * - `_initializeConnection` drops a connection whose topology could not be read, or lacks the data centre, and goes on
 *   or gives up without closing it.
 * - On a reconnect it makes the host anew that it has reached. The old one goes out of the map with its pool, which goes
 *   on connecting and being counted by a timer, and no shutdown reaches it any more.
 * - A socket that its peer closes before the connection is ready fails nothing: STARTUP waits for its time limit, and
 *   the heartbeat's timer is set again every time it is over, for good.
 * - What a peer answers that is not the protocol becomes an error event of a stream that nobody listens to, or an
 *   exception where nobody catches one: either ends the process.
 * - Each attempt to connect adds listeners of the load balancing policies to the hosts, and resolved addresses to those
 *   of the attempts before.
 *
 * Every connection of the client is known here by its first line of log, which it writes when it begins to connect.
 */
export class ClientGuard {
  /** False if a version of the driver lacks what this rests on. */
  readonly isComplete: boolean;
  /** Told when the client has found its cluster again: perhaps another one. */
  readonly onReconnected = new Set<() => void>();
  readonly #client: DriverClient;
  readonly #open = new Set<OpenConnection>();
  /** Out of the map, with calls that are still under way. */
  readonly #leaving = new Set<DriverHost>();
  #policyListeners: Subscription[] = [];
  #isEnded = false;

  private constructor(client: DriverClient, clock: Clock) {
    this.#client = client;
    const control = client.controlConnection;
    const isGuarded = guardControlConnection(control, clock, () => {
      void this.#closeStrays();
      if (!control?.connection || this.#isEnded) return;
      for (const each of this.onReconnected) each();
    });
    const isWatched = this.#watchConnections();
    this.isComplete = isGuarded && isWatched && this.#dropUnread() && this.#retireReplaced();
    this.#noteListeners();
  }

  static of(client: DriverClient, clock: Clock): ClientGuard {
    const guarded = client as GuardedClient;
    guarded[GUARD] ??= new ClientGuard(client, clock);
    return guarded[GUARD];
  }

  /** Whether the connection that the client asks about its cluster is one that was seen to come. */
  get seesConnections(): boolean {
    const connection = this.#client.controlConnection?.connection;
    return !connection || this.#open.has(connection as OpenConnection);
  }

  /** After an attempt to connect that has failed: nothing of it is left. */
  async cleanUp(): Promise<void> {
    const { connected, connecting, controlConnection, hosts } = this.#client;
    // Somebody else is using the client, or tries to.
    if (connected || connecting) return;
    this.#drop();
    await this.#closeStrays();
    for (const [event, listener] of this.#policyListeners.splice(0)) hosts?.removeListener?.(event, listener);
    controlConnection?._contactPoints?.clear();
    controlConnection?._resolvedContactPoints?.clear();
  }

  /**
   * Notes what has come on each connection until now. Called later, the answer closes those on which nothing has come
   * since, although something is waited for: whoever sits between may have forgotten them, while new ones pass.
   */
  noteSilence(): () => void {
    const noted = [...this.#open].map((connection) => {
      const { netClient } = connection;
      return { connection, netClient, bytesRead: netClient?.bytesRead };
    });
    return () => {
      for (const { connection, netClient, bytesRead } of noted) {
        const isSame = this.#open.has(connection) && connection.netClient === netClient;
        const isSilent = isSame && connection.connected && netClient?.bytesRead === bytesRead;
        if (isSilent && connection.getInFlight() > 0)
          netClient?.destroy(new Error('Nothing has come for long'));
      }
    };
  }

  /** Closes everything now and whatever is opened later: the client is not used any more. */
  end(): void {
    this.#isEnded = true;
    // A client's own shutdown does nothing before it has connected.
    this.#client.controlConnection?.shutdown?.();
    for (const connection of this.#open) abandon(connection);
    for (const host of this.#leaving) void host.shutdown?.(false);
  }

  #watchConnections(): boolean {
    const { options } = this.#client;
    const emit = options.logEmitter;
    if (typeof emit !== 'function') return false;
    const onConnection = (connection: OpenConnection): void => this.#watch(connection);
    options.logEmitter = function (this: Loud, ...args: unknown[]): unknown {
      // From now on it logs past this: there is a line for every request.
      this.logEmitter = emit;
      if (isConnection(this)) onConnection(this);
      return emit.apply(this, args);
    };
    return true;
  }

  #watch(connection: OpenConnection): void {
    this.#open.add(connection);
    // It is about to make its socket. One that is never connected ends by itself.
    queueMicrotask(() => {
      const { netClient } = connection;
      netClient?.once('close', () => this.#onClosed(connection, netClient));
      if (this.#isEnded) abandon(connection);
    });
    const free = connection.freeStreamId.bind(connection);
    connection.freeStreamId = (header) => {
      try {
        free(header);
      } catch (error) {
        connection.netClient?.destroy(toError(error));
      }
    };
    const bind = connection.bindSocketListeners.bind(connection);
    connection.bindSocketListeners = () => {
      bind();
      this.#onConnected(connection);
    };
  }

  #onConnected(connection: OpenConnection): void {
    const { netClient, protocol, parser } = connection;
    this.#open.add(connection);
    // After the driver's own listener, which does nothing before the connection is ready.
    netClient?.once('close', () => {
      this.#onClosed(connection, netClient);
      if (connection.netClient === netClient) quieten(connection);
    });
    for (const stream of [protocol, parser]) stream?.on('error', (error) => netClient?.destroy(error));
    if (this.#isEnded) abandon(connection);
  }

  #onClosed(connection: OpenConnection, socket: Socket): void {
    if (connection.netClient === socket) this.#open.delete(connection);
  }

  /** Closes what `_initializeConnection` is about to forget. */
  #dropUnread(): boolean {
    const control = this.#client.controlConnection;
    const { _initializeConnection: initialize, _borrowFirstConnection: borrow } = control ?? {};
    if (!control || typeof initialize !== 'function' || typeof borrow !== 'function') return false;
    control._borrowFirstConnection = (contactPoints) => {
      this.#drop();
      return borrow.call(control, contactPoints);
    };
    control._initializeConnection = async () => {
      // On a reconnect `_refresh` sets them again: two of each would start two refreshes at the next loss.
      if (this.#client.connected) control._setHealthListeners = () => undefined;
      try {
        await initialize.call(control);
      } catch (error) {
        this.#drop();
        throw error;
      } finally {
        delete control._setHealthListeners;
      }
      this.#fillPool(control.host);
    };
    return true;
  }

  /** The host was made anew with the one connection; it may be one that should have several. */
  #fillPool(host: DriverHost | null | undefined): void {
    if (!host || !this.#client.connected) return;
    this.#client.profileManager?.getDistance(host);
    host.initializePool?.();
  }

  #drop(): void {
    const control = this.#client.controlConnection;
    const connection = control?.connection as OpenConnection | null | undefined;
    if (!control || !connection || this.#isPooled(connection)) return;
    control.connection = null;
    connection.close();
  }

  #retireReplaced(): boolean {
    const { hosts } = this.#client;
    if (typeof hosts?.on !== 'function' || typeof hosts.get !== 'function') return false;
    hosts.on('add', (host) => {
      if (this.#isEnded) setImmediate(() => void host.shutdown?.(false));
    });
    hosts.on('remove', (host) => {
      this.#leaving.add(host);
      // The driver itself shuts down those that have left its cluster, and all of them after a failed start.
      setImmediate(() => this.#retire(host, hosts));
    });
    return true;
  }

  #retire(host: DriverHost, hosts: HostMap): void {
    const { pool } = host;
    const left = (): boolean => this.#leaving.delete(host);
    if (!pool || hosts.get?.(host.address) === host || pool.isClosing()) {
      left();
      return;
    }
    if (pool.connections.length === 0 || this.#isEnded) {
      void host.shutdown?.(false);
      left();
      return;
    }
    pool.once('close', () => {
      // A pool that has drained could be filled again.
      void host.shutdown?.(false);
      left();
    });
    void host.shutdown?.(true);
  }

  #noteListeners(): void {
    const { hosts, profileManager } = this.#client;
    const init = profileManager?.init;
    if (!profileManager || typeof init !== 'function' || typeof hosts?.listeners !== 'function') return;
    const all = (): Subscription[] =>
      HOST_EVENTS.flatMap((event) =>
        (hosts.listeners?.(event) ?? []).map((listener): Subscription => [event, listener]),
      );
    profileManager.init = async (...args) => {
      const before = new Set(all().map(([, listener]) => listener));
      try {
        return await init.apply(profileManager, args);
      } finally {
        this.#policyListeners = all().filter(([, listener]) => !before.has(listener));
      }
    };
  }

  /**
   * Closes what belongs to nobody, looked at twice: one that has just got ready is a pool's only a moment later. One
   * that is being opened is never touched.
   */
  async #closeStrays(): Promise<void> {
    const strays = this.#strays();
    if (strays.length === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
    const still = new Set(this.#strays());
    for (const connection of strays) if (still.has(connection)) connection.close();
  }

  #strays(): OpenConnection[] {
    const current: unknown = this.#client.controlConnection?.connection;
    return [...this.#open].filter(
      (each) => each.connected && !each.emitDrain && each !== current && !this.#isPooled(each),
    );
  }

  #isPooled(connection: OpenConnection): boolean {
    const hosts = [...(this.#client.hosts?.values() ?? []), ...this.#leaving];
    return hosts.some(({ pool }) => pool?.connections.includes(connection));
  }
}

function isConnection(loud: Loud): loud is OpenConnection {
  return typeof (loud as Partial<OpenConnection>).bindSocketListeners === 'function';
}

/** A request that is still to be written sets the timer once more. */
function quieten(connection: OpenConnection): void {
  const setIdleTimeout = connection._setIdleTimeout.bind(connection);
  connection._setIdleTimeout = () => {
    if (!connection.netClient?.destroyed) setIdleTimeout();
  };
  connection.clearAndInvokePending();
}

function abandon(connection: OpenConnection): void {
  if (connection.connected) connection.close();
  else connection.netClient?.destroy(new Error('The client has been closed'));
}
