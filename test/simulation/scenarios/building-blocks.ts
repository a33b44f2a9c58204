import type { ClusterId } from '../../../lib/core/index.js';
import { Random } from '../engine/random.js';
import { PLAIN_SETUP } from '../generate/setup.js';
import type { ClusterFault, History, ReadStep, Setup, Step, WriteStep } from '../history.js';

/** A driver that has lost its connection has it again so soon after the cluster is back, in ms. */
export const RECONNECT_MS = 1_000;
/** How long the ping of a breaker waits for its answer, in ms. */
export const BREAKER_PING_MS = 2_000;
/** How long the ping of a lane waits for its answer, and the longest time between two of them, in ms. */
export const LANE_PING_MS = 5_000;
/** Several things at one moment, and timers that were set within it, take no longer than that, in ms. */
export const MOMENT_MS = 2;

/** A side is out of order so that nothing at all comes of a request. Of a write it is certain, or it is not. */
export const OUTAGES: readonly [ClusterFault, ...ClusterFault[]] = [
  { kind: 'refuse', error: 'shutting down', share: 1 },
  { kind: 'crash', losesMs: 0 },
  { kind: 'hang' },
  { kind: 'partition', thenReset: false },
  { kind: 'partition', thenReset: true },
  { kind: 'requests lost', share: 1 },
  { kind: 'answers lost', share: 1 },
  { kind: 'refuse', error: 'overloaded', share: 1 },
];

/** Whether a write that begins during such an outage certainly does not reach the side. */
export function isCertain(fault: ClusterFault): boolean {
  return fault.kind === 'crash' || (fault.kind === 'refuse' && fault.error === 'shutting down');
}

/** Whether the connection has to be made anew afterwards. */
export function isDisconnecting(fault: ClusterFault): boolean {
  return fault.kind === 'crash' || (fault.kind === 'partition' && fault.thenReset);
}

/** The row of writes that one side refuses and the other one takes: it ends different. */
export const POISONED = 'poisoned';

type Details<T extends WriteStep | ReadStep> = Partial<Omit<T, 'do' | 'id'>>;

/**
 * A history in the making. Steps may be added in any order. Reads and writes belong to a group, by which they are
 * found again when it is judged: their ids are `group-1`, `group-2` …
 */
export class Script {
  readonly random: Random;
  readonly #steps: Step[] = [];
  readonly #counts = new Map<string, number>();

  constructor(private readonly seed: number) {
    this.random = new Random(seed).fork('scenario');
  }

  pick<const T>(...items: readonly [T, ...T[]]): T {
    return this.random.pick(items);
  }

  write(atMs: number, group: string, details: Details<WriteStep> = {}): void {
    const { random } = this;
    const columns = random.pick([['a'], ['b'], ['a', 'b']]);
    this.#steps.push({
      atMs,
      do: 'write',
      id: this.#nextId(group),
      key: details.refusedBy ? POISONED : `k${random.int(0, 3)}`,
      change: random.chance(0.9) ? { kind: 'set', columns } : { kind: 'delete' },
      class: 'idempotent',
      ack: 'any',
      priority: 'high',
      consistency: 6,
      ...details,
    });
  }

  read(atMs: number, group: string, details: Details<ReadStep> = {}): void {
    const key = `k${this.random.int(0, 3)}`;
    this.#steps.push({ atMs, do: 'read', id: this.#nextId(group), key, ...details });
  }

  /** Writes from one moment up to another, `everyMs` apart on average; with `reads`, about half as many reads too. */
  load(
    group: string,
    time: {
      readonly fromMs: number;
      readonly toMs: number;
      readonly everyMs: number;
      readonly reads?: boolean;
    },
    details: Details<WriteStep> = {},
  ): void {
    const { random } = this;
    const { fromMs, toMs, everyMs, reads = false } = time;
    for (let atMs = fromMs; atMs < toMs; atMs += random.int(1, 2 * everyMs - 1)) {
      this.write(atMs, group, details);
      if (reads && random.chance(0.5)) this.read(atMs + random.int(0, everyMs), group);
    }
  }

  fault(cluster: ClusterId, fault: ClusterFault, fromMs: number, toMs: number): void {
    // Steps are told apart by themselves: each has a fault of its own.
    this.#steps.push({ atMs: fromMs, do: 'fault', cluster, fault: { ...fault }, forMs: toMs - fromMs });
  }

  add(step: Step): void {
    this.#steps.push(step);
  }

  /** With short time limits, and a network as the seed wants it. */
  history(setup: Partial<Setup>): History {
    const latency = (name: string): Setup['latency'][ClusterId] => {
      const random = this.random.fork(name);
      return { baseMs: random.int(1, 3), spreadMs: random.int(0, 4) };
    };
    return {
      seed: this.seed,
      setup: {
        ...PLAIN_SETUP,
        writeTimeoutMs: 100,
        readTimeoutMs: 100,
        enqueueTimeoutMs: 100,
        executeTimeoutMs: 500,
        shutdownTimeoutMs: 3_000,
        resetTimeoutMs: this.random.fork('reset').int(200, 1_000),
        latency: { A: latency('A'), B: latency('B') },
        ...setup,
      },
      steps: this.#steps.sort((a, b) => a.atMs - b.atMs),
    };
  }

  #nextId(group: string): string {
    const count = (this.#counts.get(group) ?? 0) + 1;
    this.#counts.set(group, count);
    return `${group}-${count}`;
  }
}
