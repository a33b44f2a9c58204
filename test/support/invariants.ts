import { Invariants } from '../../lib/core/index.js';

/** A test that finds a rule of Helix's own broken fails. */
export function noBreaches(): Invariants {
  return new Invariants((message) => {
    throw new Error(message);
  });
}
