import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { ServerResponse, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { setImmediate as macrotask } from 'node:timers/promises';
import {
  concat,
  concatMap,
  defer,
  finalize,
  fromEvent,
  lastValueFrom,
  map,
  type Observable,
  of,
  range,
  retry,
  Subject,
  take,
  tap,
  throwError,
  timer,
  toArray,
} from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  CallContext,
  type CallContexts,
  CARRIES_CONTEXT,
  HelixUsageError,
  type WriteReceipt,
} from '../core/index.js';
import { HelixCallHost } from './helix-call-host.js';

const ALL = 0x05;

let contexts: CallContexts;
let host: HelixCallHost;

beforeEach(() => {
  contexts = new AsyncLocalStorage<CallContext>();
  host = new HelixCallHost(contexts);
});

/** What the calls made here would be given. */
const ack = () => contexts.getStore()?.settings.ack;
const outside = undefined;

function receipt(A: 'applied' | 'queued', B: 'applied' | 'queued'): WriteReceipt {
  return { id: 'id', timestamp: 1, A, B };
}

describe('a call', () => {
  it('has the settings of dualWrite, as the protocol has them, and may write', () => {
    const options = { ack: 'both', priority: 'low', consistency: 'ALL', timeoutMs: 50 } as const;
    host.dualWrite(options, () => {
      expect(contexts.getStore()?.settings).toEqual({ ...options, consistency: ALL });
      expect(contexts.getStore()?.mayWrite).toBe(true);
    });
    expect(contexts.getStore()).toBeUndefined();
    expect.assertions(3);
  });

  it('has the settings and the side of stickyRead, and may not write', () => {
    const options = { consistency: 'ALL', timeoutMs: 50, hedgeAfterMs: 10 } as const;
    host.stickyRead({ ...options, cluster: 'B' }, () => {
      expect(contexts.getStore()?.settings).toEqual({ ...options, consistency: ALL });
      expect(contexts.getStore()).toMatchObject({ preferred: 'B', mayWrite: false });
    });
    expect.assertions(2);
  });

  it('reads the same side for the same key, and knows the key', () => {
    const sides = ['1', '2', '3', '4', '1', '2', '3', '4'].map((key) =>
      host.stickyRead({ key }, () => {
        expect(contexts.getStore()?.key).toBe(key);
        return contexts.getStore()?.preferred;
      }),
    );
    expect(sides.slice(0, 4)).toEqual(sides.slice(4));
    expect(new Set(sides)).toEqual(new Set(['A', 'B']));
  });

  it('gives back the value, or the very error, of the function', () => {
    const value = { of: 'the function' };
    const error = new Error('of the function');
    expect(host.dualWrite({}, () => value)).toBe(value);
    expect(() =>
      host.dualWrite({}, () => {
        throw error;
      }),
    ).toThrow(error);
    expect(contexts.getStore()).toBeUndefined();
  });

  it('may be made again: one in another takes over what it does not set', () => {
    host.dualWrite({ ack: 'both', priority: 'low' }, () => {
      host.dualWrite({ priority: 'high', timeoutMs: 5 }, () => {
        expect(contexts.getStore()?.settings).toMatchObject({ ack: 'both', priority: 'high', timeoutMs: 5 });
      });
      expect(contexts.getStore()?.settings).toMatchObject({ ack: 'both', priority: 'low' });
      expect(contexts.getStore()?.settings.timeoutMs).toBeUndefined();
    });
    expect.assertions(3);
  });

  it('may write in a dualWrite inside a stickyRead, whose side stays', () => {
    host.stickyRead({ cluster: 'B' }, () => {
      expect(contexts.getStore()?.mayWrite).toBe(false);
      host.dualWrite({}, () => {
        expect(contexts.getStore()).toMatchObject({ mayWrite: true, preferred: 'B' });
      });
    });
    expect.assertions(2);
  });

  it('is one of a hundred that overlap, each with a context of its own', async () => {
    const calls = Array.from({ length: 100 }, (_, i) =>
      host.dualWrite({ timeoutMs: i + 1 }, async () => {
        const seen = new Set<number | undefined>();
        for (let turn = 0; turn < 3; turn++) {
          await macrotask();
          seen.add(contexts.getStore()?.settings.timeoutMs);
        }
        return [...seen];
      }),
    );
    expect(await Promise.all(calls)).toEqual(calls.map((_, i) => [i + 1]));
  });
});

