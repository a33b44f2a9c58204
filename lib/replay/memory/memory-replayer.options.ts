import { HelixConfigError } from '../../core/index.js';

/** Options of {@link MemoryReplayer}. */
export type MemoryReplayerOptions = {
  /** Most envelopes that are queued, delayed or in flight at once, of both clusters. Default 10,000. */
  readonly capacity?: number;
  /**
   * Most dead letters held at once, of both clusters; they take no room from the queue. Their statements and parameters
   * may be 64 MiB, beside that. Default 10,000.
   */
  readonly deadLetterCapacity?: number;
} & (
  | {
      /** So many of high priority are delivered before one of low when both wait. Default 10. */
      readonly ratio?: number;
      readonly strict?: false;
    }
  | {
      /** Low priority is delivered only when no high priority waits. */
      readonly strict: true;
      readonly ratio?: never;
    }
);

const KNOWN: readonly string[] = ['capacity', 'deadLetterCapacity', 'ratio', 'strict'];

/** Defaults filled in; strict is a ratio without end. */
export function resolveMemoryReplayerOptions(options: MemoryReplayerOptions): {
  capacity: number;
  deadLetterCapacity: number;
  ratio: number;
} {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) {
      throw new HelixConfigError(`MemoryReplayer: unknown option ${name}; allowed are ${KNOWN.join(', ')}.`);
    }
  }
  const { capacity = 10_000, deadLetterCapacity = 10_000, ratio } = options;
  const strict: unknown = options.strict ?? false;
  requirePositiveInteger('capacity', capacity);
  requirePositiveInteger('deadLetterCapacity', deadLetterCapacity);
  if (typeof strict !== 'boolean') {
    throw new HelixConfigError(
      `MemoryReplayer: strict received ${typeof strict}; allowed are true and false.`,
    );
  }
  if (ratio !== undefined) requirePositiveInteger('ratio', ratio);
  if (strict && ratio !== undefined) {
    throw new HelixConfigError(
      `MemoryReplayer: received strict: true and ratio: ${ratio}; allowed is one of them, because strict ` +
        'delivers low priority only when no high priority waits.',
    );
  }
  return { capacity, deadLetterCapacity, ratio: strict ? Infinity : (ratio ?? 10) };
}

function requirePositiveInteger(name: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || Number(value) < 1) {
    throw new HelixConfigError(
      `MemoryReplayer: ${name} received ${String(value)}; allowed is an integer, 1 or more.`,
    );
  }
}
