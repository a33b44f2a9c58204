import type { ClusterId, DeadLetterReason, DeliveryVerdict, Envelope } from '../../../lib/core/index.js';
import { decodeEnvelope, encodeEnvelope } from '../../../lib/replay/index.js';
import type { Random } from '../engine/random.js';
import type { Scheduler } from '../engine/scheduler.js';
import type { QueueFault } from '../history.js';

/** One way between a process and the server, in ms: `min + 0…spread`. */
const NETWORK = { minMs: 0.2, spreadMs: 2.8 };
/** How long the server waits at most before it delivers again what was not settled, in ms. */
const LONGEST_REDELIVERY_MS = 3_000;
/** So many of high priority are delivered before one of low when both wait. */
const HIGH_BEFORE_LOW = 10;
/** Applied envelopes that may come back when the server `redelivers`. */
const REMEMBERED = 8;

/** Told what becomes of envelopes, for whoever keeps account of them. */
export interface QueueObserver {
  /** Accepted, into the queue or the spool of a process: once for each, however often it is sent. */
  onTaken?(envelope: Envelope): void;
  /** It is in the dead letters. */
  onBuried?(envelope: Envelope, reason: DeadLetterReason): void;
  /** An operator removed its dead letter. */
  onPurged?(operationId: string, cluster: ClusterId): void;
  /** An operator put its dead letter back; the envelope is of the new generation. */
  onRequeued?(envelope: Envelope): void;
}

/** Why, and when, an envelope became a dead letter. */
export interface Burial {
  readonly reason: DeadLetterReason;
  readonly error: Error | undefined;
  readonly atMs: number;
}

/** An envelope that a process hands over, to be queued or, with `burial`, for the dead letters. */
export class Parcel {
  readonly id: string;
  readonly key: string;
  readonly bytes: Uint8Array;
  /** The observer has been told. */
  isTaken = false;
  /** It has been in the store: the store's figures count it from then on. */
  isStored = false;

  constructor(
    readonly envelope: Envelope,
    readonly burial?: Burial,
  ) {
    this.id = idOf(envelope);
    this.key = keyOf(envelope);
    this.bytes = encodeEnvelope(envelope);
  }
}

/** An envelope in the store, queued or a dead letter: bytes, and what the server must know of them. */
export class StoredEnvelope {
  readonly key: string;
  readonly cluster: ClusterId;
  readonly priority: 'high' | 'low';
  readonly isOnce: boolean;
  readonly createdAtMs: number;
  /** `claimed`: of class `once`, and its execution may have begun. `gone`: out of the queue. */
  state: 'queued' | 'delayed' | 'inFlight' | 'claimed' | 'gone' = 'gone';
  claimedAtMs = 0;
  attempts = 0;
  /** How often it was delivered: only the last delivery may put it back. */
  deliveries = 0;
  /** Rises with every arrival at the end of the queue: where it belongs when it is put back. */
  place = 0;
  holder: QueueClient | undefined;
  burial: Burial | undefined;

  constructor(
    public id: string,
    envelope: Envelope,
    public bytes: Uint8Array,
  ) {
    this.key = keyOf(envelope);
    this.cluster = envelope.cluster;
    this.priority = envelope.priority;
    this.isOnce = envelope.class === 'once';
    this.createdAtMs = envelope.createdAtMs;
  }
}

/** A process as the server knows it. */
export interface QueueClient {
  /** Its process runs and has not closed its connection. */
  readonly isThere: boolean;
  /** The server can be reached again. Called in an `io` event. */
  onReachable(): void;
}

/** A lane of a process. */
export interface QueueConsumer {
  readonly client: QueueClient;
  /** How many more may be sent to it. */
  readonly room: number;
  /** One is on its way: it takes room. */
  expect(): void;
  receive(stored: StoredEnvelope, delivery: number): void;
}

/** A moment in the queue, as a process asked for it: what has to leave before it is reached. */
export class OpenPosition {
  applied = 0;
  deadLettered = 0;
  /** The server has been asked: nothing is added any more. */
  isTaken = false;

  constructor(
    readonly keys: Set<string>,
    readonly onReached: () => void,
  ) {}
}

