import {
  type Clock,
  type ClusterId,
  delay,
  type FailedOutcome,
  type FailureScope,
  type OperationClass,
  type Priority,
  type ReadOperation,
  type Stage,
  timeoutError,
  toError,
  WriteOperation,
} from '../../lib/core/index.js';
import { envelope } from './envelope.js';

type Failure = FailedOutcome['kind'];

/** What a side answers, or `never`. */
export type SideAnswer = 'applied' | 'never' | Failure;
export type SideScript =
  | SideAnswer
  | {
      readonly answer: SideAnswer;
      readonly afterMs: number;
      /** What fell with it. */
      readonly scope?: FailureScope;
      /** Of a write: before it is on the wire. */
      readonly prepareMs?: number;
    };

/** The error that the driver raised on a side; its message stands for values that must not be shown. */
export class FakeDriverError extends Error {
  override readonly name = 'FakeDriverError';

  constructor(
    readonly kind: Failure,
    readonly scope?: FailureScope,
  ) {
    super(`secret of ${kind}`);
  }
}

async function play(clock: Clock, script: SideScript): Promise<void> {
  const { answer, afterMs, scope } =
    typeof script === 'string' ? { answer: script, afterMs: 0, scope: undefined } : script;
  if (afterMs > 0) await delay(clock, afterMs);
  if (answer === 'never') await new Promise(() => undefined);
  if (answer !== 'applied' && answer !== 'never') throw new FakeDriverError(answer, scope);
}

function classify(error: unknown): FailedOutcome {
  if (!(error instanceof FakeDriverError)) throw new Error('not an error of this fake', { cause: error });
  const { kind, scope } = error;
  return scope ? { kind, error, scope } : { kind, error };
}

export interface FakeWriteFields {
  readonly id?: string;
  readonly class?: OperationClass;
  readonly ack?: 'any' | 'both';
}

/** A write whose sides answer as they are told to. */
export class FakeWrite extends WriteOperation {
  override readonly id: string;
  override readonly timestampUs = 1_735_689_600_000_123;
  override readonly startedMs = undefined;
  override readonly canBeQueued = true;
  override readonly priority: Priority = 'low';
  override readonly class: OperationClass;
  override readonly ack: 'any' | 'both';
  override readonly masked = 'INSERT INTO users (id) VALUES (?)';
  /** In the order in which the sides were sent to. */
  readonly sent: ClusterId[] = [];
  readonly expired: ClusterId[] = [];
  readonly #prepared = new Set<ClusterId>();

  constructor(
    private readonly clock: Clock,
    private readonly script: Record<ClusterId, SideScript>,
    fields: FakeWriteFields = {},
  ) {
    super();
    this.id = fields.id ?? 'op1';
    this.ack = fields.ack ?? 'any';
    this.class = fields.class ?? 'idempotent';
  }

  override expire(cluster: ClusterId, why?: 'late' | 'dead'): FailedOutcome {
    this.expired.push(cluster);
    return super.expire(cluster, why);
  }

  protected override isPreparedOn(cluster: ClusterId): boolean {
    return this.#prepared.has(cluster) || this.#prepareMs(cluster) === undefined;
  }

  protected override async prepareOn(cluster: ClusterId): Promise<void> {
    await delay(this.clock, this.#prepareMs(cluster) ?? 0);
    this.#prepared.add(cluster);
  }

  protected override send(cluster: ClusterId): Promise<unknown> {
    this.sent.push(cluster);
    return play(this.clock, this.script[cluster]);
  }

  protected override classifyAt(error: unknown, stage: Stage): FailedOutcome {
    // Only what is raised by the machine itself is not in the script.
    return stage === 'prepare' && !(error instanceof FakeDriverError)
      ? { kind: 'unreached', error: toError(error) }
      : classify(error);
  }

  protected override silenceOf(cluster: ClusterId): Error {
    return timeoutError(`no answer from ${cluster}`);
  }

  #prepareMs(cluster: ClusterId): number | undefined {
    const script = this.script[cluster];
    return typeof script === 'string' ? undefined : script.prepareMs;
  }

  override envelope(cluster: ClusterId) {
    return envelope(this.id, { cluster, class: this.class, priority: this.priority });
  }
}

/** A read that answers with the side it came from. */
export class FakeRead implements ReadOperation<ClusterId> {
  readonly masked = 'SELECT * FROM users WHERE id = ?';
  readonly asked: ClusterId[] = [];
  /** The `onProgress` of the latest attempt on each side. */
  readonly progress: Partial<Record<ClusterId, () => boolean>> = {};

  constructor(
    private readonly clock: Clock,
    private readonly script: Record<ClusterId, SideScript>,
  ) {}

  async attempt(cluster: ClusterId, onProgress: () => boolean): Promise<ClusterId> {
    this.asked.push(cluster);
    this.progress[cluster] = onProgress;
    await play(this.clock, this.script[cluster]);
    return cluster;
  }

  classify = classify;
}

/** Settles a promise into what it ended with, or `waiting` while it has not. */
export class Watched<T> {
  state: { readonly value: T } | { readonly error: unknown } | 'waiting' = 'waiting';

  constructor(promise: Promise<T>) {
    promise.then(
      (value) => (this.state = { value }),
      (error: unknown) => (this.state = { error }),
    );
  }

  get isSettled(): boolean {
    return this.state !== 'waiting';
  }

  get value(): T {
    if (typeof this.state === 'object' && 'value' in this.state) return this.state.value;
    throw new Error('did not succeed', { cause: this.state });
  }

  get error(): unknown {
    if (typeof this.state === 'object' && 'error' in this.state) return this.state.error;
    throw new Error('did not fail', { cause: this.state });
  }
}
