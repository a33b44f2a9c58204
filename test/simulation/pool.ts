import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { BatchReport, Failure } from './batch.js';
import { bundle, withBundles } from './bundle.js';
import type { Size } from './generate.js';

/** Seeds to run: every `stride`-th from `from` on. */
export interface Assignment {
  readonly from: number;
  readonly count: number;
  readonly stride: number;
  readonly size: Size | undefined;
  readonly surface: 'core' | 'cql' | undefined;
  /** No further histories are begun after so many failures. */
  readonly stopAfter: number;
}

export interface PoolOptions {
  readonly size?: Size | undefined;
  /** Default: that of {@link generate}. */
  readonly surface?: 'core' | 'cql' | undefined;
  /** Each process ends after so many failures. Default 10. */
  readonly stopAfter?: number;
  /** Default: as many as there are cores, 8 at most. */
  readonly processes?: number;
}

/** Runs the random histories of `count` seeds from `from` on, in several processes. */
export async function runSeeds(from: number, count: number, options: PoolOptions = {}): Promise<BatchReport> {
  const { size, surface, stopAfter = 10, processes = Math.min(availableParallelism(), 8) } = options;
  const shares = Array.from({ length: processes }, (_, index): Assignment => {
    const share = Math.ceil((count - index) / processes);
    return { from: from + index, count: share, stride: processes, size, surface, stopAfter };
  });
  return withBundles(async (folder) => {
    const script = await bundle('test/simulation/pool-child.ts', folder);
    return merged(await Promise.all(shares.map((share) => runInProcess(script, share))));
  });
}

function runInProcess(script: string, assignment: Assignment): Promise<BatchReport> {
  return new Promise((resolve, reject) => {
    const child = fork(script, { execArgv: [] });
    let report: BatchReport | undefined;
    child.on('message', (message) => (report = message as BatchReport));
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (report) resolve(report);
      else reject(new Error(`The process of seeds ${assignment.from}… ended early (${signal ?? code})`));
    });
    child.send(assignment);
  });
}

function merged(reports: readonly BatchReport[]): BatchReport {
  const sum = (of: (report: BatchReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const failures = reports.flatMap((report): readonly Failure[] => report.failures);
  return {
    runs: sum(({ runs }) => runs),
    operations: sum(({ operations }) => operations),
    virtualMs: sum(({ virtualMs }) => virtualMs),
    failures: failures.sort((a, b) => a.seed - b.seed),
  };
}
