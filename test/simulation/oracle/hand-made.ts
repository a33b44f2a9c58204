import type {
  ClusterId,
  DeadLetter,
  LaneStats,
  ReplayStats,
  SideStatus,
  WriteReceipt,
} from '../../../lib/core/index.js';
import type { ReadStep, Setup, Step, StoredCell, WriteStep } from '../history.js';
import {
  type Answer,
  type FinalState,
  Ledger,
  newSideTruth,
  type ProcessEnd,
  type ReadRecord,
  type SeenRow,
  type SideTruth,
  type SyncPointRecord,
  type Violation,
  WAITING,
  type WriteRecord,
} from '../ledger.js';
import { SIDES } from './evidence.js';
import { judge } from './index.js';

const SETUP: Setup = {
  writeStrategy: 'concurrent',
  stragglerMs: 1_000,
  readStrategy: 'sticky',
  preferred: 'A',
  cooldownMs: 1_000,
  policy: 'breaker',
  threshold: 3,
  resetTimeoutMs: 1_000,
  slowMs: 100,
  queue: 'memory',
  // Never enough: what is refused needs no explanation.
  capacity: 1,
  onReplayLost: 'report',
  whenBothFail: 'throw',
  writeTimeoutMs: 500,
  readTimeoutMs: 500,
  driverPatience: 1,
  enqueueTimeoutMs: 100,
  executeTimeoutMs: 1_000,
  maxInFlight: 16,
  maxReadLagMs: 1_000,
  shutdownTimeoutMs: 2_000,
  connect: 'any',
  latency: { A: { baseMs: 1, spreadMs: 1 }, B: { baseMs: 1, spreadMs: 1 } },
};

/** When the writes and reads of a hand-made run begin, unless it says otherwise; they take 2 ms. */
const BETWEEN_MS = 10;

/** What became of a write, where that is not what becomes of one that goes well. */
export interface WriteCourse {
  readonly startedMs?: number;
  readonly timestampUs?: number;
  readonly process?: number;
  readonly A?: Partial<SideTruth>;
  readonly B?: Partial<SideTruth>;
  /** Statuses of A and B in the receipt, or the error. Default: applied on both. */
  readonly told?: readonly [SideStatus, SideStatus] | Error | 'waiting';
  readonly tookMs?: number;
  /** Default: none, so that it may have failed. */
  readonly usable?: readonly ClusterId[];
  /** Default: none; and those that were at some time: these. */
  readonly draining?: readonly ClusterId[];
  readonly drained?: readonly ClusterId[];
  /** Default: none. */
  readonly full?: readonly ClusterId[];
}

export interface ReadCourse {
  readonly startedMs?: number;
  readonly process?: number;
  readonly asked?: readonly ClusterId[];
  readonly usable?: readonly ClusterId[];
  readonly draining?: readonly ClusterId[];
  readonly told?: SeenRow | Error | 'waiting';
  readonly tookMs?: number;
}

/** What became of a side that was not reached at first and got the write by replay. */
export const REPLAYED: Partial<SideTruth> = { handed: 1, queued: 1 };
/** A side that has never got it. */
export const MISSING: Partial<SideTruth> = { applied: 0, appliedMs: undefined, isThere: false };

/**
 * A run written by hand: everything in it went well, except for what a test says. Its clusters hold what its writes
 * say is there, as long as no two of them write to one row.
 */
export class HandMadeRun {
  readonly ledger = new Ledger();
  readonly steps: Step[] = [];
  readonly setup: Setup;
  undrained: string | undefined;
  readonly cells = {
    A: new Map<string, Map<string, StoredCell>>(),
    B: new Map<string, Map<string, StoredCell>>(),
  };
  readonly counters = { A: new Map<string, string[]>(), B: new Map<string, string[]>() };
  /** Of the process that ended last: what is different from what fits the writes. */
  end: Partial<ProcessEnd> = {};
  stats: Partial<Record<ClusterId, Partial<LaneStats>>> = {};
  #nowMs = 0;

  constructor(setup: Partial<Setup> = {}) {
    this.setup = { ...SETUP, ...setup };
  }

  write(step: Partial<WriteStep> = {}, course: WriteCourse = {}): WriteRecord {
    const startedMs = course.startedMs ?? this.#next();
    const id = step.id ?? `w${this.ledger.writes.size + 1}`;
    const applied = { sent: 1, applied: 1, appliedMs: startedMs + 1, isThere: true };
    const write: WriteRecord = {
      step: {
        do: 'write',
        id,
        key: `k-${id}`,
        change: { kind: 'set', columns: ['a'] },
        class: 'idempotent',
        ack: 'any',
        priority: 'high',
        consistency: 6,
        ...step,
      },
      timestampUs: course.timestampUs ?? startedMs * 1_000,
      startedMs,
      process: course.process ?? 1,
      createdAtMs: startedMs,
      heard: { A: 0, B: 0 },
      answer: WAITING,
      usable: course.usable ?? [],
      draining: course.draining ?? [],
      drained: course.drained ?? course.draining ?? [],
      full: course.full ?? [],
      A: { ...newSideTruth(), ...applied, burials: course.A?.buried ?? [], ...course.A },
      B: { ...newSideTruth(), ...applied, burials: course.B?.buried ?? [], ...course.B },
    };
    const { told = ['applied', 'applied'], tookMs = 2 } = course;
    const said = told instanceof Error || told === 'waiting' ? told : receipt(write, ...told);
    write.answer = answerOf(said, startedMs + tookMs);
    this.ledger.writes.set(id, write);
    for (const cluster of SIDES) this.#store(write, cluster);
    return write;
  }

