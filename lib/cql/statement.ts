import {
  type Clock,
  type ClusterId,
  type Envelope,
  HelixUsageError,
  type OperationClass,
  otherCluster,
  type PerCluster,
  type ReplayContext,
  resolvesWithin,
  SchemaMismatchError,
  timeoutError,
  toError,
} from '../core/index.js';
import {
  type Column,
  type CqlSession,
  hasUdt,
  parametersSignature,
  type PreparedText,
  type SchemaView,
  setsMore,
  sharedToken,
  type SharedToken,
  type TableColumns,
  type TableDescription,
  takes,
} from './driver/index.js';
import { judge, type Judgement, judgeText, refusalOfKind, strictestClass, WRITABLE } from './judgement.js';
import { scanStatement, type StatementFacts, type TableName } from './scanner.js';

export type CqlSessions = PerCluster<CqlSession>;

/** Parameters by position, or by name (matched case-insensitively, as the server does). */
export type CqlParams = readonly unknown[] | Readonly<Record<string, unknown>>;

/** A parameter as it goes to both clusters and into the envelope: bytes, `null`, or the driver's unset. */
export type BoundValue = Uint8Array | object | null;

/**
 * The parameters as they are now, whatever becomes of the caller's arrays, objects, collections, dates and buffers.
 * Objects of classes are taken for values: those of the driver are.
 */
export function snapshot(params: CqlParams | undefined): CqlParams | undefined {
  return params && (copyOf(params) as CqlParams);
}

function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [copyOf(key), copyOf(each)]));
  if (value instanceof Set) return new Set([...value].map(copyOf));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  // The driver's `unset` is one, and is known by the object that it is.
  if (Object.isFrozen(value) && Object.values(value).every((each) => typeof each !== 'object')) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, copyOf(each)]));
}

function isPositional(params: CqlParams | undefined): params is readonly unknown[] {
  return Array.isArray(params);
}

export type PrepareErrors = Partial<Record<ClusterId, Error>>;

/** What parameters are encoded for, once for both clusters. */
export interface ParameterTypes {
  /** The cluster whose columns they are. */
  readonly cluster: ClusterId;
  readonly columns: readonly Column[];
  readonly signature: string;
  /** What the other cluster has, if its UDTs have got further fields: no value may set one. */
  readonly longer: readonly Column[] | undefined;
}

/** What one cluster makes of a statement, as long as its view of the schema is current. */
interface Knowledge {
  readonly prepared: PreparedText;
  readonly view: SchemaView;
  /** Changes of it that had been heard of by then. */
  readonly changes: number;
  readonly judgement: Judgement;
  /** What it takes parameters encoded for. */
  takes: ParameterTypes | undefined;
}

/** Types differ although both clusters have just been asked. */
interface Disagreement {
  readonly difference: string;
  readonly of: readonly (Knowledge | undefined)[];
  readonly atMs: number;
}

export interface PrepareLimits {
  readonly timeoutMs: number;
  /** How long the caller waits for the whole write, if it said so. */
  readonly callerMs?: number | undefined;
  readonly isAvoided: (cluster: ClusterId) => boolean;
}

/** So long one cluster is waited for to describe a table, or to say anew what its types are. */
const SCHEMA_TIMEOUT_MS = 2_000;
/** So long, at most, the second cluster is waited for before the first is written to. */
const OTHER_CLUSTER_MS = 1_000;
/** How long a statement stays refused for differing types before the clusters are asked again. */
const RECHECK_MS = 1_000;
/** So often a statement is prepared anew because the schema has changed in the meantime. */
const MOST_ATTEMPTS = 5;
/** At most one warning in so many ms says that a schema cannot be read. */
const WARNING_INTERVAL_MS = 60_000;

/** What the statements of an instance share. */
interface StatementContext {
  readonly sessions: CqlSessions;
  readonly clock: Clock;
  readonly sharesToken: boolean;
  warn(message: string): void;
}

/**
 * One statement text: what it says by itself, and what each cluster says of it. The latter is asked for anew whenever
 * a schema may have changed, so it is only ever used as long as it is current.
 */
