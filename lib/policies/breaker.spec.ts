import { describe, expect, it } from 'vitest';
import { type Breaker, type BreakerEvent, CLOSED, nextBreaker, stateOf } from './breaker.js';

const THRESHOLD = 3;

const shaky: Breaker = { kind: 'closed', failures: 1, slow: 0 };
const atTheEdge: Breaker = { kind: 'closed', failures: 2, slow: 0 };
const slow: Breaker = { kind: 'closed', failures: 1, slow: 1 };
const slowAndShaky: Breaker = { kind: 'closed', failures: 2, slow: 1 };
const slowTwice: Breaker = { kind: 'closed', failures: 2, slow: 2 };
const open: Breaker = { kind: 'open' };
const halfOpen: Breaker = { kind: 'half-open' };
const isolated: Breaker = { kind: 'isolated' };

/** What changes the breaker; every other event leaves it as it is. */
const changes: readonly (readonly [Breaker, BreakerEvent, Breaker])[] = [
  [CLOSED, 'failed', shaky],
  [CLOSED, 'slow', slow],
  [CLOSED, 'isolated', isolated],
  [CLOSED, 'suspected', open],

  [shaky, 'succeeded', CLOSED],
  [shaky, 'answered', CLOSED],
  [shaky, 'failed', atTheEdge],
  [shaky, 'slow', slowAndShaky],
  [shaky, 'isolated', isolated],
  [shaky, 'suspected', open],
  [shaky, 'reset', CLOSED],

  [atTheEdge, 'succeeded', CLOSED],
  [atTheEdge, 'answered', CLOSED],
  [atTheEdge, 'failed', open],
  [atTheEdge, 'slow', open],
  [atTheEdge, 'isolated', isolated],
  [atTheEdge, 'suspected', open],
  [atTheEdge, 'reset', CLOSED],

  [slow, 'succeeded', CLOSED],
  [slow, 'failed', slowAndShaky],
  [slow, 'slow', slowTwice],
  [slow, 'isolated', isolated],
  [slow, 'suspected', open],
  [slow, 'reset', CLOSED],

  [slowAndShaky, 'succeeded', CLOSED],
  [slowAndShaky, 'answered', slow],
  [slowAndShaky, 'failed', open],
  [slowAndShaky, 'slow', open],
  [slowAndShaky, 'isolated', isolated],
  [slowAndShaky, 'suspected', open],
  [slowAndShaky, 'reset', CLOSED],

  [slowTwice, 'succeeded', CLOSED],
  [slowTwice, 'failed', open],
  [slowTwice, 'slow', open],
  [slowTwice, 'isolated', isolated],
  [slowTwice, 'suspected', open],
  [slowTwice, 'reset', CLOSED],

  [open, 'pingDue', halfOpen],
  [open, 'pingSucceeded', CLOSED],
  [open, 'isolated', isolated],
  [open, 'reset', CLOSED],

  [halfOpen, 'pingSucceeded', CLOSED],
  [halfOpen, 'pingFailed', open],
  [halfOpen, 'isolated', isolated],
  [halfOpen, 'reset', CLOSED],

  [isolated, 'reset', CLOSED],
];

const breakers = [CLOSED, shaky, atTheEdge, slow, slowAndShaky, slowTwice, open, halfOpen, isolated];
const events: readonly BreakerEvent[] = [
  'succeeded',
  'answered',
  'failed',
  'slow',
  'pingDue',
  'pingSucceeded',
  'pingFailed',
  'suspected',
  'isolated',
  'reset',
];

describe(`a breaker with threshold ${THRESHOLD}`, () => {
  it.each(changes)('%o, %s: %o', (breaker, event, expected) => {
    expect(nextBreaker(breaker, event, THRESHOLD)).toEqual(expected);
  });

  const others = breakers
    .flatMap((breaker) => events.map((event) => [breaker, event] as const))
    .filter(([breaker, event]) => !changes.some(([from, on]) => from === breaker && on === event));
  it.each(others)('%o, %s: stays', (breaker, event) => {
    expect(nextBreaker(breaker, event, THRESHOLD)).toBe(breaker);
  });

  it('opens at once with threshold 1', () => {
    expect(nextBreaker(CLOSED, 'failed', 1)).toEqual(open);
  });

  it.each([
    [CLOSED, 'closed'],
    [atTheEdge, 'closed'],
    [open, 'open'],
    [halfOpen, 'half-open'],
    [isolated, 'open'],
  ] as const)('%o is shown as %s', (breaker, state) => {
    expect(stateOf(breaker)).toBe(state);
  });
});
