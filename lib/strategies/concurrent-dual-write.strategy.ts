import {
  type Clock,
  Deadline,
  DeadlineList,
  HelixConfigError,
  type Outcome,
  type SideWrite,
  systemClock,
  type WriteContext,
  WriteStrategy,
} from '../core/index.js';

const STRAGGLER_MS = 1_000;

/** Options of {@link ConcurrentDualWriteStrategy}. */
export interface ConcurrentDualWriteOptions {
  /**
   * Once one side has applied a write, the other is waited for so long, in ms; the receipt then says `pending`,
   * and should it fail it is queued as if it had been waited for. Kept to within a tenth or 50 ms, whichever is less.
   * Default 1,000. `writeTimeoutMs` or more: both are always waited for.
   */
  readonly stragglerMs?: number;
}

/** Writes to both sides at once and waits for both, for the slower one not much longer. The default. */
export class ConcurrentDualWriteStrategy extends WriteStrategy {
  override readonly sendsBothAtOnce = true;
  override readonly stragglerMs: number;
  readonly #stragglers: DeadlineList;

  /** @throws HelixConfigError `stragglerMs` is out of range */
  constructor(options: ConcurrentDualWriteOptions = {}, clock: Clock = systemClock) {
    super();
    const { stragglerMs = STRAGGLER_MS } = options;
    if (!(Number.isFinite(stragglerMs) && stragglerMs >= 0)) {
      throw new HelixConfigError(
        `ConcurrentDualWriteStrategy: stragglerMs must be a number of milliseconds >= 0, received ${stragglerMs}`,
      );
    }
    this.stragglerMs = stragglerMs;
    this.#stragglers = new DeadlineList(clock, stragglerMs);
  }

  /** What the write path does by itself for this strategy: for one of your own that hands writes on to it. */
  override execute(a: SideWrite, b: SideWrite, context?: WriteContext): Promise<readonly [Outcome, Outcome]> {
    if (context?.ack === 'both') return Promise.all([a.send(), b.send()]);
    return new Promise((resolve) => {
      new StragglerWait(this.#stragglers, a.send(), b.send(), resolve);
    });
  }
}

/** Waits for both, and no longer than allowed for the second once the first has applied. */
class StragglerWait extends Deadline {
  #a: Outcome | undefined;
  #b: Outcome | undefined;
  #isLimited = false;

  constructor(
    private readonly stragglers: DeadlineList,
    private readonly sentA: Promise<Outcome>,
    private readonly sentB: Promise<Outcome>,
    private readonly resolve: (outcomes: readonly [Outcome, Outcome]) => void,
  ) {
    super();
    void sentA.then((outcome) => {
      this.#a = outcome;
      this.#onOutcome(outcome);
    });
    void sentB.then((outcome) => {
      this.#b = outcome;
      this.#onOutcome(outcome);
    });
  }

  override expire(): void {
    this.#isLimited = false;
    this.resolve([
      this.#a ?? { kind: 'pending', settled: this.sentA },
      this.#b ?? { kind: 'pending', settled: this.sentB },
    ]);
  }

  #onOutcome(outcome: Outcome): void {
    if (this.#a && this.#b) {
      if (this.#isLimited) this.stragglers.remove(this);
      this.#isLimited = false;
      this.resolve([this.#a, this.#b]);
    } else if (outcome.kind === 'applied') {
      this.#isLimited = true;
      this.stragglers.add(this);
    }
  }
}
