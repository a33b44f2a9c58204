import { describe, expect, it } from 'vitest';
import { CallContext, type ClusterId, type SideStatus, sideOfKey } from './index.js';

const receipt = (A: SideStatus, B: SideStatus) => ({ id: 'op1', timestamp: 1, A, B });

describe('the settings of nested calls', () => {
  it('are taken over one by one: the inner one wins', () => {
    const outer = CallContext.dualWrite({ ack: 'both', priority: 'low', timeoutMs: 100 });
    const inner = CallContext.dualWrite({ ack: 'any', consistency: 1 }, outer);
    expect(inner.settings).toEqual({ ack: 'any', priority: 'low', timeoutMs: 100, consistency: 1 });
    expect(outer.settings).toEqual({ ack: 'both', priority: 'low', timeoutMs: 100 });
  });

  it('are not hidden by what is undefined', () => {
    const outer = CallContext.stickyRead({ consistency: 6, hedgeAfterMs: 20 });
    const inner = CallContext.stickyRead({ consistency: undefined, hedgeAfterMs: 30 }, outer);
    expect(inner.settings).toEqual({ consistency: 6, hedgeAfterMs: 30 });
  });

  it('pass from one kind to the other', () => {
    const outer = CallContext.stickyRead({ timeoutMs: 100 });
    expect(CallContext.dualWrite({}, outer).settings).toEqual({ timeoutMs: 100 });
  });

  it('do not hold the side or the key', () => {
    expect(CallContext.stickyRead({ cluster: 'A', key: 'x', timeoutMs: 1 }).settings).toEqual({
      timeoutMs: 1,
    });
  });
});

describe('whether a call may write', () => {
  it.each<[what: string, context: CallContext, mayWrite: boolean]>([
    ['@DualWrite', CallContext.dualWrite({}), true],
    ['@StickyRead', CallContext.stickyRead({}), false],
    ['@DualWrite in @StickyRead', CallContext.dualWrite({}, CallContext.stickyRead({})), true],
    ['@StickyRead in @DualWrite', CallContext.stickyRead({}, CallContext.dualWrite({})), false],
  ])('%s', (_what, context, mayWrite) => {
    expect(context.mayWrite).toBe(mayWrite);
  });
});

describe('the side of a sticky call', () => {
  it('is none at first, then the one that is stayed on', () => {
    const context = CallContext.stickyRead({});
    expect([context.preferred, context.isBound]).toEqual([undefined, false]);
    context.stayOn('B');
    expect([context.preferred, context.isBound]).toEqual(['B', true]);
    context.stayOn('A');
    expect(context.preferred).toBe('A');
  });

  it('is the one that was asked for', () => {
    expect(CallContext.stickyRead({ cluster: 'B' }).preferred).toBe('B');
  });

  it('is the one of its key', () => {
    const context = CallContext.stickyRead({ key: 'user:1' });
    expect([context.key, context.preferred]).toEqual(['user:1', sideOfKey('user:1')]);
  });

  it('is the one that was asked for rather than the one of its key', () => {
    const other: ClusterId = sideOfKey('user:1') === 'A' ? 'B' : 'A';
    expect(CallContext.stickyRead({ key: 'user:1', cluster: other }).preferred).toBe(other);
  });

  it('is shared with calls inside it that ask for none', () => {
    const outer = CallContext.stickyRead({});
    const inner = CallContext.stickyRead({ timeoutMs: 5 }, CallContext.dualWrite({}, outer));
    inner.stayOn('B');
    expect(outer.preferred).toBe('B');
    outer.stayOn('A');
    expect(inner.preferred).toBe('A');
  });

  it.each<[what: string, settings: { cluster?: ClusterId; key?: string }]>([
    ['side', { cluster: 'B' }],
    ['key', { key: 'user:1' }],
  ])('is its own for a call inside it that asks for a %s', (_what, settings) => {
    const outer = CallContext.stickyRead({ cluster: 'A', key: 'other' });
    const inner = CallContext.stickyRead(settings, outer);
    inner.stayOn('B');
    expect([outer.preferred, outer.key]).toEqual(['A', 'other']);
    expect(inner.key).toBe(settings.key);
  });

  it('is nothing to a call that only writes', () => {
    const context = CallContext.dualWrite({});
    context.stayOn('B');
    expect([context.preferred, context.isBound, context.key]).toEqual([undefined, false, undefined]);
  });
});

