/** A delay that doubles from `firstMs` up to `maxMs`. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Between pings of a target that is down. */
export const PROBE_BACKOFF: Backoff = { firstMs: 100, maxMs: 2_000 };
/** Between deliveries to a target that answers pings, and has taken none of the last ones. */
export const REFUSAL_BACKOFF: Backoff = { firstMs: 2, maxMs: 100 };
/** Between attempts of one envelope that fails while its target is well. */
export const RETRY_BACKOFF: Backoff = { firstMs: 100, maxMs: 30_000 };

/**
 * Whole ms before the try after `failures` failed ones (0 for the first), spread over the upper half of the
 * delay, so that many processes do not come back to a target at the same moment.
 *
 * @param random from 0 up to 1
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, random: number): number {
  const delayMs = Math.min(maxMs, firstMs * 2 ** failures);
  return Math.round(delayMs * (0.5 + random / 2));
}
