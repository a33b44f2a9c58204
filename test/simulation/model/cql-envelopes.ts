import type { ClusterId, EncodedValue, Envelope } from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import type { WriteRecord } from '../ledger.js';
import { keyspaceOf } from '../surfaces/surface.js';
import { dueConsistency, dueSerialConsistency } from './cql-checks.js';
import { isTyped, spellWrite, typedValue } from './cql-statements.js';
import { NAMESPACE } from './operations.js';
import { ALL_TYPES, readingOf, signatureOf } from './schema.js';

/** What must have survived the queue: everything that decides how, and whether, an envelope is applied. */
export function wrongWithEnvelope(
  { setup }: { readonly setup: Setup },
  envelope: Envelope,
  record: WriteRecord,
  cluster: ClusterId,
): string | undefined {
  const { step, timestampUs } = record;
  const due: Readonly<Record<string, string | number | undefined>> = {
    namespace: NAMESPACE,
    cluster,
    class: step.class,
    priority: step.priority,
    timestampUs,
    createdAtMs: record.createdAtMs,
    keyspace: keyspaceOf(setup, cluster),
    consistency: dueConsistency(step, cluster),
    serialConsistency: dueSerialConsistency(step, cluster),
    ttlSeconds: undefined,
    batch: step.batch?.kind,
  };
  for (const [field, value] of Object.entries(due)) {
    const actual: unknown = Reflect.get(envelope, field);
    if (actual !== value) return `${field} is ${String(actual)} instead of ${String(value)}`;
  }
  const statements = spellWrite(step);
  if (envelope.statements.length !== statements.length) return `${envelope.statements.length} statements`;
  for (const [index, { text, parameters }] of statements.entries()) {
    const given = envelope.statements[index];
    if (given?.text !== text) return `text ${given?.text}`;
    const names = parameters.map(([name]) => name);
    const types = ALL_TYPES.find((each) => signatureOf(names, each) === given.signature);
    if (!types) return `signature ${given.signature}`;
    if (given.params.length !== parameters.length) return `${given.params.length} parameters`;
    const other = parameters.find(([name, value], place) => {
      const bytes = given.params[place];
      if (!isTyped(name) || typeof value !== 'string') return !isSame(bytes, value);
      // Encoded for the types that it says.
      return (
        !(bytes instanceof Uint8Array) ||
        readingOf(name, Buffer.from(bytes), types, typedValue(step)) !== 'as given'
      );
    });
    if (other) return `another ${other[0]}`;
  }
  return undefined;
}

function isSame(bytes: EncodedValue, value: string | null | undefined): boolean {
  if (value === null || value === undefined) return bytes === value;
  return bytes instanceof Uint8Array && Buffer.from(value).equals(bytes);
}