describe('reading what the same call has written', () => {
  it.each<[writes: [SideStatus, SideStatus][], onlySide: ClusterId | undefined]>([
    [[], undefined],
    [[['applied', 'applied']], undefined],
    [[['applied', 'absent']], undefined],
    [[['applied', 'queued']], 'A'],
    [[['queued', 'applied']], 'B'],
    [[['applied', 'spooled']], 'A'],
    [[['applied', 'pending']], 'A'],
    [[['applied', 'inDoubt']], 'A'],
    [[['applied', 'rejected']], 'A'],
    [[['applied', 'lost']], 'A'],
    [[['queued', 'queued']], undefined],
    // What was missed once stays missed.
    [
      [
        ['applied', 'queued'],
        ['applied', 'applied'],
      ],
      'A',
    ],
    // When each side has missed something, the latest write counts.
    [
      [
        ['applied', 'queued'],
        ['queued', 'applied'],
      ],
      'B',
    ],
    [
      [
        ['queued', 'applied'],
        ['applied', 'queued'],
        ['applied', 'applied'],
      ],
      'A',
    ],
    [
      [
        ['queued', 'queued'],
        ['applied', 'queued'],
      ],
      'A',
    ],
    [
      [
        ['applied', 'queued'],
        ['queued', 'queued'],
      ],
      undefined,
    ],
  ])('after %j goes to %s', (writes, onlySide) => {
    const context = CallContext.dualWrite({});
    for (const [A, B] of writes) context.onWrite(receipt(A, B));
    expect([context.onlySide, context.preferred]).toEqual([onlySide, onlySide]);
  });

  it('goes there rather than to the side that the call has bound itself to', () => {
    const context = CallContext.dualWrite({}, CallContext.stickyRead({ cluster: 'A' }));
    context.onWrite(receipt('queued', 'applied'));
    expect(context.preferred).toBe('B');
  });

  it('is known to all calls inside the one that wrote first, and to those around them', () => {
    const outer = CallContext.dualWrite({});
    const reader = CallContext.stickyRead({}, outer);
    const inner = CallContext.dualWrite({}, reader);
    inner.onWrite(receipt('applied', 'queued'));
    expect([outer.onlySide, reader.onlySide, inner.onlySide]).toEqual(['A', 'A', 'A']);
  });

  it('is nothing to a call that only reads', () => {
    const context = CallContext.stickyRead({});
    context.onWrite(receipt('applied', 'queued'));
    expect(context.onlySide).toBeUndefined();
  });

  it('is nothing to a call beside it', () => {
    const [one, other] = [CallContext.dualWrite({}), CallContext.dualWrite({})];
    one.onWrite(receipt('applied', 'queued'));
    expect(other.onlySide).toBeUndefined();
  });
});

describe('sideOfKey', () => {
  it('never changes between versions: processes of both must agree', () => {
    expect(KEYS.map((key) => `${key}: ${sideOfKey(key)}`)).toEqual([
      ': B',
      'a: B',
      'b: A',
      'ab: B',
      'ba: B',
      'user:1: B',
      'user:2: B',
      'user:3: B',
      'user:42: B',
      'order-2025-01-01: A',
      'Ärger: B',
      '日本: A',
      '🦊: A',
      'a key that is somewhat longer than the others, as keys made of several parts are: B',
    ]);
  });

  it('is none without a key, and one for an empty key', () => {
    expect(sideOfKey(undefined)).toBeUndefined();
    expect(['A', 'B']).toContain(sideOfKey(''));
  });

  it.each<[what: string, keyOf: (n: number) => string]>([
    ['user:1 …', (n) => `user:${n}`],
    ['even numbers', (n) => String(2 * n)],
    ['hexadecimal numbers', (n) => n.toString(16).padStart(8, '0')],
    ['one letter many times', (n) => 'x'.repeat(n % 500) + String(n)],
  ])('spreads keys like %s evenly', (_what, keyOf) => {
    let onA = 0;
    for (let n = 1; n <= 10_000; n++) if (sideOfKey(keyOf(n)) === 'A') onA++;
    expect(onA).toBeGreaterThan(4_500);
    expect(onA).toBeLessThan(5_500);
  });
});

const KEYS = [
  '',
  ...[
    'a',
    'b',
    'ab',
    'ba',
    'user:1',
    'user:2',
    'user:3',
    'user:42',
    'order-2025-01-01',
    'Ärger',
    '日本',
    '🦊',
  ],
  'a key that is somewhat longer than the others, as keys made of several parts are',
];
