import {
  APPLIED,
  type ClusterId,
  type Envelope,
  type FailedOutcome,
  type ReadOperation,
  type ReplayTarget,
  type SettledOutcome,
  type Stage,
  timeoutError,
  toError,
  WriteOperation,
} from '../../../lib/core/index.js';
import { classifyReadError, classifyWriteError } from '../../../lib/cql/driver/classify.js';
import type { Change, ReadStep, WriteStep } from '../history.js';
import type { Ledger, ReadRecord, SeenRow, WriteRecord } from '../ledger.js';
import { bytesOf, type Mutation, textOf } from './cluster.js';
import { RESPONSE_CODE, responseError } from './driver-errors.js';
import type { ModelConnection, ModelSession } from './session.js';

export type ModelSessions = Readonly<Record<ClusterId, ModelSession>>;

export const NAMESPACE = 'simulation';
const KEYSPACE = 'model';
const SIGNATURE = 'text';

/** What decides, beside its error, what a failure means. */
export interface WhatFailed {
  readonly wasSent: boolean;
  /** It changes several partitions. */
  readonly isOfMany?: boolean;
}

/** How the side was when it said so. */
export interface UnpreparedAnswer {
  /** Of its schema. */
  readonly version: number;
  /** Whether somebody has asked it to prepare one of the statements before, and has had no answer. */
  readonly isPreparing: boolean;
}

/** What a process tells the world about the requests it makes. */
export interface RequestObserver {
  /** A write turns to a side, to prepare or to send. */
  onWriteAttempted(cluster: ClusterId): void;
  /** A write itself, not replay, goes to a side. */
  onWriteSent(write: WriteRecord, cluster: ClusterId): void;
  onReadSent(read: ReadRecord, cluster: ClusterId): void;
  /** The side has executed nothing of the write because it does not know the statement any more. */
  onUnprepared(write: WriteRecord, cluster: ClusterId, answer: UnpreparedAnswer): void;
  /** What was made of a failure: of a write, or of an envelope, that was sent or not; of a read. */
  onOutcome(who: string, cluster: ClusterId, outcome: FailedOutcome, write?: WhatFailed): void;
}

/** A write as Helix sees it: the life of a write that ships, with model clusters at its ends. */
export class ModelWrite extends WriteOperation {
  override readonly id: string;
  override readonly masked: string;
  override readonly startedMs = undefined;
  override readonly canBeQueued = true;
  override readonly class;
  override readonly ack;
  override readonly priority;
  readonly #preparedOn = new Set<ClusterId>();

  constructor(
    private readonly step: WriteStep,
    private readonly record: WriteRecord,
    override readonly timestampUs: number,
    private readonly sessions: ModelSessions,
    /** How long the driver waits for an answer. */
    private readonly driverTimeoutMs: number,
    private readonly observer: RequestObserver,
  ) {
    super();
    this.id = step.id;
    this.masked = step.id;
    this.class = step.class;
    this.ack = step.ack;
    this.priority = step.priority;
  }

  override attempt(cluster: ClusterId): Promise<unknown> {
    const truth = this.record[cluster];
    const { scheduler } = this.sessions[cluster].connection.server;
    truth.attemptedMs = scheduler.nowMs;
    this.observer.onWriteAttempted(cluster);
    const answer = super.attempt(cluster);
    answer.then(
      () => (truth.acknowledgedMs = scheduler.nowMs),
      (error: unknown) => (truth.failure = { error: toError(error), atMs: scheduler.nowMs }),
    );
    return answer;
  }

  override classify(error: unknown, cluster: ClusterId): FailedOutcome {
    return this.#observed(cluster, super.classify(error, cluster));
  }

  override expire(cluster: ClusterId, why?: 'late' | 'dead'): FailedOutcome {
    const truth = this.record[cluster];
    if (why === 'dead') truth.releasedMs = this.sessions[cluster].connection.server.scheduler.nowMs;
    return this.#observed(cluster, super.expire(cluster, why));
  }

