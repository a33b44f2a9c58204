import {
  type ClusterId,
  HelixConfigError,
  type Outcome,
  type SideWrite,
  type WriteContext,
  WriteStrategy,
} from '../core/index.js';

/** Options of {@link SyncDualWriteStrategy}. */
export interface SyncDualWriteOptions {
  /** Side to write first. Default `A`. */
  readonly first?: ClusterId;
}

/**
 * Writes to one side, then to the other. What the first side refuses is never sent to the second, so a bad
 * statement cannot make the sides differ; a first side that is down does not keep the second from being written.
 */
export class SyncDualWriteStrategy extends WriteStrategy {
  readonly #first: ClusterId;

  /** @throws HelixConfigError `first` is neither A nor B */
  constructor(options: SyncDualWriteOptions = {}) {
    super();
    const { first = 'A' } = options;
    if (!['A', 'B'].includes(first)) {
      throw new HelixConfigError(`SyncDualWriteStrategy: first must be 'A' or 'B', received ${first}`);
    }
    this.#first = first;
  }

  override async execute(
    a: SideWrite,
    b: SideWrite,
    _context?: WriteContext,
  ): Promise<readonly [Outcome, Outcome]> {
    const [first, second] = this.#first === 'A' ? [a, b] : [b, a];
    const firstOutcome = await first.send();
    const secondOutcome: Outcome =
      firstOutcome.kind === 'rejected' ? { kind: 'skipped', reason: 'firstRejected' } : await second.send();
    return this.#first === 'A' ? [firstOutcome, secondOutcome] : [secondOutcome, firstOutcome];
  }
}
