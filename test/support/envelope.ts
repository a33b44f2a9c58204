import type { Envelope } from '../../lib/core/index.js';

/** An ordinary envelope for side B; `id` is its operation id. */
export function envelope(id: string, fields: Partial<Envelope> = {}): Envelope {
  return {
    version: 1,
    namespace: 'shop',
    cluster: 'B',
    operationId: id,
    generation: 0,
    class: 'idempotent',
    priority: 'high',
    timestampUs: 1_735_689_600_000_000,
    createdAtMs: Date.UTC(2025, 0, 1),
    keyspace: 'shop',
    consistency: 6,
    serialConsistency: undefined,
    ttlSeconds: undefined,
    batch: undefined,
    statements: [
      { text: 'INSERT INTO users (id) VALUES (?)', signature: 'text', params: [new Uint8Array([1, 2])] },
    ],
    ...fields,
  };
}

/** `count` envelopes with the ids `prefix1`, `prefix2` … */
export function envelopes(prefix: string, count: number, fields: Partial<Envelope> = {}): Envelope[] {
  return Array.from({ length: count }, (_, index) => envelope(`${prefix}${index + 1}`, fields));
}
