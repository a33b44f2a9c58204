import { Observable, type Observer, type OperatorFunction, Subscriber, type Subscription } from 'rxjs';
import { toError } from './core/index.js';

type Listener<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * Events for listeners that are not Helix's own. rxjs throws what a listener throws from a timer, where nobody can
 * catch it: it would end the process, because of a mistake in what only looks on. Here it is told to `onError` instead,
 * also behind operators; only what rxjs itself makes of several streams (`merge`, `from`) is out of reach.
 */
export class EventStream<T> extends Observable<T> {
  constructor(
    of: Observable<T>,
    private readonly onError: (error: Error) => void,
  ) {
    super((subscriber) => of.subscribe(subscriber));
    // What operators make of it is guarded like itself. Not an override: it could not have the many types of this one.
    const pipe = (...operators: OperatorFunction<unknown, unknown>[]): Observable<unknown> => {
      let piped: Observable<unknown> = of;
      for (const operator of operators) piped = operator(piped);
      return new EventStream(piped, onError);
    };
    this.pipe = pipe as Observable<T>['pipe'];
  }

  override subscribe(observer?: Partial<Observer<T>>): Subscription;
  override subscribe(next: (value: T) => void): Subscription;
  override subscribe(
    next?: ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription;
  override subscribe(
    listener?: Listener<T>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // Of an operator, which passes on to a listener that is guarded itself.
    if (listener instanceof Subscriber) return super.subscribe(listener);
    const observer: Partial<Observer<T>> =
      typeof listener === 'function' || !listener
        ? {
            ...(listener && { next: listener }),
            ...(error && { error }),
            ...(complete && { complete }),
          }
        : listener;
    return super.subscribe({
      next: (value) => this.#guarded(() => observer.next?.(value)),
      // Without a listener for it, what an operator throws would end the process too.
      error: (thrown: unknown) => {
        if (observer.error) this.#guarded(() => observer.error?.(thrown));
        else this.onError(toError(thrown));
      },
      complete: () => this.#guarded(() => observer.complete?.()),
    });
  }

  #guarded(call: () => unknown): void {
    try {
      const answer = call();
      // An async function is a listener too, and its rejection would end the process as well.
      if (answer instanceof Promise) answer.catch((error: unknown) => this.onError(toError(error)));
    } catch (error) {
      this.onError(toError(error));
    }
  }
}
