import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type BatchReport, type Failure } from './batch.js';
import { type Size } from './generate.js';

/** Seeds to run: every `stride`-th from `from` on. */
export interface Assignment {
  readonly from: number;
  readonly count: number;
  readonly stride: number;
  readonly size: Size | undefined;
  /** No further histories are begun after so many failures. */
  readonly stopAfter: number;
}

export interface PoolReport extends BatchReport {
  readonly processes: number;
  readonly tookMs: number;
}

const child = fileURLToPath(new URL('./pool-child.ts', import.meta.url));

/** Runs the random histories of `count` seeds from `from` on, in as many processes as there are cores. */
export async function runSeeds(
  from: number,
  count: number,
  options: {
    readonly size?: Size | undefined;
    readonly stopAfter?: number;
    readonly processes?: number;
  } = {},
): Promise<PoolReport> {
  const { size, stopAfter = 10, processes = Math.min(availableParallelism(), 8) } = options;
  const startMs = performance.now();
  const shares = Array.from({ length: processes }, (_, index): Assignment => {
    const share = Math.ceil((count - index) / processes);
    return { from: from + index, count: share, stride: processes, size, stopAfter };
  });
  const reports = await Promise.all(shares.map(runInProcess));
  const sum = (of: (report: BatchReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    runs: sum(({ runs }) => runs),
    operations: sum(({ operations }) => operations),
    virtualMs: sum(({ virtualMs }) => virtualMs),
    failures: reports.flatMap(({ failures }): readonly Failure[] => failures).sort((a, b) => a.seed - b.seed),
    processes,
    tookMs: performance.now() - startMs,
  };
}

function runInProcess(assignment: Assignment): Promise<BatchReport> {
  return new Promise((resolve, reject) => {
    const process = fork(child, [], { execArgv: ['--import', 'tsx'] });
    let report: BatchReport | undefined;
    process.on('message', (message) => (report = message as BatchReport));
    process.on('error', reject);
    process.on('exit', (code, signal) => {
      if (report) resolve(report);
      else reject(new Error(`The process of seeds ${assignment.from}… ended early (${signal ?? code})`));
    });
    process.send(assignment);
  });
}
