import {
  type CallContext,
  ClusterError,
  HelixUsageError,
  type Priority,
  type ReadCall,
  sideLabel,
  toError,
  type WriteCall,
  type WriteReceipt,
} from '../core/index.js';
import type { CqlClientResult, CqlRow } from './cql-client.js';
import { type Consistency, consistencyCode } from './consistency.js';
import type { CqlContext } from './cql-context.js';
import { CqlIter } from './cql-iter.js';
import { type CqlPage, toPage } from './cql-page.js';
import { CqlAllRead, CqlPageRead, type ReadSettings } from './cql-read.js';
import { CqlResultSet } from './cql-result-set.js';
import { BoundStatement, CqlStatementWrite } from './cql-write.js';
import { isEncodingError } from './driver/index.js';
import { refusalOfKind, type StatementCall } from './judgement.js';
import { decodePageState } from './page-state.js';
import { PagedSelect } from './paged-select.js';
import {
  checkedAck,
  checkedPageSize,
  checkedPriority,
  checkedSignal,
  checkedTimeoutMs,
  checkedTimestampUs,
  NOTHING_SET,
  type OwnSettings,
} from './settings.js';
import {
  type CqlParams,
  type ParameterTypes,
  type PrepareErrors,
  snapshot,
  type Statement,
} from './statement.js';
import { WriteAnswers, WrittenPage } from './write-answers.js';

/** Settings that a query and a batch share. Each is chainable. */
export abstract class CqlBuilder {
  #isUsed = false;
  #own = NOTHING_SET;

  constructor(protected readonly context: CqlContext) {}

  /** What the service calls it, for messages. */
  protected abstract get what(): string;

  protected get own(): OwnSettings {
    return this.#own;
  }

  protected set(change: Partial<OwnSettings>): this {
    this.#own = { ...this.#own, ...change };
    return this;
  }

  /** Consistency on each cluster. Default: the cluster's own (`LOCAL_QUORUM` unless configured). */
  consistency(consistency: Consistency): this {
    return this.set({ consistency: consistencyCode(consistency, `${this.what}.consistency()`) });
  }

  /** Consistency of the Paxos phase of conditional statements, and of serial reads. */
  serialConsistency(consistency: Consistency): this {
    return this.set({ serialConsistency: consistencyCode(consistency, `${this.what}.serialConsistency()`) });
  }

  /**
   * Write time of every cell, µs since the epoch. Default: a strictly increasing clock. `USING TIMESTAMP` in
   * the text wins over it.
   */
  withTimestamp(timestampUs: number): this {
    return this.set({ timestampUs: checkedTimestampUs(timestampUs, `${this.what}.withTimestamp()`) });
  }

  /** Order of replay if one side misses the write. Default: the instance's `priority`. */
  withPriority(priority: Priority): this {
    return this.set({ priority: checkedPriority(priority, `${this.what}.withPriority()`) });
  }

  /**
   * When a write counts as done: `any` one side has applied it, or `both`; it throws `PartialWriteError` if the
   * other one has not, which replay makes up for. Default: the instance's `ack`.
   */
  ack(ack: 'any' | 'both'): this {
    return this.set({ ack: checkedAck(ack, `${this.what}.ack()`) });
  }

  /**
   * The whole time that the caller waits, in ms; of an iteration: that it waits for each page. When it is over
   * the call rejects with `OperationAbortedError`; a write that was sent goes on and is replayed as usual. Default:
   * no limit beside those of the instance for each side.
   */
  withTimeout(timeoutMs: number): this {
    return this.set({ timeoutMs: checkedTimeoutMs(timeoutMs, `${this.what}.withTimeout()`) });
  }

  /**
   * Ends the caller's wait, or an iteration, with `OperationAbortedError` when it aborts. A write that was not
   * sent by then never is; one that was goes on and is replayed as usual.
   */
  withSignal(signal: AbortSignal): this {
    return this.set({ signal: checkedSignal(signal, `${this.what}.withSignal()`) });
  }

  protected use(): void {
    if (this.#isUsed) {
      throw new HelixUsageError(
        `A ${this.what} can be run once. Build another one with ${this.what}() for each call`,
      );
    }
    this.#isUsed = true;
  }

