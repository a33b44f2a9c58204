import { Inject, Optional } from '@nestjs/common';
import { getHelixToken, internalToken } from '../helix.tokens.js';
import { HelixCallHost } from './helix-call-host.js';

/** The property in which an object with decorated methods has the host of an instance. */
export function hostKey(name: string): symbol {
  return internalToken('callHost', name);
}

/** Has Nest inject the host into every object of a class that it makes. */
export function declareHost(prototype: object, name: string): void {
  const key = hostKey(name);
  if (key in prototype) return;
  // Known on the prototype: so the binder recognises the objects that Nest injects nothing into.
  Object.defineProperty(prototype, key, { value: undefined, configurable: true, writable: true });
  Inject(getHelixToken(HelixCallHost, name))(prototype, key);
  // What is missing is told at the call, where the error can say what to do.
  Optional()(prototype, key);
}