describe('what is wrong with the options is said', () => {
  it.each<[option: string, options: object, message: RegExp]>([
    ['ack', { ack: 'all' }, /dualWrite\(\): ack: expected 'any' or 'both', received 'all'/],
    ['priority', { priority: 'urgent' }, /priority: expected 'high' or 'low', received 'urgent'/],
    ['consistency', { consistency: 'MOST' }, /consistency: no such consistency: MOST. Allowed: ANY, ONE/],
    ['timeoutMs', { timeoutMs: 0 }, /timeoutMs: expected milliseconds from 1 to \d+, received 0/],
    ['timeoutMs', { timeoutMs: '5' }, /received 5/],
    ['an unknown one', { retries: 1 }, /no option retries; allowed: ack, priority, consistency, timeoutMs/],
    ['one of stickyRead', { cluster: 'A' }, /no option cluster/],
    ['none', null as never, /an object of options, received null/],
  ])('dualWrite: %s', (_option, options, message) => {
    const call = () => host.dualWrite(options, () => expect.unreachable());
    expect(call).toThrow(HelixUsageError);
    expect(call).toThrow(message);
  });

  it.each<[option: string, options: object, message: RegExp]>([
    ['cluster', { cluster: 'C' }, /stickyRead\(\): cluster: expected 'A' or 'B', received 'C'/],
    ['key', { key: 7 }, /key: expected a string, received number/],
    ['consistency', { consistency: 99 }, /consistency: no such consistency: 99/],
    ['timeoutMs', { timeoutMs: Number.NaN }, /timeoutMs: expected milliseconds from 1 to \d+, received NaN/],
    ['hedgeAfterMs', { hedgeAfterMs: -1 }, /hedgeAfterMs: expected milliseconds from 1 to \d+, received -1/],
    ['one of dualWrite', { ack: 'any' }, /no option ack; allowed: cluster, key, consistency, timeoutMs/],
  ])('stickyRead: %s', (_option, options, message) => {
    const call = () => host.stickyRead(options, () => expect.unreachable());
    expect(call).toThrow(HelixUsageError);
    expect(call).toThrow(message);
  });
});

describe('a promise', () => {
  it('keeps the context over every await, and its maker has none', async () => {
    const call = host.dualWrite({ ack: 'both' }, async () => {
      const before = ack();
      await macrotask();
      return [before, ack()];
    });
    expect(ack()).toBe(outside);
    expect(await call).toEqual(['both', 'both']);
    expect(ack()).toBe(outside);
  });

  it('rejects with the very error', async () => {
    const error = new Error('of the function');
    await expect(host.dualWrite({}, () => Promise.reject(error))).rejects.toBe(error);
  });

  it('keeps it for a generator and an Observable that it resolves to', async () => {
    const steps = await host.dualWrite({ ack: 'both' }, async () =>
      (function* () {
        yield ack();
      })(),
    );
    const values = await host.dualWrite({ ack: 'both' }, async () => defer(() => of(ack())));
    expect([...steps]).toEqual(['both']);
    expect(await lastValueFrom(values)).toBe('both');
  });

  it('rejects for something else that is used later', async () => {
    await expect(host.dualWrite({}, async () => () => ack())).rejects.toThrow(HelixUsageError);
  });
});

