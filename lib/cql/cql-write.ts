import {
  type CallSettings,
  type ClusterId,
  type EncodedStatement,
  type EncodedValue,
  type Envelope,
  type FailedOutcome,
  HelixUsageError,
  type OperationClass,
  type Priority,
  sideLabel,
  type Stage,
  timeoutError,
  WriteOperation,
} from '../core/index.js';
import type { CqlClientResult } from './cql-client.js';
import type { CqlContext } from './cql-context.js';
import {
  classifyWriteError,
  type CqlSession,
  isUnprepared,
  type PreparedText,
  type StatementOptions,
  type Token,
} from './driver/index.js';
import { strictestClass } from './judgement.js';
import type { OwnSettings } from './settings.js';
import type { BoundValue, CqlParams, ParameterTypes, PrepareErrors, Statement } from './statement.js';
import type { WriteAnswers } from './write-answers.js';

/** One CQL write with its parameters encoded, on its way to both clusters. */
export abstract class CqlWrite extends WriteOperation implements StatementOptions {
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
  /** The side does not know any more what it was sent under. */
  protected abstract forget(cluster: ClusterId): void;
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

  protected override prepareOn(cluster: ClusterId): Promise<unknown> {
    const failure = this.prepareErrors?.[cluster];
    return failure ? Promise.reject(failure) : this.prepareStatements(cluster);
  }

  protected override send(cluster: ClusterId): Promise<unknown> {
    const answer = this.execute(this.session(cluster));
    return this.answers ? this.showAnswer(cluster, answer, this.answers) : answer;
  }

  protected override mustPrepareAgain(error: unknown, cluster: ClusterId): boolean {
    if (!isUnprepared(error)) return false;
    this.forget(cluster);
    return true;
  }

  protected override classifyAt(error: unknown, stage: Stage): FailedOutcome {
    const outcome = classifyWriteError(error, { stage, singlePartition: this.singlePartition });
    const { A, B } = this.prepareErrors ?? {};
    // That was answered when it was prepared, and heard then.
    return error === A || error === B ? { ...outcome, isAnswer: false } : outcome;
  }

