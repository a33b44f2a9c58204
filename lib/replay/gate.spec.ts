import { describe, expect, it } from 'vitest';
import { type Gate, type GateEvent, nextGate, PAUSED } from './gate.js';

const open: Gate = { kind: 'open', probes: 0, onProbation: false };
const onProbation: Gate = { kind: 'open', probes: 3, onProbation: true };
const checking: Gate = { kind: 'checking' };
const closed: Gate = { kind: 'closed', probes: 0, onProbation: false };
const refused: Gate = { kind: 'closed', probes: 3, onProbation: true };
const probing: Gate = { kind: 'probing', probes: 0, onProbation: false };
const probingAgain: Gate = { kind: 'probing', probes: 3, onProbation: true };
const stopped: Gate = { kind: 'stopped' };

/** What changes the gate; every other event leaves it as it is. */
const changes: readonly (readonly [Gate, GateEvent, Gate])[] = [
  [PAUSED, 'resumed', probing],

  [open, 'unreached', { kind: 'closed', probes: 0, onProbation: true }],
  [open, 'doubted', checking],

  [onProbation, 'answered', open],
  [onProbation, 'unreached', refused],
  [onProbation, 'doubted', checking],

  [checking, 'pingSucceeded', open],
  [checking, 'pingFailed', closed],
  [checking, 'unreached', { kind: 'closed', probes: 0, onProbation: true }],

  [closed, 'probeDue', probing],
  [refused, 'probeDue', probingAgain],

  [probing, 'pingSucceeded', open],
  [probing, 'pingFailed', { kind: 'closed', probes: 1, onProbation: false }],
  [probingAgain, 'pingSucceeded', { kind: 'open', probes: 4, onProbation: true }],
  [probingAgain, 'pingFailed', { kind: 'closed', probes: 4, onProbation: true }],
];

const gates = [PAUSED, open, onProbation, checking, closed, refused, probing, probingAgain];
const events: readonly GateEvent[] = [
  'answered',
  'unreached',
  'doubted',
  'pingSucceeded',
  'pingFailed',
  'probeDue',
  'resumed',
];

describe('the gate of a lane', () => {
  it.each(changes)('%o, %s: %o', (gate, event, expected) => {
    expect(nextGate(gate, event)).toEqual(expected);
  });

  const others = gates
    .flatMap((gate) => events.map((event) => [gate, event] as const))
    .filter(([gate, event]) => !changes.some(([from, on]) => from === gate && on === event));
  it.each(others)('%o, %s: stays', (gate, event) => {
    expect(nextGate(gate, event)).toBe(gate);
  });

  it.each(gates)('pauses and stops from %o', (gate) => {
    expect(nextGate(gate, 'paused')).toEqual(PAUSED);
    expect(nextGate(gate, 'stopped')).toEqual(stopped);
  });

  it.each([...events, 'paused', 'stopped'] as const)('stays stopped on %s', (event) => {
    expect(nextGate(stopped, event)).toBe(stopped);
  });
});
