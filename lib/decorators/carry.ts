import { AsyncResource } from 'node:async_hooks';
import { types } from 'node:util';
import { Observable, Subject, takeUntil } from 'rxjs';
import { CARRIES_CONTEXT, HelixUsageError } from '../core/index.js';

/** Runs a part of a call in the context of that call. */
export type RunPart = <T>(part: () => T) => T;

type Steps = Generator | AsyncGenerator;

/** Marks generators whose steps run in a context: another context can be put around them. */
const IN_CONTEXT = Symbol.for('nestjs-helix:inContext');

/**
 * What a call has returned, so that everything still to be done for it is done in the context of the call. A call
 * has one context, however many steps, subscriptions or resubscriptions it takes: what it has written before is
 * what a later part must be able to read.
 *
 * @throws HelixUsageError it would be used later, outside the context
 */
export function carry<T>(result: T, run: RunPart, where: string): T {
  return carried(result, run, where) as T;
}

function carried(result: unknown, run: RunPart, where: string): unknown {
  if (typeof result === 'function') {
    throw refusal('a function', 'call it inside and return what it gives', where);
  }
  if (typeof result !== 'object' || result === null || CARRIES_CONTEXT in result) return result;
  // What an async method resolves to may be used as late as what another one returns.
  if (types.isPromise(result)) return result.then((value) => carried(value, run, where));
  if (isGenerator(result)) return stepsIn(result, run);
  if (isObservable(result)) return subscriptionsIn(result, run);
  if (isThenable(result)) {
    throw refusal('a thenable that is not a promise', 'await it in an async method', where);
  }
  if (isStream(result)) {
    const fix = 'make it an async generator, and a stream of that outside: Readable.from(…)';
    throw refusal('a stream or an async iterable', fix, where);
  }
  if (isIterator(result)) throw refusal('an iterator', 'return an array, or make it a generator', where);
  return result;
}

function isGenerator(result: object): result is Steps {
  return types.isGeneratorObject(result) || IN_CONTEXT in result;
}

/** Every step runs in the context; what the consumer does between two of them does not. */
function stepsIn(generator: Steps, run: RunPart): Steps {
  // With the generator's own prototype: all that can be done with a generator is done by these three methods.
  const steps = Object.create(Object.getPrototypeOf(generator) as object) as Steps;
  for (const step of ['next', 'return', 'throw'] as const) {
    const take = (generator[step] as (...args: unknown[]) => unknown).bind(generator);
    const value = (...args: unknown[]): unknown => run(() => take(...args));
    Object.defineProperty(steps, step, { value, configurable: true, writable: true });
  }
  return Object.defineProperty(steps, IN_CONTEXT, { value: true });
}

/**
 * Subscribing and unsubscribing happen in the context, and so does what they set off. The subscriber is told in its
 * own: what it does with a value is no part of the call.
 */
function subscriptionsIn(source: Observable<unknown>, run: RunPart): Observable<unknown> {
  return new Observable((subscriber) => {
    const caller = new AsyncResource('HelixSubscription');
    const tell = (notify: () => void): void => caller.runInAsyncScope(notify);
    // Not the subscription itself: a source that emits at once may be enough before there is one.
    const end = new Subject<void>();
    subscriber.add(() => run(() => end.next()));
    run(() =>
      source.pipe(takeUntil(end)).subscribe({
        next: (value) => tell(() => subscriber.next(value)),
        error: (error: unknown) => tell(() => subscriber.error(error)),
        complete: () => tell(() => subscriber.complete()),
      }),
    );
  });
}

// Asked with `in` first: there are objects that throw when a property they do not have is read.

/** Of any copy of rxjs. */
function isObservable(result: object): result is Observable<unknown> {
  return hasMethod(result, 'lift') && hasMethod(result, 'subscribe');
}

function isThenable(result: object): boolean {
  return hasMethod(result, 'then');
}

/** Readable or writable. A response has no `_write`: a handler may return it, as in `return response.send(…)`. */
function isStream(result: object): boolean {
  return Symbol.asyncIterator in result || (hasMethod(result, '_write') && hasMethod(result, 'pipe'));
}

/** A method `next` alone can be anything. */
function isIterator(result: object): boolean {
  return Symbol.iterator in result && hasMethod(result, 'next');
}

function hasMethod(result: object, name: string): boolean {
  return name in result && typeof Reflect.get(result, name) === 'function';
}

function refusal(what: string, fix: string, where: string): HelixUsageError {
  return new HelixUsageError(
    `${where} returned ${what}, which would be used outside its context: ${fix}. A context is kept for values, promises, generators, async generators and Observables`,
  );
}
