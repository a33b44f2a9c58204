import {
  type Clock,
  type ClusterId,
  type Envelope,
  HazardousStatementError,
  HelixUsageError,
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
  parametersSignature,
  type PreparedStatement,
  sharedToken,
  type SharedToken,
  type UnsafeColumns,
} from './driver/index.js';
import { hazardAdvice } from './hazards.js';
import { scanStatement, type StatementFacts } from './scanner.js';

export type CqlSessions = PerCluster<CqlSession>;

/** Parameters by position, or by name (matched case-insensitively, as the server does). */
export type CqlParams = readonly unknown[] | Readonly<Record<string, unknown>>;

/** A parameter as it goes to both clusters and into the envelope: bytes, `null`, or the driver's unset. */
export type BoundValue = Uint8Array | object | null;

/** The parameters as they are now, whatever becomes of the caller's array, object and buffers. */
export function snapshot(params: CqlParams | undefined): CqlParams | undefined {
  if (params === undefined) return undefined;
  if (isPositional(params)) return params.map(ownBytes);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, ownBytes(value)]));
}

function ownBytes(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

function isPositional(params: CqlParams | undefined): params is readonly unknown[] {
  return Array.isArray(params);
}

export type PrepareErrors = Partial<Record<ClusterId, Error>>;

/** Without an answer about the tables by then, a statement is taken at its worst. */
const SCHEMA_TIMEOUT_MS = 1_000;

/** How long a statement stays refused for the state of a schema before the clusters are asked again. */
const RECHECK_MS = 1_000;

interface Hazard {
  readonly hazard: string;
  readonly what: string;
}

/** What a cluster makes of a statement: its types, and the list or counter it would write there. */
interface JudgedStatement extends PreparedStatement {
  readonly hazard: Hazard | undefined;
}

interface Verdict {
  readonly error: () => HazardousStatementError;
  /** Types differ: the driver must prepare anew to see others. */
  readonly isMismatch: boolean;
  readonly atMs: number;
}

/** One statement text: what it says by itself, and what each cluster says of it once it has prepared it. */
export class Statement {
  readonly facts: StatementFacts;
  readonly #prepared: Partial<Record<ClusterId, JudgedStatement | undefined>> = {};
  readonly #preparing: Partial<Record<ClusterId, Promise<JudgedStatement> | undefined>> = {};
  #reference: { readonly cluster: ClusterId; readonly prepared: PreparedStatement } | undefined;
  /** Why the statement is refused for what the clusters say of their tables and types. */
  #verdict: Verdict | undefined;
  #sharedToken: SharedToken | undefined;

  constructor(
    readonly text: string,
    private readonly sessions: CqlSessions,
    private readonly clock: Clock,
    private readonly sharesToken: boolean,
  ) {
    this.facts = scanStatement(text);
  }

  /** Whether parameters can be encoded and the statement is known to be safe to send. */
  get isReady(): boolean {
    return this.#reference !== undefined;
  }

  /** Types of the parameters that {@link bind} encodes for. */
  get signature(): string {
    return this.#reference?.prepared.signature ?? '';
  }

  /** The cluster whose types {@link bind} encodes for. */
  get boundBy(): ClusterId {
    return this.#reference?.cluster ?? 'A';
  }

  /** Makes one token for both clusters, if that was asked for and both are known to route by it. */
  get sharedToken(): SharedToken | undefined {
    return this.#sharedToken;
  }

  /** A schema has changed: what it was refused for may be mended. */
  recheck(): void {
    if (this.#verdict) this.#verdict = { ...this.#verdict, atMs: Number.NEGATIVE_INFINITY };
  }

  isPreparedOn(cluster: ClusterId): boolean {
    return this.#prepared[cluster] !== undefined && this.#verdict === undefined;
  }

  /** Throws if the statement may not be written to both clusters, as far as is known by now. */
  checkWritable(): void {
    if (!this.sessions.B) return;
    const refusal = this.#refusalByText();
    if (refusal) throw refusal;
    this.#forgetOldVerdict();
    if (this.#verdict) throw this.#verdict.error();
  }

  /** Schemas can be mended: after a while the clusters are asked again. */
  #forgetOldVerdict(): void {
    if (!this.#verdict || this.clock.monotonicMs() - this.#verdict.atMs < RECHECK_MS) return;
    for (const cluster of ['A', 'B'] as const) {
      this.#prepared[cluster] = undefined;
      if (this.#verdict.isMismatch) this.sessions[cluster]?.forgetPrepared();
    }
    this.#reference = this.#verdict = this.#sharedToken = undefined;
  }

  #refuse(error: () => HazardousStatementError, isMismatch = false): void {
    this.#verdict ??= { error, isMismatch, atMs: this.clock.monotonicMs() };
  }

  /**
   * Prepares on every cluster. What goes wrong is returned, not thrown, because it is
   * that side's outcome. Waits `timeoutMs` for the first cluster, and half of that for the other: a cluster
   * that hangs must not use up the time of one that is well.
   */
  async prepare(timeoutMs: number): Promise<PrepareErrors> {
    const errors: PrepareErrors = {};
    const clusters = (['A', 'B'] as const).filter((cluster) => this.sessions[cluster]);
    let isFirstKnown: (() => void) | undefined;
    const first = new Promise<void>((resolve) => (isFirstKnown = resolve));
    const all = Promise.all(
      clusters.map((cluster) =>
        this.prepareOn(cluster).then(isFirstKnown, (error: unknown) => {
          errors[cluster] = toError(error);
        }),
      ),
    );
    await resolvesWithin(this.clock, timeoutMs, Promise.race([first, all]));
    if (this.#reference) await resolvesWithin(this.clock, timeoutMs / 2, all);
    else
      for (const cluster of clusters) {
        errors[cluster] ??= timeoutError(
          `Cluster ${cluster} did not prepare the statement within ${timeoutMs} ms`,
        );
      }
    if (this.sessions.B && this.#verdict) throw this.#verdict.error();
    return errors;
  }

  /**
   * Rejects when the cluster cannot be reached, refuses the text, has other parameter types, or would write a
   * list or a counter.
   */
  async prepareOn(cluster: ClusterId): Promise<PreparedStatement> {
    this.#forgetOldVerdict();
    const prepared = (this.#prepared[cluster] ??= await this.#prepareOnce(cluster));
    if (prepared.hazard) {
      const { hazard, what } = prepared.hazard;
      this.#refuse(() => this.#hazardError(hazard, what));
      throw this.#hazardError(hazard, what);
    }
    this.#reference ??= { cluster, prepared };
    if (prepared.signature !== this.#reference.prepared.signature) {
      const difference = differences(this.#reference.prepared.columns, prepared.columns);
      this.#refuse(() => this.#mismatchError(difference), true);
      throw this.#mismatchError(difference);
    }
    if (this.sharesToken) this.#sharedToken = this.#tokenForBoth();
    return prepared;
  }

  /** Not before both are prepared: only then have both said what the partition key is. */
  #tokenForBoth(): SharedToken | undefined {
    const { A, B } = this.sessions;
    const { A: onA, B: onB } = this.#prepared;
    if (!B || !onA || !onB) return undefined;
    return sharedToken(
      { tokenClasses: A.tokenClasses, partitionKeys: onA.partitionKeys },
      { tokenClasses: B.tokenClasses, partitionKeys: onB.partitionKeys },
    );
  }

  /** Encodes parameters once, for both clusters. Throws the encoder's error for a value that does not fit. */
  bind(params: CqlParams | undefined): BoundValue[] {
    const reference = this.#reference;
    if (!reference) throw new HelixUsageError('A statement must be prepared before it is bound');
    const { columns } = reference.prepared;
    const session = this.#session(reference.cluster);
    const values = isPositional(params)
      ? this.#positional(params, columns.length)
      : this.#named(params ?? {}, columns);
    const bound = new Array<BoundValue>(columns.length);
    let i = 0;
    for (const column of columns) {
      bound[i] = session.encode(values[i], column) as BoundValue;
      i++;
    }
    return bound;
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

  #prepareOnce(cluster: ClusterId): Promise<JudgedStatement> {
    const session = this.#session(cluster);
    if (!session.hasConnected) return Promise.reject(session.notConnected());
    return (this.#preparing[cluster] ??= this.#prepareAndJudge(session).finally(() => {
      this.#preparing[cluster] = undefined;
    }));
  }

  async #prepareAndJudge(session: CqlSession): Promise<JudgedStatement> {
    const prepared = await session.prepare(this.text);
    return { ...prepared, hazard: this.sessions.B && (await this.#judge(session, prepared)) };
  }

  #session(cluster: ClusterId): CqlSession {
    const session = this.sessions[cluster];
    if (!session) throw new HelixUsageError(`There is no cluster ${cluster}`);
    return session;
  }

  #refusalByText(): HazardousStatementError | undefined {
    for (const { hazard, what } of this.facts.hazards) {
      if (hazard !== 'listOrCounterArithmetic' && hazard !== 'listIndex')
        return this.#hazardError(hazard, what);
    }
    return undefined;
  }

  /** Whether a list or a counter is written, only the table tells; if it does not, the text is taken at its worst. */
  async #judge(session: CqlSession, prepared: PreparedStatement): Promise<Hazard | undefined> {
    if (prepared.hasCounter) return { hazard: 'counter', what: 'a counter column' };
    for (const { keyspace, table } of this.facts.tables) {
      let unsafe: UnsafeColumns | undefined;
      const asked = session.unsafeColumns(keyspace, table).then((columns) => (unsafe = columns));
      await resolvesWithin(this.clock, SCHEMA_TIMEOUT_MS, asked).catch(() => undefined);
      const found = unsafe ? this.#touched(unsafe) : this.#suspected(prepared);
      if (found) return found;
    }
    return undefined;
  }

  #touched({ counters, lists }: UnsafeColumns): Hazard | undefined {
    // A table with counters has nothing but counters beside its key.
    if (counters[0] !== undefined) return { hazard: 'counter', what: counters[0] };
    const list = lists.find((name) => this.#mentions(name));
    return list === undefined ? undefined : { hazard: 'list', what: list };
  }

  #suspected(prepared: PreparedStatement): Hazard | undefined {
    const byText = this.facts.hazards[0];
    if (byText) return { hazard: 'list', what: byText.what };
    const mayHide = prepared.hasList || this.text.includes('[') || this.#words().some(isJson);
    return mayHide ? { hazard: 'list', what: 'what may be a list' } : undefined;
  }

  /** JSON does not name its columns: it counts as naming all. */
  #mentions(column: string): boolean {
    const words = this.#words();
    return words.some(isJson) || words.includes(column.toLowerCase()) || !/^\w+$/.test(column);
  }

  #words(): string[] {
    return this.text.toLowerCase().split(/[^a-z0-9_]+/);
  }

  #hazardError(hazard: string, what: string): HazardousStatementError {
    return new HazardousStatementError(
      `Refused: ${what} would not give the same result on both clusters. ${hazardAdvice(hazard)} Statement: ${this.facts.masked}`,
      hazard,
    );
  }

  #mismatchError(difference: string): SchemaMismatchError {
    return new SchemaMismatchError(
      `Refused: the clusters disagree about the parameter types (${difference}). Bring the schemas into line with onBoth(). Statement: ${this.facts.masked}`,
    );
  }
}

/** Longer texts are hardly ever repeated (values in the text), and would fill the memory. */
const LONGEST_KEPT_TEXT = 16_384;

/** Statements by text, so that a text is scanned, prepared and judged once. Bounded; the oldest leaves first. */
export class Statements {
  readonly #byText = new Map<string, Statement>();

  constructor(
    private readonly sessions: CqlSessions,
    private readonly clock: Clock,
    private readonly capacity = 2_000,
    private readonly sharesToken = false,
  ) {}

  /** A schema has changed: asks the clusters again about every statement that is refused. */
  recheck(): void {
    for (const statement of this.#byText.values()) statement.recheck();
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
    const statement = new Statement(text, this.sessions, this.clock, this.sharesToken);
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

function isJson(word: string): boolean {
  return word === 'json' || word === 'fromjson' || word === 'from_json';
}

function differences(a: readonly Column[], b: readonly Column[]): string {
  if (a.length !== b.length) return `${a.length} and ${b.length} parameters`;
  const names = a
    .filter((column, i) => parametersSignature([column]) !== parametersSignature(b.slice(i, i + 1)))
    .map(({ name }) => name);
  return names.length > 0 ? `parameter ${names.join(', ')}` : 'parameter types';
}
