import { CallContext, HelixUsageError } from '../core/index.js';
import type { StickyReadCallOptions } from '../cql/index.js';
import { checkedKey, stickyReadSettings } from './call-settings.js';
import { decorateMethod } from './decorated-method.js';

/** Options of {@link StickyRead}. */
export interface StickyReadMethodOptions<Args extends unknown[] = never[]> extends Omit<
  StickyReadCallOptions,
  'key'
> {
  /** The instance that is meant. Default: the default instance. */
  readonly name?: string;
  /**
   * A key of the method's arguments, which chooses the side: the same key gives the same side in every process.
   * `cluster` wins over it.
   */
  readonly key?: (...args: Args) => string;
}

/**
 * Decorates methods whose arguments a key can be made of.
 *
 * @typeParam Method a method that takes at least the arguments of `key`
 */
export type StickyReadDecorator<Args extends unknown[]> = <
  Method extends (...args: [...Args, ...never[]]) => unknown,
>(
  target: object,
  property: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/**
 * Keeps all reads made inside a method on one side. A write inside it throws `HelixUsageError` unless a nested
 * `@DualWrite` wraps it; every write through Helix is dual with or without `@DualWrite`, and none of this is a
 * transaction.
 *
 * ```ts
 * @StickyRead({ key: (customer: string) => customer })
 * async orders(customer: string): Promise<Order[]> { … }
 * ```
 *
 * - The side is `cluster`, or the one that `key` stands for, or the one that the first read is asked of. If it fails
 *   the reads move to the other one and stay there.
 * - Holds for every call to the instance that the method sets off, however deep; the settings of a query win.
 * - Inside another decorated method, options that are not given are those of the outer one, its side included.
 *
 * It works on methods, inherited or not, of what Nest makes: providers of every scope and controllers, above or
 * below other decorators. They may return values, promises, generators, async generators and Observables.
 *
 * @throws HelixUsageError when decorating: wrong options, not a method. When called: the instance is missing, `key`
 *   does not give a string, or the result is something that no context can be kept for (streams, iterators,
 *   functions). Async methods reject.
 */
export function StickyRead<Args extends unknown[] = never[]>(
  options: StickyReadMethodOptions<Args> = {},
): StickyReadDecorator<Args> {
  const { name, key, ...own } = options;
  const settings = stickyReadSettings(own, '@StickyRead()');
  if (key !== undefined && typeof key !== 'function') {
    throw new HelixUsageError(
      `@StickyRead(): key: expected a function of the method's arguments, received ${typeof key}`,
    );
  }
  return decorateMethod('@StickyRead()', name, (host, call, args, where) => {
    const ofCall = key && { ...settings, key: checkedKey(key(...(args as Args)), `${where}: key`) };
    return host.run((outer) => CallContext.stickyRead(ofCall ?? settings, outer), call, where);
  });
}
