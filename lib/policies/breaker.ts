import type { BreakerState } from '../core/index.js';

/** Whether a cluster is used. */
export type Breaker =
  /** In use; `failures` in a row so far. */
  | { readonly kind: 'closed'; readonly failures: number }
  /** Avoided; a ping follows after the reset time. */
  | { readonly kind: 'open' }
  /** Avoided, while the one ping that decides is under way. */
  | { readonly kind: 'half-open' }
  /** Opened by hand: avoided, and not pinged, until it is reset by hand. */
  | { readonly kind: 'isolated' };

export type BreakerEvent =
  /** A call was answered. */
  | 'succeeded'
  /** A call failed, or its answer was too slow. */
  | 'failed'
  /** The reset time is over. */
  | 'pingDue'
  | 'pingSucceeded'
  | 'pingFailed'
  | 'isolated'
  | 'reset';

export const CLOSED: Breaker = { kind: 'closed', failures: 0 };
export const OPEN: Breaker = { kind: 'open' };
const HALF_OPEN: Breaker = { kind: 'half-open' };
const ISOLATED: Breaker = { kind: 'isolated' };

/**
 * The breaker after an event; the same object when the event changes nothing.
 *
 * Calls count only while it is closed. What they report later is about calls that began before it opened, or
 * that were sent because nothing else was left: neither closes it or makes it wait longer, only a ping does.
 */
export function nextBreaker(breaker: Breaker, event: BreakerEvent, threshold: number): Breaker {
  if (event === 'isolated') return breaker.kind === 'isolated' ? breaker : ISOLATED;
  if (event === 'reset') return isPristine(breaker) ? breaker : CLOSED;
  switch (breaker.kind) {
    case 'closed':
      if (event === 'succeeded') return isPristine(breaker) ? breaker : CLOSED;
      if (event !== 'failed') return breaker;
      return breaker.failures + 1 < threshold ? { kind: 'closed', failures: breaker.failures + 1 } : OPEN;
    case 'open':
      return event === 'pingDue' ? HALF_OPEN : breaker;
    case 'half-open':
      if (event === 'pingSucceeded') return CLOSED;
      return event === 'pingFailed' ? OPEN : breaker;
    case 'isolated':
      return breaker;
  }
}

/** The breaker as others see it: opened by hand is open. */
export function stateOf(breaker: Breaker): BreakerState {
  return breaker.kind === 'isolated' ? 'open' : breaker.kind;
}

/** In use, and nothing counts against it. */
export function isPristine(breaker: Breaker): boolean {
  return breaker.kind === 'closed' && breaker.failures === 0;
}
