import { type BlockedReason, toError } from '../../core/index.js';
import { isBlockedConnect } from './classify.js';

/** So many different reasons are given at most, of hosts that fail in different ways. */
const MOST_REASONS = 3;

/**
 * What the driver says of a failed attempt to connect, in its own words. Its outer error says only that no host was
 * there; the reasons are inside, one for each host. At that time there is no statement and no value that could be in
 * them.
 */
export function connectReason(thrown: unknown): string {
  const reasons = hostReasons(thrown);
  const [first = '', ...others] = [...new Set(reasons.map(([, reason]) => reason))];
  if (others.length === 0) return first;
  const shown = reasons.slice(0, MOST_REASONS).map(([host, reason]) => `${host}: ${reason}`);
  const left = reasons.length - shown.length;
  return shown.join('; ') + (left > 0 ? ` (and ${left} more)` : '');
}

/** Why an attempt will fail in the same way until somebody acts: one host that says so is enough, when none took it. */
export function blockedReason(thrown: unknown): BlockedReason | undefined {
  const error = toError(thrown);
  for (const [, inner] of innerErrors(error)) {
    const reason = blockedReason(inner);
    if (reason) return reason;
  }
  if (!isBlockedConnect(error)) return undefined;
  if (error.name === 'ArgumentError') return 'wrongDataCenter';
  return error.message.startsWith('Keyspace ') ? 'noKeyspace' : 'unauthorized';
}

function hostReasons(thrown: unknown): (readonly [host: string, reason: string])[] {
  const error = toError(thrown);
  const inner = innerErrors(error);
  if (inner.length === 0) return [['', ownReason(error)]];
  return inner.map(([host, each]) => [host, connectReason(each)] as const);
}

function innerErrors(error: Error): [host: string, error: unknown][] {
  const { innerErrors: inner } = error as { innerErrors?: unknown };
  return typeof inner === 'object' && inner !== null ? Object.entries(inner) : [];
}

function ownReason(error: Error): string {
  // Node's own, of several addresses, has no message.
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  if (first) return toError(first).message;
  const { innerError } = error as { innerError?: unknown };
  return innerError instanceof Error && innerError.message
    ? `${error.message} (${innerError.message})`
    : error.message || error.name;
}
