import { loadDriver } from '../../lib/cql/index.js';
import type { History } from './history.js';
import type { FinalState, Ledger, Violation } from './ledger.js';
import { judge } from './oracle/index.js';
import { World } from './world.js';

/** What a run came to. */
export interface Outcome {
  readonly history: History;
  readonly violations: readonly Violation[];
  /** Empty unless asked for. */
  readonly timeline: readonly string[];
  readonly ledger: Ledger;
  readonly end: FinalState;
  /** How long it took in the model's time. */
  readonly virtualMs: number;
}

export interface RunOptions {
  /** Whether to keep a line for everything that happens. Default false. */
  readonly timeline?: boolean;
}

/** Runs a history from beginning to end and has it judged. */
export async function run(history: History, options: RunOptions = {}): Promise<Outcome> {
  const driver = history.setup.surface === 'cql' ? await loadDriver() : undefined;
  const world = new World(history, options.timeline ?? false, driver);
  const end = await world.run();
  const violations = judge(history, world.ledger, end);
  const { timeline, ledger, scheduler } = world;
  return { history, violations, timeline: timeline.lines, ledger, end, virtualMs: scheduler.nowMs };
}
