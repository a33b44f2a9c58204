import type { Violation } from '../ledger.js';
import { describeWrite } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';

/**
 * A write that has been sent because the queue kept room for it finds that room. What a queue elsewhere promises
 * holds for its spool only.
 */
export function reservations(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  if (!evidence.isQueueVolatile) return found;
  for (const write of evidence.writes) {
    const handed = SIDES.filter((cluster) => write[cluster].handed > 0);
    // All that was kept for a write is given back with the first of its envelopes.
    if (!handed.every((cluster) => write[cluster].reserved > 0)) continue;
    const refused = handed.filter((cluster) => write[cluster].refusedMs !== undefined);
    if (refused.length === 0) continue;
    found.push({
      rule: 'reservation',
      message: `${describeWrite(write)} was refused by the queue for ${refused.join(' and ')}, although it had kept room for it`,
    });
  }
  return found;
}
