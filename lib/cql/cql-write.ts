import {
  type ClusterId,
  type EncodedStatement,
  type EncodedValue,
  type Envelope,
  type FailedOutcome,
  HazardousStatementError,
  HelixUsageError,
  type Priority,
  sideLabel,
  timeoutError,
  toError,
  type WriteOperation,
} from '../core/index.js';
import { type CqlClientResult } from './cql-client.js';
import { type CqlContext } from './cql-context.js';
import {
  classifyWriteError,
  type CqlSession,
  isBlockedConnect,
  NotConnectedError,
  type StatementOptions,
} from './driver/index.js';
import { type BoundValue, type PrepareErrors, type Statement } from './statement.js';
import { type WriteAnswers } from './write-answers.js';

export interface WriteSettings {
  readonly consistency: number | undefined;
  readonly serialConsistency: number | undefined;
  readonly timestampUs: number | undefined;
  readonly priority: Priority;
  readonly ack: 'any' | 'both';
  /** Gets what each cluster answers; `undefined`: the receipt is enough. */
  readonly answers: WriteAnswers | undefined;
}

const BIT = { A: 1, B: 2 } as const;
const BOTH = BIT.A | BIT.B;
const CANCELLED = 4;

/** One CQL write with its parameters encoded, on its way to both clusters. */
export abstract class CqlWrite implements WriteOperation {
  readonly class = 'idempotent';
  readonly id: string;
  readonly timestampUs: number;
  readonly priority: Priority;
  readonly ack: 'any' | 'both';
  readonly #createdAtMs: number;
  /** Sides that were handed to the driver, and sides that must not be any more, as bits. */
  #sent = 0;
  #expired = 0;

  constructor(
    protected readonly context: CqlContext,
    private readonly settings: WriteSettings,
    private readonly prepareErrors: PrepareErrors | undefined,
  ) {
    this.id = context.ids.next();
    this.priority = settings.priority;
    this.ack = settings.ack;
    if (settings.timestampUs === undefined) {
      this.timestampUs = context.timestamps();
      this.#createdAtMs = Math.floor(this.timestampUs / 1_000);
    } else {
      this.timestampUs = settings.timestampUs;
      this.#createdAtMs = context.clock.nowMs();
    }
  }

  abstract readonly masked: string;
  protected abstract readonly singlePartition: boolean;
  protected abstract readonly batchKind: Envelope['batch'];
  protected abstract readonly ttlSeconds: number | undefined;
  protected abstract isPreparedOn(cluster: ClusterId): boolean;
  protected abstract prepareOn(cluster: ClusterId): Promise<unknown>;
  protected abstract send(session: CqlSession, options: StatementOptions): Promise<CqlClientResult>;
  protected abstract encoded(): EncodedStatement[];

  get isCancelled(): boolean {
    return (this.#expired & CANCELLED) !== 0;
  }

  attempt(cluster: ClusterId): Promise<unknown> {
    try {
      return this.isPreparedOn(cluster) ? this.#send(cluster) : this.#prepareAndSend(cluster);
    } catch (error) {
      // The driver answers with a promise; a client of the user's own may throw.
      return Promise.reject(toError(error));
    }
  }

  classify(thrown: unknown, cluster: ClusterId): FailedOutcome {
    if (thrown instanceof HazardousStatementError) return { kind: 'rejected', error: thrown };
    if (thrown instanceof NotConnectedError) {
      return { kind: isBlockedConnect(thrown) ? 'blocked' : 'unreached', error: thrown };
    }
    return classifyWriteError(thrown, {
      stage: this.#sent & BIT[cluster] ? 'execute' : 'prepare',
      singlePartition: this.singlePartition,
    });
  }

  expire(cluster: ClusterId): FailedOutcome {
    this.#expired |= BIT[cluster];
    const { writeTimeoutMs, sessions } = this.context;
    const wasSent = (this.#sent & BIT[cluster]) !== 0;
    const error = timeoutError(
      `No answer from ${sideLabel(sessions, cluster)} within writeTimeoutMs = ${writeTimeoutMs} ms`,
    );
    return { kind: wasSent ? 'ambiguous' : 'unreached', error };
  }

  cancel(): boolean {
    if (this.#sent !== 0) return false;
    this.#expired = BOTH | CANCELLED;
    return true;
  }

  envelope(cluster: ClusterId): Envelope {
    const session = this.#session(cluster);
    return {
      version: 1,
      namespace: this.context.namespace,
      cluster,
      operationId: this.id,
      generation: 0,
      class: this.class,
      priority: this.priority,
      timestampUs: this.timestampUs,
      createdAtMs: this.#createdAtMs,
      keyspace: session.keyspace,
      consistency: this.settings.consistency ?? session.consistency,
      serialConsistency: this.settings.serialConsistency ?? session.serialConsistency,
      ttlSeconds: this.ttlSeconds,
      batch: this.batchKind,
      statements: this.encoded(),
    };
  }

  /** The driver's unset becomes `undefined`: an envelope outlives the driver that made it. */
  protected encode(statement: Statement, params: readonly BoundValue[]): EncodedStatement {
    return {
      text: statement.text,
      signature: statement.signature,
      params: params.map((value): EncodedValue =>
        value === null || value instanceof Uint8Array ? value : undefined,
      ),
    };
  }

  async #prepareAndSend(cluster: ClusterId): Promise<unknown> {
    const failure = this.prepareErrors?.[cluster];
    if (failure) throw failure;
    await this.prepareOn(cluster);
    return this.#send(cluster);
  }

  #send(cluster: ClusterId): Promise<unknown> {
    if (this.#expired & BIT[cluster]) throw new Error('Its time was over before it could be sent');
    this.#sent |= BIT[cluster];
    const session = this.#session(cluster);
    const { consistency, serialConsistency, answers } = this.settings;
    const answer = this.send(session, {
      consistency: consistency ?? session.consistency,
      serialConsistency: serialConsistency ?? session.serialConsistency,
      timestampUs: this.timestampUs,
      timeoutMs: this.context.writeTimeoutMs,
    });
    return answers ? answer.then((result) => answers.add(cluster, result)) : answer;
  }

  #session(cluster: ClusterId): CqlSession {
    const session = this.context.sessions[cluster];
    if (!session) throw new HelixUsageError(`There is no cluster ${cluster}`);
    return session;
  }
}

export class CqlStatementWrite extends CqlWrite {
  protected override readonly batchKind = undefined;

