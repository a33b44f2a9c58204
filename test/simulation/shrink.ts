import { PLAIN_SETUP } from './generate/setup.js';
import type { ClusterFault, History, Setup, Step } from './history.js';

/** Whether a history still shows what is looked for. */
export type Fails = (candidate: History) => Promise<boolean>;

/**
 * Makes a history that fails short and plain, as long as it fails: takes steps away, first many at once, then
 * simplifies those that are left, then the setup; and again, until nothing of it helps or `runs` is used up.
 * Steps keep their moments while others are taken away, so that what is left goes on as it did.
 *
 * @param budget how often `fails` may be asked. Default 2,000.
 * @returns a history for which `fails` was true
 * @throws Error the history given does not fail
 */
export async function shrink(history: History, fails: Fails, budget = { runs: 2_000 }): Promise<History> {
  const shrinking = new Shrinking(history, fails, budget.runs);
  if (!(await shrinking.keepIfFails(history))) {
    throw new Error(`The history of seed ${history.seed} does not fail: there is nothing to shrink`);
  }
  let before: History;
  do {
    before = shrinking.history;
    await removeSteps(shrinking);
    await simplifySteps(shrinking);
    await simplifySetup(shrinking);
  } while (shrinking.history !== before);
  return shrinking.history;
}

class Shrinking {
  constructor(
    /** The simplest one so far. */
    public history: History,
    private readonly fails: Fails,
    private runsLeft: number,
  ) {}

  get steps(): readonly Step[] {
    return this.history.steps;
  }

  /** False also when there are no runs left to find out. */
  async keepIfFails(candidate: History): Promise<boolean> {
    if (this.runsLeft <= 0) return false;
    this.runsLeft--;
    if (!(await this.fails(candidate))) return false;
    this.history = candidate;
    return true;
  }

  keepStepsIfFail(steps: readonly Step[]): Promise<boolean> {
    return this.keepIfFails({ ...this.history, steps });
  }
}

/** Halves, quarters, … single steps; from the end, because what came after the failure goes most easily. */
async function removeSteps(shrinking: Shrinking): Promise<void> {
  let size = shrinking.steps.length;
  do {
    size = Math.ceil(size / 2);
    for (let end = shrinking.steps.length; end > 0; end -= size) {
      const { steps } = shrinking;
      await shrinking.keepStepsIfFail([...steps.slice(0, Math.max(0, end - size)), ...steps.slice(end)]);
    }
  } while (size > 1);
}

async function simplifySteps(shrinking: Shrinking): Promise<void> {
  for (let index = 0; index < shrinking.steps.length; index++) {
    while (await simplifyStep(shrinking, index));
  }
}

async function simplifyStep(shrinking: Shrinking, index: number): Promise<boolean> {
  const { steps } = shrinking;
  const step = steps[index];
  if (!step) return false;
  const earliestMs = steps[index - 1]?.atMs ?? 0;
  for (const simpler of simplerSteps(step)) {
    // The order stays as it is.
    if (simpler.atMs >= earliestMs && (await shrinking.keepStepsIfFail(steps.with(index, simpler))))
      return true;
  }
  return false;
}

/** Fields that a step can do without. */
const OPTIONAL_FIELDS = [
  ...[
    'isSticky',
    'call',
    'refusedBy',
    'shortOfReplicas',
    'isBad',
    'prepareMs',
    'firstUseMs',
    'timeoutMs',
    'abortAfterMs',
    'hedgeAfterMs',
    'batch',
    'style',
    'isNewText',
    'isNamed',
    'reuses',
    'said',
    'serialConsistency',
    'preparesLate',
    'ownTimestampUs',
    'refusedAt',
    'givesFurtherField',
    'preparedAgain',
  ],
] as const;

/** The step with one thing of it simpler; all of them together lead to an end. */
function* simplerSteps(step: Step): Generator<Step> {
  for (const field of OPTIONAL_FIELDS) {
    if (!(field in step)) continue;
    const copy = { ...step };
    Reflect.deleteProperty(copy, field);
    yield copy;
  }
  switch (step.do) {
    case 'write':
      if (step.ack !== 'any') yield { ...step, ack: 'any' };
      if (step.priority !== 'high') yield { ...step, priority: 'high' };
      if (step.consistency !== 6) yield { ...step, consistency: 6 };
      if (step.change.kind === 'set' && step.change.columns.length > 1) {
        yield { ...step, change: { kind: 'set', columns: step.change.columns.slice(0, 1) } };
      }
      break;
    case 'fault':
      for (const fault of simplerFaults(step.fault)) yield { ...step, fault };
      break;
    case 'restart':
      for (const afterMs of smaller(step.afterMs)) yield { ...step, afterMs };
      break;
    default:
  }
  if ('forMs' in step) {
    for (const forMs of smaller(step.forMs)) yield { ...step, forMs };
  }
  for (const unit of [1_000, 100, 10, 1]) {
    const atMs = Math.floor(step.atMs / unit) * unit;
    if (atMs < step.atMs) yield { ...step, atMs };
  }
}

function* simplerFaults(fault: ClusterFault): Generator<ClusterFault> {
  if (fault.kind === 'crash' && fault.losesMs > 0) yield { ...fault, losesMs: 0 };
  if (fault.kind === 'partition' && fault.thenReset) yield { ...fault, thenReset: false };
  if ('share' in fault && fault.share < 1) yield { ...fault, share: 1 };
}

/** Shorter spans, 1 ms or more: none to speak of, half as long, rounded, or a little shorter. */
function* smaller(ms: number): Generator<number> {
  const rounded = [1_000, 100, 10].map((unit) => Math.floor(ms / unit) * unit);
  for (const shorterMs of [1, Math.floor(ms / 2), ...rounded, ms - 100, ms - 10, ms - 1]) {
    if (shorterMs >= 1 && shorterMs < ms) yield shorterMs;
  }
}

async function simplifySetup(shrinking: Shrinking): Promise<void> {
  for (const field of Object.keys(PLAIN_SETUP) as (keyof Setup)[]) {
    const { setup } = shrinking.history;
    const isPlain = JSON.stringify(setup[field]) === JSON.stringify(PLAIN_SETUP[field]);
    if (isPlain || (field === 'queue' && needsItsQueue(shrinking.history))) continue;
    await shrinking.keepIfFails({
      ...shrinking.history,
      setup: { ...setup, [field]: PLAIN_SETUP[field] },
    });
  }
}

/** With another queue it would not be a history. */
function needsItsQueue({ setup, steps }: History): boolean {
  return setup.whenBothFail === 'queue' || steps.some((step) => step.do === 'queue fault');
}
