import type { DiscoveryService, ModulesContainer } from '@nestjs/core';
import { HelixConfigError } from '../core/index.js';
import { HelixCallHost } from './helix-call-host.js';
import { hostKey } from './host-property.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/**
 * Gives the host to objects with decorated methods that Nest injects nothing into: those of `useFactory` and
 * `useValue`.
 */
export class HelixCallBinder {
  readonly #key: symbol;

  constructor(
    private readonly name: string,
    private readonly host: HelixCallHost,
    private readonly modules: ModulesContainer,
  ) {
    this.#key = hostKey(name);
  }

  /** @throws HelixConfigError an object cannot be given the host, or has that of another application */
  bindAll(): void {
    // Controllers are always made from their classes, and injected.
    for (const { providers, injectables } of this.modules.values()) {
      for (const wrapper of providers.values()) this.#visit(wrapper);
      for (const wrapper of injectables.values()) this.#visit(wrapper);
    }
  }

  #visit(wrapper: Wrapper): void {
    if (wrapper.isAlias) return;
    const { metatype: make } = wrapper;
    const isMadeOnce = wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
    if (isMadeOnce) this.#bind(wrapper.instance, wrapper);
    for (const made of wrapper.getStaticTransientInstances()) this.#bind(made?.instance, wrapper);
    if (!isMadeOnce && wrapper.isFactory && make) {
      // Nest calls it again for every request or consumer, long after this.
      wrapper.metatype = async (...args: unknown[]): Promise<unknown> => {
        const made: unknown = await Reflect.apply(make, undefined, args);
        this.#bind(made, wrapper);
        return made;
      };
    }
  }

  #bind(made: unknown, { name: token }: Wrapper): void {
    if (!hasDecoratedMethods(made, this.#key)) return;
    const bound: unknown = Reflect.get(made, this.#key);
    if (bound === this.host) return;
    const what = `Provider ${String(token)} (an object of ${made.constructor.name})`;
    if (bound instanceof HelixCallHost && !bound.isReleased) {
      throw new HelixConfigError(
        `${what} belongs to another application, which has the Helix instance "${this.name}" too: calls would go to one of the two. Close that application first, or let useFactory make an object for each`,
      );
    }
    const isBound = Reflect.defineProperty(made, this.#key, {
      value: this.host,
      configurable: true,
      writable: true,
    });
    if (!isBound) {
      throw new HelixConfigError(
        `${what} is frozen, so its decorated methods cannot be given the Helix instance "${this.name}". Do not freeze it, or let Nest make it from its class`,
      );
    }
  }
}

function hasDecoratedMethods(made: unknown, key: symbol): made is object {
  if (typeof made !== 'object' || made === null) return false;
  try {
    return key in made;
  } catch {
    // A proxy that may not be looked at yet, such as one that stands for something of a request.
    return false;
  }
}
