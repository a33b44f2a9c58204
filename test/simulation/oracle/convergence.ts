import { otherCluster } from '../../../lib/core/index.js';
import type { Violation } from '../ledger.js';
import { describeTruths, describeWrite } from './describe.js';
import type { Evidence } from './evidence.js';
import { mayBeMissing } from './explanations.js';

/** In the end a write is on both sides or on neither, unless there is a reason that somebody has been told. */
export function convergence(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const write of evidence.writes) {
    if (write.A.isThere === write.B.isThere) continue;
    const missing = write.A.isThere ? 'B' : 'A';
    if (mayBeMissing(evidence, write, missing)) continue;
    found.push({
      rule: 'convergence',
      message: `${describeWrite(write)} is on ${otherCluster(missing)} and not on ${missing}, and nothing says why (${describeTruths(write)})`,
    });
  }
  return found;
}
