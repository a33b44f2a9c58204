import { describe, expect, it } from 'vitest';
import { type Gate, type GateEvent, nextGate, PAUSED } from './gate.js';

const open: Gate = { kind: 'open', refusals: 0 };
const onProbation: Gate = { kind: 'open', refusals: 3 };
const checking: Gate = { kind: 'checking', refusals: 0 };
const checkingRefusal: Gate = { kind: 'checking', refusals: 1 };
const closed: Gate = { kind: 'closed', refusals: 0, failedPings: 2 };
const refused: Gate = { kind: 'closed', refusals: 3, failedPings: 0 };
const probing: Gate = { kind: 'probing', refusals: 0, failedPings: 0 };
const probingRefused: Gate = { kind: 'probing', refusals: 3, failedPings: 0 };
const stopped: Gate = { kind: 'stopped' };

/** What changes the gate; every other event leaves it as it is. */
const changes: readonly (readonly [Gate, GateEvent, Gate])[] = [
  [PAUSED, 'resumed', probing],

  [open, 'unreached', checkingRefusal],
  [open, 'notTaken', { kind: 'open', refusals: 1 }],
  [open, 'doubted', checking],

  [onProbation, 'answered', open],
  [onProbation, 'unreached', { kind: 'closed', refusals: 4, failedPings: 0 }],
  [onProbation, 'notTaken', { kind: 'closed', refusals: 4, failedPings: 0 }],
  [onProbation, 'doubted', { kind: 'checking', refusals: 3 }],

  [checking, 'pingSucceeded', open],
  [checking, 'pingFailed', { kind: 'closed', refusals: 0, failedPings: 1 }],
  [checking, 'unreached', checkingRefusal],
  [checkingRefusal, 'pingSucceeded', { kind: 'open', refusals: 1 }],
  [checkingRefusal, 'pingFailed', { kind: 'closed', refusals: 1, failedPings: 1 }],

  [closed, 'probeDue', { kind: 'probing', refusals: 0, failedPings: 2 }],
  [refused, 'probeDue', probingRefused],

  [probing, 'pingSucceeded', open],
  [probing, 'pingFailed', { kind: 'closed', refusals: 0, failedPings: 1 }],
  [probingRefused, 'pingSucceeded', onProbation],
  [probingRefused, 'pingFailed', { kind: 'closed', refusals: 3, failedPings: 1 }],
];

const gates = [
  ...[PAUSED, open, onProbation, checking, checkingRefusal],
  ...[closed, refused, probing, probingRefused],
];
const events: readonly GateEvent[] = [
  'answered',
  'unreached',
  'notTaken',
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