/** The figures of one side in the store. `enqueued = applied + queued + inFlight + deadLettered + purged + superseded`. */
export interface StoredFigures {
  readonly enqueued: number;
  readonly applied: number;
  readonly queued: number;
  readonly inFlight: number;
  readonly deadLettered: number;
  readonly purged: number;
  readonly superseded: number;
  /** When the oldest envelope that is queued or in flight was accepted; Infinity when there is none. */
  readonly oldestMs: number;
}

class StoredSide {
  enqueued = 0;
  applied = 0;
  purged = 0;
  superseded = 0;
  deadLettered = 0;
  live = 0;
  inFlight = 0;
  readonly waiting = { high: [] as StoredEnvelope[], low: [] as StoredEnvelope[] };
  readonly consumers = new Set<QueueConsumer>();
  #highInARow = 0;

  take(): StoredEnvelope | undefined {
    const { high, low } = this.waiting;
    if (low.length > 0 && (high.length === 0 || this.#highInARow === HIGH_BEFORE_LOW)) {
      this.#highInARow = 0;
      return low.shift();
    }
    if (high.length > 0 && this.#highInARow < HIGH_BEFORE_LOW) this.#highInARow++;
    return high.shift();
  }
}

/**
 * The server of a durable replay queue, shared by all processes and outliving them.
 *
 * - It keeps bytes, for each side and priority in the order of arrival, and delivers each until it is settled: at
 *   least once. A settlement that does not reach it has not happened; the envelope is delivered again, and so is
 *   everything that a process held when it ended, in another order.
 * - An envelope's id is `operation:side:generation`. One that is known is not stored twice. The ids of settled
 *   envelopes may be forgotten when the server was down, so that ids save work and no more.
 * - An envelope of class `once` is claimed before it is executed, and its id is never forgotten: nothing executes
 *   it a second time. While its handler runs it counts as in flight. Applied, it is gone; certainly not applied, it
 *   is queued again as the next generation. If neither is ever said, because the process or the connection is gone,
 *   it is a dead letter `inDoubt`.
 * - A settlement takes effect as a whole: an envelope is in the queue or in the dead letters, never in both.
 *
 * Everything here happens at the server. Whatever a process does takes a way there and a way back, see
 * {@link travel}.
 */
export class ModelDurableQueue {
  readonly #faults: Record<QueueFault, number> = { down: 0, 'answers lost': 0, full: 0, redelivers: 0 };
  readonly #sides: Readonly<Record<ClusterId, StoredSide>> = { A: new StoredSide(), B: new StoredSide() };
  readonly #live = new Map<string, StoredEnvelope>();
  readonly #letters = new Map<string, StoredEnvelope>();
  /** Ids that are known although nothing is stored under them, and what became of them. */
  readonly #settled = new Map<string, 'applied' | 'deadLettered'>();
  readonly #claimed = new Set<string>();
  readonly #clients = new Set<QueueClient>();
  readonly #positions = new Set<OpenPosition>();
  readonly #lastApplied: StoredEnvelope[] = [];
  #places = 0;

  constructor(
    readonly scheduler: Scheduler,
    readonly random: Random,
    readonly observer: QueueObserver = {},
  ) {}

  /** Faults of one kind that overlap last until the last of them ends. */
  begin(fault: QueueFault): void {
    this.#faults[fault]++;
    if (fault === 'redelivers') this.#bringBack();
  }

  end(fault: QueueFault): void {
    if (this.#faults[fault] === 0) return;
    this.#faults[fault]--;
    if (fault === 'down' && this.isReachable) this.#goOn();
  }

  get isReachable(): boolean {
    return this.#faults.down === 0;
  }

  get isFull(): boolean {
    return this.#faults.full > 0;
  }

  get losesAnswers(): boolean {
    return this.#faults['answers lost'] > 0;
  }

  /** Dead letters by id, oldest first. */
  get letters(): ReadonlyMap<string, StoredEnvelope> {
    return this.#letters;
  }

  /** One way through the network. `io`: to a process. */
  travel(to: 'io' | 'world', arrive: () => void): void {
    this.scheduler.after(NETWORK.minMs + this.random.next() * NETWORK.spreadMs, to, arrive);
  }

  /** A process begins: what others held when they ended is delivered again. */
  connect(client: QueueClient): void {
    this.#clients.add(client);
    if (this.isReachable) this.#recover();
  }

  /** A process has closed its connection: what it held is delivered again, also if the next one began before. */
  disconnect(client: QueueClient): void {
    this.#clients.delete(client);
    if (this.isReachable) this.#recover();
  }

  consume(cluster: ClusterId, consumer: QueueConsumer): void {
    this.#sides[cluster].consumers.add(consumer);
  }

  /** Sends what waits to whoever has room. */
  deliver(cluster: ClusterId): void {
    if (!this.isReachable) return;
    const side = this.#sides[cluster];
    for (const consumer of side.consumers) {
      while (consumer.room > 0) {
        const stored = side.take();
        if (!stored) return;
        this.#enter(stored, 'inFlight');
        stored.holder = consumer.client;
        const delivery = ++stored.deliveries;
        consumer.expect();
        this.travel('io', () => consumer.receive(stored, delivery));
      }
    }
  }

  /** Takes all or none; false: it is full. What is known already needs no room. */
  store(parcels: readonly Parcel[]): boolean {
    if (this.isFull && !parcels.every(({ id }) => this.#isKnown(id))) return false;
    for (const parcel of parcels) {
      if (this.#isKnown(parcel.id)) this.#refuseTwin(parcel);
      else {
        const stored = new StoredEnvelope(parcel.id, parcel.envelope, parcel.bytes);
        this.#sides[stored.cluster].enqueued++;
        if (parcel.burial) this.#bury(stored, parcel.burial);
        else this.#add(stored);
      }
      if (!parcel.isTaken && !parcel.burial) this.observer.onTaken?.(parcel.envelope);
      parcel.isTaken = parcel.isStored = true;
    }
    return true;
  }

  /** Before an envelope of class `once` is executed. False: it must not be, somebody else may have. */
  claim(stored: StoredEnvelope, delivery: number, atMs: number): boolean {
    if (stored.state !== 'inFlight' || stored.deliveries !== delivery) return false;
    this.#enter(stored, 'claimed');
    stored.claimedAtMs = atMs;
    this.#claimed.add(stored.id);
    return true;
  }

  /** What a handler said of a delivery. */
  settle(stored: StoredEnvelope, delivery: number, verdict: DeliveryVerdict, atMs: number): void {
    if (!this.isReachable) {
      this.abandon(stored, delivery);
      return;
    }
    // A delivery before this one has settled it.
    if (stored.state === 'gone') return;
    const isFinal = verdict.kind === 'applied' || verdict.kind === 'dead';
    if (isFinal && stored.state === 'inFlight' && this.#faults.redelivers > 0 && this.random.chance(0.5)) {
      this.#redeliverLater(stored);
      return;
    }
    if (isFinal) this.#remove(stored, verdict.kind === 'applied' ? 'applied' : 'deadLettered');
    switch (verdict.kind) {
      case 'applied':
        this.#sides[stored.cluster].applied++;
        if (!stored.isOnce) this.#remember(stored);
        break;
      case 'dead':
        stored.attempts++;
        this.#bury(stored, { reason: verdict.reason, error: verdict.error, atMs });
        break;
      case 'retry':
      case 'release':
        // Delivered once more meanwhile: it is that delivery's to say.
        if (stored.deliveries === delivery && isHeld(stored)) this.#giveBack(stored, verdict);
    }
    this.deliver(stored.cluster);
  }

  /** Nobody will say what became of a delivery. Unless it was claimed, that means no more than another one. */
  abandon(stored: StoredEnvelope, delivery: number): void {
    if (stored.state !== 'claimed' || stored.deliveries !== delivery) return;
    this.#remove(stored, 'deadLettered');
    this.#bury(stored, { reason: 'inDoubt', error: undefined, atMs: stored.claimedAtMs });
  }

  /** Puts dead letters back as the next generation and answers how many. */
  requeue(ids: Iterable<string>, force: boolean): number {
    let count = 0;
    for (const id of ids) {
      const letter = this.#letters.get(id);
      if (!letter || (letter.burial?.reason === 'inDoubt' && !force)) continue;
      this.#removeLetter(letter);
      const old = decodeEnvelope(letter.bytes);
      let generation = old.generation + 1;
      // Buried again by a late resend, and requeued before: that id is used up.
      while (this.#isKnown(idOf({ ...old, generation }))) generation++;
      const envelope = { ...old, generation };
      this.#add(new StoredEnvelope(idOf(envelope), envelope, encodeEnvelope(envelope)));
      this.observer.onRequeued?.(envelope);
      count++;
    }
    return count;
  }

  /** Removes dead letters for good and answers how many. */
  purge(ids: Iterable<string>): number {
    let count = 0;
    for (const id of ids) {
      const letter = this.#letters.get(id);
      if (!letter) continue;
      this.#removeLetter(letter);
      this.#sides[letter.cluster].purged++;
      this.observer.onPurged?.(decodeEnvelope(letter.bytes).operationId, letter.cluster);
      count++;
    }
    return count;
  }

  /** From now on what leaves the queue is counted for it. */
  open(position: OpenPosition): void {
    this.#positions.add(position);
  }

  /** Everything that is in the queue now belongs to it too. */
  take(position: OpenPosition): void {
    if (position.isTaken) return;
    for (const { key } of this.#live.values()) position.keys.add(key);
    position.isTaken = true;
    this.#reachIfEmpty(position);
  }

  /** Something has left the queue, or the spool without ever having been stored. */
  leave(key: string, as: 'applied' | 'deadLettered' | 'lost'): void {
    for (const position of this.#positions) {
      if (!position.keys.delete(key)) continue;
      if (as !== 'lost') position[as]++;
      this.#reachIfEmpty(position);
    }
  }

  figures(cluster: ClusterId): StoredFigures {
    const { enqueued, applied, live, inFlight, deadLettered, purged, superseded } = this.#sides[cluster];
    let oldestMs = Infinity;
    for (const stored of this.#live.values()) {
      if (stored.cluster === cluster && stored.createdAtMs < oldestMs) oldestMs = stored.createdAtMs;
    }
    return {
      enqueued,
      applied,
      queued: live - inFlight,
      inFlight,
      deadLettered,
      purged,
      superseded,
      oldestMs,
    };
  }

  #isKnown(id: string): boolean {
    return this.#live.has(id) || this.#letters.has(id) || this.#settled.has(id) || this.#claimed.has(id);
  }

  #refuseTwin({ id, key, isStored, envelope }: Parcel): void {
    if (!isStored) {
      this.#sides[envelope.cluster].enqueued++;
      this.#sides[envelope.cluster].superseded++;
    }
    // What waits for it need not wait for a copy that is never stored.
    if (!this.#live.has(id)) this.leave(key, this.#settled.get(id) ?? 'deadLettered');
  }

  #add(stored: StoredEnvelope): void {
    this.#live.set(stored.id, stored);
    this.#sides[stored.cluster].live++;
    this.#append(stored);
    this.deliver(stored.cluster);
  }

  #append(stored: StoredEnvelope): void {
    this.#enter(stored, 'queued');
    stored.place = this.#places++;
    this.#sides[stored.cluster].waiting[stored.priority].push(stored);
  }

  #giveBack(stored: StoredEnvelope, verdict: Extract<DeliveryVerdict, { kind: 'retry' | 'release' }>): void {
    if (stored.state === 'claimed') this.#renew(stored);
    if (verdict.kind === 'retry') {
      stored.attempts++;
      this.#enter(stored, 'delayed');
      this.scheduler.after(verdict.delayMs, 'world', () => {
        if (stored.state !== 'delayed') return;
        this.#append(stored);
        this.deliver(stored.cluster);
      });
      return;
    }
    this.#enter(stored, 'queued');
    const waiting = this.#sides[stored.cluster].waiting[stored.priority];
    // Cheap: only what was in flight together with it, and was put back earlier, can stand before it.
    let index = 0;
    for (let before = waiting[0]; before && before.place < stored.place; before = waiting[index]) index++;
    waiting.splice(index, 0, stored);
  }

  /** Certainly not applied although it was claimed: the claim holds for its id, so it gets another. */
  #renew(stored: StoredEnvelope): void {
    const old = decodeEnvelope(stored.bytes);
    const envelope = { ...old, generation: old.generation + 1 };
    this.#live.delete(stored.id);
    stored.id = idOf(envelope);
    stored.bytes = encodeEnvelope(envelope);
    this.#live.set(stored.id, stored);
  }

  #enter(stored: StoredEnvelope, state: StoredEnvelope['state']): void {
    const wasHeld = isHeld(stored);
    stored.state = state;
    this.#sides[stored.cluster].inFlight += Number(isHeld(stored)) - Number(wasHeld);
  }

  #remove(stored: StoredEnvelope, as: 'applied' | 'deadLettered'): void {
    const side = this.#sides[stored.cluster];
    if (stored.state === 'queued') {
      const waiting = side.waiting[stored.priority];
      waiting.splice(waiting.indexOf(stored), 1);
    }
    this.#enter(stored, 'gone');
    side.live--;
    this.#live.delete(stored.id);
    this.#settled.set(stored.id, as);
    this.leave(stored.key, as);
  }

  #bury(stored: StoredEnvelope, burial: Burial): void {
    this.#sides[stored.cluster].deadLettered++;
    stored.burial = burial;
    this.#letters.set(stored.id, stored);
    this.observer.onBuried?.(decodeEnvelope(stored.bytes), burial.reason);
  }

