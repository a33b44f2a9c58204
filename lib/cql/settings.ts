import { HelixUsageError, type Priority } from '../core/index.js';

/** What a query or a batch asks for itself; it wins over the caller's settings, which win over the instance's. */
export interface OwnSettings {
  readonly consistency: number | undefined;
  readonly serialConsistency: number | undefined;
  readonly timestampUs: number | undefined;
  readonly priority: Priority | undefined;
  readonly ack: 'any' | 'both' | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly pageSize: number | undefined;
  readonly pageState: string | undefined;
}

/** Most queries ask for nothing: they share this. */
export const NOTHING_SET: OwnSettings = Object.freeze({
  consistency: undefined,
  serialConsistency: undefined,
  timestampUs: undefined,
  priority: undefined,
  ack: undefined,
  timeoutMs: undefined,
  signal: undefined,
  pageSize: undefined,
  pageState: undefined,
});

/** Node's timers end there. */
const MAX_TIMEOUT_MS = 2_147_483_647;

// Each returns what it was given, or throws a HelixUsageError that begins with `where`.

export function checkedTimestampUs(timestampUs: number, where: string): number {
  if (!Number.isSafeInteger(timestampUs)) {
    throw new HelixUsageError(
      `${where}: expected whole microseconds since the epoch, received ${String(timestampUs)}`,
    );
  }
  return timestampUs;
}

export function checkedPriority(priority: Priority, where: string): Priority {
  if (!['high', 'low'].includes(priority)) {
    throw new HelixUsageError(`${where}: expected 'high' or 'low', received '${priority}'`);
  }
  return priority;
}

export function checkedAck(ack: 'any' | 'both', where: string): 'any' | 'both' {
  if (!['any', 'both'].includes(ack)) {
    throw new HelixUsageError(`${where}: expected 'any' or 'both', received '${ack}'`);
  }
  return ack;
}

export function checkedTimeoutMs(timeoutMs: number, where: string): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw new HelixUsageError(
      `${where}: expected milliseconds from 1 to ${MAX_TIMEOUT_MS}, received ${String(timeoutMs)}`,
    );
  }
  return timeoutMs;
}

export function checkedSignal(signal: AbortSignal, where: string): AbortSignal {
  // Not `instanceof`: a signal may come from another realm.
  if (typeof (signal as AbortSignal | null | undefined)?.addEventListener !== 'function') {
    throw new HelixUsageError(`${where}: expected an AbortSignal, received ${typeof signal}`);
  }
  return signal;
}

export function checkedPageSize(rows: number, where: string): number {
  if (!Number.isSafeInteger(rows) || rows < 1) {
    throw new HelixUsageError(`${where}: expected a whole number of rows >= 1, received ${String(rows)}`);
  }
  return rows;
}
