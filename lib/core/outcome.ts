/** What one side answered to a write. */
export type Outcome =
  /** Acknowledged. */
  | { readonly kind: 'applied' }
  /** `unreached`: certainly not applied, worth retrying. `blocked`: certainly not applied, will work once
   * somebody acts. `ambiguous`: may or may not have been applied. `rejected`: this side will always refuse it. */
  | {
      readonly kind: 'unreached' | 'blocked' | 'ambiguous' | 'rejected';
      readonly error: Error;
      /** What it says of the cluster; see {@link FailureScope}. Default: `cluster`. */
      readonly scope?: FailureScope;
      /** The cluster itself has said so, although it counts against it: it is there. */
      readonly isAnswer?: boolean;
    }
  /** Not tried. */
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  /** Sent, but not awaited any longer. `settled` never rejects. */
  | { readonly kind: 'pending'; readonly settled: Promise<Outcome> };

/**
 * What a failure says of the cluster. The failover policy and the replay lane go by it, and by nothing else; a
 * `rejected` or `blocked` outcome says nothing against the cluster whatever its scope is.
 *
 * - `cluster`: it could not be reached, did not answer in time, or said itself that it is overloaded or still
 *   starting; this counts against it.
 * - `connection`: the same for everything that was under way on one connection, which counts once.
 * - `request`: it answered, so that it is alive, and the trouble is this request's own: too few replicas for it, too
 *   many tombstones, not prepared.
 * - `local`: nothing was asked of it: this process or its driver refused the request by itself, for a value that
 *   cannot be encoded or because too much is under way.
 */
export type FailureScope = 'cluster' | 'connection' | 'request' | 'local';

/**
 * Why a side was not tried: it is draining, the failover policy avoids it, it has `maxInFlight` writes under way,
 * or the side that was written first refused the statement.
 */
export type SkipReason = 'draining' | 'breaker' | 'limit' | 'firstRejected';

/** An outcome that will not change any more. */
export type SettledOutcome = Exclude<Outcome, { kind: 'pending' }>;

/** An outcome that carries the error it came from. */
export type FailedOutcome = Extract<Outcome, { error: Error }>;

/** Shared by every acknowledged write, so that success allocates nothing. */
export const APPLIED: { readonly kind: 'applied' } = Object.freeze({ kind: 'applied' });

/** A side that was not tried. */
export type SkippedOutcome = Extract<Outcome, { kind: 'skipped' }>;

/** Shared by every write that leaves a side out because it is draining. */
export const SKIPPED_BY_DRAINING: SkippedOutcome = Object.freeze({ kind: 'skipped', reason: 'draining' });

/** Shared by every write that leaves a side out because its breaker is open. */
export const SKIPPED_BY_BREAKER: SkippedOutcome = Object.freeze({ kind: 'skipped', reason: 'breaker' });

/** Shared by every write that leaves a side out because it has `maxInFlight` writes on the wire. */
export const SKIPPED_BY_LIMIT: SkippedOutcome = Object.freeze({ kind: 'skipped', reason: 'limit' });

/** What a statement that is run on each cluster by itself did on one. */
export type SideResult = { readonly ok: true } | { readonly ok: false; readonly error: Error };
