import type { ClusterFault, History, ReadStep, Setup, Step, WriteStep } from './history.js';
import { PLAIN_SETUP } from './generate/setup.js';

/** A history to read: what differs from a plain setup, then its steps, one a line. For reports of a bug. */
export function describe({ seed, setup, steps }: History): string {
  const lines = [`seed ${seed}: ${counted(steps.length, 'step')}, ${summary(steps)}`, 'setup'];
  const differences = differencesOf(setup);
  const width = Math.max(0, ...differences.map(([name]) => name.length));
  for (const [name, value] of differences) lines.push(`  ${name.padEnd(width)}  ${value}`);
  if (differences.length === 0) lines.push('  plain');
  lines.push('      at ms');
  for (const step of steps) lines.push(`${String(step.atMs).padStart(11)}  ${describeStep(step)}`);
  return lines.join('\n');
}

function summary(steps: readonly Step[]): string {
  const operations = steps.filter((step) => step.do === 'write' || step.do === 'read');
  const lastMs = steps.at(-1)?.atMs ?? 0;
  return `${counted(operations.length, 'operation')}, ${counted(lastMs, 'ms')}`;
}

function counted(count: number, unit: string): string {
  return count === 1 || unit === 'ms' ? `${count} ${unit}` : `${count} ${unit}s`;
}

function differencesOf(setup: Setup): [name: string, value: string][] {
  const differences: [string, string][] = setup.surface === 'cql' ? [['surface', 'cql']] : [];
  for (const name of Object.keys(PLAIN_SETUP) as (keyof Setup)[]) {
    if (name !== 'latency') {
      if (setup[name] !== PLAIN_SETUP[name]) differences.push([name, String(setup[name])]);
      continue;
    }
    for (const cluster of ['A', 'B'] as const) {
      const { baseMs, spreadMs } = setup.latency[cluster];
      const plain = PLAIN_SETUP.latency[cluster];
      if (baseMs === plain.baseMs && spreadMs === plain.spreadMs) continue;
      differences.push([`latency ${cluster}`, `${baseMs} to ${baseMs + spreadMs} ms`]);
    }
  }
  return differences;
}

function describeStep(step: Step): string {
  switch (step.do) {
    case 'write':
      return joined(`${step.id} writes ${step.key}: ${describeChange(step)}`, [
        step.call !== undefined && `call ${step.call}`,
        step.class === 'once' && 'class once',
        step.ack === 'both' && 'ack both',
        step.priority === 'low' && 'priority low',
        step.consistency !== 6 && `consistency ${step.consistency}`,
        step.prepareMs !== undefined && `prepared within ${step.prepareMs} ms`,
        step.firstUseMs !== undefined && `used for the first time, known after ${step.firstUseMs} ms`,
        step.timeoutMs !== undefined && `time limit ${step.timeoutMs} ms`,
        step.abortAfterMs !== undefined &&
          `aborted after ${step.abortAfterMs} ms${step.abortsAs === 'timeout' ? ', by a time limit' : ''}`,
        step.refusedBy !== undefined && `refused by ${step.refusedBy.join(' and ')}`,
        ...inCql(step),
        step.shortOfReplicas !== undefined &&
          `too few replicas on ${step.shortOfReplicas.on} for ${step.shortOfReplicas.forMs} ms`,
      ]);
    case 'read':
      return joined(`${step.id} reads ${step.key}`, [
        step.call !== undefined && `call ${step.call}`,
        step.hedgeAfterMs !== undefined && `hedged after ${step.hedgeAfterMs} ms`,
        step.timeoutMs !== undefined && `time limit ${step.timeoutMs} ms`,
        step.abortAfterMs !== undefined &&
          `aborted after ${step.abortAfterMs} ms${step.abortsAs === 'timeout' ? ', by a time limit' : ''}`,
        step.isBad === true && 'syntax error',
        ...inCql(step),
      ]);
    case 'fault':
      return `cluster ${step.cluster}: ${describeFault(step.fault)}, ${lasting(step)}`;
    case 'queue fault':
      return `queue: ${step.fault}, ${lasting(step)}`;
    case 'stall':
    case 'control partition':
      return `${step.do}, ${lasting(step)}`;
    case 'drain':
    case 'pause replay':
      return `${step.do} of ${step.cluster}, ${lasting(step)}`;
    case 'set clock':
      return `set clock by ${step.byMs} ms`;
    case 'restart':
      return `restart: ${step.how}, again after ${step.afterMs} ms`;
    case 'schema change':
      return joined(`schema change: ${JSON.stringify(step.change)}`, [
        step.by === 'onBoth' ? 'by onBoth()' : `of ${step.by.join(' and ')}`,
        step.preparedAgain !== undefined &&
          `prepared again after ${step.preparedAgain.afterMs} ms: ${step.preparedAgain.as}`,
      ]);
    case 'sync point':
    case 'requeue':
    case 'purge':
      return step.do;
  }
}

/** How it is put in CQL, field by field. */
function inCql(step: WriteStep | ReadStep): string[] {
  const fields = [
    ...['batch', 'style', 'isNewText', 'isNamed', 'reuses', 'said', 'serialConsistency', 'preparesLate'],
    ...['ownTimestampUs', 'refusedAt', 'givesFurtherField', 'how', 'pageSize'],
  ];
  return fields
    .filter((field) => field in step)
    .map((field) => `${field} ${JSON.stringify(Reflect.get(step, field))}`);
}

function describeChange({ change }: WriteStep): string {
  switch (change.kind) {
    case 'set':
      return `set ${change.columns.join(', ')}`;
    case 'unset':
      return `unset ${change.column}`;
    case 'delete':
    case 'add':
      return change.kind;
  }
}

function describeFault(fault: ClusterFault): string {
  switch (fault.kind) {
    case 'crash':
      return fault.losesMs === 0 ? 'crash' : `crash, loses ${fault.losesMs} ms`;
    case 'slow':
      return `slow by ${fault.factor}`;
    case 'partition':
      return fault.thenReset ? 'partition, then reset' : 'partition';
    case 'answers lost':
    case 'requests lost':
      return `${fault.kind} (${fault.share})`;
    case 'reorder':
      return `reorder within ${fault.spreadMs} ms`;
    case 'refuse':
      return `refuse: ${fault.error} (${fault.share})`;
    case 'hang':
    case 'disconnect':
      return fault.kind;
  }
}

function lasting({ atMs, forMs }: { readonly atMs: number; readonly forMs: number }): string {
  return `for ${forMs} ms, until ${atMs + forMs}`;
}

function joined(what: string, details: readonly (string | false)[]): string {
  return [what, ...details.filter((detail) => detail !== false)].join(', ');
}
