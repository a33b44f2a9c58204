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

/** Options of {@link ConcurrentDualWriteStrategy}. */
export interface ConcurrentDualWriteOptions {
  /**
   * Once one side has applied a write, the other is waited for so long, in ms; the receipt then says `pending`,
   * and should it fail it is queued as if it had been waited for. Default: as long as it takes.
   */
  readonly stragglerMs?: number;
}

/** Writes to both sides at once and waits for both. The default. */
export class ConcurrentDualWriteStrategy extends WriteStrategy {
  override readonly sendsBothAtOnce: boolean;
  readonly #stragglers: DeadlineList | undefined;

  /** @throws HelixConfigError `stragglerMs` is out of range */
  constructor(options: ConcurrentDualWriteOptions = {}, clock: Clock = systemClock) {
    super();
    const { stragglerMs } = options;
    if (stragglerMs !== undefined && !(Number.isFinite(stragglerMs) && stragglerMs >= 0)) {
      throw new HelixConfigError(
        `ConcurrentDualWriteStrategy: stragglerMs must be a number of milliseconds >= 0, received ${stragglerMs}`,
      );
    }
    this.#stragglers = stragglerMs === undefined ? undefined : new DeadlineList(clock, stragglerMs);
    this.sendsBothAtOnce = stragglerMs === undefined;
  }

  override execute(a: SideWrite, b: SideWrite, context?: WriteContext): Promise<readonly [Outcome, Outcome]> {
    const stragglers = this.#stragglers;
    if (!stragglers || context?.ack === 'both') return Promise.all([a.send(), b.send()]);
    return new Promise((resolve) => {
      new StragglerWait(stragglers, a.send(), b.send(), resolve);
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
