import { type BlockedReason, type Clock, type ClusterSession, errorLabel, toError } from './core/index.js';
import type { InstanceLogger } from './helix.reporter.js';

/** So often it is said again, in ms, that a cluster is missing. */
const REMINDER_MS = 300_000;

/** Says once, and then now and again, why a cluster is not connected. */
export class ConnectLog {
  #failures = 0;
  readonly #sinceMs: number;
  /** When it was said last, by the reason: hosts that answer in turn in different ways do not fill the log. */
  readonly #saidMs = new Map<BlockedReason | 'unreachable', number>();

  constructor(
    private readonly clock: Clock,
    private readonly logger: InstanceLogger,
    private readonly label: string,
    private readonly session: ClusterSession,
  ) {
    this.#sinceMs = clock.monotonicMs();
  }

  /** Answers with how many attempts have failed before. */
  connected(): number {
    const failures = this.#failures;
    this.#failures = 0;
    this.#saidMs.clear();
    return failures;
  }

  failed(error: Error): void {
    this.#failures++;
    const { blocked } = this.session;
    const nowMs = this.clock.monotonicMs();
    const saidMs = this.#saidMs.get(blocked ?? 'unreachable');
    if (saidMs !== undefined && nowMs - saidMs < REMINDER_MS) return;
    this.#saidMs.set(blocked ?? 'unreachable', nowMs);
    if (blocked) {
      this.logger.error(
        `${this.label} cannot be used until somebody acts (${blocked}), and misses every write until then: ${error.message}`,
      );
      return;
    }
    const since =
      saidMs === undefined
        ? 'cannot be connected yet'
        : `has not been connected for ${Math.round((nowMs - this.#sinceMs) / 60_000)} min`;
    this.logger.warn(
      `${this.label} ${since} (${errorLabel(toError(error.cause))}), trying on: ${error.message}`,
    );
  }
}
