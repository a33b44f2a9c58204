import type { ClusterId, WriteReceipt } from '../../../lib/core/index.js';
import { changesOf, type History, type Setup } from '../history.js';
import type { FinalState, Ledger, ProcessEnd, Violation, WriteRecord } from '../ledger.js';
import { isCallerGone, receiptOf } from './answers.js';
import { Silence } from './silence.js';

/** Where a setup does not say, in ms. */
const SUSPECT_AFTER_MS = 500;

/** One thing that must hold of every run. Answers with what it found against it. */
export type Rule = (evidence: Evidence) => Violation[];

export const SIDES: readonly [ClusterId, ClusterId] = ['A', 'B'];

/** A write of a decorated call that its caller has a receipt of. */
export interface OwnWrite {
  readonly write: WriteRecord;
  readonly receipt: WriteReceipt;
  readonly atMs: number;
}

/** Everything that one decorated call wrote. */
export interface OwnWrites {
  readonly known: OwnWrite[];
  /** When writes began whose callers did not wait: what became of them the call knows, and nobody else. */
  readonly hiddenFromMs: number;
}

/** Whether a side refuses a write, whenever it is asked or at the time when it was. */
export function refuses(write: Pick<WriteRecord, 'step' | ClusterId>, cluster: ClusterId): boolean {
  return write.step.refusedBy?.includes(cluster) === true || write[cluster].refusesTypes;
}

const NOTHING_WRITTEN: OwnWrites = { known: [], hiddenFromMs: Infinity };

/** A stall that is shorter changes no limit. */
const LATE_MS = 100;
const MOST_GRACE_MS = 500;

/** The record of a run, and what follows from it at once. */
export class Evidence {
  readonly setup: Setup;
  readonly writes: readonly WriteRecord[];
  readonly #ends = new Map<number, ProcessEnd>();
  #silence: Silence | undefined;
  #calls: ReadonlyMap<string, OwnWrites> | undefined;
  #writesByKey: ReadonlyMap<string, readonly WriteRecord[]> | undefined;

  constructor(
    readonly history: History,
    readonly ledger: Ledger,
    readonly end: FinalState,
  ) {
    this.setup = history.setup;
    this.writes = [...ledger.writes.values()];
    for (const each of ledger.ends) this.#ends.set(each.process, each);
  }

  /** What its processes can know of the silence of their clusters. */
  get silence(): Silence {
    return (this.#silence ??= new Silence(this));
  }

  get suspectAfterMs(): number {
    return this.setup.suspectAfterMs ?? SUSPECT_AFTER_MS;
  }

  get hasQueue(): boolean {
    return this.setup.queue !== 'none';
  }

  /** Whether what is queued goes with the process. */
  get isQueueVolatile(): boolean {
    return this.setup.queue === 'memory' || this.setup.queue === 'encoding';
  }

  /** The process that was shut down when everything had settled; `undefined`: it never did. */
  get settledEnd(): ProcessEnd | undefined {
    const last = this.ledger.ends.at(-1);
    return this.end.undrained === undefined && last?.how === 'shut down' ? last : undefined;
  }

  wasKilled(process: number): boolean {
    return this.#ends.get(process)?.how === 'killed';
  }

  /** Whether the process had begun to shut down by then. */
  isClosing(process: number, atMs: number): boolean {
    const end = this.#ends.get(process);
    return end?.how === 'shut down' && end.atMs <= atMs;
  }

  /** For how long, within this span, the process did nothing. */
  stalledMs(fromMs: number, toMs: number): number {
    let sum = 0;
    for (const stall of this.ledger.stalls) {
      sum += Math.max(0, Math.min(toMs, stall.toMs) - Math.max(fromMs, stall.fromMs));
    }
    return sum;
  }

  /** What a time that is over late, because the process stood still, is longer by: as long again, half a second at most. */
  graceMs(fromMs: number, toMs: number): number {
    // One stall may follow another.
    const stoodStillMs = this.stalledMs(fromMs, toMs);
    const count = this.ledger.stalls.filter((stall) => stall.fromMs < toMs && stall.toMs > fromMs).length;
    return stoodStillMs > LATE_MS ? Math.min(count * MOST_GRACE_MS, stoodStillMs) : 0;
  }

  writesTo(key: string): readonly WriteRecord[] {
    this.#writesByKey ??= groupByKey(this.writes);
    return this.#writesByKey.get(key) ?? [];
  }

  /** What a call wrote in a process: a call of the same name in the next process is another one. */
  writesOf(call: string, process: number): OwnWrites {
    this.#calls ??= groupByCall(this.writes);
    return this.#calls.get(nameOf(call, process)) ?? NOTHING_WRITTEN;
  }
}

function groupByKey(writes: readonly WriteRecord[]): ReadonlyMap<string, readonly WriteRecord[]> {
  const groups = new Map<string, WriteRecord[]>();
  for (const write of writes) {
    for (const { key } of changesOf(write.step)) {
      const group = groups.get(key);
      if (group) group.push(write);
      else groups.set(key, [write]);
    }
  }
  return groups;
}

function groupByCall(writes: readonly WriteRecord[]): ReadonlyMap<string, OwnWrites> {
  const calls = new Map<string, { known: OwnWrite[]; hiddenFromMs: number }>();
  for (const write of writes) {
    const { answer, process, startedMs, step } = write;
    if (step.call === undefined || answer.kind === 'waiting') continue;
    const name = nameOf(step.call, process);
    let call = calls.get(name);
    if (!call) calls.set(name, (call = { known: [], hiddenFromMs: Infinity }));
    const receipt = receiptOf(write);
    if (receipt) call.known.push({ write, receipt, atMs: answer.atMs });
    else if (isCallerGone(answer)) call.hiddenFromMs = Math.min(call.hiddenFromMs, startedMs);
  }
  return calls;
}

function nameOf(call: string, process: number): string {
  return `${process} ${call}`;
}
