import type { Clock } from './clock.js';
import type { ClusterId } from './cluster.js';
import { toError } from './errors.js';
import type { FailedOutcome, SettledOutcome } from './outcome.js';
import type { BreakerState, FailoverPolicy, PolicyContext } from './ports/failover-policy.js';

/** The policy as both paths use it: it hears only what says something of a cluster, and its mistakes stay its own. */
export class Failover {
  #state: 'new' | 'open' | 'closed' = 'new';
  readonly #lostConnectionMs = { A: Number.NEGATIVE_INFINITY, B: Number.NEGATIVE_INFINITY };

  constructor(
    private readonly policy: FailoverPolicy,
    private readonly clock: Clock,
    /** The policy threw; the call goes on without it. */
    private readonly onPolicyError: (error: Error) => void,
  ) {}

  /** Starts what the policy does by itself. */
  open(context: PolicyContext): void {
    this.policy.open?.(context);
    this.#state = 'open';
  }

  /** The end: no ping any more, and the last replay may try a side whatever the policy says of it. */
  close(): void {
    // One that refused to open belongs to somebody else.
    const isOurs = this.#state === 'open';
    this.#state = 'closed';
    try {
      if (isOurs) this.policy.close?.();
    } catch (error) {
      this.onPolicyError(toError(error));
    }
  }

  /** Whether the side may be replayed to, and pinged for it: while it is avoided, the policy alone finds out when it is back. */
  mayReplayTo(cluster: ClusterId): boolean {
    return this.#state === 'closed' || this.isAvailable(cluster);
  }

  /** A policy that throws says nothing against the side. */
  isAvailable(cluster: ClusterId): boolean {
    try {
      return this.policy.isAvailable(cluster);
    } catch (error) {
      this.onPolicyError(toError(error));
      return true;
    }
  }

  state(cluster: ClusterId): BreakerState {
    try {
      return this.policy.state?.(cluster) ?? (this.policy.isAvailable(cluster) ? 'closed' : 'open');
    } catch (error) {
      this.onPolicyError(toError(error));
      return 'closed';
    }
  }

  /** A policy that throws does not forbid it. */
  shouldFailover(cluster: ClusterId, error: Error): boolean {
    try {
      return this.policy.shouldFailover(cluster, error);
    } catch (thrown) {
      this.onPolicyError(toError(thrown));
      return true;
    }
  }

  /** It hangs: requests wait, and no host of it answers. */
  suspect(cluster: ClusterId): void {
    this.#tell(() => this.policy.suspect?.(cluster));
  }

  /** It has answered a ping, whoever had sent it. */
  recordPing(cluster: ClusterId, latencyMs: number): void {
    this.#tell(() => this.policy.recordPing?.(cluster, latencyMs));
  }

  /** Its driver says that a host can be reached again. */
  hostUp(cluster: ClusterId): void {
    this.#tell(() => this.policy.hostUp?.(cluster));
  }

  record(cluster: ClusterId, outcome: SettledOutcome, startedMs: number): void {
    if (outcome.kind === 'applied') this.recordSuccess(cluster, startedMs);
    else if (outcome.kind !== 'skipped') this.recordFailure(cluster, outcome, startedMs);
  }

  recordSuccess(cluster: ClusterId, startedMs: number): void {
    try {
      const { policy } = this;
      if (policy.needsLatency) policy.recordSuccess(cluster, this.clock.monotonicMs() - startedMs);
      else policy.recordSuccess(cluster);
    } catch (error) {
      this.onPolicyError(toError(error));
    }
  }

  recordFailure(
    cluster: ClusterId,
    { kind, error, scope = 'cluster' }: FailedOutcome,
    startedMs: number,
  ): void {
    if (scope === 'request') {
      this.#recordAnswer(cluster);
      return;
    }
    if (scope === 'local' || kind === 'rejected' || kind === 'blocked') return;
    if (scope === 'connection') {
      // What was under way when the connection was lost fell with it.
      if (startedMs <= this.#lostConnectionMs[cluster]) return;
      this.#lostConnectionMs[cluster] = this.clock.monotonicMs();
    }
    try {
      this.policy.recordFailure(cluster, error);
    } catch (thrown) {
      this.onPolicyError(toError(thrown));
    }
  }

  /** Whatever it said, it is there; how long a refusal took says nothing of how fast it is. */
  #recordAnswer(cluster: ClusterId): void {
    try {
      this.policy.recordSuccess(cluster);
    } catch (error) {
      this.onPolicyError(toError(error));
    }
  }

  #tell(news: () => void): void {
    try {
      news();
    } catch (error) {
      this.onPolicyError(toError(error));
    }
  }
}
