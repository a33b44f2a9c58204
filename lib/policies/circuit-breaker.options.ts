import { HelixConfigError } from '../core/index.js';

/** Options of `CircuitBreaker`. */
export interface CircuitBreakerOptions {
  /** Failures in a row after which a cluster is avoided. Default 3. */
  readonly threshold?: number;
  /**
   * A cluster that has to be avoided again within this time of its return, in ms, is asked half as often each time
   * whether it is back, down to once in this time. Default 30,000.
   */
  readonly resetTimeoutMs?: number;
}

/** Options of `LatencyCircuitBreaker`. */
export interface LatencyCircuitBreakerOptions extends CircuitBreakerOptions {
  /** An answer that takes longer counts as a failure, in ms. Required: only the application knows it. */
  readonly slowMs: number;
}

/** Node's timers end there. */
const MAX_TIMEOUT_MS = 2_147_483_647;

export function resolveCircuitBreakerOptions(
  options: CircuitBreakerOptions,
  owner = 'CircuitBreaker',
  known: readonly string[] = ['threshold', 'resetTimeoutMs'],
): Required<CircuitBreakerOptions> {
  requireObject(owner, options);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new HelixConfigError(`${owner}: unknown option ${name}; allowed are ${known.join(', ')}.`);
    }
  }
  const { threshold = 3, resetTimeoutMs = 30_000 } = options;
  if (!Number.isSafeInteger(threshold) || threshold < 1) {
    throw new HelixConfigError(
      `${owner}: threshold received ${String(threshold)}; allowed is an integer, 1 or more.`,
    );
  }
  requireMs(owner, 'resetTimeoutMs', resetTimeoutMs);
  return { threshold, resetTimeoutMs };
}

export function resolveLatencyCircuitBreakerOptions(
  options: LatencyCircuitBreakerOptions,
): Required<LatencyCircuitBreakerOptions> {
  const owner = 'LatencyCircuitBreaker';
  const known = ['threshold', 'resetTimeoutMs', 'slowMs'];
  const resolved = resolveCircuitBreakerOptions(options, owner, known);
  const { slowMs } = options;
  requireMs(owner, 'slowMs', slowMs);
  return { ...resolved, slowMs };
}

function requireObject(owner: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    throw new HelixConfigError(`${owner}: options received ${String(value)}; allowed is an object.`);
  }
}

function requireMs(owner: string, name: string, value: unknown): void {
  if (typeof value !== 'number' || !(value >= 1 && value <= MAX_TIMEOUT_MS)) {
    throw new HelixConfigError(
      `${owner}: ${name} received ${String(value)}; allowed are milliseconds from 1 to ${MAX_TIMEOUT_MS}.`,
    );
  }
}
