import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';

/** A TCP proxy in front of a server that plays a bad network. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** Connections of clients open now. */
  readonly connections: number;
  /** Connections of clients accepted ever, without those reset at once by `refuse`. */
  readonly accepted: number;
  /** A good network again. Connections that lost bytes to `blackHole` are reset. */
  pass(): void;
  /** Like `pass`, but bytes arrive so much later, each way, in their order. */
  latency(ms: number): void;
  /** Resets all connections now, and new ones as they come. */
  refuse(): void;
  /** Resets all connections once; new ones pass as before. */
  reset(): void;
  /** Connections stay open and new ones are accepted, but bytes vanish for good. */
  blackHole(): void;
  /** Shows every chunk that clients send, whatever becomes of it; the latest listener only. */
  watch(listener: (chunk: Buffer) => void): void;
  stop(): Promise<void>;
}

type Network = 'pass' | 'refuse' | 'blackHole';

export async function startFaultProxy(target: { host: string; port: number }): Promise<FaultProxy> {
  const proxy = new TcpFaultProxy(target);
  await proxy.listen();
  return proxy;
}

class TcpFaultProxy implements FaultProxy {
  readonly host = '127.0.0.1';
  readonly #target: { host: string; port: number };
  // A half-closed connection is a connection: `end` travels through the proxy like bytes.
  readonly #server: TcpServer = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
    this.#accept(client),
  );
  readonly #links = new Set<Link>();
  #network: Network = 'pass';
  #latencyMs = 0;
  #accepted = 0;
  #watch: ((chunk: Buffer) => void) | undefined;

  constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#links.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.host);
    await once(this.#server, 'listening');
  }

  pass(): void {
    this.latency(0);
  }

  latency(ms: number): void {
    this.#network = 'pass';
    this.#latencyMs = ms;
    for (const link of this.#links) if (link.lostBytes) link.reset();
  }

  refuse(): void {
    this.#network = 'refuse';
    this.reset();
  }

  reset(): void {
    for (const link of this.#links) link.reset();
  }

  blackHole(): void {
    this.#network = 'blackHole';
    for (const link of this.#links) link.swallowQueued();
  }

  watch(listener: (chunk: Buffer) => void): void {
    this.#watch = listener;
  }

  async stop(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#network === 'refuse') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    this.#accepted += 1;
    const { host, port } = this.#target;
    const link = new Link(client, connect({ host, port, allowHalfOpen: true, noDelay: true }), {
      swallows: () => this.#network === 'blackHole',
      latencyMs: () => this.#latencyMs,
      onSent: (chunk) => this.#watch?.(chunk),
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

interface Conditions {
  swallows(): boolean;
  latencyMs(): number;
  onSent(chunk: Buffer): void;
  closed(): void;
}

/** One client's connection and its counterpart at the server. */
class Link {
  lostBytes = false;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #conditions: Conditions;
  readonly #ways: Way[];

  constructor(client: Socket, server: Socket, conditions: Conditions) {
    this.#client = client;
    this.#server = server;
    this.#conditions = conditions;
    this.#ways = [this.#way(client, server), this.#way(server, client)];
    for (const side of [client, server]) {
      side.on('error', () => undefined); // `close` follows
      side.on('close', () => this.#closed(side));
    }
  }

  reset(): void {
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    if (!this.#server.destroyed) this.#server.resetAndDestroy();
    this.#end();
  }

  swallowQueued(): void {
    for (const way of this.#ways) if (way.clear()) this.lostBytes = true;
  }

  #way(from: Socket, to: Socket): Way {
    const way = new Way(from, to);
    const forward = (chunk: Buffer | undefined) => {
      if (chunk && from === this.#client) this.#conditions.onSent(chunk);
      if (!this.#conditions.swallows()) way.send(chunk, this.#conditions.latencyMs());
      else if (from === this.#client && chunk === undefined) this.#end();
      else this.lostBytes = true;
    };
    from.on('data', forward);
    from.on('end', () => forward(undefined));
    return way;
  }

  #closed(side: Socket): void {
    const other = side === this.#client ? this.#server : this.#client;
    if (other.destroyed) this.#end();
    // In a black hole the client does not learn that the server is gone either.
    else if (side === this.#server && this.#conditions.swallows()) this.lostBytes = true;
    // After an orderly end the last bytes may still be under way to the other side.
    else if (!side.readableEnded || side.errored) this.reset();
  }

  #end(): void {
    for (const way of this.#ways) way.clear();
    this.#client.destroy();
    this.#server.destroy();
    this.#conditions.closed();
  }
}

/** One direction: chunks leave in the order they came, each no earlier than it is due. */
class Way {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #queue: { chunk: Buffer | undefined; due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    to.on('drain', () => from.resume());
  }

  /** No chunk stands for the end of the stream. */
  send(chunk: Buffer | undefined, latencyMs: number): void {
    if (latencyMs === 0 && this.#queue.length === 0) {
      this.#put(chunk);
      return;
    }
    this.#queue.push({ chunk, due: performance.now() + latencyMs });
    this.#timer ??= setTimeout(() => this.#flush(), latencyMs);
  }

  /** Whether there was anything to forget. */
  clear(): boolean {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#queue.splice(0).length > 0;
  }

  #flush(): void {
    this.#timer = undefined;
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const waitMs = next.due - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), Math.ceil(waitMs));
        return;
      }
      this.#queue.shift();
      this.#put(next.chunk);
    }
  }

  #put(chunk: Buffer | undefined): void {
    if (chunk === undefined) this.#to.end();
    else if (!this.#to.write(chunk)) this.#from.pause();
  }
}