  read(step: Partial<ReadStep> = {}, course: ReadCourse = {}): ReadRecord {
    const startedMs = course.startedMs ?? this.#next();
    const { asked = ['A'], usable = ['A', 'B'], told = new Map(), tookMs = 2 } = course;
    const answer = answerOf<SeenRow>(told, startedMs + tookMs);
    const read: ReadRecord = {
      step: { do: 'read', id: `r${this.ledger.reads.length + 1}`, key: 'k', ...step },
      startedMs,
      process: course.process ?? 1,
      draining: course.draining ?? [],
      asked: asked.map((cluster, index) => {
        // A side that another one is asked after has failed, unless that is a hedge.
        const isFailed = index < asked.length - 1 && step.hedgeAfterMs === undefined;
        const atMs = index === 0 ? startedMs : startedMs + (step.hedgeAfterMs ?? 0);
        return { cluster, atMs, failedMs: isFailed ? startedMs : undefined };
      }),
      unprepared: 0,
      answeredBy: answer.kind === 'value' ? asked.at(-1) : undefined,
      answer,
      usable,
    };
    this.ledger.reads.push(read);
    return read;
  }

  /** Asked for once everything else has been answered. */
  syncPoint(told: 'reached' | Error | 'waiting' = 'reached'): SyncPointRecord {
    const startedMs = this.#next();
    const point: SyncPointRecord = {
      startedMs,
      process: 1,
      writes: [...this.ledger.writes.values()],
      answer: answerOf(told === 'reached' ? { applied: 0, deadLettered: 0 } : told, startedMs + 1),
    };
    this.ledger.syncPoints.push(point);
    return point;
  }

  /** A process ended before the one that ended last. */
  ended(process: number, how: ProcessEnd['how'], parts: Partial<ProcessEnd> = {}): void {
    const nothing = { stats: undefined, deadLetters: [], dropped: 0, lost: 0 };
    this.ledger.ends.push({ ...this.#lastEnd(), ...nothing, process, how, ...parts });
  }

  judge(): Violation[] {
    const end = { ...this.#lastEnd(), ...this.end };
    this.ledger.ends.push({ ...end, endedMs: this.end.endedMs ?? end.atMs + 10 });
    const { setup, steps, undrained, cells, counters } = this;
    const final: FinalState = { undrained, cells, counters };
    return judge({ seed: 1, setup, steps }, this.ledger, final);
  }

  #next(): number {
    return (this.#nowMs += BETWEEN_MS);
  }

  #lastEnd(): ProcessEnd {
    const atMs = 10_000;
    const process = Math.max(
      1,
      ...[...this.ledger.writes.values()].map((each) => each.process),
      ...this.ledger.ends.map((each) => each.process + 1),
    );
    const stats: ReplayStats = { A: this.#statsOf('A', process), B: this.#statsOf('B', process) };
    const letters = SIDES.flatMap((cluster) => lettersOf(cluster, stats[cluster].deadLettered));
    const dropped = letters.length + stats.A.dropped + stats.B.dropped;
    return {
      process,
      how: 'shut down',
      atMs,
      endedMs: atMs + 10,
      stats: this.setup.queue === 'none' ? undefined : stats,
      deadLetters: letters,
      inFlight: { A: 0, B: 0 },
      dropped,
      lost: dropped,
      reserved: 0,
      leftTimers: 0,
      takenForDead: [],
    };
  }

  #statsOf(cluster: ClusterId, process: number): LaneStats {
    const truths = [...this.ledger.writes.values()]
      .filter((each) => each.process === process)
      .map((write) => write[cluster]);
    const count = (of: (truth: SideTruth) => number): number =>
      truths.reduce((sum, each) => sum + of(each), 0);
    const enqueued = count(({ handed }) => handed);
    const dropped = count((each) => each.dropped);
    const purged = count((each) => Number(each.purged));
    const deadLettered = count(({ buried }) => buried.length) - purged;
    return {
      enqueued,
      applied: enqueued - dropped - purged - deadLettered,
      queued: 0,
      inFlight: 0,
      deadLettered,
      purged,
      superseded: 0,
      dropped,
      oldestAgeMs: 0,
      open: true,
      ...this.stats[cluster],
    };
  }

  #store({ step, timestampUs, ...truths }: WriteRecord, cluster: ClusterId): void {
    const { change, id, key } = step;
    if (!truths[cluster].isThere) return;
    if (change.kind === 'add') this.counters[cluster].set(key, [id]);
    if (change.kind !== 'set') return;
    const cell = { value: id, writeTimeUs: timestampUs };
    this.cells[cluster].set(key, new Map(change.columns.map((column) => [column, cell])));
  }
}

/** The rules that a run breaks, each once. */
export function brokenRules(run: HandMadeRun): string[] {
  return [...new Set(run.judge().map(({ rule }) => rule))];
}

export function receipt({ step, timestampUs }: WriteRecord, A: SideStatus, B: SideStatus): WriteReceipt {
  return { id: step.id, timestamp: timestampUs, A, B };
}

function answerOf<T>(told: T | Error | 'waiting', atMs: number): Answer<T> {
  if (told === 'waiting') return WAITING;
  return told instanceof Error ? { kind: 'error', error: told, atMs } : { kind: 'value', value: told, atMs };
}

function lettersOf(cluster: ClusterId, count: number): DeadLetter[] {
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    id: `${cluster}${index}`,
    operationId: `${index}`,
    cluster,
    reason: 'inDoubt' as const,
    attempts: 0,
    createdAt: new Date(0),
    deadAt: new Date(0),
    statement: '',
  }));
}
