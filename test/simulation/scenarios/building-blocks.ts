import { type ClusterId } from '../../../lib/core/index.js';
import { Random } from '../engine/random.js';
import { PLAIN_SETUP } from '../generate/setup.js';
import {
  type ClusterFault,
  type FaultStep,
  type History,
  type ReadStep,
  type Setup,
  type Step,
  type StoredCell,
  type WriteStep,
} from '../history.js';
import { type ReadRecord, type Violation, type WriteRecord } from '../ledger.js';
import { describeRead, describeTruths, describeWrite } from '../oracle/describe.js';
import { outcomeSaid, receiptOf } from '../oracle/answers.js';
import { type Outcome } from '../run.js';

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
const POISONED = 'poisoned';

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

/** A fault as it happened, in virtual ms. */
export interface Outage {
  readonly cluster: ClusterId;
  readonly fault: ClusterFault;
  readonly fromMs: number;
  readonly toMs: number;
  /** From then on every request is answered. */
  readonly usableMs: number;
}

/** How a history went, as a scenario asks about it; collects what is not as it must be. */
export class Course {
  readonly violations: Violation[] = [];
  readonly setup: Setup;
  readonly outages: readonly Outage[];
  readonly #zeroMs: number;

  constructor(
    readonly outcome: Outcome,
    /** Stands before the name of what was violated. */
    private readonly scenario: string,
  ) {
    const { history, ledger } = outcome;
    this.setup = history.setup;
    const first = history.steps.find((step) => step.do === 'write' && ledger.writes.has(step.id));
    const record = first?.do === 'write' ? ledger.writes.get(first.id) : undefined;
    this.must('begins', record !== undefined, () => 'nothing was written at all');
    this.#zeroMs = first && record ? record.startedMs - first.atMs : 0;
    this.outages = history.steps
      .filter((step): step is FaultStep & Step => step.do === 'fault')
      .map(({ cluster, fault, atMs, forMs }) => {
        const toMs = this.at(atMs + forMs);
        const usableMs = toMs + MOMENT_MS + (isDisconnecting(fault) ? RECONNECT_MS : 0);
        return { cluster, fault, fromMs: this.at(atMs), toMs, usableMs };
      });
  }

  /** A moment of the history in virtual ms. */
  at(atMs: number): number {
    return this.#zeroMs + atMs;
  }

  /** Of these groups, in the order they were made. Default: all. */
  writes(...groups: string[]): WriteRecord[] {
    return [...this.outcome.ledger.writes.values()].filter(({ step }) => isOf(groups, step.id));
  }

  reads(...groups: string[]): ReadRecord[] {
    return this.outcome.ledger.reads.filter(({ step }) => isOf(groups, step.id));
  }

  /** The first one; with `cluster`, of that side. */
  outage(cluster?: ClusterId): Outage {
    const found = this.outages.find((each) => cluster === undefined || each.cluster === cluster);
    if (!found) throw new Error(`Nothing happens to ${cluster ?? 'either side'}`);
    return found;
  }

  must(fact: string, isSo: boolean, otherwise: () => string): void {
    if (!isSo) this.violations.push({ rule: `${this.scenario}: ${fact}`, message: otherwise() });
  }

  /** Of each of these writes; there must be some, or it would say nothing. */
  mustAll(fact: string, writes: readonly WriteRecord[], isSo: (write: WriteRecord) => boolean): void {
    this.must(fact, writes.length > 0, () => 'there is no write that could show it');
    const wrong = writes.find((write) => !isSo(write));
    if (wrong) this.must(fact, false, () => `${describeWrite(wrong)} (${describeTruths(wrong)})`);
  }

  mustAllReads(fact: string, reads: readonly ReadRecord[], isSo: (read: ReadRecord) => boolean): void {
    this.must(fact, reads.length > 0, () => 'there is no read that could show it');
    const wrong = reads.find((read) => !isSo(read));
    if (wrong) this.must(fact, false, () => describeRead(wrong));
  }

  /** Both sides hold the same, write times included, but in the row that only one of them takes. */
  mustBeEqual(): void {
    const { A, B } = this.outcome.end.cells;
    const [a, b] = [cellsOf(A).join(', '), cellsOf(B).join(', ')];
    this.must('both equal', a === b, () => `A: ${a}; B: ${b}`);
  }

  /** Virtual ms in which a breaker was open or half-open; the last one may not end. */
  openSpans(cluster: ClusterId): { fromMs: number; toMs: number }[] {
    const spans: { fromMs: number; toMs: number }[] = [];
    for (const change of this.outcome.ledger.breakers) {
      if (change.cluster !== cluster) continue;
      const last = spans.at(-1);
      if (change.state === 'closed' && last) last.toMs = change.atMs;
      if (change.state === 'open' && last?.toMs !== Infinity)
        spans.push({ fromMs: change.atMs, toMs: Infinity });
    }
    return spans;
  }
}

/** What the caller was told of one side; `undefined`: nothing. */
export function statusOf(write: WriteRecord, cluster: ClusterId): string | undefined {
  return receiptOf(write)?.[cluster];
}

/** The caller was promised that nothing came of it, and may do it again. */
export function isNotApplied({ answer }: WriteRecord): boolean {
  return answer.kind === 'error' && outcomeSaid(answer.error) === 'notApplied';
}

/** How long the call took; infinite: it was never answered. */
export function tookMs({ answer, startedMs }: WriteRecord | ReadRecord): number {
  return answer.kind === 'waiting' ? Infinity : answer.atMs - startedMs;
}

/** When the last of them was carried out there; infinite: one was not. */
export function lastAppliedMs(writes: readonly WriteRecord[], cluster: ClusterId): number {
  return Math.max(0, ...writes.map((write) => write[cluster].appliedMs ?? Infinity));
}

/** Longest time from a request to its answer while nothing is wrong with the side. */
export function roundTripMs({ latency }: Setup, cluster: ClusterId): number {
  return 2 * (latency[cluster].baseMs + latency[cluster].spreadMs);
}

function isOf(groups: readonly string[], id: string): boolean {
  return groups.length === 0 || groups.includes(id.slice(0, id.lastIndexOf('-')));
}

function cellsOf(rows: ReadonlyMap<string, ReadonlyMap<string, StoredCell>>): string[] {
  const cells: string[] = [];
  for (const [key, row] of rows) {
    if (key === POISONED) continue;
    for (const [column, { value, writeTimeUs }] of row)
      cells.push(`${key}.${column}=${value}@${writeTimeUs}`);
  }
  return cells.sort();
}
