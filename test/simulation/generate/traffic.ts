import type { ClusterId } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { Change, Setup, Step, WriteStep } from '../history.js';
import { around, type Moments } from './moments.js';
import { roundTripMs } from './setup.js';

const COLUMNS = ['a', 'b', 'c'] as const;

/**
 * Reads and writes: on a few keys only, in bursts that come near the moments at which something changes, half of
 * them within calls. Their ids are left open.
 *
 * @returns at least `count` of them: the last call is not cut off
 */
export function traffic(random: Random, setup: Setup, moments: Moments, count: number): Step[] {
  return new Traffic(random, setup, moments).generate(count);
}

class Traffic {
  readonly #steps: Step[] = [];
  readonly #setup: Setup;
  readonly #roundTripMs: number;
  readonly #keys: number;
  #calls = 0;
  // One stream for each concern: another share of reads does not change when anything happens.
  readonly #bursts: Random;
  readonly #mix: Random;
  readonly #changes: Random;
  readonly #writes: Random;
  readonly #reads: Random;
  readonly #firstUses: Random;

  constructor(
    random: Random,
    setup: Setup,
    private readonly moments: Moments,
  ) {
    this.#setup = setup;
    this.#roundTripMs = roundTripMs(setup);
    this.#keys = random.fork('keys').int(1, 6);
    this.#bursts = random.fork('bursts');
    this.#mix = random.fork('mix');
    this.#changes = random.fork('changes');
    this.#writes = random.fork('writes');
    this.#reads = random.fork('reads');
    this.#firstUses = random.fork('first uses');
  }

