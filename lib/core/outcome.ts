/** What one side answered to a write. */
export type Outcome =
  /** Acknowledged. */
  | { readonly kind: 'applied' }
  /** `unreached`: certainly not applied, worth retrying. `blocked`: certainly not applied, will work once
   * somebody acts. `ambiguous`: may or may not have been applied. `rejected`: this side will always refuse it. */
  | {
      readonly kind: 'unreached' | 'blocked' | 'ambiguous' | 'rejected';
      readonly error: Error;
      /** What fell with it; see {@link FailureScope}. Default: the call alone, and it counts. */
      readonly scope?: FailureScope;
    }
  /** Not tried. */
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  /** Sent, but not awaited any longer. `settled` never rejects. */
  | { readonly kind: 'pending'; readonly settled: Promise<Outcome> };

/**
 * `connection`: everything under way on the connection failed for the same reason, which counts once.
 * `request`: the request's own doing (too many tombstones, say), which says nothing of the cluster.
 */
export type FailureScope = 'connection' | 'request';

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
