import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import cassandra from 'cassandra-driver';
import { expect } from 'vitest';
import {
  type ClusterId,
  type DeadLetter,
  HazardousStatementError,
  isHelixError,
  type WriteReceipt,
} from '../../../lib/index.js';
import { CqlConnection } from '../../servers/index.js';
import { AlwaysFirst } from '../support/always-first.js';
import { answersHelix, startApplication, type TestApplication } from '../support/application.js';
import type { TestPair } from '../support/clusters.js';
import { type OthersWork, workAsAnother } from './another-client.js';
import type { Case, Round } from './generate.js';
import { ControlConnections, toldOfChanges } from './heard.js';
import { columnOf, type Table, tablesOf } from './tables.js';
import { isList } from './types.js';

/** How one use of a changed column ended. */
export interface Ending {
  readonly case: Case;
  /** `applied`, the class of an error, or a dead letter and its reason. */
  readonly how: string;
  /** What must never be: said if it was. */
  readonly violation?: string;
}

type Result = { readonly receipt: WriteReceipt } | { readonly error: unknown };

interface Attempt {
  readonly case: Case;
  readonly row: number;
  readonly value: unknown;
  readonly result: Result;
}

type Read = { readonly case: Case; readonly value: unknown } & (
  { readonly found: string; readonly cluster: ClusterId } | { readonly failure: string }
);

/** What Helix has said of one side of an attempt by the end. */
type Said = 'applied' | 'not applied' | 'unknown' | 'lost';

/** A cell as it is stored; `undefined` if there is no such row or column. */
type Cell = string | null | undefined;

const SIDES = ['A', 'B'] as const;
const NEIGHBOUR = 'INSERT INTO plain (id, v) VALUES (?, ?)';
const MANY_TEXTS = 600;
/** Between a row and that of a bare client with the same value. */
const TWIN = 50;
const rowOf = ({ id }: Case, n: number): number => id * 100 + n;
const isReplay = ({ use }: Case): boolean => use.startsWith('replay');
const isRead = ({ use }: Case): boolean => use === 'read';

/**
 * Plays a round: uses every column, changes the schema, waits until that can have been heard, uses every column
 * again, and compares what is stored with what a client stores that has connected after the change.
 */
export async function play(pair: TestPair, keyspace: string, round: Round): Promise<Ending[]> {
  const played = new PlayedRound(pair, keyspace, round);
  try {
    return await played.play();
  } finally {
    played.end();
  }
}

class PlayedRound {
  readonly #tables: readonly Table[];
  readonly #tableOf = new Map<Case, Table>();
  readonly #endings: Ending[] = [];
  readonly #queued: Attempt[] = [];
  readonly #controls: ControlConnections;
  readonly #clients: cassandra.Client[] = [];
  #application!: TestApplication;

