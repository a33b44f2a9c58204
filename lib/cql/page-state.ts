import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type ClusterId, PageStateError, type PerCluster } from '../core/index.js';

/** Where a next page begins, and on which cluster. */
export interface PagePosition {
  readonly cluster: ClusterId;
  /** Hexadecimal, as the driver has it. */
  readonly driverState: string;
}

/** The instance that a page state must come from. */
export interface PageStateOwner {
  readonly namespace: string;
  readonly sessions: PerCluster<{ readonly keyspace: string | undefined }>;
}

/** The statement that a page state must come from. */
export interface PageStateStatement {
  readonly text: string;
  readonly facts: { readonly masked: string };
}

const VERSION = 1;
/** version, side, digest of what it belongs to, the driver's state, checksum. */
const DIGEST_AT = 2;
const STATE_AT = DIGEST_AT + 16;
const CHECKSUM_BYTES = 4;
const SIDES: Readonly<Record<number, ClusterId>> = { 0x41: 'A', 0x42: 'B' };

/**
 * A page state as users keep it: URL-safe, opaque, and bound to its cluster and statement. Cassandra itself would
 * resume any page state on any cluster and for any statement, and answer with the wrong rows.
 */
export function encodePageState(
  { cluster, driverState }: PagePosition,
  owner: PageStateOwner,
  { text }: PageStateStatement,
): string {
  const content = Buffer.concat([
    Buffer.from([VERSION, cluster.charCodeAt(0)]),
    digest(owner, cluster, text),
    Buffer.from(driverState, 'hex'),
  ]);
  return Buffer.concat([content, checksum(content)]).toString('base64url');
}

/** Throws a {@link PageStateError} unless the state is whole and belongs to this statement and instance. */
export function decodePageState(
  state: unknown,
  owner: PageStateOwner,
  { text, facts }: PageStateStatement,
): PagePosition {
  const refuse = (why: string): never => {
    throw new PageStateError(`${why}. Read from the first page again: ${facts.masked}`);
  };
  if (typeof state !== 'string') return refuse(`A page state is a string, received ${typeof state}`);
  const bytes = Buffer.from(state, 'base64url');
  // Decoding is lenient: characters outside the alphabet and spare bits are passed over.
  if (bytes.length === 0 || bytes.toString('base64url') !== state) {
    return refuse('What was given is no page state, or is damaged');
  }
  if (bytes[0] !== VERSION) {
    return refuse(
      `The page state is of format ${String(bytes[0])}, this version of nestjs-helix reads ${VERSION}`,
    );
  }
  const content = bytes.subarray(0, -CHECKSUM_BYTES);
  const cluster = SIDES[content[1] ?? 0];
  if (content.length <= STATE_AT || !cluster || !checksum(content).equals(bytes.subarray(-CHECKSUM_BYTES))) {
    return refuse('The page state is damaged or cut short');
  }
  if (!owner.sessions[cluster]) {
    return refuse(`The page state comes from cluster ${cluster}, which this instance does not have`);
  }
  if (!digest(owner, cluster, text).equals(content.subarray(DIGEST_AT, STATE_AT))) {
    return refuse('The page state belongs to another statement, keyspace or Helix instance');
  }
  return { cluster, driverState: content.subarray(STATE_AT).toString('hex') };
}

function digest({ namespace, sessions }: PageStateOwner, cluster: ClusterId, text: string): Buffer {
  const belongsTo = JSON.stringify([namespace, sessions[cluster]?.keyspace ?? null, text]);
  return createHash('sha256')
    .update(belongsTo)
    .digest()
    .subarray(0, STATE_AT - DIGEST_AT);
}

/** Finds every damage within four bytes in a row. It is there for accidents, not against forgery. */
function checksum(content: Buffer): Buffer {
  const bytes = Buffer.alloc(CHECKSUM_BYTES);
  bytes.writeUInt32BE(crc32(content));
  return bytes;
}
