import { HelixUsageError, type WriteReceipt } from '../core/index.js';
import { CqlBuilder } from './cql-query.js';
import { type CqlContext } from './cql-context.js';
import { CqlBatchWrite } from './cql-write.js';
import { type CqlParams, type PrepareErrors, snapshot, type Statement } from './statement.js';

export type BatchKind = 'logged' | 'unlogged' | 'counter';

/** Several writes as one operation: one write time, one receipt, one envelope. */
export class CqlBatch extends CqlBuilder {
  readonly #items: { readonly statement: Statement; readonly params: CqlParams | undefined }[] = [];

  /** @internal */
  constructor(
    context: CqlContext,
    private readonly kind: BatchKind,
  ) {
    super(context, 'batch');
  }

  /** Number of statements added so far. */
  get size(): number {
    return this.#items.length;
  }

  add(cql: string, params?: CqlParams): this {
    const statement = this.context.statements.get(cql);
    if (!['insert', 'update', 'delete'].includes(statement.facts.kind)) {
      throw new HelixUsageError(
        `batch.add(): a batch holds INSERT, UPDATE and DELETE, received: ${statement.facts.masked}`,
      );
    }
    this.#items.push({ statement, params: snapshot(params) });
    return this;
  }

  /** Writes the batch to both clusters; answers and throws like {@link CqlQuery.exec}. */
  async exec(): Promise<WriteReceipt> {
    this.use();
    if (this.#items.length === 0) {
      throw new HelixUsageError('batch.exec(): the batch is empty; add() at least one statement');
    }
    for (const { statement } of this.#items) statement.checkWritable();
    return this.context.writePath.runPrepared(async () => this.#operation(await this.#prepare()));
  }

  #operation(errors: PrepareErrors): CqlBatchWrite {
    // Without types there is nothing to encode for: no side could be prepared, so none will be sent to.
    const isReady = this.#items.every(({ statement }) => statement.isReady);
    const items = this.#items.map(({ statement, params }) => ({
      statement,
      params: isReady ? this.bind(statement, params) : [],
    }));
    return new CqlBatchWrite(this.context, this.writeSettings, this.kind, items, errors);
  }

  /** A side that cannot prepare one of the statements cannot take the batch. */
  async #prepare(): Promise<PrepareErrors> {
    const cold = this.#items.filter(({ statement }) => !statement.isReady);
    const errors = await Promise.all(
      cold.map(({ statement }) => statement.prepare(this.context.writeTimeoutMs)),
    );
    return Object.assign({}, ...errors) as PrepareErrors;
  }
}
