import {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterStore,
  type Envelope,
  errorLabel,
  HelixUsageError,
  type ReplayContext,
} from '../../../lib/core/index.js';
import { decodeEnvelope } from '../../../lib/replay/index.js';
import type { ModelDurableQueue, StoredEnvelope } from './durable-queue.js';

/** The process that looks at the dead letters. */
export interface DeadLetterReader {
  describe(envelope: Envelope): ReturnType<ReplayContext['describe']>;
  /** What `work` finds or does at the server; rejects if no answer comes, though it may be done. */
  request<T>(work: () => T): Promise<T>;
}

/** Dead letters in a {@link ModelDurableQueue}. Their ids are `operationId:cluster:generation`. */
export class ModelDeadLetters implements DeadLetterStore {
  constructor(
    private readonly queue: ModelDurableQueue,
    private readonly reader: DeadLetterReader,
  ) {}

  /** When `after` names a dead letter that is gone by now, the list starts at the oldest. */
  list({ cluster, reason, limit = 100, after }: DeadLetterFilter = {}): Promise<DeadLetter[]> {
    if (!Number.isInteger(limit) || limit < 1) {
      const message = `deadLetters.list: received limit ${limit}; allowed is an integer, 1 or more.`;
      return Promise.reject(new HelixUsageError(message));
    }
    return this.reader.request(() => {
      const letters = [...this.queue.letters.values()];
      return letters
        .slice(letters.findIndex(({ id }) => id === after) + 1)
        .filter((letter) => cluster === undefined || letter.cluster === cluster)
        .filter(({ burial }) => reason === undefined || burial?.reason === reason)
        .slice(0, limit)
        .map((letter) => this.#described(letter));
    });
  }

  get(id: string, { reveal = false }: { reveal?: boolean } = {}): Promise<DeadLetter | undefined> {
    return this.reader.request(() => {
      const letter = this.queue.letters.get(id);
      if (!letter) return undefined;
      const masked = this.#described(letter);
      if (!reveal) return masked;
      const { statements } = decodeEnvelope(letter.bytes);
      return { ...masked, statement: statements.map(({ text }) => text).join('; ') };
    });
  }

  requeue(ids: readonly string[] | 'all', { force = false }: { force?: boolean } = {}): Promise<number> {
    return this.reader.request(() => this.queue.requeue(this.#select(ids), force));
  }

  purge(ids: readonly string[] | 'all'): Promise<number> {
    return this.reader.request(() => this.queue.purge(this.#select(ids)));
  }

  count(): Promise<number> {
    return this.reader.request(() => this.queue.letters.size);
  }

  #select(ids: readonly string[] | 'all'): readonly string[] {
    return ids === 'all' ? [...this.queue.letters.keys()] : ids;
  }

  #described({ id, cluster, bytes, attempts, burial }: StoredEnvelope): DeadLetter {
    if (!burial) throw new Error(`${id} is not a dead letter`);
    const envelope = decodeEnvelope(bytes);
    return {
      id,
      operationId: envelope.operationId,
      cluster,
      reason: burial.reason,
      ...(burial.error && { error: errorLabel(burial.error) }),
      attempts,
      createdAt: new Date(envelope.createdAtMs),
      deadAt: new Date(burial.atMs),
      ...this.reader.describe(envelope),
    };
  }
}
