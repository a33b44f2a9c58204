import type { BreakerState } from './ports/failover-policy.js';

/**
 * How a cluster is, in one word; see docs/outages.md. The first that holds:
 *
 * - `blocked` it cannot be used until somebody acts: wrong password, data centre, keyspace
 * - `connecting` it has not been reached yet
 * - `draining` the topology says so
 * - `avoided` its breaker is open
 * - `suspected` it is silent; it is being pinged, or was found dead under a policy that goes on
 * - `catchingUp` it is in use, and has not got all that was written
 * - `well` it is in use
 */
export type ClusterState =
  'blocked' | 'connecting' | 'draining' | 'avoided' | 'suspected' | 'catchingUp' | 'well';

/** What is known of a cluster. */
export interface ClusterFacts {
  /** Only a person can mend what keeps it from being connected. */
  readonly isBlocked: boolean;
  /** True once the first connection was made. */
  readonly hasConnected: boolean;
  readonly isDraining: boolean;
  readonly breaker: BreakerState;
  /** Silent, or found dead. */
  readonly isSuspected: boolean;
  /** It has missed something that has not been replayed to it yet. */
  readonly isBehind: boolean;
}

/** The one word that status, health, events and logs go by. */
export function clusterState(facts: ClusterFacts): ClusterState {
  if (facts.isBlocked) return 'blocked';
  if (!facts.hasConnected) return 'connecting';
  if (facts.isDraining) return 'draining';
  if (facts.breaker !== 'closed') return 'avoided';
  if (facts.isSuspected) return 'suspected';
  return facts.isBehind ? 'catchingUp' : 'well';
}
