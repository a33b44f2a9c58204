import type { Violation } from '../ledger.js';
import { describeTruth, describeWrite } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';

/** What must not be repeated is carried out at most once on each side, whatever became of the answer. */
export function once(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const report = (message: string): void => void found.push({ rule: 'once', message });
  for (const write of evidence.writes) {
    if (write.step.class !== 'once') continue;
    for (const cluster of SIDES) {
      if (write[cluster].applied <= 1) continue;
      report(`${describeWrite(write)} was carried out more than once (${describeTruth(write, cluster)})`);
    }
  }
  for (const cluster of SIDES) {
    for (const [key, ids] of evidence.end.counters[cluster]) {
      const twice = ids.find((id, index) => ids.indexOf(id) !== index);
      if (twice !== undefined) report(`Counter ${key} on ${cluster} contains ${twice} more than once`);
    }
  }
  return found;
}