  constructor(
    private readonly pair: TestPair,
    private readonly keyspace: string,
    private readonly round: Round,
  ) {
    this.#tables = tablesOf(round.cases, keyspace);
    for (const table of this.#tables) for (const each of table.cases) this.#tableOf.set(each, table);
    this.#controls = new ControlConnections(pair);
  }

  async play(): Promise<Ending[]> {
    const { side } = this.round;
    await this.#setUp();
    const { helix } = this.#application;
    await this.#useBefore();
    await this.#queueForReplay();
    if (this.round.hasManyTexts) await this.#useManyTexts();
    await this.#change();
    const reads = await this.#readAfter();
    const written = await this.#writeAfter();
    helix.resumeReplay(side);
    await helix.syncPoint({ timeoutMs: 60_000 });
    const letters = await helix.deadLetters.list({ limit: 10_000 });
    await this.#judgeReads(reads);
    await this.#judgeWrites([...written, ...this.#queued], letters);
    expect(helix.status().replay).toAddUp();
    expect(helix.status().lost).toBe(0);
    return this.#endings;
  }

  end(): void {
    this.#controls.stop();
    for (const client of this.#clients) void client.shutdown();
  }

  async #setUp(): Promise<void> {
    const statements = this.#tables.flatMap(({ setUp }) => setUp);
    await this.#onBoth(async (side) => {
      for (const statement of statements) await this.pair[side].run(statement);
    });
    this.#application = await startApplication({
      cql: { A: this.pair.A.options(this.keyspace), B: this.pair.B.options(this.keyspace) },
      readStrategy: new AlwaysFirst(this.round.side),
      writeTimeoutMs: 5_000,
    });
  }

  /** Everything is prepared on both sides, and works. */
  async #useBefore(): Promise<void> {
    await this.#seed('from', 60);
    await this.#forEach(this.round.cases, async (each) => {
      if (isRead(each)) {
        await this.#read(each, each.from.value);
        return;
      }
      const { result } = await this.#write(each, 1, each.from.value);
      const isFine = isList(each.from)
        ? 'error' in result && result.error instanceof HazardousStatementError
        : isAppliedOnBoth(result);
      if (!isFine) this.#end(each, 'before', `before the change: ${labelOf(result)}`);
    });
  }

  /** What the side of the round misses waits until after the change. */
  async #queueForReplay(): Promise<void> {
    const cases = this.round.cases.filter(isReplay);
    if (cases.length === 0) return;
    const { side } = this.round;
    const since = this.#controls.madeTo(side);
    this.#application.helix.pauseReplay(side);
    this.pair[side].proxy.refuse();
    await this.#forEach(cases, async (each) => {
      const attempt = await this.#write(each, 2, each.from.value);
      const isQueued = 'receipt' in attempt.result && attempt.result.receipt[side] === 'queued';
      if (isQueued) this.#queued.push(attempt);
      else if (!isList(each.from)) this.#end(each, 'before', `not queued: ${labelOf(attempt.result)}`);
    });
    this.pair[side].proxy.pass();
    await this.#reconnected(side, since);
  }

  async #useManyTexts(): Promise<void> {
    const ids = Array.from({ length: MANY_TEXTS }, (_, id) => id);
    await this.#forEach(ids, async (id) => {
      await this.#application.cql.query(`UPDATE plain SET v = ? WHERE id = ${id}`, ['x']).exec();
    });
  }

  async #change(): Promise<void> {
    const { side, network } = this.round;
    const { proxy } = this.pair[side];
    const since = this.#controls.madeTo(side);
    // A node that starts takes ids of before for the new types; nobody has heard of the change by then.
    if (network === 'refuse' || network === 'restart') proxy.refuse();
    if (network === 'reset') proxy.reset();
    if (network === 'black hole') proxy.blackHole();
    await this.#changeThroughHelix();
    await this.#onBoth((each) => this.#changeAsOthers(each));
    if (network === 'restart') {
      await this.pair[side].kill();
      await this.pair[side].restart();
    }
    await this.pair[side].heal();
    await this.#onBoth((each) =>
      each === side && network !== 'well' ? this.#reconnected(each, since) : this.#heard(each),
    );
  }

  async #changeThroughHelix(): Promise<void> {
    for (const { change, cases } of this.#tables) {
      if (cases[0]!.by !== 'onBoth') continue;
      for (const statement of change) {
        const done = await this.#application.cql.onBoth(statement);
        expect(done, statement).toEqual({ A: { ok: true }, B: { ok: true } });
      }
    }
  }

  async #changeAsOthers(side: ClusterId): Promise<void> {
    const others = this.#tables.filter(({ cases: [first] }) => {
      return first!.by !== 'onBoth' && this.#isChangedOn(side, first!);
    });
    const workOf = (isProcess: boolean): OthersWork => {
      const tables = others.filter(({ cases }) => cases[0]!.by.startsWith('process') === isProcess);
      const preparing = tables.flatMap(({ cases }) => cases).filter(({ by }) => by !== 'client');
      return {
        options: { ...this.pair[side].server.clientOptions, keyspace: this.keyspace },
        changes: tables.flatMap(({ change }) => change),
        texts: preparing.map((each) =>
          isRead(each)
            ? { text: this.#select(each), params: [null] }
            : { text: this.#text(each), params: this.#params(each, rowOf(each, 99), null) },
        ),
      };
    };
    await workAsAnother(workOf(false));
    const elsewhere = workOf(true);
    if (elsewhere.changes.length === 0) return;
    const script = ['--import', 'tsx', 'test/e2e/schema-changes/another-process.ts'];
    await promisify(execFile)(process.execPath, [...script, JSON.stringify(elsewhere)]);
  }

  async #heard(side: ClusterId): Promise<void> {
    const marker = `heard_${this.round.cases[0]!.id}_${side.toLowerCase()}`;
    await toldOfChanges(this.pair[side].proxy, this.pair[side], this.keyspace, marker);
    await answersHelix(this.#application, side);
  }

  async #reconnected(side: ClusterId, since: number): Promise<void> {
    await this.#controls.anotherTo(side, since);
    await answersHelix(this.#application, side);
  }

  async #writeAfter(): Promise<Attempt[]> {
    const cases = this.round.cases.filter((each) => !isRead(each) && !isReplay(each));
    const attempts: Attempt[] = [];
    for (const n of [3, 4]) {
      await this.#forEach(cases, async (each) => {
        attempts.push(await this.#write(each, n, valueInTurn(each, n - 3)));
      });
    }
    return attempts;
  }

  async #readAfter(): Promise<Read[]> {
    await this.#seed('to', 61);
    const reads: Read[] = [];
    for (const n of [0, 1]) {
      await this.#forEach(this.round.cases.filter(isRead), async (each) => {
        reads.push(await this.#read(each, valueInTurn(each, n)));
      });
    }
    return reads;
  }

  /** Rows to be found, written by somebody else wherever the column has the value's type. */
  async #seed(state: 'from' | 'to', n: number): Promise<void> {
    await this.#onBoth(async (side) => {
      const client = this.#bareClient(side);
      await this.#forEach(this.round.cases.filter(isRead), async (each) => {
        if (state === 'to' && !this.#isChangedOn(side, each)) return;
        const text = `INSERT INTO ${this.#tableOf.get(each)!.name} (id, ${columnOf(each)}) VALUES (?, ?)`;
        await client.execute(text, [rowOf(each, n), each[state].value], { prepare: true });
      });
    });
  }

  #isChangedOn(side: ClusterId, { on }: Case): boolean {
    return on === 'both' || side === this.round.side;
  }

  async #judgeReads(reads: readonly Read[]): Promise<void> {
    const clients = { A: this.#bareClient('A'), B: this.#bareClient('B') };
    await this.#forEach(reads, async (read) => {
      const { case: each, value } = read;
      if ('failure' in read) {
        const isTyped = !read.failure.includes(':');
        this.#end(each, read.failure, isTyped ? undefined : 'no error of its own');
        return;
      }
      const expected = await clients[read.cluster]
        .execute(this.#select(each), [value], { prepare: true })
        .then(
          ({ rows }) => idsOf(rows),
          () => 'an error',
        );
      const isRight = read.found === expected;
      const what = `on ${read.cluster} it reads ${read.found}, a bare client ${expected}`;
      this.#end(each, 'read', isRight ? undefined : what);
    });
  }

  async #judgeWrites(attempts: readonly Attempt[], letters: readonly DeadLetter[]): Promise<void> {
    for (const side of SIDES) {
      const client = this.#bareClient(side);
      await this.#forEach(attempts, async ({ case: each, row, value }) => {
        const params = this.#params(each, row + TWIN, value);
        await client.execute(this.#text(each), params, { prepare: true }).catch(() => undefined);
      });
    }
    const connections = {
      A: await CqlConnection.open(this.pair.A.server),
      B: await CqlConnection.open(this.pair.B.server),
    };
    for (const attempt of attempts) await this.#judgeWrite(attempt, letters, connections);
    for (const side of SIDES) connections[side].close();
  }

  async #judgeWrite(
    attempt: Attempt,
    letters: readonly DeadLetter[],
    connections: Readonly<Record<ClusterId, CqlConnection>>,
  ): Promise<void> {
    const { case: each, row, result } = attempt;
    const violations: string[] = [];
    let twins = 0;
    for (const side of SIDES) {
      const said = saidOf(result, side, letters);
      const cell = await this.#cell(connections[side], each, row);
      const twin = await this.#cell(connections[side], each, row + TWIN);
      if (twin !== undefined) twins += 1;
      const isSame = cell === twin || (await this.#readAlike(side, each, row));
      if (said === 'lost') violations.push(`${side}: lost`);
      else if (cell !== undefined && isReplay(each) && side !== this.round.side) continue;
      else if (cell !== undefined && isList(each.to) && this.#isChangedOn(side, each)) {
        violations.push(`${side}: a list that is not frozen was written`);
      } else if (cell !== undefined && !isSame) {
        violations.push(`${side} stores ${String(cell)}, a bare client ${String(twin)}`);
      } else if (said === 'applied' && cell === undefined && !this.#mayBeGone(each, side)) {
        violations.push(`${side}: said to be applied and not there`);
      } else if (said === 'not applied' && cell !== undefined) {
        violations.push(`${side}: said not to be applied and there`);
      }
    }
    const isWritable = twins === 2 && !isReplay(each) && !isList(each.to) && each.on === 'both';
    if (isWritable && !isAppliedOnBoth(result) && violations.length === 0) {
      violations.push(...(await this.#goesOn(attempt)));
    }
    const twin = await this.#cell(connections[this.round.side], each, row + TWIN);
    const letter =
      'receipt' in result && letters.find(({ operationId }) => operationId === result.receipt.id);
    const isMismatch = letter && letter.error?.endsWith('HELIX_SCHEMA_MISMATCH');
    const isRefused = isMismatch && setsWhatOneHas(each, attempt.value);
    if (letter && twin !== undefined && leavesTypes(each) && !isRefused) {
      violations.push('a dead letter that need not be');
    }
    const how = letter ? `dead letter (${letter.error ?? letter.reason})` : labelOf(result);
    this.#end(each, how, violations.length > 0 ? `${violations.join('; ')} [${how}]` : undefined);
  }

  /** What was queued for one side was applied to the other before its table was made again. */
  #mayBeGone(each: Case, side: ClusterId): boolean {
    return isReplay(each) && side !== this.round.side;
  }

  /** A statement that both clusters would take may be refused once, not for good. */
  async #goesOn({ case: each, row, value }: Attempt): Promise<string[]> {
    let last: Attempt | undefined;
    const isBack = async (): Promise<boolean> => {
      last = await this.#write(each, (row % 100) + 10, value);
      return isAppliedOnBoth(last.result);
    };
    await expect
      .poll(isBack, { timeout: 8_000, interval: 100 })
      .toBe(true)
      .catch(() => undefined);
    return last && isAppliedOnBoth(last.result) ? [] : [`refused for good: ${last && labelOf(last.result)}`];
  }

  /** A value of a user-defined type may be stored with or without the fields behind its last one. */
  async #readAlike(side: ClusterId, each: Case, row: number): Promise<boolean> {
    if (!each.change.startsWith('field')) return false;
    const read = async (id: number): Promise<string> => {
      const { rows } = await this.#bareClient(side).execute(
        `SELECT ${columnOf(each)} FROM ${this.#tableOf.get(each)!.name} WHERE id = ${id}`,
      );
      return JSON.stringify(rows[0]?.values(), (_, value: unknown) => value ?? undefined);
    };
    return (await read(row)) === (await read(row + TWIN));
  }

  async #cell(connection: CqlConnection, each: Case, row: number): Promise<Cell> {
    const column = columnOf(each);
    try {
      const [found] = await connection.rows(
        `SELECT ${column} FROM ${this.#tableOf.get(each)!.name} WHERE id = ${row}`,
      );
      return found && (found[0]?.toString('hex') ?? null);
    } catch (error) {
      if (String(error).includes('Undefined column')) return undefined;
      throw error;
    }
  }

  async #write(each: Case, n: number, value: unknown): Promise<Attempt> {
    const row = rowOf(each, n);
    return { case: each, row, value, result: await this.#send(each, row, value) };
  }

  #send(each: Case, row: number, value: unknown): Promise<Result> {
    const { cql } = this.#application;
    const [text, params] = [this.#text(each), this.#params(each, row, value)];
    if (!each.use.includes('batch')) return resultOf(cql.query(text, params).exec());
    const batch = cql.batch(each.use === 'unlogged batch' ? 'unlogged' : 'logged');
    for (let position = 0; position < 3; position++) {
      if (position === each.position) batch.add(text, params);
      else batch.add(NEIGHBOUR, [row * 10 + position, 'neighbour']);
    }
    return resultOf(batch.exec());
  }

  #text(each: Case): string {
    const { name } = this.#tableOf.get(each)!;
    const column = columnOf(each);
    return each.verb === 'insert'
      ? `INSERT INTO ${name} (id, ${column}) VALUES (?, ?)`
      : `UPDATE ${name} SET ${column} = ? WHERE id = ?`;
  }

  #params({ verb }: Case, row: number, value: unknown): unknown[] {
    return verb === 'insert' ? [row, value] : [value, row];
  }

  #select(each: Case): string {
    return `SELECT id FROM ${this.#tableOf.get(each)!.name} WHERE ${columnOf(each)} = ? ALLOW FILTERING`;
  }

  /** What is found and where, or the class of the failure. */
  async #read(each: Case, value: unknown): Promise<Read> {
    try {
      const { rows = [], info } = await this.#application.cql.execute(this.#select(each), [value]);
      return { case: each, value, found: idsOf(rows), cluster: info.cluster! };
    } catch (error) {
      return { case: each, value, failure: isHelixError(error) ? error.name : String(error) };
    }
  }

  /** Connected when it is first used. */
  #bareClient(side: ClusterId): cassandra.Client {
    const { clientOptions } = this.pair[side].server;
    const client = new cassandra.Client({ ...clientOptions, keyspace: this.keyspace });
    this.#clients.push(client);
    return client;
  }

  async #onBoth(act: (side: ClusterId) => Promise<void>): Promise<void> {
    await Promise.all(SIDES.map(act));
  }

  async #forEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
    const left = items.values();
    const worker = async (): Promise<void> => {
      for (const item of left) await act(item);
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }

  #end(each: Case, how: string, violation?: string): void {
    this.#endings.push({ case: each, how, ...(violation !== undefined && { violation }) });
  }
}

