import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import {
  BodyReader,
  encodeFrame,
  errorAnswer,
  type Frame,
  FrameReader,
  opcodes,
  resultKinds,
} from './cql-frames.js';

/**
 * A proxy in front of a Cassandra node that knows what is asked: it plays a server that answers some statements
 * and not others. It understands protocol 4 without compression, as the driver speaks it. Put before a fault proxy,
 * it has that one's latency, too.
 */
export interface CqlProxy {
  readonly host: string;
  readonly port: number;
  /** QUERY, PREPARE and EXECUTE of such texts are carried out, and their answers vanish. */
  swallow(texts: RegExp): void;
  /** Their answers come so much later, while others pass: what a slow query looks like. */
  delay(texts: RegExp, ms: number): void;
  /** QUERY, PREPARE and EXECUTE of such texts are answered with this error, and the node never hears of them. */
  refuse(texts: RegExp, code: number, message: string): void;
  /** Nothing passes, either way, until `resume`; nothing is lost. */
  pause(): void;
  resume(): void;
  /** Everything passes again, at once. */
  pass(): void;
  /** How many requests a rule has been applied to. */
  readonly caught: number;
  /** Resets all connections and ends. */
  stop(): Promise<void>;
}

type Rule =
  | { readonly does: 'swallow'; readonly texts: RegExp }
  | { readonly does: 'delay'; readonly texts: RegExp; readonly ms: number }
  | { readonly does: 'refuse'; readonly texts: RegExp; readonly code: number; readonly message: string };

export async function startCqlProxy(target: { host: string; port: number }): Promise<CqlProxy> {
  const proxy = new FrameProxy(target);
  await proxy.listen();
  return proxy;
}

class FrameProxy implements CqlProxy {
  readonly host = '127.0.0.1';
  caught = 0;
  readonly #server: TcpServer = createServer({ noDelay: true }, (client) => this.#accept(client));
  readonly #links = new Set<Link>();
  /** Of the node, by the hexadecimal id that it has given them. */
  readonly #prepared = new Map<string, string>();
  #rules: readonly Rule[] = [];
  #isPaused = false;

  constructor(private readonly target: { host: string; port: number }) {}

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.host);
    await once(this.#server, 'listening');
  }

  swallow(texts: RegExp): void {
    this.#rules = [...this.#rules, { does: 'swallow', texts }];
  }

  delay(texts: RegExp, ms: number): void {
    this.#rules = [...this.#rules, { does: 'delay', texts, ms }];
  }

  refuse(texts: RegExp, code: number, message: string): void {
    this.#rules = [...this.#rules, { does: 'refuse', texts, code, message }];
  }

  pause(): void {
    this.#isPaused = true;
    for (const link of this.#links) link.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const link of this.#links) link.resume();
  }

  pass(): void {
    this.#rules = [];
    this.resume();
  }

  async stop(): Promise<void> {
    for (const link of this.#links) link.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const { host, port } = this.target;
    const link = new Link(client, connect({ host, port, noDelay: true }), this.#prepared, {
      ruleFor: (text) => this.#ruleFor(text),
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
    if (this.#isPaused) link.pause();
  }

  #ruleFor(text: string): Rule | undefined {
    const rule = this.#rules.find(({ texts }) => texts.test(text));
    if (rule) this.caught += 1;
    return rule;
  }
}

interface Conditions {
  ruleFor(text: string): Rule | undefined;
  closed(): void;
}

/** One client's connection and its counterpart at the node. */
class Link {
  /** Requests under way by their stream: PREPARE with its text, those whose answers vanish, and those that wait. */
  readonly #preparing = new Map<number, string>();
  readonly #swallowed = new Set<number>();
  readonly #delayed = new Map<number, number>();

  constructor(
    private readonly client: Socket,
    private readonly node: Socket,
    private readonly prepared: Map<string, string>,
    private readonly conditions: Conditions,
  ) {
    this.#read(client, (frame) => this.#asked(frame));
    this.#read(node, (frame) => this.#answered(frame));
  }

  pause(): void {
    this.client.pause();
    this.node.pause();
  }

  resume(): void {
    this.client.resume();
    this.node.resume();
  }

  reset(): void {
    for (const socket of [this.client, this.node]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  #read(from: Socket, heard: (frame: Frame) => void): void {
    const reader = new FrameReader();
    from.on('data', (chunk) => {
      for (const frame of reader.push(chunk)) heard(frame);
    });
    from.on('error', () => undefined); // `close` follows
    from.on('close', () => {
      this.reset();
      this.conditions.closed();
    });
  }

  #asked(frame: Frame): void {
    const text = this.#textOf(frame);
    const rule = text === undefined ? undefined : this.conditions.ruleFor(text);
    if (rule?.does === 'refuse') {
      this.client.write(encodeFrame(errorAnswer(frame, rule.code, rule.message)));
      return;
    }
    if (rule?.does === 'swallow') this.#swallowed.add(frame.stream);
    if (rule?.does === 'delay') this.#delayed.set(frame.stream, rule.ms);
    if (text !== undefined && frame.opcode === opcodes.prepare) this.#preparing.set(frame.stream, text);
    this.node.write(encodeFrame(frame));
  }

  #answered(frame: Frame): void {
    const text = this.#preparing.get(frame.stream);
    this.#preparing.delete(frame.stream);
    if (text !== undefined && frame.opcode === opcodes.result) {
      const body = new BodyReader(frame.body);
      if (body.int() === resultKinds.prepared) this.prepared.set(body.shortBytes().toString('hex'), text);
    }
    if (this.#swallowed.delete(frame.stream)) return;
    const delayMs = this.#delayed.get(frame.stream);
    this.#delayed.delete(frame.stream);
    if (delayMs === undefined) this.client.write(encodeFrame(frame));
    else setTimeout(() => this.#answer(frame), delayMs);
  }

  #answer(frame: Frame): void {
    if (!this.client.destroyed) this.client.write(encodeFrame(frame));
  }

  #textOf({ opcode, flags, body }: Frame): string | undefined {
    // Compressed, or with a payload before the text: the driver does neither unless it is told to.
    if (flags !== 0) return undefined;
    if (opcode === opcodes.query || opcode === opcodes.prepare) return new BodyReader(body).longString();
    if (opcode === opcodes.execute)
      return this.prepared.get(new BodyReader(body).shortBytes().toString('hex'));
    return undefined;
  }
}
