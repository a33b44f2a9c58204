import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CallContext,
  type ClusterId,
  type OperationIds,
  SessionClosedError,
  toError,
  type WriteReceipt,
} from '../../../lib/core/index.js';
import {
  type CqlBatch,
  type CqlContext,
  type CqlExecuteOptions,
  type CqlQuery,
  type CqlRow,
  HelixCqlService,
} from '../../../lib/cql/index.js';
import { HelixCallHost } from '../../../lib/decorators/index.js';
import { createContext } from '../../../lib/helix.cql.js';
import type { HelixInstance } from '../../../lib/helix.instance.js';
import type { ReadStep, WriteStep } from '../history.js';
import type { ReadRecord, SeenRow, WriteRecord } from '../ledger.js';
import { textOf } from '../model/cluster.js';
import { askedConsistency } from '../model/cql-checks.js';
import type { Purpose } from '../model/cql-client.js';
import { paramsOf, READ_COLUMNS, reuse, spellRead, spellWrite } from '../model/cql-statements.js';
import type { CqlSurface } from './cql-surface.js';
import { OpenCall } from './open-call.js';
import type { Calls } from './surface.js';
import { watchReads, watchWrites } from './watched-paths.js';

/** One for all instances, which come one after the other: each that was ever used costs every promise for good. */
const contexts = new AsyncLocalStorage<CallContext>();

/** Calls of `HelixCqlService` as an application makes them. */
export class CqlCalls implements Calls {
  readonly #context: CqlContext;
  readonly #host: HelixCallHost;
  readonly #open = new Map<string, OpenCall>();

  constructor(
    private readonly surface: CqlSurface,
    private readonly instance: HelixInstance,
  ) {
    this.#context = { ...createContext(instance, surface.sessions, surface.statements), contexts };
    this.#host = new HelixCallHost(contexts);
  }

  heldUp(step: WriteStep | ReadStep): ClusterId[] {
    const spelled = step.do === 'write' ? spellWrite(step) : [spellRead(step)];
    const texts = spelled.map(({ text }) => text);
    const { clients } = this.surface;
    return (['A', 'B'] as const).filter((cluster) => clients[cluster].isPreparing(texts));
  }

