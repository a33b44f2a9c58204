import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { forkFile, told } from './child.js';
import { COMPARISONS } from './comparisons.js';
import { type Comparison, type Group, pool, type Result, type Settings } from './harness.js';
import type { RunMessage } from './messages.js';
import { currentLoad, groupTable, header, machine, type Report } from './report.js';

const FULL: Settings = { pairs: 6, roundMs: 250, warmUpMs: 1_200 };
const QUICK: Settings = { pairs: 2, roundMs: 30, warmUpMs: 100 };

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'string', default: 'test-results/bench.json' },
    'cpu-prof': { type: 'boolean', default: false },
  },
});
const settings = options.quick ? QUICK : FULL;
/** How the heap and the compiler happen to settle differs from process to process, so that one is not enough. */
const processes = options.quick ? 1 : 3;

function chosen(): readonly Comparison[] {
  const { only } = options;
  const found = COMPARISONS.filter(
    ({ name, group }) => only.length === 0 || only.some((each) => each === name || each === group),
  );
  if (found.length > 0) return found;
  throw new Error(`--only: there is ${COMPARISONS.map(({ name }) => name).join(', ')}; fakes, stubs`);
}

async function runOnce({ name }: Comparison): Promise<Result> {
  const nodeOptions = ['--expose-gc'];
  if (options['cpu-prof']) nodeOptions.push('--cpu-prof', '--cpu-prof-dir', dirname(options.json));
  const child = forkFile('./run-one.ts', [name, JSON.stringify(settings)], nodeOptions);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const result = await told<RunMessage, 'result'>(child, 'result');
  await ended;
  return result;
}

async function run(comparison: Comparison): Promise<Result> {
  const results: Result[] = [];
  while (results.length < processes) results.push(await runOnce(comparison));
  return pool(results);
}

await mkdir(dirname(options.json), { recursive: true });
const loadBefore = currentLoad();
const results: Result[] = [];
for (const comparison of chosen()) {
  // Where it stands, for somebody who waits; not for a file that the tables are written to.
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${comparison.name} …`);
  results.push(await run(comparison));
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');

const report: Report = { ...machine(), load: [loadBefore, currentLoad()], settings, processes, results };
console.log(header(report));
for (const group of ['fakes', 'stubs'] satisfies Group[]) {
  const ofGroup = results.filter((result) => result.group === group);
  if (ofGroup.length > 0) console.log(`\n${groupTable(group, ofGroup)}`);
}
await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
console.log(`\nWritten to ${options.json}`);
