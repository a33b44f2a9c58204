import { type ClusterId, PartialWriteError, type SideStatus } from '../../../lib/index.js';
import { quantile } from '../../bench/statistics.js';
import type { Call } from './steady-load.js';

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

export const p99 = (calls: readonly Call[]): number => quantile(ascending(calls.map(took)), 0.99);

export const longest = (calls: readonly Call[]): number => Math.max(0, ...calls.map(took));

const took = ({ tookMs }: Call): number => tookMs;

/** What the receipts say of one side, also those that come with an error: `applied 40, queued 12`. */
export function statuses(calls: readonly Call[], side: ClusterId): string {
  const counts = new Map<SideStatus, number>();
  for (const { receipt, error } of calls) {
    const known = receipt ?? (error instanceof PartialWriteError ? error.receipt : undefined);
    if (known) counts.set(known[side], (counts.get(known[side]) ?? 0) + 1);
  }
  return [...counts].map(([status, count]) => `${status} ${count}`).join(', ') || 'nothing';
}

export const ms = (value: number): string => `${Math.round(value).toLocaleString('en')} ms`;

/** A test's figures in one line, for whoever reads the output of a run. */
export function tell(what: string, ...figures: readonly string[]): void {
  process.stdout.write(`${what}: ${figures.join('; ')}\n`);
}