/** What was encoded before fits after: the server takes a value of a user-defined type without its last fields. */
function leavesTypes({ change, from, to }: Case): boolean {
  if (change === 'field added') return !from.type.startsWith('set<');
  return change === 'another column added' || (change !== 'column dropped' && from === to);
}

/** A value that sets a field which only one cluster has is refused: the other has applied it without that field. */
function setsWhatOneHas({ change, on }: Case, value: unknown): boolean {
  return change === 'field added' && on === 'one' && JSON.stringify(value).includes('country');
}

function valueInTurn({ first, from, to }: Case, n: number): unknown {
  return ((first === 'from') === (n === 0) ? from : to).value;
}

function resultOf(writing: Promise<WriteReceipt>): Promise<Result> {
  return writing.then(
    (receipt) => ({ receipt }),
    (error: unknown) => ({ error }),
  );
}

function isAppliedOnBoth(result: Result): boolean {
  return 'receipt' in result && result.receipt.A === 'applied' && result.receipt.B === 'applied';
}

function labelOf(result: Result): string {
  if ('error' in result) return isHelixError(result.error) ? result.error.name : 'refused';
  const { A, B } = result.receipt;
  return A === B ? A : `${A} and ${B}`;
}

function saidOf(result: Result, side: ClusterId, letters: readonly DeadLetter[]): Said {
  if ('error' in result) {
    const { error } = result;
    const { outcome } = error as { outcome?: unknown };
    if (!isHelixError(error)) return 'lost';
    return error instanceof HazardousStatementError || outcome === 'notApplied' ? 'not applied' : 'unknown';
  }
  const { id, [side]: status } = result.receipt;
  const isDead = letters.some(({ operationId, cluster }) => operationId === id && cluster === side);
  if (isDead) return status === 'inDoubt' ? 'unknown' : 'not applied';
  return status === 'applied' || status === 'queued' || status === 'pending' ? 'applied' : 'lost';
}

function idsOf(rows: readonly Record<string, unknown>[]): string {
  return `rows ${rows
    .map(({ id }) => Number(id))
    .sort((a, b) => a - b)
    .join(' ')}`;
}