  #removeLetter({ id, cluster }: StoredEnvelope): void {
    this.#letters.delete(id);
    this.#sides[cluster].deadLettered--;
    this.#settled.set(id, 'deadLettered');
  }

  #reachIfEmpty(position: OpenPosition): void {
    if (!position.isTaken || position.keys.size > 0) return;
    this.#positions.delete(position);
    position.onReached();
  }

  /** Unless it is settled by then. */
  #redeliverLater(stored: StoredEnvelope): void {
    const { deliveries } = stored;
    this.scheduler.after(this.random.next() * LONGEST_REDELIVERY_MS, 'world', () => {
      if (stored.state !== 'inFlight' || stored.deliveries !== deliveries) return;
      this.#append(stored);
      this.deliver(stored.cluster);
    });
  }

  /** Reachable again, as after a restart. */
  #goOn(): void {
    if (this.random.chance(0.5)) this.#settled.clear();
    for (const stored of this.#live.values()) if (stored.state === 'inFlight') this.#redeliverLater(stored);
    this.#recover();
    for (const client of this.#clients) {
      this.travel('io', () => {
        if (client.isThere) client.onReachable();
      });
    }
  }

  /** What was held by processes that are gone. */
  #recover(): void {
    for (const client of this.#clients) if (!client.isThere) this.#clients.delete(client);
    const lost: StoredEnvelope[] = [];
    for (const stored of this.#live.values()) {
      if (isHeld(stored) && stored.holder?.isThere !== true) lost.push(stored);
    }
    while (lost.length > 0) {
      const [stored] = lost.splice(this.random.int(0, lost.length - 1), 1);
      if (stored?.state === 'claimed') this.abandon(stored, stored.deliveries);
      else if (stored) this.#append(stored);
    }
    for (const cluster of ['A', 'B'] as const) {
      const { consumers } = this.#sides[cluster];
      for (const consumer of consumers) if (!consumer.client.isThere) consumers.delete(consumer);
      this.deliver(cluster);
    }
  }

  #remember(stored: StoredEnvelope): void {
    this.#lastApplied.push(stored);
    if (this.#lastApplied.length > REMEMBERED) this.#lastApplied.shift();
  }

  /** The server has forgotten that some were settled: they are queued as if they were new. */
  #bringBack(): void {
    for (const { id, bytes, cluster } of this.#lastApplied.splice(0)) {
      if (this.#live.has(id) || this.#letters.has(id) || !this.random.chance(0.5)) continue;
      this.#settled.delete(id);
      this.#sides[cluster].enqueued++;
      this.#add(new StoredEnvelope(id, decodeEnvelope(bytes), bytes));
    }
  }
}

function isHeld({ state }: StoredEnvelope): boolean {
  return state === 'inFlight' || state === 'claimed';
}

function idOf({ operationId, cluster, generation }: Envelope): string {
  return `${operationId}:${cluster}:${generation}`;
}

/** The same for all generations: it stands for what a position waits for. */
function keyOf({ operationId, cluster }: Envelope): string {
  return `${operationId}:${cluster}`;
}
