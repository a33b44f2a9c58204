import { type CallContext, HelixUsageError, type WriteCall, type WriteReceipt } from '../core/index.js';
import { CqlBuilder } from './cql-query.js';
import type { CqlContext } from './cql-context.js';
import { CqlIter } from './cql-iter.js';
import { CqlBatchWrite, maskedBatch } from './cql-write.js';
import { refusalOfKind } from './judgement.js';
import { type CqlParams, type PrepareErrors, snapshot, type Statement } from './statement.js';
import { WriteAnswers, WrittenPage } from './write-answers.js';

/**
 * `logged`: each cluster applies all of it in the end, or nothing; `unlogged`: without that promise, for statements
 * of one partition; `counter`: for counters, which are refused unless there is one cluster only.
 */
export type BatchKind = 'logged' | 'unlogged' | 'counter';

/** The protocol counts them in two bytes. */
const MOST_STATEMENTS = 65_535;

/** Several writes as one operation: one write time, one receipt, one envelope. */
export class CqlBatch extends CqlBuilder {
  readonly #items: { readonly statement: Statement; readonly params: CqlParams | undefined }[] = [];

  /** @internal */
  constructor(
    context: CqlContext,
    private readonly kind: BatchKind,
  ) {
    super(context);
  }

  protected override get what(): string {
    return 'batch';
  }

  /** Number of statements added so far. */
  get size(): number {
    return this.#items.length;
  }

  /**
   * Adds a statement; its parameters are copied.
   *
   * @throws HelixUsageError it is no INSERT, UPDATE or DELETE, or there are 65,535 already
   */
  add(cql: string, params?: CqlParams): this {
    const statement = this.context.statements.get(cql);
    const refusal = refusalOfKind(statement.facts, 'add');
    if (refusal) throw refusal();
    if (this.size === MOST_STATEMENTS) {
      throw new HelixUsageError(
        `batch.add(): a batch holds ${MOST_STATEMENTS} statements at most; a cluster takes far fewer: split it`,
      );
    }
    this.#items.push({ statement, params: snapshot(params) });
    return this;
  }

  /** Writes the batch to both clusters; answers and throws like {@link CqlQuery.exec}. */
  async exec(): Promise<WriteReceipt> {
    return this.#write('exec()');
  }

  /**
   * Writes the batch at once, like {@link exec}, and iterates what it was answered with: no rows unless it was
   * conditional, and the `warnings` of both clusters once the iteration has ended. That is also where its failure
   * is thrown.
   */
  iter(): CqlIter {
    const answers = new WriteAnswers();
    const written = this.#write('iter()', answers).then(() => answers.page());
    return new CqlIter(new WrittenPage(written));
  }

  #write(call: string, answers?: WriteAnswers): Promise<WriteReceipt> {
    this.use();
    if (this.#items.length === 0) {
      throw new HelixUsageError(`batch.${call}: the batch is empty; add() at least one statement`);
    }
    const caller = this.writer(call);
    const statements = this.#items.map(({ statement }) => statement);
    for (const statement of statements) statement.checkWritable();
    const limits = this.limits(caller);
    return this.context.writePath.runPrepared(
      async () => this.#operation(caller, answers, await this.#prepare(limits)),
      maskedBatch(this.kind, statements),
      limits,
    );
  }

  #operation(
    caller: CallContext | undefined,
    answers: WriteAnswers | undefined,
    errors: PrepareErrors,
  ): CqlBatchWrite {
    const items = this.#items.map(({ statement, params }) => this.bind(statement, params));
    const { context, own, kind } = this;
    return new CqlBatchWrite(context, own, caller?.settings, kind, items, answers, errors);
  }

  /** A side that cannot prepare one of the statements cannot take the batch. */
  async #prepare(call: WriteCall | undefined): Promise<PrepareErrors> {
    const cold = this.#items.filter(
      ({ statement: { currentTypes } }) => !currentTypes || currentTypes.longer,
    );
    const errors = await Promise.all(
      cold.map(({ statement, params }) => this.prepare(statement, params, call)),
    );
    return Object.assign({}, ...errors) as PrepareErrors;
  }
}
