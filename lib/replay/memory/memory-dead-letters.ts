import {
  type ClusterId,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterReason,
  type DeadLetterStore,
  type Envelope,
  errorLabel,
  HelixUsageError,
  type ReplayContext,
  ReplayQueueFullError,
  SessionClosedError,
} from '../../core/index.js';

/** What the dead letters need of the queue they belong to. */
export interface DeadLetterOwner {
  isClosed(): boolean;
  describe: ReplayContext['describe'];
  /** How many more envelopes the queue takes. */
  room(): number;
  requeue(envelope: Envelope): void;
  onPurged(cluster: ClusterId): void;
}

/** What statements and parameters of all dead letters may come to. */
const MAX_BYTES = 64 * 1_048_576;

interface Dead {
  readonly envelope: Envelope;
  readonly reason: DeadLetterReason;
  readonly error: Error | undefined;
  readonly attempts: number;
  readonly deadAtMs: number;
}

/**
 * Dead letters in memory, oldest first, bounded in number and in bytes. Their ids are
 * `operationId:cluster:generation`.
 */
export class MemoryDeadLetters implements DeadLetterStore {
  readonly #owner: DeadLetterOwner;
  readonly #letters = new Map<string, Dead>();
  /** How many there are, by side. */
  readonly sizes = { A: 0, B: 0 };
  readonly #capacity: number;
  #bytes = 0;

  constructor(owner: DeadLetterOwner, capacity: number) {
    this.#owner = owner;
    this.#capacity = capacity;
  }

  /** Why there is no room for it, if there is none. One with the same id would make room. */
  refusal(envelope: Envelope): ReplayQueueFullError | undefined {
    const twin = this.#letters.get(idOf(envelope));
    const count = this.#letters.size + (twin ? 0 : 1);
    const bytes = this.#bytes + bytesOf(envelope) - (twin ? bytesOf(twin.envelope) : 0);
    if (count <= this.#capacity && bytes <= MAX_BYTES) return undefined;
    return new ReplayQueueFullError(
      `There is no room for another dead letter: ${this.#letters.size} of ${this.#capacity} are held, with ` +
        `${this.#bytes} of ${MAX_BYTES} bytes. Mend what they were refused for and requeue them, purge them, or ` +
        "raise MemoryReplayer's deadLetterCapacity.",
    );
  }

  /** Answers whether it took the place of one with the same id. */
  add(dead: Dead): boolean {
    const id = idOf(dead.envelope);
    const replaces = this.#remove(id);
    this.#letters.set(id, dead);
    this.sizes[dead.envelope.cluster]++;
    this.#bytes += bytesOf(dead.envelope);
    return replaces;
  }

  /** Removes everything and answers with it. */
  clear(): Envelope[] {
    const envelopes = [...this.#letters.values()].map(({ envelope }) => envelope);
    this.#letters.clear();
    this.sizes.A = this.sizes.B = this.#bytes = 0;
    return envelopes;
  }

  /** When `after` names a dead letter that is gone by now, the list starts at the oldest. */
  list({ cluster, reason, limit = 100, after }: DeadLetterFilter = {}): Promise<DeadLetter[]> {
    if (!Number.isInteger(limit) || limit < 1) {
      const message = `deadLetters.list: received limit ${limit}; allowed is an integer, 1 or more.`;
      return Promise.reject(new HelixUsageError(message));
    }
    const page: DeadLetter[] = [];
    let isSkipping = after !== undefined && this.#letters.has(after);
    for (const [id, dead] of this.#letters) {
      if (page.length === limit) break;
      const matches =
        (cluster === undefined || dead.envelope.cluster === cluster) &&
        (reason === undefined || dead.reason === reason);
      if (!isSkipping && matches) page.push(this.#describe(id, dead));
      if (id === after) isSkipping = false;
    }
    return Promise.resolve(page);
  }

  get(id: string, { reveal = false }: { reveal?: boolean } = {}): Promise<DeadLetter | undefined> {
    const dead = this.#letters.get(id);
    if (!dead) return Promise.resolve(undefined);
    const masked = this.#describe(id, dead);
    if (!reveal) return Promise.resolve(masked);
    return Promise.resolve({
      ...masked,
      statement: dead.envelope.statements.map(({ text }) => text).join('; '),
    });
  }

  requeue(ids: readonly string[] | 'all', { force = false }: { force?: boolean } = {}): Promise<number> {
    if (this.#owner.isClosed()) {
      return Promise.reject(
        new SessionClosedError('The replay queue is closed: its dead letters were handed back.'),
      );
    }
    const letters = this.#select(ids).filter(([, { reason }]) => reason !== 'inDoubt' || force);
    const room = this.#owner.room();
    if (letters.length > 0 && room === 0) {
      return Promise.reject(
        new ReplayQueueFullError(
          'Nothing was requeued: the replay queue has no room. Bring back the cluster that is down first.',
        ),
      );
    }
    const fitting = letters.slice(0, room);
    for (const [id, { envelope }] of fitting) {
      this.#remove(id);
      this.#owner.requeue({ ...envelope, generation: envelope.generation + 1 });
    }
    return Promise.resolve(fitting.length);
  }

  purge(ids: readonly string[] | 'all'): Promise<number> {
    const letters = this.#select(ids);
    for (const [id, { envelope }] of letters) {
      this.#remove(id);
      this.#owner.onPurged(envelope.cluster);
    }
    return Promise.resolve(letters.length);
  }

  count(): Promise<number> {
    return Promise.resolve(this.#letters.size);
  }

  #select(ids: readonly string[] | 'all'): (readonly [string, Dead])[] {
    if (ids === 'all') return [...this.#letters];
    return [...new Set(ids)].flatMap((id) => {
      const dead = this.#letters.get(id);
      return dead ? [[id, dead] as const] : [];
    });
  }

  #remove(id: string): boolean {
    const dead = this.#letters.get(id);
    if (!dead) return false;
    this.#letters.delete(id);
    this.sizes[dead.envelope.cluster]--;
    this.#bytes -= bytesOf(dead.envelope);
    return true;
  }

  #describe(id: string, { envelope, reason, error, attempts, deadAtMs }: Dead): DeadLetter {
    return {
      id,
      operationId: envelope.operationId,
      cluster: envelope.cluster,
      reason,
      ...(error && { error: errorLabel(error) }),
      attempts,
      createdAt: new Date(envelope.createdAtMs),
      deadAt: new Date(deadAtMs),
      ...this.#owner.describe(envelope),
    };
  }
}

function idOf({ operationId, cluster, generation }: Envelope): string {
  return `${operationId}:${cluster}:${generation}`;
}

/** What an envelope weighs beside its object. */
function bytesOf({ statements }: Envelope): number {
  let bytes = 0;
  for (const { text, params } of statements) {
    bytes += text.length;
    for (const value of params) bytes += value?.byteLength ?? 0;
  }
  return bytes;
}