describe.each([
  [
    'an async generator',
    async function* (log: unknown[]): AsyncGenerator<unknown, unknown, unknown> {
      try {
        await macrotask();
        log.push(yield ack());
        yield ack();
        return ack();
      } catch (error) {
        log.push(error, ack());
        throw error;
      } finally {
        await macrotask();
        log.push(ack());
      }
    },
  ],
  [
    'a generator',
    function* (log: unknown[]): Generator<unknown, unknown, unknown> {
      try {
        log.push(yield ack());
        yield ack();
        return ack();
      } catch (error) {
        log.push(error, ack());
        throw error;
      } finally {
        log.push(ack());
      }
    },
  ],
])('%s', (_what, body) => {
  const begin = (log: unknown[] = []) => host.dualWrite({ ack: 'both' }, () => body(log));

  it('has the context in every step, and its consumer has not', async () => {
    const log: unknown[] = [];
    const steps = begin(log);
    expect(log).toEqual([]);
    expect(await steps.next()).toEqual({ done: false, value: 'both' });
    expect(ack()).toBe(outside);
    expect(await steps.next('sent')).toEqual({ done: false, value: 'both' });
    expect(await steps.next()).toEqual({ done: true, value: 'both' });
    expect(log).toEqual(['sent', 'both']);
  });

  it('can be looped over, with a body that is outside', async () => {
    const seen: unknown[] = [];
    for await (const step of begin()) seen.push(step, ack());
    expect(seen).toEqual(['both', outside, 'both', outside]);
  });

  it('is cleaned up in the context when the loop is left early', async () => {
    const log: unknown[] = [];
    for await (const step of begin(log)) {
      expect(step).toBe('both');
      break;
    }
    expect(log).toEqual(['both']);
  });

  it('gets an error thrown into it in the context, and gives back its own', async () => {
    const log: unknown[] = [];
    const steps = begin(log);
    await steps.next();
    const error = new Error('thrown in');
    await expect(async () => steps.throw(error)).rejects.toBe(error);
    expect(log).toEqual([error, 'both', 'both']);
  });

  it('is the same kind of object as before', () => {
    const bare = body([]);
    expect(Object.prototype.toString.call(begin())).toBe(Object.prototype.toString.call(bare));
    expect(begin()).toBeInstanceOf(body);
  });

  it('has the contexts of two instances at once', async () => {
    const analytics = new AsyncLocalStorage<CallContext>();
    const steps = host.dualWrite({ ack: 'both' }, () =>
      new HelixCallHost(analytics).dualWrite({ ack: 'any' }, function* () {
        yield [ack(), analytics.getStore()?.settings.ack];
      }),
    );
    expect([...steps]).toEqual([['both', 'any']]);
  });
});

describe('an Observable', () => {
  const begin = (call: () => Observable<unknown>) => host.dualWrite({ ack: 'both' }, call);

  it('is subscribed in the context, and goes on in it', async () => {
    const values = begin(() =>
      timer(0, 1).pipe(
        take(2),
        concatMap((i) => defer(async () => [i, ack()])),
      ),
    );
    expect(await lastValueFrom(values.pipe(toArray()))).toEqual([
      [0, 'both'],
      [1, 'both'],
    ]);
  });

  it('tells its subscriber values and the end in his own context', async () => {
    const heard: unknown[] = [];
    const note = () => heard.push(ack());
    await host.dualWrite({ ack: 'any' }, async () => {
      await new Promise<void>((resolve) => {
        // One value comes while subscribing, the other later.
        begin(() => concat(of(ack()), timer(1)).pipe(tap(() => expect(ack()).toBe('both')))).subscribe({
          next: note,
          complete: () => resolve(void note()),
        });
      });
    });
    expect(heard).toEqual(['any', 'any', 'any']);
  });

  it('tells its subscriber an error in his own context, and it is the very error', async () => {
    const error = new Error('of the source');
    const heard: unknown[] = [];
    begin(() => throwError(() => error)).subscribe({ error: (each) => heard.push(each, ack()) });
    expect(heard).toEqual([error, outside]);
  });

  it('is cleaned up in the context when the subscriber leaves', () => {
    const log: unknown[] = [];
    const values = begin(() => new Subject().pipe(finalize(() => log.push(ack()))));
    values.subscribe().unsubscribe();
    expect(log).toEqual(['both']);
  });

  it('is stopped by a subscriber that has enough while it is still subscribing', async () => {
    let made = 0;
    const values = begin(() => range(0, 1_000).pipe(tap(() => made++)));
    expect(await lastValueFrom(values.pipe(take(3), toArray()))).toEqual([0, 1, 2]);
    expect(made).toBe(3);
  });

  it('is one call for all subscriptions: what one has written, the next reads', async () => {
    const values = begin(() =>
      defer(() => {
        const readFrom = contexts.getStore()?.preferred;
        contexts.getStore()?.onWrite(receipt('queued', 'applied'));
        return of(readFrom);
      }),
    );
    expect([await lastValueFrom(values), await lastValueFrom(values)]).toEqual([undefined, 'B']);
  });

  it('reads what the method had written before it returned', async () => {
    const values = begin(() => {
      contexts.getStore()?.onWrite(receipt('queued', 'applied'));
      return defer(() => of(contexts.getStore()?.preferred));
    });
    expect(await lastValueFrom(values)).toBe('B');
  });

  it('shows the call around it what it has written', async () => {
    await host.dualWrite({}, async () => {
      await lastValueFrom(
        begin(() => defer(() => of(contexts.getStore()?.onWrite(receipt('queued', 'applied'))))),
      );
      expect(contexts.getStore()?.preferred).toBe('B');
    });
    expect.assertions(1);
  });

  it('keeps the context when it is subscribed again after an error', async () => {
    const seen: unknown[] = [];
    const values = begin(() =>
      defer(() => {
        seen.push(ack());
        return seen.length < 3 ? throwError(() => new Error('again')) : of('done');
      }),
    );
    expect(await lastValueFrom(values.pipe(retry(5)))).toBe('done');
    expect(seen).toEqual(['both', 'both', 'both']);
  });

  it('that somebody else drives runs its operators where it is driven from', () => {
    const emitter = new EventEmitter();
    const seen: unknown[] = [];
    begin(() => fromEvent(emitter, 'tick').pipe(map(() => ack()))).subscribe((each) => seen.push(each));
    emitter.emit('tick');
    expect(seen).toEqual([outside]);
  });
});

