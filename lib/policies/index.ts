export { ActiveFailover } from './active-failover.policy.js';
export { type CircuitBreakerOptions, type LatencyCircuitBreakerOptions } from './circuit-breaker.options.js';
export { CircuitBreaker } from './circuit-breaker.policy.js';
export { LatencyCircuitBreaker } from './latency-circuit-breaker.policy.js';