  write(record: WriteRecord): Promise<WriteReceipt> {
    const { caller, world } = this.surface;
    const { step } = record;
    world.texts.add(step, spellWrite(step));
    const helix = this.#service({
      ids: idsOf(step.id),
      timestamps: (monotonicMs) => {
        const timestampUs = this.instance.timestamps(monotonicMs);
        caller.world.onTimestamp({ step, timestampUs });
        return timestampUs;
      },
      writePath: watchWrites(this.instance.writePath, record, this.surface),
    });
    const made = this.#within(helix, step, () =>
      step.batch ? this.#batch(helix, step) : this.#exec(helix, step),
    );
    made.catch((error: unknown) => this.surface.onRefused(record, toError(error)));
    return made;
  }

  heard(): Readonly<Record<ClusterId, number>> {
    return this.surface.heard();
  }

  /** Also of a change that has failed it may be known then that there was one. */
  async onBoth(text: string): Promise<void> {
    const { clients } = this.surface;
    try {
      await this.#service({}).onBoth(text);
    } catch (error) {
      if (!(error instanceof SessionClosedError)) throw error;
      return;
    }
    for (const client of [clients.A, clients.B]) client.hear();
  }

  async read(record: ReadRecord): Promise<SeenRow> {
    const { world } = this.surface;
    const { step } = record;
    world.texts.add(step, [spellRead(step)]);
    const purpose: Purpose = { kind: 'read', record, rows: {} };
    const readPath = watchReads(this.instance.readPath, purpose, this.surface);
    const helix = this.#service({ readPath });
    const rows = await this.#within(helix, step, () => this.#rows(helix, step));
    if (step.how === 'all' || step.how === 'iter') {
      this.#compare(step, rows, purpose.rows[record.answeredBy ?? 'A']);
    }
    return seen(rows.find(({ k }) => k === step.key));
  }

  /** A service for one call, so that it is known which one it is whatever it sets in motion. */
  #service(watched: Partial<CqlContext>): HelixCqlService {
    const close = (): Promise<void> => Promise.resolve();
    return new HelixCqlService({ ...this.#context, ...watched }, close, this.#host);
  }

  /** Makes it in its decorated call, and in one of its own where that is to say its settings. */
  #within<T>(helix: HelixCqlService, step: WriteStep | ReadStep, make: () => Promise<T>): Promise<T> {
    const own = (): Promise<T> => this.#withinOwn(helix, step, make);
    if (step.call === undefined) return own();
    const isSticky = step.do === 'read' && step.isSticky === true;
    const outer = this.#callOf(step.call, () => OpenCall.of((call) => helix.dualWrite({}, call)));
    if (!isSticky) return outer.run(own);
    const open = (): OpenCall => outer.run(() => OpenCall.of((call) => helix.stickyRead({}, call)));
    return this.#callOf(`sticky ${step.call}`, open).run(own);
  }

  #withinOwn<T>(helix: HelixCqlService, step: WriteStep | ReadStep, make: () => Promise<T>): Promise<T> {
    const { timeoutMs, said } = step;
    const isTold = said === 'by call' || said === 'by both';
    const isOther = said === 'by both';
    if (step.do === 'read') {
      const { hedgeAfterMs } = step;
      if (hedgeAfterMs === undefined && !isTold) return make();
      const consistency = otherIf(isOther, askedConsistency(step), 1, 2);
      const limit = isTold ? otherIf(isOther, timeoutMs, 1, 2) : undefined;
      return helix.stickyRead(
        { hedgeAfterMs, timeoutMs: limit, consistency: isTold ? consistency : undefined },
        make,
      );
    }
    if (!isTold) return make();
    return helix.dualWrite(
      {
        ack: otherIf(isOther, step.ack, 'any', 'both'),
        priority: otherIf(isOther, step.priority, 'high', 'low'),
        consistency: otherIf(isOther, askedConsistency(step), 1, 2),
        timeoutMs: otherIf(isOther, timeoutMs, 1, 2),
      },
      make,
    );
  }

  #exec(helix: HelixCqlService, step: WriteStep): Promise<WriteReceipt> {
    const [statement] = spellWrite(step);
    if (!statement) throw new Error(`${step.id} has no statement`);
    const params = paramsOf(step, statement);
    const answered =
      step.said === 'to execute'
        ? helix.execute(statement.text, params, this.#options(step)).then(({ receipt, rows }) => {
            if (!receipt || rows) throw new Error('execute() answered a write without a receipt');
            return receipt;
          })
        : this.#set(helix.query(statement.text, params), step).exec();
    if (step.reuses) reuse(params);
    return answered;
  }

  #batch(helix: HelixCqlService, step: WriteStep): Promise<WriteReceipt> {
    const batch = helix.batch(step.batch?.kind);
    for (const statement of spellWrite(step)) {
      const params = paramsOf(step, statement);
      batch.add(statement.text, params);
      if (step.reuses) reuse(params);
    }
    return this.#set(batch, step).exec();
  }

  #rows(helix: HelixCqlService, step: ReadStep): Promise<CqlRow[]> {
    const statement = spellRead(step);
    const params = paramsOf(step, statement);
    const answered =
      step.said === 'to execute' && step.how === undefined
        ? helix.execute(statement.text, params, this.#options(step)).then(({ rows }) => rows ?? [])
        : this.#fetch(this.#set(helix.query(statement.text, params), step), step);
    if (step.reuses) reuse(params);
    return answered;
  }

  async #fetch(query: CqlQuery, { how, pageSize }: ReadStep): Promise<CqlRow[]> {
    if (pageSize !== undefined) query.pageSize(pageSize);
    switch (how ?? 'one') {
      case 'one': {
        const row = await query.one();
        return row ? [row] : [];
      }
      case 'all':
        return query.all();
      case 'page':
        return (await query.page()).rows;
      case 'iter': {
        const rows: CqlRow[] = [];
        for await (const row of query.iter()) rows.push(row);
        return rows;
      }
    }
  }

  /** Settings of its own: those that nothing around it says, or says otherwise. */
  #set<Builder extends CqlQuery | CqlBatch>(builder: Builder, step: WriteStep | ReadStep): Builder {
    const { consistency, serialConsistency, timestamp, readTimeout, ack, priority, signal } =
      this.#options(step);
    const isSaid = step.said === 'by call';
    if (serialConsistency !== undefined) builder.serialConsistency(serialConsistency);
    if (typeof timestamp === 'number') builder.withTimestamp(timestamp);
    if (signal) builder.withSignal(signal);
    if (isSaid) return builder;
    if (consistency !== undefined) builder.consistency(consistency);
    if (readTimeout !== undefined) builder.withTimeout(readTimeout);
    if (ack && (ack === 'both' || step.said === 'by both')) builder.ack(ack);
    if (priority && (priority === 'low' || step.said === 'by both')) builder.withPriority(priority);
    return builder;
  }

  #options(step: WriteStep | ReadStep): CqlExecuteOptions {
    const { abortAfterMs, abortsAs, serialConsistency, timeoutMs } = step;
    const { caller } = this.surface;
    return {
      consistency: askedConsistency(step),
      serialConsistency,
      readTimeout: timeoutMs,
      signal: abortAfterMs === undefined ? undefined : caller.abortAfter(abortAfterMs, abortsAs),
      ...(step.do === 'write' && {
        ack: step.ack,
        priority: step.priority,
        timestamp: step.ownTimestampUs,
      }),
    };
  }

  /** Every row of the pages that were answered, in their order, and no other. */
  #compare({ id }: ReadStep, rows: readonly CqlRow[], answered: readonly unknown[] | undefined): void {
    const isWhole = rows.length === answered?.length && rows.every((row, index) => row === answered[index]);
    if (!isWhole) {
      this.surface.world.ledger.violate(
        'rows',
        `${id} got ${rows.length} rows; its pages had ${answered?.length}`,
      );
    }
  }

  #callOf(name: string, open: () => OpenCall): OpenCall {
    let call = this.#open.get(name);
    if (!call) this.#open.set(name, (call = open()));
    return call;
  }
}

/** The ids of operations are random; here they are those of the steps, so that a run can be played again. */
function idsOf(id: string): OperationIds {
  const ids: Pick<OperationIds, 'next'> = { next: () => id };
  return ids as OperationIds;
}

/** What a call around says where it is not to count: something else than is due, if anything is. */
function otherIf<T>(isOther: boolean, due: T | undefined, one: T, two: T): T | undefined {
  if (!isOther || due === undefined) return due;
  return due === one ? two : one;
}

function seen(row: CqlRow | undefined): SeenRow {
  const cells = new Map<string, { value: string; writeTimeUs: number }>();
  for (const column of READ_COLUMNS) {
    const value = row?.[column];
    if (value === null || value === undefined) continue;
    const writeTimeUs = row?.[`writetime(${column})`] as number;
    cells.set(column, { value: typeof value === 'string' ? value : textOf(value as Buffer), writeTimeUs });
  }
  return cells;
}
