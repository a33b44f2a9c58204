import type { AsyncLocalStorage } from 'node:async_hooks';
import { type ClusterId, otherCluster, type Priority } from './cluster.js';
import type { WriteReceipt } from './receipt.js';

/**
 * On objects that keep the context they were made in by themselves, so that a decorated method may return them
 * and whoever gets them may use them anywhere.
 */
export const CARRIES_CONTEXT = Symbol.for('nestjs-helix:carriesContext');

/** What a call may set for all reads and writes made inside it; a query's own settings win. */
export interface CallSettings {
  readonly ack?: 'any' | 'both' | undefined;
  readonly priority?: Priority | undefined;
  /** The protocol's code. */
  readonly consistency?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly hedgeAfterMs?: number | undefined;
}

export interface StickySettings {
  readonly cluster?: ClusterId | undefined;
  readonly key?: string | undefined;
}

/** The side that the reads of a call stay on, once the first of them has been asked of it. */
interface Pin {
  readonly key: string | undefined;
  cluster: ClusterId | undefined;
}

/** Which sides have every write that a call has made so far. */
interface OwnWrites {
  readonly missedBy: { A: boolean; B: boolean };
}

/**
 * What the Helix calls made inside one method have in common. Nested contexts take over, option by option,
 * what they do not set themselves.
 */
export class CallContext {
  private constructor(
    readonly settings: CallSettings,
    /** False directly inside a call that only reads. */
    readonly mayWrite: boolean,
    private readonly pin: Pin | undefined,
    private readonly ownWrites: OwnWrites | undefined,
  ) {}

  static dualWrite(settings: CallSettings, outer?: CallContext): CallContext {
    const ownWrites = outer?.ownWrites ?? { missedBy: { A: false, B: false } };
    return new CallContext(merged(outer, settings), true, outer?.pin, ownWrites);
  }

  static stickyRead(settings: CallSettings & StickySettings, outer?: CallContext): CallContext {
    const { cluster, key, ...own } = settings;
    const isOwnPin = cluster !== undefined || key !== undefined || !outer?.pin;
    const pin = isOwnPin ? { key, cluster: cluster ?? sideOfKey(key) } : outer.pin;
    return new CallContext(merged(outer, own), false, pin, outer?.ownWrites);
  }

  /** The key that chose the side, for strategies of the user's own. */
  get key(): string | undefined {
    return this.pin?.key;
  }

  /** The side to read from, if this call has bound itself to one. */
  get preferred(): ClusterId | undefined {
    return this.onlySide ?? this.pin?.cluster;
  }

  /** The only side that has all writes of this call; the other would answer with what was there before. */
  get onlySide(): ClusterId | undefined {
    const missedBy = this.ownWrites?.missedBy;
    if (!missedBy || missedBy.A === missedBy.B) return undefined;
    return missedBy.A ? 'B' : 'A';
  }

  /** Whether the reads of this call have a side to stay on. */
  get isBound(): boolean {
    return this.pin?.cluster !== undefined;
  }

  /** The next reads of this call go to that side. */
  stayOn(cluster: ClusterId): void {
    if (this.pin) this.pin.cluster = cluster;
  }

  /** A write succeeded; sides that did not apply it are behind for this call. */
  onWrite(receipt: WriteReceipt): void {
    const missedBy = this.ownWrites?.missedBy;
    if (!missedBy) return;
    for (const cluster of ['A', 'B'] as const) {
      if (receipt[cluster] === 'applied' || receipt[cluster] === 'absent') continue;
      missedBy[cluster] = true;
      // When each side has missed something, the latest write counts.
      if (receipt[otherCluster(cluster)] === 'applied') missedBy[otherCluster(cluster)] = false;
    }
  }
}

/** The contexts of one instance: two instances in one method do not see each other's. */
export type CallContexts = AsyncLocalStorage<CallContext>;

/** The same side for the same key in every process (FNV-1a over UTF-16 code units); keys spread evenly. */
export function sideOfKey(key: string): ClusterId;
export function sideOfKey(key: string | undefined): ClusterId | undefined;
export function sideOfKey(key: string | undefined): ClusterId | undefined {
  if (key === undefined) return undefined;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  // The lowest bit of FNV-1a is a mere parity of the input: fold the high half in.
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) & 1) === 0 ? 'A' : 'B';
}

function merged(outer: CallContext | undefined, own: CallSettings): CallSettings {
  if (!outer) return own;
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...outer.settings, ...Object.fromEntries(set) };
}