export class Statement {
  readonly facts: StatementFacts;
  /** Why it is not for `exec()`, if it is not. */
  readonly refusalOfExec: ReturnType<typeof refusalOfKind>;
  readonly #byText: Judgement | undefined;
  readonly #known: Record<ClusterId, Knowledge | undefined> = { A: undefined, B: undefined };
  /** What each said last, current or not. */
  readonly #last: Partial<Record<ClusterId, Knowledge>> = {};
  readonly #learning: Partial<Record<ClusterId, Promise<Knowledge> | undefined>> = {};
  #types: ParameterTypes | undefined;
  #agreeing: Promise<void> | undefined;
  #disagreement: Disagreement | undefined;
  /** A cluster whose tables or types make it a hazard. */
  #refused: Knowledge | undefined;
  #sharedToken: SharedToken | undefined;

  constructor(
    readonly text: string,
    private readonly context: StatementContext,
  ) {
    this.facts = scanStatement(text);
    this.refusalOfExec = refusalOfKind(this.facts, 'exec');
    this.#byText = judgeText(this.facts);
  }

  /** What the clusters took when they were last asked; `undefined` before any has told. */
  get types(): ParameterTypes | undefined {
    return this.#types;
  }

  /** What {@link bind} encodes for; `undefined` if no cluster is known to take it now. */
  get currentTypes(): ParameterTypes | undefined {
    return this.isReadyOn('A') || this.isReadyOn('B') ? this.#types : undefined;
  }

  /** Whether the cluster takes what {@link bind} encodes for, as far as is known. */
  isReadyOn(cluster: ClusterId): boolean {
    const known = cluster === 'A' ? this.#known.A : this.#known.B;
    return known?.takes !== undefined && known.takes === this.#types && known.view.isCurrent;
  }

  /** Of what the clusters make of it; the strictest of both. */
  get class(): OperationClass {
    const { A, B } = this.#known;
    return strictestClass([A, B].flatMap((known) => known?.judgement.class ?? []));
  }

  /** Makes one token for both clusters, if that was asked for and both are known to route by it. */
  get sharedToken(): SharedToken | undefined {
    return this.#sharedToken;
  }

  /** What to execute it by, if that is known. */
  preparedOn(cluster: ClusterId): PreparedText | undefined {
    // Asked for every request: a field that is named by a variable would cost 5 ns.
    const known = cluster === 'A' ? this.#known.A : this.#known.B;
    return known?.view.isCurrent ? known.prepared : undefined;
  }

  /** Throws if the statement may not be written to both clusters, as far as is known by now. */
  checkWritable(): void {
    if (!this.context.sessions.B) return;
    if (this.#byText?.refusal) throw this.#byText.refusal();
    const refused = this.#refused;
    if (refused?.view.isCurrent && refused.judgement.refusal) throw refused.judgement.refusal();
    if (this.#disagreement) this.#checkAgreement();
  }

  /** The cluster does not have it under that id any more; whoever finds that out first has it prepared again. */
  forget(cluster: ClusterId, prepared: PreparedText): void {
    const known = this.#known[cluster];
    if (known?.prepared !== prepared) return;
    this.#known[cluster] = undefined;
    // A change that no event has told of may be why: what it was judged by may be another table now.
    const session = this.#session(cluster);
    for (const { keyspace, table } of this.facts.tables) {
      session.schemaView(keyspace ?? session.keyspace, table).description = undefined;
    }
  }

  /**
   * Prepares on every cluster. What goes wrong is returned, not thrown, because it is
   * that side's outcome. Waits `timeoutMs` for the first cluster, and a second or half of that or of the caller's own
   * time for the other, if it is not avoided: a cluster that hangs must not use up the time of one that is well.
   * Parameters that only one cluster seems to take have both asked again: the other may have got there as well.
   */
  async prepare(params: CqlParams | undefined, limits: PrepareLimits): Promise<PrepareErrors> {
    const errors = await this.#prepareOnAll(limits);
    if (!this.currentTypes?.longer || !this.#furtherField(params, this.currentTypes)) return errors;
    this.#known.A = this.#known.B = undefined;
    return this.#prepareOnAll(limits);
  }

  async #prepareOnAll({ timeoutMs, callerMs = timeoutMs, isAvoided }: PrepareLimits): Promise<PrepareErrors> {
    const { sessions, clock } = this.context;
    const errors: PrepareErrors = {};
    const clusters = (['A', 'B'] as const).filter((cluster) => sessions[cluster]);
    let isFirstKnown: (() => void) | undefined;
    const first = new Promise<void>((resolve) => (isFirstKnown = resolve));
    const asked = clusters.map((cluster) =>
      this.prepareOn(cluster).then(isFirstKnown, (error: unknown) => {
        errors[cluster] = toError(error);
      }),
    );
    const all = Promise.all(asked);
    await resolvesWithin(clock, timeoutMs, Promise.race([first, all]));
    const waited = Promise.all(asked.filter((_, i) => !isAvoided(clusters[i] ?? 'A')));
    const otherMs = Math.min(timeoutMs / 2, callerMs / 2, OTHER_CLUSTER_MS);
    if (this.currentTypes) await resolvesWithin(clock, otherMs, waited);
    else
      for (const cluster of clusters) {
        errors[cluster] ??= timeoutError(
          `Cluster ${cluster} did not prepare the statement within ${timeoutMs} ms`,
        );
      }
    this.checkWritable();
    return errors;
  }

  /**
   * Has the cluster prepare it, if what is known is not current, and finds out what parameters are to be encoded for.
   * Rejects when the cluster cannot be reached, refuses the text, has other parameter types, or would write a list or
   * a counter.
   */
  async prepareOn(cluster: ClusterId): Promise<void> {
    this.#checkAgreement();
    await this.knowledgeOf(cluster);
    if (this.isReadyOn(cluster)) return;
    this.#agreeing ??= this.#agree().finally(() => {
      this.#agreeing = undefined;
    });
    await this.#agreeing;
    this.#checkAgreement();
  }