  constructor(
    context: CqlContext,
    settings: WriteSettings,
    private readonly statement: Statement,
    private readonly params: BoundValue[],
    prepareErrors?: PrepareErrors,
  ) {
    super(context, settings, prepareErrors);
  }

  override get masked(): string {
    return this.statement.facts.masked;
  }

  protected override get singlePartition(): boolean {
    return !this.statement.facts.multiPartitionPossible;
  }

  protected override get ttlSeconds(): number | undefined {
    return literalTtl(this.statement);
  }

  protected override isPreparedOn(cluster: ClusterId): boolean {
    return this.statement.isPreparedOn(cluster);
  }

  protected override prepareOn(cluster: ClusterId): Promise<unknown> {
    return this.statement.prepareOn(cluster);
  }

  protected override send(session: CqlSession, options: StatementOptions): Promise<CqlClientResult> {
    return session.write(this.statement.text, this.params, options);
  }

  protected override encoded(): EncodedStatement[] {
    return [this.encode(this.statement, this.params)];
  }
}

export interface BatchItem {
  readonly statement: Statement;
  readonly params: BoundValue[];
}

export class CqlBatchWrite extends CqlWrite {
  protected override readonly ttlSeconds = undefined;

  constructor(
    context: CqlContext,
    settings: WriteSettings,
    protected override readonly batchKind: 'logged' | 'unlogged' | 'counter',
    private readonly items: readonly BatchItem[],
    prepareErrors: PrepareErrors,
  ) {
    super(context, settings, prepareErrors);
  }

  override get masked(): string {
    return maskedBatch(
      this.batchKind,
      this.items.map(({ statement }) => statement),
    );
  }

  protected override get singlePartition(): boolean {
    return this.items.length === 1 && this.items[0]?.statement.facts.multiPartitionPossible === false;
  }

  protected override isPreparedOn(cluster: ClusterId): boolean {
    return this.items.every(({ statement }) => statement.isPreparedOn(cluster));
  }

  protected override async prepareOn(cluster: ClusterId): Promise<void> {
    for (const { statement } of this.items) await statement.prepareOn(cluster);
  }

  protected override send(session: CqlSession, options: StatementOptions): Promise<CqlClientResult> {
    const queries = this.items.map(({ statement, params }) => ({ query: statement.text, params }));
    return session.writeBatch(queries, this.batchKind, options);
  }

  protected override encoded(): EncodedStatement[] {
    return this.items.map(({ statement, params }) => this.encode(statement, params));
  }
}

export function maskedBatch(kind: string, statements: readonly Statement[]): string {
  const first = statements[0]?.facts.masked ?? '';
  return `${kind} batch of ${statements.length}: ${first}${statements.length > 1 ? ' …' : ''}`;
}

function literalTtl({ facts }: Statement): number | undefined {
  return facts.ttl && 'literal' in facts.ttl ? facts.ttl.literal : undefined;
}
