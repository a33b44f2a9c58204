import type { Clock, FailoverPolicy, ReadStrategy, WriteStrategy } from '../../lib/core/index.js';
import { ActiveFailover, CircuitBreaker, LatencyCircuitBreaker } from '../../lib/policies/index.js';
import {
  ConcurrentDualWriteStrategy,
  PrimaryOnlyReadStrategy,
  RoundRobinReadStrategy,
  StickyReadStrategy,
  SyncDualWriteStrategy,
} from '../../lib/strategies/index.js';
import type { Random } from './engine/random.js';
import type { Setup } from './history.js';
import { HastyWriteStrategy } from './model/hasty-strategy.js';

// What a setup names, made anew for each process.

export function readStrategyOf({ readStrategy, preferred, cooldownMs }: Setup, clock: Clock): ReadStrategy {
  switch (readStrategy) {
    case 'sticky':
      return new StickyReadStrategy({ preferred, cooldownMs }, clock);
    case 'primary only':
      return new PrimaryOnlyReadStrategy();
    case 'round robin':
      return new RoundRobinReadStrategy();
  }
}

export function writeStrategyOf(
  { writeStrategy, stragglerMs }: Setup,
  clock: Clock,
  random: Random,
): WriteStrategy {
  switch (writeStrategy) {
    case 'concurrent':
    case 'straggler':
      return new ConcurrentDualWriteStrategy({ stragglerMs }, clock);
    case 'A first':
      return new SyncDualWriteStrategy({ first: 'A' });
    case 'B first':
      return new SyncDualWriteStrategy({ first: 'B' });
    case 'hasty':
      return new HastyWriteStrategy(random);
  }
}

export function policyOf({ policy, threshold, resetTimeoutMs, slowMs }: Setup): FailoverPolicy {
  switch (policy) {
    case 'active':
      return new ActiveFailover();
    case 'breaker':
      return new CircuitBreaker({ threshold, resetTimeoutMs });
    case 'latency breaker':
      return new LatencyCircuitBreaker({ threshold, resetTimeoutMs, slowMs });
  }
}
