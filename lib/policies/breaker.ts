import type { BreakerState } from '../core/index.js';

/** Whether a cluster is used. */
export type Breaker =
  /** In use; `failures` in a row so far, `slow` of which were answers that came too late. */
  | { readonly kind: 'closed'; readonly failures: number; readonly slow: number }
  /** Avoided; a ping follows before long. */
  | { readonly kind: 'open' }
  /** Avoided, while the one ping that decides is under way. */
  | { readonly kind: 'half-open' }
  /** Opened by hand: avoided, and not pinged, until it is reset by hand. */
  | { readonly kind: 'isolated' };

/** How a call has ended. */
export type CallEvent =
  /** It was answered, in time. */
  | 'succeeded'
  /** It was answered with something that says nothing of how fast the cluster is: a refusal, say. */
  | 'answered'
  /** It failed. */
  | 'failed'
  /** It was answered, but too late. */
  | 'slow';

export type BreakerEvent =
  | CallEvent
  /** It is time to ask again. */
  | 'pingDue'
  /** A ping was answered, whoever had sent it. */
  | 'pingSucceeded'
  | 'pingFailed'
  /** It hangs: no host of it answers. */
  | 'suspected'
  | 'isolated'
  | 'reset';

export const CLOSED: Breaker = { kind: 'closed', failures: 0, slow: 0 };
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
      return whileClosed(breaker, event, threshold);
    case 'open':
      if (event === 'pingSucceeded') return CLOSED;
      return event === 'pingDue' ? HALF_OPEN : breaker;
    case 'half-open':
      if (event === 'pingSucceeded') return CLOSED;
      return event === 'pingFailed' ? OPEN : breaker;
    case 'isolated':
      return breaker;
  }
}

function whileClosed(
  breaker: Extract<Breaker, { kind: 'closed' }>,
  event: BreakerEvent,
  threshold: number,
): Breaker {
  const { failures, slow } = breaker;
  switch (event) {
    case 'succeeded':
      return isPristine(breaker) ? breaker : CLOSED;
    case 'answered':
      // It is there: what failed because it was not is over, what was slow is not.
      return failures === slow ? breaker : { kind: 'closed', failures: slow, slow };
    case 'failed':
    case 'slow':
      if (failures + 1 >= threshold) return OPEN;
      return { kind: 'closed', failures: failures + 1, slow: event === 'slow' ? slow + 1 : slow };
    case 'suspected':
      return OPEN;
    default:
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
