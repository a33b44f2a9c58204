import type { ClusterId } from '../../../lib/core/index.js';
import { TableData, WHOLE_PARTITION } from '../../../lib/testing/store/index.js';
import type { Random } from '../engine/random.js';
import type { Scheduler } from '../engine/scheduler.js';
import type { Timeline } from '../engine/timeline.js';
import type { Change, ClusterFault, SchemaChange, Setup, StoredCell } from '../history.js';
import type { SeenRow, WriteRecord } from '../ledger.js';
import { badCredentials, RESPONSE_CODE, responseError } from './driver-errors.js';
import { ModelSchema } from './schema.js';
import type { ModelConnection, ModelRequest } from './session.js';

/** A change to one row, with everything that decides what it leaves behind. */
export interface Mutation {
  readonly key: string;
  readonly change: Change;
  /** What the written cells hold. */
  readonly value: string;
  readonly timestampUs: number;
}

/** What is noted of a write that is carried out. */
export type CarriedRecord = Pick<WriteRecord, ClusterId> & { readonly step: Pick<WriteRecord['step'], 'id'> };

interface Carried {
  readonly mutation: Mutation;
  readonly record: CarriedRecord;
  readonly atMs: number;
}

/** Error codes that leave open whether a write was carried out. */
const OPEN_CODES: readonly number[] = [
  RESPONSE_CODE.overloaded,
  RESPONSE_CODE.writeTimeout,
  RESPONSE_CODE.serverError,
];

/**
 * A Cassandra cluster as its clients meet it: cells with write times of which the last one wins, behind a
 * network, with everything that can happen to both. What it stores is the store of the in-memory clusters, which
 * agrees with a real server cell by cell.
 */
export class ModelCluster {
  readonly connections = new Set<ModelConnection>();
  readonly schema = new ModelSchema();
  readonly #table = new TableData({ compares: [], isReversed: [] });
  readonly #counters = new Map<string, string[]>();
  readonly #faults = new Set<ClusterFault>();
  /** Everything in the store, in the order it was carried out: what a crash takes its last entries from. */
  #log: Carried[] = [];
  /** Requests that arrived while it was frozen, or that a partition holds up. */
  #frozen: ModelRequest[] = [];
  #held: (() => void)[] = [];
  #wellSinceMs = 0;
  #isDown = false;
  #isHung = false;
  #isPartitioned = false;
  #crashedMs = 0;
  /** What was sent to a server that has died since never arrives, whoever still waits for it. */
  #lives = 0;

  constructor(
    readonly id: ClusterId,
    private readonly latency: Setup['latency'][ClusterId],
    readonly scheduler: Scheduler,
    readonly random: Random,
    readonly timeline: Timeline,
  ) {}

  get isReachable(): boolean {
    return !this.#isDown && !this.#isHung && !this.#isPartitioned;
  }

