import { availableParallelism, cpus, loadavg } from 'node:os';
import type { Group, Result, Settings } from './harness.js';
import type { Spread } from './statistics.js';

export interface Report {
  readonly date: string;
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly cpu: string;
  /** Load of the machine over the last minute, at the start and at the end. */
  readonly load: readonly [number, number];
  readonly settings: Settings;
  /** Each comparison was run in so many processes, with these settings in each. */
  readonly processes: number;
  readonly results: readonly Result[];
}

export function machine(): Pick<Report, 'date' | 'node' | 'platform' | 'cores' | 'cpu'> {
  return {
    date: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
  };
}

export function currentLoad(): number {
  return loadavg()[0] ?? 0;
}

export function header({ date, node, platform, cores, cpu, load }: Report): string {
  return [
    `${date}  Node ${node}  ${platform}  ${cores} cores (${cpu})  load ${load.map(fixed(1)).join(' → ')}`,
    'Ratio: Helix / hand-written within each pair of rounds, median (quartiles; extremes). Below 1, Helix is cheaper.',
  ].join('\n');
}

const TITLES: Record<Group, string> = {
  fakes: 'Clients that answer at once: what lies around the driver',
  stubs: 'cassandra-driver against two protocol stub servers',
};

export function groupTable(group: Group, results: readonly Result[]): string {
  const head =
    group === 'fakes'
      ? ['', 'in flight', 'by hand ns/op', 'Helix ns/op', 'time ratio', 'CPU ratio']
      : [
          '',
          'in flight',
          'by hand ops/s',
          'Helix ops/s',
          'by hand CPU µs',
          'Helix CPU µs',
          'time ratio',
          'CPU ratio',
        ];
  const lines = results.map((result) => {
    const { name, inFlight, handWritten, helix, timeRatio, cpuRatio } = result;
    const figures =
      group === 'fakes'
        ? [handWritten.nsPerOp, helix.nsPerOp].map(fixed(0))
        : [
            ...[handWritten.opsPerSecond, helix.opsPerSecond].map(fixed(0)),
            ...[handWritten.cpuNsPerOp / 1_000, helix.cpuNsPerOp / 1_000].map(fixed(2)),
          ];
    return [name, String(inFlight), ...figures, ratio(timeRatio), ratio(cpuRatio)];
  });
  return `${TITLES[group]}\n${table([head, ...lines])}`;
}

function ratio({ min, q1, median, q3, max }: Spread): string {
  const [lowest, low, middle, high, highest] = [min, q1, median, q3, max].map(fixed(2));
  return `${middle ?? ''} (${low ?? ''}–${high ?? ''}; ${lowest ?? ''}–${highest ?? ''})`;
}

function fixed(digits: number): (value: number) => string {
  const format = new Intl.NumberFormat('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return (value) => format.format(value);
}

/** Columns side by side: the first one flush left, figures flush right. */
function table(lines: readonly (readonly string[])[]): string {
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}