  /** What to execute it by on one cluster, whatever the other takes. Rejects as {@link prepareOn} does. */
  async knowledgeOf(cluster: ClusterId): Promise<PreparedText> {
    const known = this.#current(cluster) ?? (await this.#learnOnce(cluster));
    if (known.judgement.refusal) {
      this.#refused = known;
      throw known.judgement.refusal();
    }
    return known.prepared;
  }

  /** Whether the cluster takes parameters that were encoded for the types of that signature. */
  async takes(cluster: ClusterId, signature: string): Promise<boolean> {
    const { columns, signature: own } = await this.#columnsOn(cluster);
    if (own === signature) return true;
    if (!columns.some(({ type }) => hasUdt(type))) return false;
    const plain = await this.#valuesOfPlainColumns(this.#session(cluster));
    return takes(columns, signature, (i) => plain.has(i));
  }

  /** Markers that give a column its value which is no part of a key. */
  async #valuesOfPlainColumns(session: CqlSession): Promise<ReadonlySet<number>> {
    const plain = new Set<number>();
    for (const { kind, table, columns } of this.facts.writes) {
      if (typeof columns === 'string') continue;
      // What an UPDATE sets is never one.
      const keys = kind === 'insert' ? (await this.#describedBy(session, table)).keys : undefined;
      for (const { name, value } of columns) if (value !== undefined && !keys?.has(name)) plain.add(value);
    }
    return plain;
  }

  /** Encodes parameters once, for both clusters. Throws the encoder's error for a value that does not fit. */
  bind(params: CqlParams | undefined): BoundValue[] {
    if (!this.#types) throw new HelixUsageError('A statement must be prepared before it is bound');
    return this.#encode(params, this.#types);
  }

  /**
   * Encodes parameters for what the types are now.
   *
   * @throws SchemaMismatchError they do not fit, or are not what they were when they were encoded before
   */
  bindAgain(
    params: CqlParams | undefined,
    types: ParameterTypes | undefined,
    values: readonly BoundValue[],
  ): BoundValue[] {
    if (!types) return this.bind(params);
    try {
      if (!this.#encode(params, types).every((value, i) => isSame(value, values[i]))) {
        throw new Error('The parameters have been changed since they were handed over');
      }
      return this.bind(params);
    } catch (cause) {
      if (cause instanceof SchemaMismatchError) throw cause;
      throw new SchemaMismatchError(
        `Refused: the types of the parameters changed while the statement was under way, and they cannot be encoded for the new ones (${toError(cause).name}). Statement: ${this.facts.masked}`,
        { cause },
      );
    }
  }

  #encode(params: CqlParams | undefined, types: ParameterTypes): BoundValue[] {
    const { columns } = types;
    const session = this.#session(types.cluster);
    const further = types.longer && this.#furtherField(params, types);
    if (further) throw this.#mismatch(`parameter ${further.name} sets a field that only one of them has`);
    const values = this.#valuesOf(params, columns);
    const bound = new Array<BoundValue>(columns.length);
    let i = 0;
    for (const column of columns) {
      bound[i] = session.encode(values[i], column) as BoundValue;
      i++;
    }
    return bound;
  }

