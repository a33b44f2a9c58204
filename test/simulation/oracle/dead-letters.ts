import { type ClusterId, type DeadLetterReason, otherCluster } from '../../../lib/core/index.js';
import type { Violation, WriteRecord } from '../ledger.js';
import { describeTruth, describeWrite } from './describe.js';
import { type Evidence, refuses, SIDES } from './evidence.js';

/**
 * Nothing is buried without cause. Other rules accept a dead letter as the end of a write: this one sees to it that
 * not everything ends there.
 */
export function deadLetters(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const write of evidence.writes) {
    for (const cluster of SIDES) {
      const reason = write[cluster].buried.find((each) => !isCalledFor(write, cluster, each));
      if (reason === undefined) continue;
      found.push({
        rule: 'dead letter',
        message: `${describeWrite(write)} was buried as ${reason} without cause (${describeTruth(write, cluster)})`,
      });
    }
  }
  return found;
}

function isCalledFor(write: WriteRecord, cluster: ClusterId, reason: DeadLetterReason): boolean {
  switch (reason) {
    case 'rejected':
      return refuses(write, cluster);
    case 'inDoubt':
      // Either it must not be repeated, or the other side refuses it and so it must not come here by replay.
      return write.step.class === 'once' || refuses(write, otherCluster(cluster));
    case 'expired':
    case 'undecodable':
    case 'conflict':
      return false;
  }
}