  /** Whoever connects now is turned away. */
  get refusesCredentials(): boolean {
    for (const fault of this.#faults) if (isOfCredentials(fault)) return true;
    return false;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Since when nothing has been wrong with it; infinite while something is. */
  get wellSinceMs(): number {
    return this.#faults.size === 0 ? this.#wellSinceMs : Infinity;
  }

  begin(fault: ClusterFault): void {
    if (this.timeline.isOn) this.timeline.add(this.id, `begins: ${JSON.stringify(fault)}`);
    this.#faults.add(fault);
    if (fault.kind === 'disconnect') for (const connection of this.connections) connection.lose(true);
    if (fault.kind === 'crash' && !this.#isDown) this.#crash();
    this.#update();
  }

  end(fault: ClusterFault): void {
    if (this.timeline.isOn) this.timeline.add(this.id, `ends: ${fault.kind}`);
    this.#faults.delete(fault);
    if (this.#faults.size === 0) this.#wellSinceMs = this.scheduler.nowMs;
    this.#update();
    if (fault.kind === 'crash' && !this.#isDown) {
      this.#forget(fault.losesMs);
      this.schema.restart();
    }
    if (!this.#isHung) this.#thaw();
    if (fault.kind === 'partition' && !this.#isPartitioned) this.#letThrough(fault.thenReset);
    if (this.isReachable && !this.refusesCredentials)
      for (const connection of this.connections) connection.onReachable();
  }

  /** Changes its schema, and tells whoever listens. False: it is like that already. */
  changeSchema(change: SchemaChange): boolean {
    const isOther = this.schema.change(change, this.scheduler.nowMs);
    if (!isOther) return false;
    if (this.timeline.isOn) this.timeline.add(this.id, `changes its schema: ${JSON.stringify(change)}`);
    for (const connection of this.connections) {
      if (!connection.isThere || this.#loses('answers lost')) continue;
      const sentOver = connection.sinceMs;
      const hear = (): void => {
        if (connection.sinceMs === sentOver) connection.listener?.onSchemaChange();
      };
      this.scheduler.after(this.delayMs(), 'io', () => {
        if (this.#isPartitioned) this.#held.push(() => this.scheduler.after(this.delayMs(), 'io', hear));
        else hear();
      });
    }
    return true;
  }

  /** One way through the network, in ms. */
  delayMs(): number {
    const { baseMs, spreadMs } = this.latency;
    let delayMs = baseMs + this.random.int(0, spreadMs);
    if (this.#faults.size === 0) return delayMs;
    for (const fault of this.#faults) {
      if (fault.kind === 'slow') delayMs *= fault.factor;
      if (fault.kind === 'reorder') delayMs += this.random.int(0, fault.spreadMs);
    }
    return delayMs;
  }

  /** A request goes off to it. */
  send(request: ModelRequest): void {
    request.life = this.#lives;
    if (this.#loses('requests lost')) {
      request.giveUpInTime();
      return;
    }
    const delayMs = this.delayMs();
    if (delayMs > request.timeoutMs) request.giveUpInTime();
    this.scheduler.after(delayMs, 'world', () => this.#pass(request, 'world', () => this.#arrive(request)));
  }

  /** Stores a change. Whoever sent it may be long gone. */
  carryOut(mutation: Mutation, record: CarriedRecord): void {
    const truth = record[this.id];
    truth.applied++;
    truth.appliedMs ??= this.scheduler.nowMs;
    truth.isThere = true;
    this.#log.push({ mutation, record, atMs: this.scheduler.nowMs });
    this.#store(mutation);
    if (this.timeline.isOn) {
      this.timeline.add(
        this.id,
        `stores ${record.step.id} ${mutation.change.kind} ${mutation.key} @${mutation.timestampUs}`,
      );
    }
  }

  /** Several changes as one: all of them or none. */
  carryOutBatch(mutations: readonly Mutation[], record: CarriedRecord): void {
    for (const mutation of mutations) this.carryOut(mutation, record);
    record[this.id].applied -= mutations.length - 1;
  }

  /** Keys of the rows that there are, in the order of a scan of the table. */
  keys(): readonly string[] {
    return [...this.cells()].filter(([, row]) => row.size > 0).map(([key]) => key);
  }

  read(key: string): SeenRow {
    const [row] = this.#table.read([bytesOf(key)], 0)?.rows ?? [];
    const cells = new Map<string, { value: string; writeTimeUs: number }>();
    if (!row) return cells;
    for (const [column, cell] of row.cells) {
      cells.set(column, { value: textOf(cell.value), writeTimeUs: cell.writeTimeUs });
    }
    return cells;
  }

  cells(): ReadonlyMap<string, ReadonlyMap<string, StoredCell>> {
    const keys = new Set(this.#log.map(({ mutation }) => mutation.key));
    return new Map([...keys].sort().map((key) => [key, this.read(key)]));
  }

  counters(): ReadonlyMap<string, readonly string[]> {
    return this.#counters;
  }

  /** Calls back when the network lets something through: at once, or when a partition has ended. */
  #pass(request: ModelRequest, kind: 'io' | 'world', through: () => void): void {
    if (!this.#isPartitioned) {
      through();
      return;
    }
    request.giveUpInTime();
    this.#held.push(() => this.scheduler.after(this.delayMs(), kind, through));
  }

  #arrive(request: ModelRequest): void {
    if (!request.isOnItsWay) return;
    if (this.#isDown || request.life !== this.#lives) {
      request.giveUpInTime();
      return;
    }
    if (this.#isHung) {
      request.giveUpInTime();
      this.#frozen.push(request);
      return;
    }
    this.#serve(request);
  }

  #serve(request: ModelRequest): void {
    const refusal = this.#refusal(request);
    let error: Error | undefined;
    let result: unknown;
    if (refusal === undefined) {
      try {
        result = request.perform();
      } catch (thrown) {
        error = thrown as Error;
      }
    } else {
      if (
        request.kind === 'write' &&
        mayBeOpen(refusal, request) &&
        this.random.chance(0.5) &&
        (!refusal.isCertain || refusal.code === RESPONSE_CODE.unavailable)
      ) {
        try {
          request.perform();
        } catch {
          // Refused for itself: then it was not carried out either.
        }
      }
      error = refusal.error?.() ?? responseError(refusal.code, refusal.message);
    }
    if (this.#loses('answers lost')) {
      request.giveUpInTime();
      return;
    }
    const delayMs = this.delayMs();
    if (this.scheduler.nowMs + delayMs > request.sentMs + request.timeoutMs) request.giveUpInTime();
    this.scheduler.after(delayMs, 'io', () =>
      this.#pass(request, 'io', () => request.answered(result, error)),
    );
  }

  #refusal({ kind }: ModelRequest): Refusal | undefined {
    for (const fault of this.#faults) {
      if (fault.kind !== 'refuse' || !this.random.chance(fault.share)) continue;
      const refused = refusalOf(fault.error, kind);
      if (refused) return refused;
    }
    return undefined;
  }

  #loses(kind: 'requests lost' | 'answers lost'): boolean {
    for (const fault of this.#faults) {
      if (fault.kind === kind && this.random.chance(fault.share)) return true;
    }
    return false;
  }

  #update(): void {
    const kinds = [...this.#faults].map(({ kind }) => kind);
    this.#isDown = kinds.includes('crash');
    this.#isHung = kinds.includes('hang');
    this.#isPartitioned = kinds.includes('partition');
  }

  #crash(): void {
    this.#crashedMs = this.scheduler.nowMs;
    this.#lives++;
    this.#frozen = [];
    for (const connection of this.connections) connection.lose(false);
  }

  /** Back again, without some of what it acknowledged last. */
  #forget(losesMs: number): void {
    const fromMs = this.#crashedMs - this.random.int(0, losesMs);
    const lost = this.#log.filter(({ atMs }) => atMs > fromMs);
    if (losesMs === 0 || lost.length === 0) return;
    this.#log = this.#log.filter(({ atMs }) => atMs <= fromMs);
    this.#table.clear();
    this.#counters.clear();
    for (const { record } of lost) {
      record[this.id].isThere = false;
      record[this.id].wasLostByCluster = true;
    }
    for (const { mutation, record } of this.#log) {
      this.#store(mutation);
      record[this.id].isThere = true;
    }
    if (this.timeline.isOn) {
      this.timeline.add(this.id, `has forgotten ${lost.map(({ record }) => record.step.id).join(' ')}`);
    }
  }

  #thaw(): void {
    const frozen = this.#frozen;
    this.#frozen = [];
    for (const request of frozen) {
      this.scheduler.after(this.random.int(0, 2), 'world', () => this.#arrive(request));
    }
  }

  #letThrough(thenReset: boolean): void {
    const held = this.#held;
    this.#held = [];
    if (thenReset) for (const connection of this.connections) connection.lose(false);
    else for (const letThrough of held) letThrough();
  }

  #store({ key, change, value, timestampUs }: Mutation): void {
    const partition = [bytesOf(key)];
    switch (change.kind) {
      case 'set': {
        const cell = { value: bytesOf(value), writeTimeUs: timestampUs };
        const columns = change.columns.map((column) => ({ column, cell }));
        this.#table.write({ partition, clustering: [], columns });
        return;
      }
      case 'unset': {
        const cell = { value: undefined, writeTimeUs: timestampUs };
        this.#table.write({ partition, clustering: [], columns: [{ column: change.column, cell }] });
        return;
      }
      case 'delete':
        this.#table.delete({ partition, slice: WHOLE_PARTITION, deletedUs: timestampUs });
        return;
      case 'add': {
        const added = this.#counters.get(key);
        if (added) added.push(value);
        else this.#counters.set(key, [value]);
      }
    }
  }
}

interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly isCertain: boolean;
  /** Default: a response with the code and the message. */
  readonly error?: () => Error;
}

/** Of several partitions some may have been there. */
function mayBeOpen({ code }: Refusal, { isOfMany }: ModelRequest): boolean {
  return OPEN_CODES.includes(code) || (isOfMany && code === RESPONSE_CODE.unavailable);
}

function isOfCredentials(fault: ClusterFault): boolean {
  return fault.kind === 'refuse' && fault.error === 'bad credentials';
}

function refusalOf(
  error: Extract<ClusterFault, { kind: 'refuse' }>['error'],
  kind: ModelRequest['kind'],
): Refusal | undefined {
  const isLocal = kind === 'ping' || kind === 'prepare';
  switch (error) {
    case 'overloaded':
      return { code: RESPONSE_CODE.overloaded, message: 'Too many requests', isCertain: false };
    case 'shutting down':
      return { code: RESPONSE_CODE.overloaded, message: 'Server is shutting down', isCertain: true };
    case 'unknown':
      return { code: RESPONSE_CODE.serverError, message: 'Unexpected', isCertain: false };
    case 'unavailable':
      return isLocal
        ? undefined
        : { code: RESPONSE_CODE.unavailable, message: 'Unavailable', isCertain: true };
    case 'write timeout':
      if (isLocal) return undefined;
      return kind === 'write'
        ? { code: RESPONSE_CODE.writeTimeout, message: 'Write timeout', isCertain: false }
        : { code: RESPONSE_CODE.readTimeout, message: 'Read timeout', isCertain: true };
    case 'read failure':
      return kind === 'read'
        ? { code: RESPONSE_CODE.readFailure, message: 'Read failure', isCertain: true }
        : undefined;
    case 'bad credentials':
      return kind === 'connect'
        ? {
            code: RESPONSE_CODE.badCredentials,
            message: 'Bad credentials',
            isCertain: true,
            error: badCredentials,
          }
        : undefined;
    case 'locked out':
      return kind === 'ping'
        ? undefined
        : { code: RESPONSE_CODE.badCredentials, message: 'Locked out', isCertain: true };
  }
}

const encoder = new TextEncoder();
const known = new Map<string, Uint8Array>();

/** Keys and values come again and again. */
export function bytesOf(text: string): Uint8Array {
  let bytes = known.get(text);
  if (!bytes) {
    if (known.size > 10_000) known.clear();
    known.set(text, (bytes = encoder.encode(text)));
  }
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
