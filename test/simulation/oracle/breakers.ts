import type { BreakerState } from '../../../lib/core/index.js';
import type { BreakerChange, Violation } from '../ledger.js';
import { ms } from './describe.js';
import type { Evidence } from './evidence.js';

/** What a breaker may become. */
const NEXT: Readonly<Record<BreakerState, readonly BreakerState[]>> = {
  closed: ['open'],
  open: ['half-open'],
  'half-open': ['closed', 'open'],
};

/** A breaker that has opened is closed by one ping that is answered, and by nothing else. */
export function breakers(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const states = new Map<string, BreakerState>();
  for (const change of evidence.ledger.breakers) {
    const { process, cluster, state, atMs } = change;
    const name = `${process} ${cluster}`;
    const before = states.get(name) ?? 'closed';
    states.set(name, state);
    const wrong = NEXT[before].includes(state)
      ? before === 'half-open' && wrongWithPing(evidence, change)
      : 'which does not follow';
    if (!wrong) continue;
    const message = `Breaker of ${cluster}, process ${process}, was ${before} and became ${state} at ${ms(atMs)}, ${wrong}`;
    found.push({ rule: 'breaker', message });
  }
  return found;
}

function wrongWithPing({ ledger, setup }: Evidence, change: BreakerChange): string | undefined {
  const { process, cluster, state, atMs } = change;
  const isDecided = ledger.pings.some((ping) => {
    if (ping.process !== process || ping.cluster !== cluster || ping.endedMs !== atMs) return false;
    // An answer may be too slow.
    return ping.wasAnswered === (state === 'closed') || setup.policy === 'latency breaker';
  });
  return isDecided ? undefined : `with no ping that ${state === 'closed' ? 'was answered' : 'failed'} then`;
}
