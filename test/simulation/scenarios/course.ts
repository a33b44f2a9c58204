import type { ClusterId } from '../../../lib/core/index.js';
import type { ClusterFault, FaultStep, Setup, Step, StoredCell } from '../history.js';
import type { ReadRecord, Violation, WriteRecord } from '../ledger.js';
import { outcomeSaid, receiptOf } from '../oracle/answers.js';
import { describeRead, describeTruths, describeWrite } from '../oracle/describe.js';
import type { Outcome } from '../run.js';
import { isDisconnecting, MOMENT_MS, POISONED, RECONNECT_MS } from './building-blocks.js';

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
