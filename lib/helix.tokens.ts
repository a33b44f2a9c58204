import { Inject, type InjectionToken } from '@nestjs/common';
import type { ClusterId } from './core/index.js';

export const DEFAULT_INSTANCE = 'default';

/** A class that is provided once per instance. */
export type HelixProviderClass<T = unknown> = (abstract new (...args: never[]) => T) & {
  readonly name: string;
};

/**
 * The token under which an instance provides a class: the class itself for the default instance, a symbol
 * shared by all copies of the package for a named one.
 */
export function getHelixToken<T>(
  provided: HelixProviderClass<T>,
  name: string = DEFAULT_INSTANCE,
): InjectionToken<T> {
  return name === DEFAULT_INSTANCE ? provided : symbolFor(name, provided.name);
}

/** Injects what an instance provides: `@InjectHelix(HelixCqlService, 'analytics')`. */
export function InjectHelix(
  provided: HelixProviderClass,
  name?: string,
): ParameterDecorator & PropertyDecorator {
  return Inject(getHelixToken(provided, name));
}

/** The token of a cluster's own driver session. */
export function getHelixSessionToken(cluster: ClusterId, name: string = DEFAULT_INSTANCE): symbol {
  return symbolFor(name, `session:${cluster}`);
}

/** Injects a cluster's own driver session, the driver's `Client`; it bypasses Helix. */
export function InjectHelixSession(
  cluster: ClusterId,
  name?: string,
): ParameterDecorator & PropertyDecorator {
  return Inject(getHelixSessionToken(cluster, name));
}

/** @internal Tokens of what an instance is made of. */
export function internalToken(part: string, name: string): symbol {
  return symbolFor(name, `internal:${part}`);
}

function symbolFor(name: string, part: string): symbol {
  return Symbol.for(`nestjs-helix:${name}:${part}`);
}