  /** The decorated method that writes, if there is one. Throws if it may only read. */
  protected writer(call: string): CallContext | undefined {
    const caller = this.context.contexts.getStore();
    if (caller && !caller.mayWrite) {
      throw new HelixUsageError(
        `${this.what}.${call}: inside @StickyRead nothing is written; wrap the write in @DualWrite`,
      );
    }
    return caller;
  }

  protected readSettings(caller: CallContext | undefined, driverPageState: string | undefined): ReadSettings {
    const { consistency, serialConsistency, pageSize } = this.#own;
    return {
      consistency: consistency ?? caller?.settings.consistency,
      serialConsistency,
      pageSize,
      pageState: driverPageState,
    };
  }

  /** `undefined` when there is nothing to say, as for most calls. */
  protected limits(caller: CallContext | undefined): WriteCall | undefined {
    const { signal } = this.#own;
    const timeoutMs = this.#own.timeoutMs ?? caller?.settings.timeoutMs;
    if (!caller && !signal && timeoutMs === undefined) return undefined;
    return { context: caller, signal, timeoutMs };
  }

  /** Of a caller's own time at most half is spent on the cluster that is slower: the other one has to be written to yet. */
  protected prepare(
    statement: Statement,
    params: CqlParams | undefined,
    call: WriteCall | undefined,
  ): Promise<PrepareErrors> {
    const { writeTimeoutMs, readPath } = this.context;
    const { failover, wire } = readPath;
    return statement.prepare(params, {
      timeoutMs: writeTimeoutMs,
      callerMs: call?.timeoutMs,
      isAvoided: (cluster) => !failover.isAvailable(cluster) || wire.detector.isDead(cluster),
    });
  }

  /** Nothing is encoded if no side has told the types: then none can be sent to. */
  protected bind(
    statement: Statement,
    params: CqlParams | undefined,
    types = statement.currentTypes,
  ): BoundStatement {
    try {
      return new BoundStatement(statement, params, types, types ? statement.bind(params) : []);
    } catch (error) {
      if (!(error instanceof Error) || !isEncodingError(error)) throw error;
      const { facts } = statement;
      const cluster = types?.cluster ?? 'A';
      throw new ClusterError(
        `A parameter does not fit its type on ${sideLabel(this.context.sessions, cluster)} (${error.name}): ${facts.masked}`,
        cluster,
        'write',
        'notApplied',
        { cause: error },
      );
    }
  }
}

/**
 * One statement: settings, then exactly one call that runs it.
 *
 * ```ts
 * const receipt = await helix.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, name]).exec();
 * const user = await helix.query('SELECT * FROM users WHERE id = ?', [id]).one();
 * ```
 */
export class CqlQuery<Row = CqlRow> extends CqlBuilder {
  /** @internal */
  constructor(
    context: CqlContext,
    private readonly text: string,
    private readonly params: CqlParams | undefined,
  ) {
    super(context);
  }

  protected override get what(): string {
    return 'query';
  }

  /** Rows per page. Default: the driver's (5,000). */
  pageSize(rows: number): this {
    return this.set({ pageSize: checkedPageSize(rows, 'query.pageSize()') });
  }

  /**
   * Goes on after the page that this state came with, on the cluster it came from and on no other. The
   * statement must be the same, and should have the same parameters. `undefined`: from the first page.
   */
  pageState(state: string | undefined): this {
    return this.set({ pageState: state });
  }

  /**
   * Writes to both clusters.
   *
   * @returns what became of it on each side; one applied side is success
   * @throws DualClusterError neither side applied it; `outcome` says whether a retry is safe
   * @throws ClusterError a side refused it (or failed, in single-cluster mode); nothing is replayed
   * @throws HazardousStatementError it would not converge on two clusters; nothing was sent
   */
  exec(): Promise<WriteReceipt> {
    return this.#write();
  }

  /**
   * First row, or `undefined` if there is none.
   *
   * @throws DualClusterError neither cluster answered
   * @throws ClusterError the cluster refused it; or it failed, and no other can go on from the page state
   */
  async one(): Promise<Row | undefined> {
    const { rows } = await this.#firstPage('one');
    return rows?.[0] as Row | undefined;
  }

  /** First row by position, or `undefined` if there is none. */
  async values(): Promise<unknown[] | undefined> {
    const { rows } = await this.#firstPage('values');
    return rows?.[0]?.values();
  }

