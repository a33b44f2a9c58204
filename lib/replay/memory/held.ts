import type { Envelope } from '../../core/index.js';
import type { Presence } from './positions.js';

/** An envelope while it is queued, delayed or in flight. */
export class Held {
  attempts = 0;
  /** Rises with every arrival at the end of a queue: where it belongs when it is put back. */
  place = 0;
  next: Held | undefined;

  constructor(
    readonly envelope: Envelope,
    readonly presence: Presence,
  ) {}
}