  protected override silenceOf(cluster: ClusterId, why: 'late' | 'dead'): Error {
    const { writeTimeoutMs, sessions } = this.context;
    const label = sideLabel(sessions, cluster);
    return timeoutError(
      why === 'late'
        ? `No answer from ${label} within writeTimeoutMs = ${writeTimeoutMs} ms`
        : `${label} does not answer at all`,
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

/** A statement with its parameters, encoded for what both clusters are known to take. */
export class BoundStatement {
  // `private` and not `#`: one object for every write.
  /** By what it was sent last. */
  private sentToABy: PreparedText | undefined;
  private sentToBBy: PreparedText | undefined;

  constructor(
    readonly statement: Statement,
    /** As the caller gave them: they are encoded again if the types change while the write is under way. */
    private readonly params: CqlParams | undefined,
    /** `undefined`: no side has told any. */
    private types: ParameterTypes | undefined,
    /** Encoded for these types. */
    private bound: readonly BoundValue[],
  ) {}

  get values(): readonly BoundValue[] {
    return this.bound;
  }

  get isBound(): boolean {
    return this.types !== undefined;
  }

  isReadyOn(cluster: ClusterId): boolean {
    return this.types === this.statement.types && this.statement.isReadyOn(cluster);
  }

  async prepareOn(cluster: ClusterId): Promise<void> {
    const { statement } = this;
    await statement.prepareOn(cluster);
    if (this.types === statement.types) return;
    this.bound = statement.bindAgain(this.params, this.types, this.bound);
    this.types = statement.types;
  }

  /** What it is sent by; call it only while it is ready on that side. */
  sendTo(cluster: ClusterId): PreparedText {
    const prepared = this.statement.preparedOn(cluster);
    if (!prepared) throw new Error(`Not prepared on ${cluster}`);
    if (cluster === 'A') this.sentToABy = prepared;
    else this.sentToBBy = prepared;
    return prepared;
  }

  forget(cluster: ClusterId): void {
    const prepared = cluster === 'A' ? this.sentToABy : this.sentToBBy;
    if (prepared) this.statement.forget(cluster, prepared);
  }

  /** The driver's unset becomes `undefined`: an envelope outlives the driver that made it. */
  encoded(): EncodedStatement {
    return {
      text: this.statement.text,
      signature: this.types?.signature ?? '',
      params: this.bound.map((value): EncodedValue =>
        value === null || value instanceof Uint8Array ? value : undefined,
      ),
    };
  }
}

export class CqlStatementWrite extends CqlWrite {
  private token: Token | undefined;

  constructor(
    context: CqlContext,
    own: OwnSettings,
    inherited: CallSettings | undefined,
    private readonly bound: BoundStatement,
    answers?: WriteAnswers,
    prepareErrors?: PrepareErrors,
  ) {
    super(context, own, inherited, answers, prepareErrors);
  }

  override get class(): OperationClass {
    return this.bound.statement.class;
  }

  override get canBeQueued(): boolean {
    return this.bound.isBound;
  }

  protected override get batchKind(): undefined {
    return undefined;
  }

  override get masked(): string {
    return this.bound.statement.facts.masked;
  }

  protected override get singlePartition(): boolean {
    return !this.bound.statement.facts.multiPartitionPossible;
  }

  protected override get ttlSeconds(): number | undefined {
    return literalTtl(this.bound.statement);
  }

  override get routingKey(): Token | undefined {
    const { statement, values } = this.bound;
    return (this.token ??= statement.sharedToken?.(values));
  }

  protected override isPreparedOn(cluster: ClusterId): boolean {
    return this.bound.isReadyOn(cluster);
  }

  protected override async prepareStatements(cluster: ClusterId): Promise<void> {
    const { values } = this.bound;
    await this.bound.prepareOn(cluster);
    if (values !== this.bound.values) this.token = undefined;
  }

  protected override execute(session: CqlSession): Promise<CqlClientResult> {
    return session.write(this.bound.sendTo(session.cluster), this.bound.values, this);
  }

  protected override forget(cluster: ClusterId): void {
    this.bound.forget(cluster);
  }

  protected override encoded(): EncodedStatement[] {
    return [this.bound.encoded()];
  }
}

export class CqlBatchWrite extends CqlWrite {
  protected override readonly ttlSeconds = undefined;

  constructor(
    context: CqlContext,
    own: OwnSettings,
    inherited: CallSettings | undefined,
    protected override readonly batchKind: 'logged' | 'unlogged' | 'counter',
    private readonly items: readonly BoundStatement[],
    answers: WriteAnswers | undefined,
    prepareErrors: PrepareErrors,
  ) {
    super(context, own, inherited, answers, prepareErrors);
  }

  override get class(): OperationClass {
    return strictestClass(this.items.map(({ statement }) => statement.class));
  }

  override get canBeQueued(): boolean {
    return this.items.every(({ isBound }) => isBound);
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
    return this.items.every((item) => item.isReadyOn(cluster));
  }

  protected override async prepareStatements(cluster: ClusterId): Promise<void> {
    for (const item of this.items) if (!item.isReadyOn(cluster)) await item.prepareOn(cluster);
  }

  protected override execute(session: CqlSession): Promise<CqlClientResult> {
    const items = this.items.map((item) => ({
      statement: item.sendTo(session.cluster),
      params: item.values,
    }));
    return session.writeBatch(items, this.batchKind, this);
  }

  /** The server names one id; the others may be gone as well. */
  protected override forget(cluster: ClusterId): void {
    for (const item of this.items) item.forget(cluster);
  }

  protected override encoded(): EncodedStatement[] {
    return this.items.map((item) => item.encoded());
  }
}

export function maskedBatch(kind: string, statements: readonly Statement[]): string {
  const first = statements[0]?.facts.masked ?? '';
  return `${kind} batch of ${statements.length}: ${first}${statements.length > 1 ? ' …' : ''}`;
}

function literalTtl({ facts }: Statement): number | undefined {
  return facts.ttl && 'literal' in facts.ttl ? facts.ttl.literal : undefined;
}
