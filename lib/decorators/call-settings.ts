import {
  type CallSettings,
  type ClusterId,
  HelixUsageError,
  type StickySettings,
  toError,
} from '../core/index.js';
import {
  checkedAck,
  checkedPriority,
  checkedTimeoutMs,
  type Consistency,
  consistencyCode,
  type DualWriteCallOptions,
  type StickyReadCallOptions,
} from '../cql/index.js';

// Each checks what the user gave; what is wrong throws a HelixUsageError that begins with `where`.

export function dualWriteSettings(options: DualWriteCallOptions, where: string): CallSettings {
  checkKnown(options, ['ack', 'priority', 'consistency', 'timeoutMs'], where);
  return {
    ack: given(options.ack, checkedAck, `${where}: ack`),
    priority: given(options.priority, checkedPriority, `${where}: priority`),
    consistency: given(options.consistency, checkedConsistency, `${where}: consistency`),
    timeoutMs: given(options.timeoutMs, checkedTimeoutMs, `${where}: timeoutMs`),
  };
}

export function stickyReadSettings(
  options: StickyReadCallOptions,
  where: string,
): CallSettings & StickySettings {
  checkKnown(options, ['cluster', 'key', 'consistency', 'timeoutMs', 'hedgeAfterMs'], where);
  return {
    cluster: given(options.cluster, checkedCluster, `${where}: cluster`),
    key: given(options.key, checkedKey, `${where}: key`),
    consistency: given(options.consistency, checkedConsistency, `${where}: consistency`),
    timeoutMs: given(options.timeoutMs, checkedTimeoutMs, `${where}: timeoutMs`),
    hedgeAfterMs: given(options.hedgeAfterMs, checkedTimeoutMs, `${where}: hedgeAfterMs`),
  };
}

/** A key holds values of the application, so the message only says what kind of thing came instead. */
export function checkedKey(key: string, where: string): string {
  if (typeof key !== 'string') {
    throw new HelixUsageError(`${where}: expected a string, received ${kindOf(key)}`);
  }
  return key;
}

function checkedCluster(cluster: ClusterId, where: string): ClusterId {
  if (!['A', 'B'].includes(cluster)) {
    throw new HelixUsageError(`${where}: expected 'A' or 'B', received '${cluster as string}'`);
  }
  return cluster;
}

function checkedConsistency(consistency: Consistency, where: string): number {
  try {
    return consistencyCode(consistency, where);
  } catch (cause) {
    throw new HelixUsageError(toError(cause).message, { cause });
  }
}

function checkKnown(options: object, known: readonly string[], where: string): void {
  if (typeof options !== 'object' || (options as object | null) === null) {
    throw new HelixUsageError(`${where}: expected an object of options, received ${kindOf(options)}`);
  }
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) {
    throw new HelixUsageError(`${where}: there is no option ${unknown}; allowed: ${known.join(', ')}`);
  }
}

function given<T, R>(
  value: T | undefined,
  check: (value: T, where: string) => R,
  where: string,
): R | undefined {
  return value === undefined ? undefined : check(value, where);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
