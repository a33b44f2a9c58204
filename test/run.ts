/**
 * Everything that CI checks, one part after the other: two cores do not bear two clusters and a compiler at
 * once. Goes on after a part that fails, and ends with the number of tests that passed and failed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';

interface Part {
  readonly name: string;
  readonly command: readonly string[];
  /** Counts come from vitest's report; any other command counts as one test. */
  readonly report?: string;
}

const results = 'test-results';
const vitest = (project: string): Part => {
  const report = `${results}/${project}.json`;
  return {
    name: project,
    command: [
      'vitest',
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    report,
  };
};

const parts: readonly Part[] = [
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '.'] },
  { name: 'build', command: ['nest', 'build'] },
  {
    name: 'build of the sample',
    command: ['npm', 'run', '--silent', 'build', '--workspace', 'sample/basic'],
  },
  { name: 'lint', command: ['eslint', '.'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json', '--noEmit'] },
  // Fails when something public is not documented.
  { name: 'API reference', command: ['typedoc', '--emit', 'none'] },
  vitest('unit'),
  vitest('simulation'),
  vitest('packaging'),
  vitest('servers'),
  vitest('e2e'),
];

let passed = 0;
let failed = 0;
const summary: string[] = [];
mkdirSync(results, { recursive: true });
for (const { name, command, report } of parts) {
  console.log(`\n== ${name}`);
  if (report !== undefined) rmSync(report, { force: true });
  const startMs = Date.now();
  const { status } = spawnSync('npx', ['--no-install', ...command], { stdio: 'inherit' });
  const counts = count(status, report);
  passed += counts.passed;
  failed += counts.failed;
  const seconds = ((Date.now() - startMs) / 1_000).toFixed(1);
  summary.push(`${name.padEnd(20)} ${counts.passed} passed, ${counts.failed} failed, ${seconds} s`);
}
console.log(`\n${summary.join('\n')}\n\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function count(status: number | null, report: string | undefined): { passed: number; failed: number } {
  if (report === undefined) return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
  };
  // A file that cannot be loaded, or an unhandled error, fails the run without failing a test.
  const hidden = status !== 0 && numFailedTests === 0 ? 1 : 0;
  return { passed: numPassedTests, failed: numFailedTests + hidden };
}
