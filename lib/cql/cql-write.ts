import {
  type CallSettings,
  type ClusterId,
  type EncodedStatement,
  type EncodedValue,
  type Envelope,
  type FailedOutcome,
  HelixUsageError,
  type Priority,
  sideLabel,
  type Stage,
  timeoutError,
  WriteOperation,
} from '../core/index.js';
import type { CqlClientResult } from './cql-client.js';
import type { CqlContext } from './cql-context.js';
import { classifyWriteError, type CqlSession, type StatementOptions, type Token } from './driver/index.js';
import type { OwnSettings } from './settings.js';
import type { BoundValue, PrepareErrors, Statement } from './statement.js';
import type { WriteAnswers } from './write-answers.js';

/** One CQL write with its parameters encoded, on its way to both clusters. */
export abstract class CqlWrite extends WriteOperation implements StatementOptions {
  override readonly class = 'idempotent';
  override readonly id: string;
  override readonly timestampUs: number;
  override readonly startedMs: number;
  /** ms since the epoch, if the write time does not say it. */
  readonly #createdAtMs: number | undefined;

  constructor(
    protected readonly context: CqlContext,
    private readonly own: OwnSettings,
    /** Of the decorated method it is made in. */
    private readonly inherited: CallSettings | undefined,
    /** Gets what each cluster answers; `undefined`: the receipt is enough. */
    private readonly answers: WriteAnswers | undefined,
    private readonly prepareErrors: PrepareErrors | undefined,
  ) {
    super();
    this.id = context.ids.next();
    const { timestampUs } = own;
    this.startedMs = context.clock.monotonicMs();
    this.timestampUs = timestampUs ?? context.timestamps(this.startedMs);
    this.#createdAtMs = timestampUs === undefined ? undefined : context.clock.nowMs();
  }

  override get priority(): Priority {
    return this.own.priority ?? this.inherited?.priority ?? this.context.priority;
  }

  override get ack(): 'any' | 'both' {
    return this.own.ack ?? this.inherited?.ack ?? this.context.ack;
  }

  protected abstract readonly singlePartition: boolean;
  protected abstract readonly batchKind: Envelope['batch'];
  protected abstract readonly ttlSeconds: number | undefined;
  protected abstract prepareStatements(cluster: ClusterId): Promise<unknown>;
  protected abstract execute(session: CqlSession): Promise<CqlClientResult>;
  protected abstract encoded(): EncodedStatement[];

  get consistency(): number | undefined {
    return this.own.consistency ?? this.inherited?.consistency;
  }

  get serialConsistency(): number | undefined {
    return this.own.serialConsistency;
  }

  get timeoutMs(): number {
    return this.context.writeTimeoutMs;
  }

  /** One for both sides; `undefined` leaves it to the driver. */
  get routingKey(): Token | undefined {
    return undefined;
  }

  override envelope(cluster: ClusterId): Envelope {
    const session = this.session(cluster);
    return {
      version: 1,
      namespace: this.context.namespace,
      cluster,
      operationId: this.id,
      generation: 0,
      class: this.class,
      priority: this.priority,
      timestampUs: this.timestampUs,
      createdAtMs: this.#createdAtMs ?? Math.floor(this.timestampUs / 1_000),
      keyspace: session.keyspace,
      consistency: this.consistency ?? session.consistency,
      serialConsistency: this.serialConsistency ?? session.serialConsistency,
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

  protected override prepareOn(cluster: ClusterId): Promise<unknown> {
    const failure = this.prepareErrors?.[cluster];
    return failure ? Promise.reject(failure) : this.prepareStatements(cluster);
  }

  protected override send(cluster: ClusterId): Promise<unknown> {
    const answer = this.execute(this.session(cluster));
    return this.answers ? this.showAnswer(cluster, answer, this.answers) : answer;
  }

  protected override classifyAt(error: unknown, stage: Stage): FailedOutcome {
    return classifyWriteError(error, { stage, singlePartition: this.singlePartition });
  }

  protected override timeoutOf(cluster: ClusterId): Error {
    const { writeTimeoutMs, sessions } = this.context;
    return timeoutError(
      `No answer from ${sideLabel(sessions, cluster)} within writeTimeoutMs = ${writeTimeoutMs} ms`,
    );
  }

  private async showAnswer(
    cluster: ClusterId,
    answer: Promise<CqlClientResult>,
    answers: WriteAnswers,
  ): Promise<void> {
    answers.add(cluster, await answer);
  }

  private session(cluster: ClusterId): CqlSession {
    const session = this.context.sessions[cluster];
    if (!session) throw new HelixUsageError(`There is no cluster ${cluster}`);
    return session;
  }
}

export class CqlStatementWrite extends CqlWrite {
  #token: Token | undefined;

  constructor(
    context: CqlContext,
    own: OwnSettings,
    inherited: CallSettings | undefined,
    private readonly statement: Statement,
    private readonly params: BoundValue[],
    answers?: WriteAnswers,
    prepareErrors?: PrepareErrors,
    /** False: no side could prepare it, so that none will be sent to, and there are no parameters. */
    override readonly canBeQueued = true,
  ) {
    super(context, own, inherited, answers, prepareErrors);
  }

  protected override get batchKind(): undefined {
    return undefined;
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

  override get routingKey(): Token | undefined {
    return (this.#token ??= this.statement.sharedToken?.(this.params));
  }

  protected override isPreparedOn(cluster: ClusterId): boolean {
    return this.statement.isPreparedOn(cluster);
  }

  protected override prepareStatements(cluster: ClusterId): Promise<unknown> {
    return this.statement.prepareOn(cluster);
  }

  protected override execute(session: CqlSession): Promise<CqlClientResult> {
    return session.write(this.statement.text, this.params, this);
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
    own: OwnSettings,
    inherited: CallSettings | undefined,
    protected override readonly batchKind: 'logged' | 'unlogged' | 'counter',
    private readonly items: readonly BatchItem[],
    answers: WriteAnswers | undefined,
    prepareErrors: PrepareErrors,
    /** As of a single statement. */
    override readonly canBeQueued: boolean,
  ) {
    super(context, own, inherited, answers, prepareErrors);
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

  protected override async prepareStatements(cluster: ClusterId): Promise<void> {
    for (const { statement } of this.items) await statement.prepareOn(cluster);
  }

  protected override execute(session: CqlSession): Promise<CqlClientResult> {
    const queries = this.items.map(({ statement, params }) => ({ query: statement.text, params }));
    return session.writeBatch(queries, this.batchKind, this);
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
