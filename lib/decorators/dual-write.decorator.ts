import { CallContext } from '../core/index.js';
import type { DualWriteCallOptions } from '../cql/index.js';
import { dualWriteSettings } from './call-settings.js';
import { decorateMethod } from './decorated-method.js';

/** Options of {@link DualWrite}. */
export interface DualWriteMethodOptions extends DualWriteCallOptions {
  /** The instance that is meant. Default: the default instance. */
  readonly name?: string;
}

/**
 * Sets what the writes made inside a method ask for. Every write through Helix is dual with or without
 * `@DualWrite`, and it is not a transaction: nothing is rolled back when the method fails.
 *
 * ```ts
 * @DualWrite({ ack: 'both', priority: 'low' })
 * async archive(order: Order): Promise<void> { … }
 * ```
 *
 * - Holds for every call to the instance that the method sets off, however deep; the settings of a query win.
 * - Inside another decorated method, options that are not given are those of the outer one.
 * - A read after a write goes to a side that has applied it.
 * - Inside `@StickyRead` it allows writes again.
 *
 * It works on methods, inherited or not, of what Nest makes: providers of every scope and controllers, above or
 * below other decorators. They may return values, promises, generators, async generators and Observables.
 *
 * @throws HelixUsageError when decorating: wrong options, not a method. When called: the instance is missing, or the
 *   result is something that no context can be kept for (streams, iterators, functions). Async methods reject.
 */
export function DualWrite(options: DualWriteMethodOptions = {}): MethodDecorator {
  const { name, ...own } = options;
  const settings = dualWriteSettings(own, '@DualWrite()');
  return decorateMethod('@DualWrite()', name, (host, call, _args, where) =>
    host.run((outer) => CallContext.dualWrite(settings, outer), call, where),
  );
}
