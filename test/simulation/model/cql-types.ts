import {
  type ClusterId,
  type Envelope,
  HazardousStatementError,
  otherCluster,
  SchemaMismatchError,
} from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import type { Ledger, WriteRecord } from '../ledger.js';
import type { ModelCluster } from './cluster.js';
import { digestIn, isOfDocument, isTyped, type Spelled, spellWrite, typedValue } from './cql-statements.js';
import type { UnpreparedAnswer } from './operations.js';
import { digestOf, readingOf, signatureOf, type TableTypes } from './schema.js';

// The rule `types`: what is stored was encoded for the types under which it is stored, and nothing is refused for a
// hazard or a difference that is not there.

/** One statement as it arrives. */
export interface Arrived {
  /** By what it is executed. */
  readonly text: string;
  readonly params: readonly unknown[];
}

const NOTHING: Arrived = { text: '', params: [] };

/** Who has sent it, and what could have been heard when it was sent. */
export interface Sender {
  /** Of this cluster's schema, by version. */
  readonly heard: number;
  readonly isReplay: boolean;
  /** Its cluster was asked for the columns of the table last, and has not answered. */
  readonly isUndescribed: boolean;
}

export interface Verdict {
  /** What must not be. */
  readonly wrong: string | undefined;
  /** The server refuses the bytes. */
  readonly isInvalid: boolean;
}

/**
 * What is to be said of a write when a server reads its bytes.
 *
 * Values of other types than those of now are accepted only where nobody could have known: the id was made for other
 * types, somebody else has made it valid again for those of now, and nothing of the change could be heard before the
 * write was sent.
 */
export function judgeArrived(
  record: WriteRecord,
  clusters: Readonly<Record<ClusterId, ModelCluster>>,
  cluster: ClusterId,
  arrived: readonly Arrived[],
  sender: Sender,
): Verdict {
  let isInvalid = false;
  let wrong: string | undefined;
  const { step } = record;
  for (const [index, spelled] of spellWrite(step).entries()) {
    const { text, params } = arrived[index] ?? NOTHING;
    for (const [place, [name, value]] of spelled.parameters.entries()) {
      const bytes = params[place];
      if (!isTyped(name) || typeof value !== 'string' || !Buffer.isBuffer(bytes)) continue;
      const { types } = clusters[cluster].schema;
      const reading = readingOf(name, bytes, types, typedValue(step));
      if (reading === 'as given') continue;
      if (reading === 'invalid') isInvalid = true;
      const isExcused =
        (reading === 'without its further field' && sender.isReplay && !knewOfField(record, clusters)) ||
        isUnknowable(clusters[cluster], spelled, text, name, sender);
      if (!isExcused) wrong ??= `${name} is read as ${reading} (${JSON.stringify(types)}, by ${text})`;
    }
    if (isOfDocument(spelled))
      wrong ??= wrongWithDocument(clusters, cluster, record[cluster].unpreparedAs, sender);
  }
  return { wrong, isInvalid };
}

function isUnknowable(
  { schema }: ModelCluster,
  { parameters }: Spelled,
  text: string,
  name: string,
  { heard }: Sender,
): boolean {
  const names = parameters.map(([each]) => each);
  const digest = digestIn(text);
  const isOfOtherTypes = digest !== undefined && digest !== digestOf(signatureOf(names, schema.types));
  const since = schema.sinceVersion((types) => (name === 'n' ? types.n : types.hasFurtherField));
  return isOfOtherTypes && heard < since;
}

/** A shorter value may wait in the queue while the type gets a field. Not if both had it when the call was made. */
function knewOfField({ heard }: WriteRecord, clusters: Readonly<Record<ClusterId, ModelCluster>>): boolean {
  return (['A', 'B'] as const).every((cluster) => {
    const { schema } = clusters[cluster];
    const isThere = schema.types.hasFurtherField;
    return isThere && schema.sinceVersion(({ hasFurtherField }) => hasFurtherField) <= heard[cluster];
  });
}

/**
 * It sets whatever the table has, and a list would be set as a whole. Its types say nothing of that, so another process
 * of Helix makes the very same id valid again. UNPREPARED says that it has to be judged again.
 */