  generate(count: number): Step[] {
    while (this.#steps.length < count) this.#addBurst(count);
    return this.#steps;
  }

  #addBurst(count: number): void {
    const random = this.#bursts;
    const size = random.weighted(BURST_SIZES);
    const spacingMs = random.weighted(SPACINGS_MS);
    const endsAt = Math.min(count, this.#steps.length + random.int(1, size));
    let atMs = random.chance(0.75) ? this.moments.near(random) : this.moments.anywhere(random);
    while (this.#steps.length < endsAt) {
      atMs = this.moments.whenRunning(atMs);
      if (this.#mix.chance(CALL_SHARE)) this.#addCall(atMs);
      else this.#add(atMs, this.#key(), this.#mix.chance(0.3));
      atMs += random.int(0, spacingMs);
    }
  }

  /** Several operations in a row on one or two keys: each at once, or when the one before has been answered. */
  #addCall(beginMs: number): void {
    const random = this.#mix;
    const call = `c${this.#calls++}`;
    const keys = random.chance(0.7) ? ([this.#key()] as const) : ([this.#key(), this.#key()] as const);
    const isSticky = random.chance(0.3);
    let atMs = beginMs;
    for (let left = random.int(2, 10), isFirst = true; left > 0; left--, isFirst = false) {
      atMs = this.moments.whenRunning(atMs);
      const isRead = isSticky ? random.chance(0.9) : !isFirst && random.chance(0.5);
      this.#add(atMs, random.pick(keys), isRead, call, isSticky);
      atMs += this.#gapMs(random);
    }
  }

  #gapMs(random: Random): number {
    switch (random.weighted(GAPS)) {
      case 'at once':
        return random.int(0, 3);
      case 'answered':
        return this.#roundTripMs + random.int(1, 10);
      case 'timed out':
        return around(random, this.#setup.writeTimeoutMs) + random.pick([0, this.#roundTripMs]);
    }
  }

  #add(wholeMs: number, key: string, isRead: boolean, call?: string, isSticky = false): void {
    // Nearly everything happens on a whole millisecond, so that much happens at the same one.
    const atMs = wholeMs + (this.#mix.chance(0.03) ? this.#mix.pick([0.25, 0.5, 0.75]) : 0);
    this.#steps.push(isRead ? this.#read(atMs, key, call, isSticky) : this.#write(atMs, key, call));
  }

  #write(atMs: number, rowKey: string, call: string | undefined): Step {
    const random = this.#writes;
    const change = this.#change();
    const isAdd = change.kind === 'add';
    const { writeTimeoutMs } = this.#setup;
    return {
      atMs,
      do: 'write',
      id: '',
      key: isAdd ? random.pick(['n0', 'n0', 'n1']) : rowKey,
      change,
      class: isAdd ? 'once' : 'idempotent',
      ack: random.chance(0.15) ? 'both' : 'any',
      priority: random.chance(0.2) ? 'low' : 'high',
      consistency: random.weighted(CONSISTENCIES),
      ...(random.chance(0.08) && { prepareMs: this.#prepareMs() }),
      ...(random.chance(0.08) && { timeoutMs: this.#patienceMs(random, writeTimeoutMs) }),
      ...this.#aborted(random, writeTimeoutMs),
      ...(call !== undefined && { call }),
      ...(random.chance(0.02) && { refusedBy: this.#refusedBy() }),
      ...this.#firstUse(),
    };
  }

  #change(): Change {
    const random = this.#changes;
    const kind = random.weighted(this.#setup.queue === 'durable' ? IDEMPOTENT_CHANGES : CHANGES);
    switch (kind) {
      case 'set':
        return { kind, columns: random.pick(COLUMN_SETS) };
      case 'unset':
        return { kind, column: random.pick(COLUMNS) };
      case 'delete':
      case 'add':
        return { kind };
    }
  }

  #read(atMs: number, key: string, call: string | undefined, isSticky: boolean): Step {
    const random = this.#reads;
    const { readTimeoutMs } = this.#setup;
    return {
      atMs,
      do: 'read',
      id: '',
      key,
      ...(call !== undefined && { call }),
      ...(isSticky && { isSticky }),
      ...(random.chance(0.15) && { hedgeAfterMs: this.#patienceMs(random, readTimeoutMs) }),
      ...(random.chance(0.08) && { timeoutMs: this.#patienceMs(random, readTimeoutMs) }),
      ...this.#aborted(random, readTimeoutMs),
      ...(random.chance(0.02) && { isBad: true }),
    };
  }

  /** Before anything can have been answered, about when it is, about when the time limit ends, or any time. */
  #patienceMs(random: Random, limitMs: number): number {
    switch (random.weighted(PATIENCE)) {
      case 'none':
        return random.int(1, 5);
      case 'answer':
        return around(random, this.#roundTripMs);
      case 'limit':
        return around(random, limitMs);
      case 'any':
        return random.int(1, 2 * limitMs);
    }
  }

  /** Half of the signals are time limits of the caller's own making. */
  #aborted(random: Random, limitMs: number): Pick<WriteStep, 'abortAfterMs' | 'abortsAs'> {
    if (!random.chance(0.06)) return {};
    const abortAfterMs = this.#abortAfterMs(random, limitMs);
    return { abortAfterMs, ...(abortAfterMs > 0 && random.chance(0.5) && { abortsAs: 'timeout' }) };
  }

  #abortAfterMs(random: Random, limitMs: number): number {
    return random.chance(0.2) ? 0 : this.#patienceMs(random, limitMs);
  }

  #firstUse(): Pick<WriteStep, 'firstUseMs'> {
    const { writeTimeoutMs, shutdownTimeoutMs } = this.#setup;
    const random = this.#firstUses;
    if (!random.chance(0.06)) return {};
    // A shutdown waits for it that long, and not much longer.
    const longestMs = Math.min(writeTimeoutMs, Math.floor(shutdownTimeoutMs / 4));
    return { firstUseMs: Math.min(this.#patienceMs(random, writeTimeoutMs), longestMs) };
  }

  #prepareMs(): number {
    const random = this.#writes;
    const { writeTimeoutMs } = this.#setup;
    return random.pick([
      random.int(0, 10),
      around(random, writeTimeoutMs),
      random.int(0, 2 * writeTimeoutMs),
    ]);
  }

  #refusedBy(): readonly ClusterId[] {
    return this.#writes.weighted(REFUSALS);
  }

  #key(): string {
    return `k${this.#mix.int(0, this.#keys - 1)}`;
  }
}

/** Chance that a call begins instead of a single operation; a call has 6 of them. */
const CALL_SHARE = 1 / 7;
/** Most operations begun in a burst. */
const BURST_SIZES = [
  [30, 3],
  [45, 12],
  [25, 35],
] as const;
const SPACINGS_MS = [
  [30, 0],
  [50, 3],
  [20, 40],
] as const;
const GAPS = [
  [45, 'at once'],
  [40, 'answered'],
  [15, 'timed out'],
] as const;
const IDEMPOTENT_CHANGES = [
  [80, 'set'],
  [10, 'unset'],
  [10, 'delete'],
] as const;
const CHANGES = [...IDEMPOTENT_CHANGES, [5, 'add']] as const;
const COLUMN_SETS = [
  ['a'],
  ['a'],
  ['b'],
  ['c'],
  ['a', 'b'],
  ['b', 'c'],
  ['a', 'c'],
  ['a', 'b', 'c'],
] as const;
const CONSISTENCIES = [
  [10, 1],
  [15, 4],
  [60, 6],
  [15, 10],
] as const;
const PATIENCE = [
  [25, 'none'],
  [25, 'answer'],
  [35, 'limit'],
  [15, 'any'],
] as const;
const REFUSALS: readonly (readonly [number, readonly ClusterId[]])[] = [
  [35, ['A']],
  [35, ['B']],
  [30, ['A', 'B']],
];
