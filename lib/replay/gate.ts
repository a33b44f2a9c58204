/**
 * Whether a lane delivers. `probes` counts the pings and first deliveries that failed in a row, and is what
 * the delay before the next ping grows with.
 */
export type Gate =
  /** Not started, halted by an operator, or its target is draining: nothing is delivered and nothing is probed. */
  | { readonly kind: 'paused' }
  /** `onProbation`: the target answers pings again, but has not taken a delivery since it refused one. */
  | { readonly kind: 'open'; readonly probes: number; readonly onProbation: boolean }
  /** A delivery ended in doubt: new ones wait for the answer to a ping. */
  | { readonly kind: 'checking' }
  /** The target is down; a ping follows after a delay. */
  | { readonly kind: 'closed'; readonly probes: number; readonly onProbation: boolean }
  /** The ping that decides whether to open. */
  | { readonly kind: 'probing'; readonly probes: number; readonly onProbation: boolean }
  | { readonly kind: 'stopped' };

export type GateEvent =
  /** The target answered a delivery: it was applied or refused for good. */
  | 'answered'
  /** A delivery certainly did not get through. */
  | 'unreached'
  /** Nobody knows what became of a delivery. */
  | 'doubted'
  | 'pingSucceeded'
  | 'pingFailed'
  | 'probeDue'
  | 'paused'
  | 'resumed'
  | 'stopped';

export const PAUSED: Gate = { kind: 'paused' };
const OPEN: Gate = { kind: 'open', probes: 0, onProbation: false };
const CHECKING: Gate = { kind: 'checking' };
const CLOSED: Gate = { kind: 'closed', probes: 0, onProbation: false };
const PROBE_AT_ONCE: Gate = { kind: 'probing', probes: 0, onProbation: false };
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
      if (event === 'answered') return gate.onProbation ? OPEN : gate;
      if (event === 'doubted') return CHECKING;
      return event === 'unreached' ? { kind: 'closed', probes: gate.probes, onProbation: true } : gate;
    case 'checking':
      if (event === 'pingSucceeded') return OPEN;
      if (event === 'pingFailed') return CLOSED;
      return event === 'unreached' ? { kind: 'closed', probes: 0, onProbation: true } : gate;
    case 'closed':
      return event === 'probeDue' ? { ...gate, kind: 'probing' } : gate;
    case 'probing':
      if (event === 'pingFailed') return { ...gate, kind: 'closed', probes: gate.probes + 1 };
      if (event !== 'pingSucceeded') return gate;
      // A target may answer pings and nothing else: its probes are forgotten when it has taken a delivery.
      return gate.onProbation ? { ...gate, kind: 'open', probes: gate.probes + 1 } : OPEN;
  }
}
