import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { check, checkScenario, type Failure } from './batch.js';
import { generate, type Size } from './generate.js';
import type { History, Setup } from './history.js';
import type { Violation } from './ledger.js';
import { runSeeds } from './pool.js';
import { type Profile, profiles } from './profiles.js';
import { describe } from './describe.js';
import { shrink } from './shrink.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';

const USAGE = `npm run simulate -- [options]

  --seed N               the random history of a seed, with its timeline
  --scenario NAME        a scenario, with its timeline; --seed N varies it (default 1), --seeds N runs seeds 1 to N
  --history FILE         a history kept as JSON, with its timeline
  --profile NAME         many seeds, and every scenario: ${Object.keys(profiles).join(', ')}
  --seeds N              many random histories, on all cores; --from N is the first (default 1)
  --minutes N            stop beginning new ones after so long (with --profile or --seeds)
  --surface cql          of random histories: through HelixCqlService instead of from the core up
  --quiet                no timeline

Scenarios: ${scenarios.map(({ name }) => name).join(', ')}
What fails is made short and shown. Ends with 1 if something failed.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    scenario: { type: 'string' },
    history: { type: 'string' },
    profile: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
    minutes: { type: 'string' },
    surface: { type: 'string' },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Seeds that are handed out at a time; in between it is looked at the clock. */
const ROUND = 5_000;

Error.stackTraceLimit = 30;
if (values.help) console.log(USAGE);
else process.exitCode = (await main()) ? 0 : 1;

async function main(): Promise<boolean> {
  if (values.profile !== undefined) {
    const profile: Profile | undefined = Object.entries(profiles).find(
      ([name]) => name === values.profile,
    )?.[1];
    if (!profile)
      throw new Error(`--profile ${values.profile}: there are ${Object.keys(profiles).join(', ')}`);
    const areScenariosWell = await runScenarios(scenarios, profile.scenarioSeeds);
    return (await runMany(profile.seeds, profile.size, profile.surface)) && areScenariosWell;
  }
  if (values.history !== undefined) {
    return show(JSON.parse(readFileSync(values.history, 'utf8')) as History);
  }
  const scenario = values.scenario === undefined ? undefined : scenarioOf(values.scenario);
  if (values.seeds !== undefined) {
    const seeds = whole('seeds', values.seeds);
    return scenario ? runScenarios([scenario], seeds) : runMany(seeds, undefined, surface());
  }
  const seed = whole('seed', values.seed ?? '1');
  if (!scenario) return show(generate(seed, undefined, surface()));
  console.log(`${scenario.name}: ${scenario.about}\n`);
  return show(scenario.history(seed), scenario);
}

function surface(): Setup['surface'] {
  const { surface: name = 'core' } = values;
  if (name === 'core' || name === 'cql') return name;
  throw new Error(`--surface ${name}: there are core and cql`);
}

function scenarioOf(name: string): Scenario {
  const scenario = scenarios.find((each) => each.name === name);
  if (scenario) return scenario;
  throw new Error(`--scenario ${name}: there are ${scenarios.map((each) => each.name).join(', ')}`);
}

/** Runs one history and prints what happened in it. */
async function show(history: History, scenario?: Scenario): Promise<boolean> {
  console.log(describe(history));
  const checked = await check(history, { timeline: !values.quiet });
  const { outcome } = checked;
  if (outcome && !values.quiet) console.log(`\n${outcome.timeline.join('\n')}`);
  const violations = [...checked.violations, ...((outcome && scenario?.judge(outcome)) ?? [])];
  console.log(`\n${verdict(violations)}`);
  if (violations.length > 0 && !scenario) await showShort(history, violations);
  return violations.length === 0;
}

async function showShort(history: History, violations: readonly Violation[]): Promise<void> {
  const [first] = violations;
  if (!first) return;
  const short = await shrink(history, async (candidate) =>
    (await check(candidate)).violations.some(({ rule }) => rule === first.rule),
  );
  console.log(
    `\nAs short as it could be made while it still breaks the rule "${first.rule}":\n${describe(short)}`,
  );
  console.log(
    `\n${verdict((await check(short)).violations)}\n\nTo be kept as a regression:\n${JSON.stringify(short)}`,
  );
}

async function runMany(seeds: number, size: Size | undefined, of: Setup['surface']): Promise<boolean> {
  const minutes = values.minutes === undefined ? Infinity : whole('minutes', values.minutes);
  const untilMs = performance.now() + 60_000 * minutes;
  const startMs = performance.now();
  const first = whole('from', values.from ?? '1');
  let runs = 0;
  let operations = 0;
  let virtualMs = 0;
  const failures: Failure[] = [];
  for (let from = first; from < first + seeds && performance.now() < untilMs; from += ROUND) {
    const report = await runSeeds(from, Math.min(ROUND, first + seeds - from), { size, surface: of });
    runs += report.runs;
    operations += report.operations;
    virtualMs += report.virtualMs;
    failures.push(...report.failures);
    if (failures.length > 0) break;
  }
  const seconds = (performance.now() - startMs) / 1_000;
  console.log(
    `${runs} histories, ${operations} operations, ${(virtualMs / 3_600_000).toFixed(1)} hours of their time, in ${seconds.toFixed(1)} s: ${failures.length} failed`,
  );
  for (const { seed, violations } of failures) console.log(`\nSeed ${seed}: ${verdict(violations)}`);
  const [failure] = failures;
  if (failure) await showShort(generate(failure.seed, size, of), failure.violations);
  return failures.length === 0;
}

async function runScenarios(which: readonly Scenario[], seeds: number): Promise<boolean> {
  let areWell = true;
  for (const scenario of which) {
    let failed = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const violations = await checkScenario(scenario, seed);
      if (violations.length > 0 && failed++ === 0)
        console.log(`${scenario.name}, seed ${seed}: ${verdict(violations)}`);
    }
    console.log(`${scenario.name.padEnd(20)} ${seeds} seeds, ${failed} failed`);
    areWell &&= failed === 0;
  }
  return areWell;
}

function verdict(violations: readonly Violation[]): string {
  if (violations.length === 0) return 'Nothing is wrong.';
  return violations.map(({ rule, message }) => `[${rule}] ${message}`).join('\n');
}

function whole(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Error(`--${option}: received ${text}; allowed is a whole number`);
  return number;
}