  #observed(cluster: ClusterId, outcome: FailedOutcome): FailedOutcome {
    this.observer.onOutcome(this.id, cluster, outcome, { wasSent: this.record[cluster].sent > 0 });
    return outcome;
  }

  override envelope(cluster: ClusterId): Envelope {
    const { step } = this;
    const { key, change } = step;
    return {
      version: 1,
      namespace: NAMESPACE,
      cluster,
      operationId: this.id,
      generation: 0,
      class: step.class,
      priority: step.priority,
      timestampUs: this.timestampUs,
      createdAtMs: this.record.createdAtMs,
      keyspace: KEYSPACE,
      consistency: step.consistency,
      serialConsistency: undefined,
      ttlSeconds: undefined,
      batch: undefined,
      statements: [
        {
          text: textOfChange(change),
          signature: SIGNATURE,
          params: [bytesOf(key), bytesOf(step.id)],
        },
      ],
    };
  }

  protected override isPreparedOn(cluster: ClusterId): boolean {
    const isPrepared = this.step.prepareMs === undefined || this.#preparedOn.has(cluster);
    return this.sessions[cluster].hasConnected && isPrepared;
  }

  protected override async prepareOn(cluster: ClusterId): Promise<void> {
    const { prepareMs, refusedBy } = this.step;
    const session = this.sessions[cluster];
    if (!session.hasConnected) throw session.notConnected();
    if (prepareMs === undefined) return;
    await session.connection.request('prepare', this.driverTimeoutMs, () => {
      if (refusedBy?.includes(cluster)) throw responseError(RESPONSE_CODE.invalid);
    });
    await session.connection.takesTime(prepareMs);
    this.#preparedOn.add(cluster);
  }

  protected override send(cluster: ClusterId): Promise<unknown> {
    const { step, record, timestampUs } = this;
    const session = this.sessions[cluster];
    this.observer.onWriteSent(record, cluster);
    return session.connection.request('write', this.driverTimeoutMs, () => {
      refuse(record, session.connection);
      const mutation: Mutation = { key: step.key, change: step.change, value: step.id, timestampUs };
      session.connection.server.carryOut(mutation, record);
    });
  }

  protected override classifyAt(error: unknown, stage: Stage): FailedOutcome {
    return classifyWriteError(error, { stage, singlePartition: true });
  }

  protected override silenceOf(): Error {
    return timeoutError('No answer in time');
  }
}

export class ModelRead implements ReadOperation<SeenRow> {
  readonly masked: string;
  /** What each side has answered. */
  readonly #rows: Partial<Record<ClusterId, SeenRow>> = {};

  constructor(
    private readonly step: ReadStep,
    private readonly record: ReadRecord,
    private readonly sessions: ModelSessions,
    /** How long the driver waits for an answer. */
    private readonly driverTimeoutMs: number,
    private readonly observer: RequestObserver,
  ) {
    this.masked = step.id;
  }

  attempt(cluster: ClusterId): Promise<SeenRow> {
    const session = this.sessions[cluster];
    this.observer.onReadSent(this.record, cluster);
    if (!session.hasConnected) return Promise.reject(session.notConnected());
    return session.connection.request('read', this.driverTimeoutMs, () => {
      if (this.step.isBad) throw responseError(RESPONSE_CODE.syntaxError);
      const row = session.connection.server.read(this.step.key);
      this.#rows[cluster] = row;
      return row;
    });
  }

  /** Which side gave a row. */
  cluster(row: SeenRow): ClusterId | undefined {
    return row === this.#rows.A ? 'A' : row === this.#rows.B ? 'B' : undefined;
  }

  classify(error: unknown, cluster: ClusterId): FailedOutcome {
    noteFailedRead(this.record, cluster, this.sessions[cluster].connection.server.scheduler.nowMs);
    const outcome = classifyReadError(error);
    this.observer.onOutcome(this.step.id, cluster, outcome);
    return outcome;
  }
}

export function noteFailedRead({ asked }: ReadRecord, cluster: ClusterId, nowMs: number): void {
  for (const each of asked) if (each.cluster === cluster) each.failedMs ??= nowMs;
}