  /** A parameter that sets a field of a UDT that only one cluster has. */
  #furtherField(params: CqlParams | undefined, { columns, longer }: ParameterTypes): Column | undefined {
    const values = this.#valuesOf(params, columns);
    return columns.find(({ type }, i) => {
      const more = longer?.[i];
      return more !== undefined && setsMore(values[i], type, more.type);
    });
  }

  #valuesOf(params: CqlParams | undefined, columns: readonly Column[]): readonly unknown[] {
    return isPositional(params)
      ? this.#positional(params, columns.length)
      : this.#named(params ?? {}, columns);
  }

  #positional(params: readonly unknown[], expected: number): readonly unknown[] {
    if (params.length !== expected) {
      throw new HelixUsageError(
        `The statement has ${expected} parameters, received ${params.length}: ${this.facts.masked}`,
      );
    }
    return params;
  }

  #named(params: Readonly<Record<string, unknown>>, columns: readonly Column[]): unknown[] {
    const byLowerCase = new Map(Object.entries(params).map(([name, value]) => [name.toLowerCase(), value]));
    return columns.map(({ name }) => {
      if (Object.hasOwn(params, name)) return params[name];
      const key = name.toLowerCase();
      if (!byLowerCase.has(key)) {
        throw new HelixUsageError(`No value for parameter "${name}": ${this.facts.masked}`);
      }
      return byLowerCase.get(key);
    });
  }

  #current(cluster: ClusterId): Knowledge | undefined {
    const known = this.#known[cluster];
    return known?.view.isCurrent ? known : undefined;
  }

  #session(cluster: ClusterId): CqlSession {
    const session = this.context.sessions[cluster];
    if (!session) throw new HelixUsageError(`There is no cluster ${cluster}`);
    return session;
  }

  async #columnsOn(cluster: ClusterId): Promise<{ columns: readonly Column[]; signature: string }> {
    const { meta, signature } = await this.knowledgeOf(cluster);
    return { columns: meta.columns, signature };
  }

  #learnOnce(cluster: ClusterId): Promise<Knowledge> {
    const session = this.#session(cluster);
    if (!session.hasConnected) return Promise.reject(session.notConnected());
    return (this.#learning[cluster] ??= this.#learn(session).finally(() => {
      this.#learning[cluster] = undefined;
    }));
  }

  async #learn(session: CqlSession): Promise<Knowledge> {
    for (let attempt = 1; ; attempt++) {
      // Taken first: a change while it is being prepared makes what is learnt old.
      const before = this.#viewOn(session);
      const prepared = await session.prepare(this.text);
      const judgement = await this.#judge(session, prepared);
      const isRestless = attempt === MOST_ATTEMPTS;
      if (!before.isCurrent && !isRestless) continue;
      // Where changes never end, what was learnt last has to do.
      const view = isRestless ? this.#viewOn(session) : before;
      const changes = session.changesOf(view);
      const known: Knowledge = { prepared, view, changes, judgement, takes: undefined };
      this.#last[session.cluster] = known;
      return (this.#known[session.cluster] = known);
    }
  }

  /** Of its table; if it has several, of the keyspace that they are in, or of all. */
  #viewOn(session: CqlSession): SchemaView {
    const { tables } = this.facts;
    const keyspaces = new Set(tables.map(({ keyspace }) => keyspace ?? session.keyspace));
    const keyspace = keyspaces.size === 1 ? [...keyspaces][0] : undefined;
    const names = new Set(tables.map(({ table }) => table));
    return session.schemaView(keyspace, names.size === 1 && keyspaces.size === 1 ? [...names][0] : undefined);
  }

  async #judge(session: CqlSession, { meta }: PreparedText): Promise<Judgement> {
    const { facts } = this;
    if (!this.context.sessions.B || facts.kind === 'select') return WRITABLE;
    const byTypes = judge(facts, meta.columns, () => undefined);
    if (!('unknownTables' in byTypes)) return byTypes;
    const known: { readonly table: TableName; readonly columns: TableColumns }[] = [];
    for (const table of byTypes.unknownTables) {
      known.push({ table, columns: (await this.#describedBy(session, table)).columns });
    }
    const columnsOf = ({ keyspace, table }: TableName): TableColumns | undefined =>
      known.find((each) => each.table.keyspace === keyspace && each.table.table === table)?.columns;
    const byTables = judge(facts, meta.columns, columnsOf);
    if ('unknownTables' in byTables) throw new Error(`Cannot be judged: ${facts.masked}`);
    return byTables;
  }

  /** Not knowing is no refusal: what one cluster cannot be asked, the other is. */
  async #describedBy(session: CqlSession, table: TableName): Promise<TableDescription> {
    const { sessions } = this.context;
    const own = await this.#describe(session, table);
    if (own) return own;
    const other = sessions[otherCluster(session.cluster)];
    const others = other?.hasConnected ? await this.#describe(other, table) : undefined;
    const what = `The schema of ${session.name} could not be read`;
    if (!others) throw new Error(`${what}, so that the statement cannot be judged: ${this.facts.masked}`);
    this.context.warn(`${what}: statements are judged by that of the other cluster`);
    return others;
  }

  async #describe(
    session: CqlSession,
    { keyspace, table }: TableName,
  ): Promise<TableDescription | undefined> {
    const view = session.schemaView(keyspace ?? session.keyspace, table);
    const asked = (view.description ??= session.describeTable(keyspace, table));
    // What could not be read, or is not known there yet, is asked for again.
    const askAgain = (): void => {
      if (view.description === asked) view.description = undefined;
    };
    let described: TableDescription | undefined;
    const answer = asked.then((answered) => {
      described = answered;
      if (!answered) askAgain();
    });
    answer.catch(askAgain);
    await resolvesWithin(this.context.clock, SCHEMA_TIMEOUT_MS, answer).catch(() => false);
    return described;
  }

  /** Finds what both clusters take, as far as both are known; asks both again before it says that there is nothing. */
  async #agree(): Promise<void> {
    const { sessions, clock } = this.context;
    for (const isLast of [false, true]) {
      const known = [this.#current('A'), this.#current('B')] as const;
      const types = await this.#commonTypes(...known);
      if (types) {
        this.#types = types;
        for (const each of known) if (each) each.takes = types;
        this.#disagreement = undefined;
        this.#sharedToken = this.context.sharesToken ? this.#tokenForBoth() : undefined;
        return;
      }
      if (isLast) {
        const [a, b] = known;
        const difference = differences(a?.prepared.meta.columns ?? [], b?.prepared.meta.columns ?? []);
        this.#disagreement = { difference, of: known, atMs: clock.monotonicMs() };
        return;
      }
      this.#known.A = this.#known.B = undefined;
      const clusters = (['A', 'B'] as const).filter((cluster) => sessions[cluster]);
      const asked = Promise.allSettled(clusters.map((cluster) => this.knowledgeOf(cluster)));
      await resolvesWithin(clock, SCHEMA_TIMEOUT_MS, asked);
    }
  }

  async #commonTypes(
    a: Knowledge | undefined,
    b: Knowledge | undefined,
  ): Promise<ParameterTypes | undefined> {
    if (!a || !b) {
      const { prepared } = a ?? b ?? {};
      return prepared && this.#typesOfOne(a ? 'A' : 'B', prepared);
    }
    const [onA, onB] = [a.prepared, b.prepared];
    if (onA.signature === onB.signature) return this.#typesOf('A', onA, undefined);
    if (await this.takes('B', onA.signature)) return this.#typesOf('A', onA, onB);
    if (await this.takes('A', onB.signature)) return this.#typesOf('B', onB, onA);
    return undefined;
  }

  /** What a cluster said last, unless it is known to have changed since. */
  #lastOn(cluster: ClusterId): PreparedText | undefined {
    const last = this.#last[cluster];
    if (!last) return undefined;
    const isTheSame = this.#session(cluster).changesOf(last.view) === last.changes;
    return isTheSame ? last.prepared : undefined;
  }

  /** A field that the other cluster is known to have had is not to be lost because it cannot be asked now. */
  #typesOfOne(cluster: ClusterId, prepared: PreparedText): ParameterTypes {
    const last = this.#lastOn(otherCluster(cluster));
    const isLonger =
      last !== undefined &&
      last.signature !== prepared.signature &&
      takes(last.meta.columns, prepared.signature, () => true);
    return this.#typesOf(cluster, prepared, isLonger ? last : undefined);
  }

  /** The same object as long as they are the same types: what was encoded for them stays good. */
  #typesOf(cluster: ClusterId, prepared: PreparedText, longer: PreparedText | undefined): ParameterTypes {
    const { signature, meta } = prepared;
    const before = this.#types;
    const longerSignature = before?.longer && parametersSignature(before.longer);
    if (before?.signature === signature && longerSignature === longer?.signature) return before;
    return { cluster, columns: meta.columns, signature, longer: longer?.meta.columns };
  }

  /** Not before both are prepared: only then have both said what the partition key is. */
  #tokenForBoth(): SharedToken | undefined {
    const { A, B } = this.context.sessions;
    const { A: onA, B: onB } = this.#known;
    if (!B || !onA || !onB) return undefined;
    return sharedToken(
      { tokenClasses: A.tokenClasses, partitionKeys: onA.prepared.meta.partitionKeys },
      { tokenClasses: B.tokenClasses, partitionKeys: onB.prepared.meta.partitionKeys },
    );
  }

  /** Schemas can be mended: after a while, or once one has changed, the clusters are asked again. */
  #checkAgreement(): void {
    const disagreement = this.#disagreement;
    if (!disagreement) return;
    const { difference, of, atMs } = disagreement;
    const isOld = this.context.clock.monotonicMs() - atMs >= RECHECK_MS;
    if (!isOld && of.every((known) => known?.view.isCurrent)) throw this.#mismatch(difference);
    this.#disagreement = this.#types = undefined;
  }

  #mismatch(difference: string): SchemaMismatchError {
    return new SchemaMismatchError(
      `Refused: the clusters disagree about the parameter types (${difference}). Bring the schemas into line with onBoth(). Statement: ${this.facts.masked}`,
    );
  }
}