  /** Every row of every page, all from one cluster; starts over on the other if that one fails. */
  async all(): Promise<Row[]> {
    const { statement, settings, call } = this.#read('all');
    const rows = await this.context.readPath.run(
      new CqlAllRead(this.context, statement, snapshot(this.params), settings),
      call,
    );
    return rows as Row[];
  }

  /** One page, with what is known about it. */
  async page(): Promise<CqlPage<Row>> {
    const pages = this.#pages('page');
    return toPage(pages, await pages.firstPage());
  }

  /**
   * Row after row, without holding more than one page.
   *
   * @throws PageStateError the state belongs elsewhere or is damaged. What clusters do wrong is thrown by the
   *   iteration
   */
  iter(): CqlIter<Row> {
    return new CqlIter<Row>(this.#pages('iter'));
  }

  /** @internal What the statement is decides whether it is read or written. */
  async resultSet(): Promise<CqlResultSet<Row>> {
    if (this.context.statements.get(this.text).facts.kind === 'select') {
      const pages = this.#pages('execute');
      return new CqlResultSet<Row>(pages, await pages.firstPage());
    }
    const answers = new WriteAnswers();
    const receipt = await this.#write(answers);
    const page = answers.page();
    return new CqlResultSet<Row>(new WrittenPage(Promise.resolve(page)), page, receipt);
  }

  #firstPage(terminal: StatementCall): Promise<CqlClientResult> {
    const { statement, settings, call } = this.#read(terminal);
    const read = new CqlPageRead(this.context, statement, snapshot(this.params), settings);
    return this.context.readPath.run(read, call);
  }

  #pages(terminal: StatementCall): PagedSelect {
    const { statement, settings, call } = this.#read(terminal);
    return new PagedSelect(this.context, statement, this.params, settings, call);
  }

  #read(terminal: StatementCall): {
    readonly statement: Statement;
    readonly settings: ReadSettings;
    readonly call: ReadCall | undefined;
  } {
    this.use();
    const { context } = this;
    const statement = context.statements.get(this.text);
    const refusal = refusalOfKind(statement.facts, terminal);
    if (refusal) throw refusal();
    const { pageState } = this.own;
    const from = pageState === undefined ? undefined : decodePageState(pageState, context, statement);
    const caller = context.contexts.getStore();
    const settings = this.readSettings(caller, from?.driverState);
    const limits = this.limits(caller);
    if (!limits && !from) return { statement, settings, call: undefined };
    const hedgeAfterMs = caller?.settings.hedgeAfterMs;
    return { statement, settings, call: { ...limits, cluster: from?.cluster, hedgeAfterMs } };
  }

  #write(answers?: WriteAnswers): Promise<WriteReceipt> {
    try {
      this.use();
      const statement = this.context.statements.get(this.text);
      if (statement.refusalOfExec) throw statement.refusalOfExec();
      const caller = this.writer('exec()');
      statement.checkWritable();
      const call = this.limits(caller);
      const types = statement.currentTypes;
      if (!types || types.longer) return this.#prepareAndRun(statement, caller, answers, call);
      const operation = this.#operation(statement, this.params, types, caller, answers);
      return this.context.writePath.run(operation, call);
    } catch (error) {
      return Promise.reject(toError(error));
    }
  }

  #prepareAndRun(
    statement: Statement,
    caller: CallContext | undefined,
    answers: WriteAnswers | undefined,
    call: WriteCall | undefined,
  ): Promise<WriteReceipt> {
    const { writePath } = this.context;
    // The caller may reuse its array while the statement is being prepared.
    const params = snapshot(this.params);
    return writePath.runPrepared(
      async () => {
        const errors = await this.prepare(statement, params, call);
        return this.#operation(statement, params, statement.currentTypes, caller, answers, errors);
      },
      statement.facts.masked,
      call,
    );
  }

  #operation(
    statement: Statement,
    params: CqlParams | undefined,
    types: ParameterTypes | undefined,
    caller: CallContext | undefined,
    answers: WriteAnswers | undefined,
    errors?: PrepareErrors,
  ): CqlStatementWrite {
    const { context, own } = this;
    const bound = this.bind(statement, params, types);
    return new CqlStatementWrite(context, own, caller?.settings, bound, answers, errors);
  }
}
