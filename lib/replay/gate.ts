/**
 * Whether a lane delivers.
 *
 * `refusals` counts deliveries in a row that were not taken, although the target answers or would answer a ping. After
 * the first one the lane is on probation, until the target takes something: it delivers one at a time, and waits
 * longer after each that is refused too. `failedPings` counts the pings in a row that were not answered.
 */
export type Gate =
  /** Not started, halted by an operator, or its target is draining: nothing is delivered and nothing is probed. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'open'; readonly refusals: number }
  /** A delivery did not get through, or nobody knows whether it did: new ones wait for the answer to a ping. */
  | { readonly kind: 'checking'; readonly refusals: number }
  /** A ping follows after a delay. The target is down unless `failedPings` is 0: then it refuses what it is given. */
  | { readonly kind: 'closed'; readonly refusals: number; readonly failedPings: number }
  /** The ping that decides whether to open. */
  | { readonly kind: 'probing'; readonly refusals: number; readonly failedPings: number }
  | { readonly kind: 'stopped' };

export type GateEvent =
  /** The target answered a delivery: it was applied or refused for good. */
  | 'answered'
  /** A delivery certainly did not get through. */
  | 'unreached'
  /** The target answered a delivery without taking it, or this process refused to send it. */
  | 'notTaken'
  /** Nobody knows what became of a delivery. */
  | 'doubted'
  | 'pingSucceeded'
  | 'pingFailed'
  | 'probeDue'
  | 'paused'
  | 'resumed'
  | 'stopped';

export const PAUSED: Gate = { kind: 'paused' };
const OPEN: Gate = { kind: 'open', refusals: 0 };
const PROBE_AT_ONCE: Gate = { kind: 'probing', refusals: 0, failedPings: 0 };
const STOPPED: Gate = { kind: 'stopped' };

/** The gate after an event; the same object when the event changes nothing. */
export function nextGate(gate: Gate, event: GateEvent): Gate {
  if (gate.kind === 'stopped') return gate;
  if (event === 'stopped') return STOPPED;
  if (event === 'paused') return PAUSED;
  switch (gate.kind) {
    case 'paused':
      return event === 'resumed' ? PROBE_AT_ONCE : gate;
    case 'open':
      if (event === 'answered') return isOnProbation(gate) ? OPEN : gate;
      if (event === 'doubted') return { kind: 'checking', refusals: gate.refusals };
      if (event !== 'unreached' && event !== 'notTaken') return gate;
      if (isOnProbation(gate)) return { kind: 'closed', refusals: gate.refusals + 1, failedPings: 0 };
      // An answer is as good as that to a ping.
      return event === 'notTaken' ? { kind: 'open', refusals: 1 } : { kind: 'checking', refusals: 1 };
    case 'checking':
      if (event === 'pingSucceeded') return { kind: 'open', refusals: gate.refusals };
      if (event === 'pingFailed') return { kind: 'closed', refusals: gate.refusals, failedPings: 1 };
      // The ping that is under way was sent before: it says nothing of what happened since.
      return event === 'unreached' && !isOnProbation(gate) ? { kind: 'checking', refusals: 1 } : gate;
    case 'closed':
      return event === 'probeDue' ? { ...gate, kind: 'probing' } : gate;
    case 'probing':
      if (event === 'pingFailed') return { ...gate, kind: 'closed', failedPings: gate.failedPings + 1 };
      return event === 'pingSucceeded' ? { kind: 'open', refusals: gate.refusals } : gate;
  }
}

export function isOnProbation(gate: Gate): boolean {
  return 'refusals' in gate && gate.refusals > 0;
}