/** A cluster as replay sees it: what `CqlReplayTarget` does with a driver, done with a model cluster. */
export class ModelReplayTarget implements ReplayTarget {
  constructor(
    private readonly session: ModelSession,
    private readonly ledger: Ledger,
    private readonly observer: Pick<RequestObserver, 'onOutcome'> & {
      onReplayRequest(cluster: ClusterId, kind: 'ping' | 'envelope'): void;
    },
    /** Its own time limit as a multiple of the one it is told. */
    private readonly patience: number,
  ) {}

  ping(timeoutMs: number): Promise<void> {
    this.observer.onReplayRequest(this.session.cluster, 'ping');
    return this.session.ping(timeoutMs);
  }

  async apply(envelope: Envelope, timeoutMs: number): Promise<SettledOutcome> {
    const { session, ledger } = this;
    const { cluster } = session;
    this.observer.onReplayRequest(cluster, 'envelope');
    ledger.replayed.push({
      id: envelope.operationId,
      cluster,
      atMs: session.connection.server.scheduler.nowMs,
    });
    const record = ledger.writeOf(envelope);
    const mutation = mutationOf(envelope);
    if (record) checkEnvelope(envelope, record, cluster, ledger);
    let stage: Stage = 'prepare';
    try {
      if (!session.hasConnected) throw session.notConnected();
      if (!record) throw responseError(RESPONSE_CODE.invalid);
      stage = 'execute';
      // A driver may be more patient than it is told to be.
      await session.connection.request('write', this.patience * timeoutMs, () => {
        refuse(record, session.connection);
        session.connection.server.carryOut(mutation, record);
      });
      return APPLIED;
    } catch (error) {
      const outcome = classifyWriteError(error, { stage, singlePartition: true });
      this.observer.onOutcome(envelope.operationId, cluster, outcome, { wasSent: stage === 'execute' });
      return outcome;
    }
  }
}

/** Throws what the server says to a statement that it does not take, or not yet. */
export function refuse({ step, startedMs }: WriteRecord, { server }: ModelConnection): void {
  const { refusedBy, shortOfReplicas } = step;
  const cluster = server.id;
  if (refusedBy?.includes(cluster)) throw responseError(RESPONSE_CODE.invalid);
  const isShort =
    shortOfReplicas?.on === cluster && server.scheduler.nowMs < startedMs + shortOfReplicas.forMs;
  if (isShort) throw responseError(RESPONSE_CODE.unavailable, 'Unavailable');
}

/** What must have survived the queue: everything that decides how, and whether, it is applied. */
function checkEnvelope(envelope: Envelope, record: WriteRecord, cluster: ClusterId, ledger: Ledger): void {
  const { step } = record;
  const [statement] = envelope.statements;
  const isWhole =
    envelope.namespace === NAMESPACE &&
    envelope.cluster === cluster &&
    envelope.keyspace === KEYSPACE &&
    envelope.class === step.class &&
    envelope.priority === step.priority &&
    envelope.consistency === step.consistency &&
    envelope.createdAtMs === record.createdAtMs &&
    envelope.timestampUs === record.timestampUs &&
    envelope.statements.length === 1 &&
    statement?.signature === SIGNATURE &&
    statement.text === textOfChange(step.change);
  if (!isWhole) {
    ledger.violate(
      'envelope',
      `${step.id} came to ${cluster} changed: ${JSON.stringify({ ...envelope, statements: statement?.text })}`,
    );
  }
}

function textOfChange(change: Change): string {
  switch (change.kind) {
    case 'set':
      return `set ${change.columns.join(' ')}`;
    case 'unset':
      return `unset ${change.column}`;
    default:
      return change.kind;
  }
}

function mutationOf({ statements, timestampUs }: Envelope): Mutation {
  const [statement] = statements;
  const [kind = '', ...columns] = (statement?.text ?? '').split(' ');
  const [key, value] = statement?.params ?? [];
  return {
    key: key ? textOf(key) : '',
    value: value ? textOf(value) : '',
    timestampUs,
    change: changeOf(kind, columns),
  };
}

function changeOf(kind: string, columns: readonly string[]): Change {
  switch (kind) {
    case 'set':
      return { kind, columns };
    case 'unset':
      return { kind, column: columns[0] ?? '' };
    case 'delete':
    case 'add':
      return { kind };
    default:
      throw new Error(`Not a statement of the model: ${kind}`);
  }
}
