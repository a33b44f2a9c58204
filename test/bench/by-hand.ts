import cassandra from 'cassandra-driver';
import type { CqlClient } from 'nestjs-helix';

const { localQuorum } = cassandra.types.consistencies;
const TIMEOUT_MS = 5_000;

let lastUs = 0;

/** Strictly increasing, so that two writes of this process never tie. */
function nextTimestampUs(): number {
  return (lastUs = Math.max(Date.now() * 1_000, lastUs + 1));
}

/**
 * The dual write that a careful user writes without Helix: one explicit write time for both clusters, both
 * awaited, both looked at. What one side misses is told to the caller and to nobody else.
 */
export async function writeToBoth(
  a: CqlClient,
  b: CqlClient,
  text: string,
  params: readonly unknown[],
): Promise<{ timestamp: number; A: 'applied' | 'failed'; B: 'applied' | 'failed' }> {
  const timestamp = nextTimestampUs();
  const options = {
    prepare: true,
    isIdempotent: false,
    consistency: localQuorum,
    readTimeout: TIMEOUT_MS,
    timestamp,
  };
  const [onA, onB] = await Promise.allSettled([
    a.execute(text, params, options),
    b.execute(text, params, options),
  ]);
  if (onA.status === 'rejected' && onB.status === 'rejected') {
    throw new AggregateError([onA.reason, onB.reason], 'Neither cluster applied the write');
  }
  return {
    timestamp,
    A: onA.status === 'fulfilled' ? 'applied' : 'failed',
    B: onB.status === 'fulfilled' ? 'applied' : 'failed',
  };
}

/** The driver's own call. */
export function write(client: CqlClient, text: string, params: readonly unknown[]): Promise<unknown> {
  return client.execute(text, params, {
    prepare: true,
    isIdempotent: false,
    consistency: localQuorum,
    readTimeout: TIMEOUT_MS,
  });
}

export async function readOne(client: CqlClient, text: string, params: readonly unknown[]): Promise<unknown> {
  const { rows } = await client.execute(text, params, {
    prepare: true,
    isIdempotent: true,
    consistency: localQuorum,
    readTimeout: TIMEOUT_MS,
  });
  return rows?.[0];
}
