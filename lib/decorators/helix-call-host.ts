import type { OnApplicationShutdown } from '@nestjs/common';
import { CallContext, type CallContexts } from '../core/index.js';
import type { CallRunner, DualWriteCallOptions, StickyReadCallOptions } from '../cql/index.js';
import { dualWriteSettings, stickyReadSettings } from './call-settings.js';
import { carry, type RunPart } from './carry.js';

/** Makes the context of one call, inside that of the call around it, if there is one. */
export type OpenContext = (outer: CallContext | undefined) => CallContext;

/** Runs calls in contexts of one instance: what stands behind the decorators. */
export class HelixCallHost implements CallRunner, OnApplicationShutdown {
  #isReleased = false;

  /** @internal Made by `HelixModule`. */
  constructor(private readonly contexts: CallContexts) {}

  /** True when its application has ended: its objects may go to another one. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  dualWrite<T>(options: DualWriteCallOptions, call: () => T): T {
    const settings = dualWriteSettings(options, 'dualWrite()');
    return this.run((outer) => CallContext.dualWrite(settings, outer), call, 'dualWrite()');
  }

  stickyRead<T>(options: StickyReadCallOptions, call: () => T): T {
    const settings = stickyReadSettings(options, 'stickyRead()');
    return this.run((outer) => CallContext.stickyRead(settings, outer), call, 'stickyRead()');
  }

  /** `where` names the call in errors. */
  run<T>(open: OpenContext, call: () => T, where: string): T {
    const context = open(this.contexts.getStore());
    const run: RunPart = (part) => this.contexts.run(context, part);
    return carry(run(call), run, where);
  }

  onApplicationShutdown(): void {
    this.#isReleased = true;
  }
}