function wrongWithDocument(
  clusters: Readonly<Record<ClusterId, ModelCluster>>,
  cluster: ClusterId,
  unprepared: UnpreparedAnswer | undefined,
  { heard, isUndescribed }: Sender,
): string | undefined {
  const { schema, wellSinceMs } = clusters[cluster];
  if (!schema.types.hasList) return undefined;
  const since = schema.sinceVersion(({ hasList }) => hasList);
  // A table that cannot be asked for is judged by that of the other cluster.
  const couldBeAsked = !isUndescribed && wellSinceMs < (schema.states[since]?.sinceMs ?? 0);
  // The other one may have been heard of as little.
  if (isUndescribed || (!couldBeAsked && !clusters[otherCluster(cluster)].schema.types.hasList)) {
    return undefined;
  }
  if (heard >= since) return 'the table has a list, which could be heard';
  const isTold = unprepared !== undefined && unprepared.version >= since;
  return isTold ? 'the table has a list, and UNPREPARED had said that something changed' : undefined;
}

/** What a refusal is judged by. */
export interface RefusalWorld {
  readonly setup: Setup;
  readonly ledger: Ledger;
  readonly clusters: Readonly<Record<ClusterId, ModelCluster>>;
}

/** What is said to be the matter for so long, without being asked for again. */
const RECHECK_MS = 1_000;
/** How long one cluster is waited for before the other's types are taken. */
const PATIENCE_MS = 2_000;

/**
 * What is wrong with a refusal for types or hazards: that there was no reason for it, not now, not in the time that it
 * takes to find out, and not in what could be heard.
 */
export function wrongWithRefusal(
  { setup, ledger, clusters }: RefusalWorld,
  record: WriteRecord,
  error: Error,
  heard: Readonly<Record<ClusterId, number>>,
  envelope?: Envelope,
): string | undefined {
  if (!(error instanceof HazardousStatementError)) return undefined;
  const { step } = record;
  const { nowMs } = clusters.A.scheduler;
  const stalledMs = ledger.stalls.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  const askedMs = RECHECK_MS + PATIENCE_MS + 4 * setup.driverPatience * setup.writeTimeoutMs + stalledMs;
  const statesOf = (cluster: ClusterId, fromMs: number, version = Infinity): TableTypes[] => {
    const { states } = clusters[cluster].schema;
    return states
      .filter(
        (state, index) => state.version >= version || (states[index + 1]?.sinceMs ?? Infinity) >= fromMs,
      )
      .map(({ types }) => types);
  };
  const spelled = spellWrite(step);
  if (!(error instanceof SchemaMismatchError)) {
    const hadList = (['A', 'B'] as const).some((cluster) =>
      statesOf(cluster, nowMs - askedMs, heard[cluster]).some(({ hasList }) => hasList),
    );
    return error.hazard === 'list' && hadList && spelled.some(isOfDocument)
      ? undefined
      : `refused as ${error.hazard}, and there was none`;
  }
  const names = new Set(spelled.flatMap(({ parameters }) => parameters.map(([name]) => name)));
  const isOther = (a: TableTypes, b: TableTypes): boolean =>
    (names.has('n') && a.n !== b.n) ||
    (names.has('u') && a.hasFurtherField !== b.hasFurtherField && step.givesFurtherField === true);
  const differ = (one: readonly TableTypes[], other: readonly TableTypes[]): boolean =>
    one.some((a) => other.some((b) => isOther(a, b)));
  if (envelope) {
    const { cluster } = envelope;
    const possible = statesOf(cluster, nowMs - askedMs, heard[cluster]);
    const isMismatch = envelope.statements.some(({ signature }, index) => {
      const of = (spelled[index]?.parameters ?? []).map(([name]) => name);
      return possible.some((types) => !mayTake(of, types, signature));
    });
    return isMismatch ? undefined : 'refused for types that were those of its bytes';
  }
  const [a, b] = [statesOf('A', nowMs - askedMs), statesOf('B', nowMs - askedMs)];
  if (differ(a, b)) return undefined;
  // What the caller has used again cannot be encoded again for other types.
  const [oldA, oldB] = [
    statesOf('A', record.startedMs - askedMs, record.heard.A),
    statesOf('B', record.startedMs - askedMs, record.heard.B),
  ];
  const hasChanged = (['n', 'hasFurtherField'] as const).some(
    (field) => new Set([...oldA, ...oldB].map((types) => types[field])).size > 1,
  );
  if (step.reuses === true && hasChanged) return undefined;
  return 'refused for types that were the same on both';
}

/** Whether a cluster of these types takes bytes of that signature: the same, or shorter ones of a UDT. */
function mayTake(names: readonly string[], types: TableTypes, signature: string): boolean {
  return (
    signatureOf(names, types) === signature ||
    (types.hasFurtherField && signatureOf(names, { ...types, hasFurtherField: false }) === signature)
  );
}