function isSame(value: BoundValue, before: BoundValue | undefined): boolean {
  if (value instanceof Uint8Array && before instanceof Uint8Array) return Buffer.compare(value, before) === 0;
  return value === before;
}

/** Longer texts are hardly ever repeated (values in the text), and would fill the memory. */
const LONGEST_KEPT_TEXT = 16_384;

/** Statements by text, so that a text is scanned, prepared and judged once. Bounded; the oldest leaves first. */
export class Statements {
  readonly #byText = new Map<string, Statement>();
  readonly #context: StatementContext;
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(
    sessions: CqlSessions,
    clock: Clock,
    private readonly capacity = 2_000,
    sharesToken = false,
    warn: (message: string) => void = () => undefined,
  ) {
    const warnAtTimes = (message: string): void => {
      const nowMs = clock.monotonicMs();
      if (nowMs - this.#warnedMs < WARNING_INTERVAL_MS) return;
      this.#warnedMs = nowMs;
      warn(message);
    };
    this.#context = { sessions, clock, sharesToken, warn: warnAtTimes };
  }

  /** What is shown of an envelope in the dead letters: its first statement, masked. */
  describe({ statements: [first] }: Envelope): ReturnType<ReplayContext['describe']> {
    if (!first) return { statement: '' };
    const { masked, table } = this.get(first.text).facts;
    return table === undefined ? { statement: masked } : { statement: masked, table };
  }

  get(text: string): Statement {
    const known = this.#byText.get(text);
    if (known) return known;
    const statement = new Statement(text, this.#context);
    if (text.length > LONGEST_KEPT_TEXT) return statement;
    if (this.#byText.size >= this.capacity) {
      for (const oldest of this.#byText.keys()) {
        this.#byText.delete(oldest);
        break;
      }
    }
    this.#byText.set(text, statement);
    return statement;
  }
}

function differences(a: readonly Column[], b: readonly Column[]): string {
  if (a.length !== b.length) return `${a.length} and ${b.length} parameters`;
  const names = a
    .filter((column, i) => parametersSignature([column]) !== parametersSignature(b.slice(i, i + 1)))
    .map(({ name }) => name);
  return names.length > 0 ? `parameter ${names.join(', ')}` : 'parameter types';
}
