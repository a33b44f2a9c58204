import { HelixUsageError, toError } from '../core/index.js';
import { DEFAULT_INSTANCE } from '../helix.tokens.js';
import type { HelixCallHost } from './helix-call-host.js';
import { declareHost, hostKey } from './host-property.js';

type Method = (...args: unknown[]) => unknown;

/** Runs one call of a method; `where` names the method in errors. */
export type RunMethod = (
  host: HelixCallHost,
  call: () => unknown,
  args: readonly unknown[],
  where: string,
) => unknown;

/**
 * The work of a method decorator: the method is replaced by one that runs in a context of instance `name`.
 * Everything that others have noted down about the method (routes, guards, parameters) stays.
 */
export function decorateMethod(
  decorator: string,
  name: string = DEFAULT_INSTANCE,
  run: RunMethod,
): (target: object, property: string | symbol, descriptor: PropertyDescriptor) => void {
  return (target, property, descriptor) => {
    checkPlace(decorator, target, property, descriptor);
    const where = `${decorator} on ${target.constructor.name}.${String(property)}`;
    const method = descriptor.value as Method;
    declareHost(target, name);
    descriptor.value = standIn(method, (self, args) => {
      const host = hostOf(self, name, where);
      return run(host, () => Reflect.apply(method, self, args), args, where);
    });
  };
}

/** A proxy, so that name, length and everything else of the method can be seen through it. */
function standIn(method: Method, invoke: (self: unknown, args: unknown[]) => unknown): Method {
  // By the tag and not by `types.isAsyncFunction`, which does not see through a proxy of another decorator.
  const isAsync = Reflect.get(method, Symbol.toStringTag) === 'AsyncFunction';
  const proxy = new Proxy(method, {
    apply(_method, self: unknown, args: unknown[]) {
      try {
        return invoke(self, args);
      } catch (error) {
        // An async method never throws, it rejects.
        if (isAsync) return Promise.reject(toError(error));
        throw error;
      }
    },
  });
  // Metadata belongs to the function object, and the proxy is another one.
  for (const key of Reflect.getOwnMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), proxy);
  }
  return proxy;
}

function hostOf(self: unknown, name: string, where: string): HelixCallHost {
  if (typeof self !== 'object' || self === null) {
    throw new HelixUsageError(
      `${where} was called without its object: call it as a method, or keep the object with bind()`,
    );
  }
  const host = Reflect.get(self, hostKey(name)) as HelixCallHost | undefined;
  if (host) return host;
  const registered = name === DEFAULT_INSTANCE ? 'HelixModule' : `HelixModule with name: '${name}'`;
  throw new HelixUsageError(
    `${where} was not run: its object does not know the Helix instance "${name}". Import ${registered}. If you have, this object was not made by Nest, or it was made by a factory and is used before its module is initialised: use dualWrite() or stickyRead() of HelixService there`,
  );
}

/** TypeScript's types do not see every place that a decorator does nothing in. */
function checkPlace(
  decorator: string,
  target: object,
  property: string | symbol | object | undefined,
  descriptor: unknown,
): void {
  const [place, fix] = misplaced(target, property, descriptor) ?? [];
  if (place === undefined) return;
  throw new HelixUsageError(
    `${decorator} on ${place}: it is for methods of the objects that Nest makes. ${fix ?? ''}`,
  );
}

/** Where else than on a method a decorator stands, and what to do about it. */
function misplaced(
  target: object,
  property: string | symbol | object | undefined,
  descriptor: unknown,
): [place: string, fix: string] | undefined {
  if (typeof property === 'object') {
    return ['code with standard decorators', 'Compile it with "experimentalDecorators", as Nest needs it'];
  }
  const isParameter = typeof descriptor === 'number';
  const owner = typeof target === 'function' ? target.name : target.constructor.name;
  if (property === undefined) {
    const place = isParameter ? `a constructor parameter of ${owner}` : `class ${owner}`;
    return [place, 'Put it on each method that needs it'];
  }
  const member = `${owner}.${String(property)}`;
  if (isParameter) return [`a parameter of ${member}`, 'Put it on the method'];
  if (typeof target === 'function') {
    return [`the static method ${member}`, 'Use dualWrite() or stickyRead() of HelixService in it'];
  }
  const found = (descriptor ?? {}) as PropertyDescriptor;
  if ('get' in found || 'set' in found) return [`the accessor ${member}`, 'Make it a method'];
  if (typeof found.value === 'function') return undefined;
  return [`the property ${member}`, 'Make it a method, not a property that holds a function'];
}