describe('a plain value', () => {
  const response = () => new ServerResponse(new IncomingMessage(new Socket()));

  class Collection {
    constructor(readonly items: number[]) {}
    [Symbol.iterator]() {
      return this.items[Symbol.iterator]();
    }
  }

  it.each<[what: string, value: unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a text', 'text'],
    ['a number', 7],
    ['a symbol', Symbol('s')],
    ['an array', [1]],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a Buffer', Buffer.from('b')],
    ['an object', { next: 1, then: 2 }],
    ['an object without a prototype', Object.create(null)],
    ['an object with a method next', { next: () => 1 }],
    ['a collection', new Collection([1])],
    ['an emitter', new EventEmitter()],
    ['an object that throws when it is asked too much', expect('anything')],
    ['the response of a route', response()],
  ])('goes through as it is: %s', (_what, value) => {
    expect(host.dualWrite({}, () => value)).toBe(value);
  });

  it('may be one that keeps the context by itself', () => {
    const rows = { [CARRIES_CONTEXT]: true, [Symbol.asyncIterator]: () => ({ next: () => undefined }) };
    expect(host.stickyRead({}, () => rows)).toBe(rows);
  });
});

describe('what would be used later without its context is refused', () => {
  it.each<[what: string, make: () => unknown, fix: RegExp]>([
    ['a function', () => ack, /returned a function.*call it inside/],
    ['a class', () => CallContext, /returned a function/],
    ['a thenable', () => ({ then: () => undefined }), /a thenable that is not a promise.*async method/],
    ['a readable stream', () => Readable.from(['a']), /a stream or an async iterable.*async generator/],
    ['a writable stream', () => new Writable(), /a stream/],
    ['a web stream', () => new ReadableStream(), /a stream/],
    ['an async iterable', () => ({ [Symbol.asyncIterator]: () => ({}) }), /an async iterable/],
    ['an iterator of an array', () => [1].values(), /an iterator.*return an array/],
    ['an iterator of a map', () => new Map().entries(), /an iterator/],
  ])('%s', (_what, make, fix) => {
    const call = () => host.dualWrite({}, make);
    expect(call).toThrow(HelixUsageError);
    expect(call).toThrow(fix);
    expect(call).toThrow('dualWrite() returned');
  });
});

it('is released when its application has ended', async () => {
  expect(host.isReleased).toBe(false);
  host.onApplicationShutdown();
  expect(host.isReleased).toBe(true);
  expect(host.dualWrite({ ack: 'both' }, ack)).toBe('both');
});
