import { HazardousStatementError, HelixUsageError, type OperationClass } from '../core/index.js';
import { type Column, type TableColumns, TYPE_CODE } from './driver/index.js';
import type {
  AssignedColumn,
  HazardFound,
  StatementFacts,
  StatementKind,
  TableName,
  TableWrite,
} from './scanner.js';

export interface Judgement {
  readonly class: OperationClass;
  /** Made when thrown, so that each caller has its own stack. `undefined`: it may be written. */
  readonly refusal: (() => HazardousStatementError) | undefined;
}

/** What is called with a text, which decides the kinds of statement that it takes. */
export type StatementCall = 'execute' | 'exec' | 'add' | 'one' | 'values' | 'all' | 'page' | 'iter';

type Hazard = 'counter' | 'list' | 'unknown';

interface Found {
  readonly hazard: Hazard;
  readonly column: string;
}

/** Of one column or write: what is wrong with it, nothing, or that its table must tell. */
type Verdict = Found | 'harmless' | 'unknown';

export const WRITABLE: Judgement = { class: 'idempotent', refusal: undefined };

/**
 * What the text alone says of writing it to two clusters.
 *
 * @returns `undefined`: types or tables must say more
 */
export function judgeText(facts: StatementFacts): Judgement | undefined {
  const [found] = facts.hazards;
  if (found) return refused(facts, found.hazard, `Refused: ${inText(found, facts)}`);
  return facts.writes.every((write) => withoutTable(write, []) === 'harmless') ? WRITABLE : undefined;
}

/**
 * A hazard is refused only on a positive answer: of the text, of the types that PREPARE gave its `parameters`, or,
 * where these leave it open, of a table.
 *
 * @param columnsOf what is known of a table; not asked where types are enough
 * @returns the tables that would have to be known
 */
export function judge(
  facts: StatementFacts,
  parameters: readonly Column[],
  columnsOf: (table: TableName) => TableColumns | undefined,
): Judgement | { readonly unknownTables: readonly TableName[] } {
  const byText = judgeText(facts);
  if (byText) return byText;
  const counter = parameters.findIndex(({ type }) => type.code === TYPE_CODE.counter);
  if (counter >= 0)
    return refusedFor(facts, { hazard: 'counter', column: nameOf(counter, facts, parameters) });
  const unknownTables: TableName[] = [];
  for (const write of facts.writes) {
    let verdict = withoutTable(write, parameters);
    if (verdict === 'unknown') {
      const table = columnsOf(write.table);
      if (table) verdict = withTable(write, parameters, table);
    }
    if (typeof verdict === 'object') return refusedFor(facts, verdict);
    if (verdict === 'unknown' && !unknownTables.some((known) => isSameTable(known, write.table))) {
      unknownTables.push(write.table);
    }
  }
  return unknownTables.length > 0 ? { unknownTables } : WRITABLE;
}

/** A batch is of the class of its strictest statement. */
export function strictestClass(classes: Iterable<OperationClass>): OperationClass {
  for (const each of classes) if (each === 'once') return 'once';
  return 'idempotent';
}

/** The column that a marker gives its value; a named marker has a name of its own. */
function nameOf(marker: number, { writes }: StatementFacts, parameters: readonly Column[]): string {
  for (const { columns } of writes) {
    if (typeof columns === 'string') continue;
    const column = columns.find(({ value }) => value === marker);
    if (column) return column.name;
  }
  return parameters[marker]?.name ?? '';
}

/** Worst first: what is wrong with one of the columns is wrong with all. */
function worst(verdicts: readonly Verdict[]): Verdict {
  const found = verdicts.find((verdict) => typeof verdict === 'object');
  return found ?? (verdicts.includes('unknown') ? 'unknown' : 'harmless');
}

function withoutTable({ kind, columns }: TableWrite, parameters: readonly Column[]): Verdict {
  // Rows of a table with counters can be deleted, too.
  if (typeof columns === 'string') return 'unknown';
  return worst(columns.map((column) => byTypes(kind, column, parameters)));
}

/** What PREPARE says: the type of a marker, and for `c[?]` in its name what `c` is. */
function byTypes(kind: TableWrite['kind'], column: AssignedColumn, parameters: readonly Column[]): Verdict {
  const { name, change } = column;
  const code = column.value === undefined ? undefined : parameters[column.value]?.type.code;
  const key = column.key === undefined ? undefined : parameters[column.key]?.name;
  switch (change) {
    case 'field':
      // Whatever is in a UDT is frozen.
      return 'harmless';
    case 'delete':
      // The server takes null for no counter, but deletes one.
      return kind === 'delete' ? 'unknown' : 'harmless';
    case 'value':
      // A type does not say whether a list is frozen.
      return code === undefined || code === TYPE_CODE.list ? 'unknown' : 'harmless';
    case 'increment':
      if (code === TYPE_CODE.list) return { hazard: 'list', column: name };
      return code === TYPE_CODE.set || code === TYPE_CODE.map ? 'harmless' : 'unknown';
    case 'element':
    case 'deleteElement':
      if (key === `idx(${name})`) return { hazard: 'list', column: name };
      // An element of a set can be deleted, and is called its value.
      return key === `key(${name})` || key === `value(${name})` ? 'harmless' : 'unknown';
  }
}

function withTable(write: TableWrite, parameters: readonly Column[], table: TableColumns): Verdict {
  const { kind, columns } = write;
  // A table with counters has nothing but counters beside its key.
  for (const [column, type] of table) if (type === 'counter') return { hazard: 'counter', column };
  if (columns === 'none') return 'harmless';
  if (columns === 'all') {
    for (const [column, type] of table) if (isList(type)) return { hazard: 'list', column };
    return 'harmless';
  }
  return worst(
    columns.map((column) => {
      const verdict = byTypes(kind, column, parameters);
      return verdict === 'unknown' ? byColumn(column, table.get(column.name)) : verdict;
    }),
  );
}

/** `undefined` for a column that the server has taken, but that what is known of the table lacks: it is older. */
function byColumn({ name, change }: AssignedColumn, type: string | undefined): Verdict {
  if (type === undefined) return 'unknown';
  if (change === 'delete') return 'harmless';
  if (isList(type)) return { hazard: 'list', column: name };
  const canBeAddedTo = type.startsWith('set<') || type.startsWith('map<');
  return change === 'increment' && !canBeAddedTo ? { hazard: 'unknown', column: name } : 'harmless';
}

/** A frozen one is spelled `frozen<list<…>>`. */
function isList(type: string): boolean {
  return type.startsWith('list<');
}

function isSameTable(a: TableName, b: TableName): boolean {
  return a.table === b.table && a.keyspace === b.keyspace;
}

function refused({ masked }: StatementFacts, hazard: string, reason: string): Judgement {
  return {
    ...WRITABLE,
    refusal: () =>
      new HazardousStatementError(`${reason} ${hazardAdvice(hazard)} Statement: ${masked}`, hazard),
  };
}

function refusedFor(facts: StatementFacts, { hazard, column }: Found): Judgement {
  const reason =
    hazard === 'unknown'
      ? `"${column}" is added to, but is neither a set nor a map.`
      : `the ${hazard} "${column}" would not give the same result on both clusters.`;
  return refused(facts, hazard, `Refused: ${reason}`);
}

/** What was found in the text, as the beginning of a sentence. */
function inText({ hazard, what, at, call }: HazardFound, { masked }: StatementFacts): string {
  switch (hazard) {
    case 'nondeterministic':
      if (call) return `${what} would not give the same result on both clusters.`;
      // What follows a stray quote looks like a name, but may be a value.
      return `${isShown(what, masked) ? what : 'a function'} is not known to give the same result on both clusters.`;
    case 'lwt':
      return `${what} would not give the same result on both clusters.`;
    case 'ddl':
    case 'truncate':
      return `${what} has no write time by which it could be repeated.`;
    case 'use':
      return 'USE would change one connection only.';
    case 'multipleStatements':
      return 'the text holds several statements.';
    default:
      return notUnderstood(what, at, masked);
  }
}

function notUnderstood(what: string, at: number, masked: string): string {
  if (masked === '') return 'the statement is empty.';
  if (/^(?:update|delete)\b/i.test(masked) && !/\bwhere\b|…$/i.test(masked))
    return 'the statement has no WHERE.';
  return what === 'end'
    ? 'the statement is incomplete.'
    : `the statement is not understood from character ${at + 1} on.`;
}

function isShown(what: string, masked: string): boolean {
  return masked.toLowerCase().includes(what.toLowerCase().replace(/\(\)$/, ''));
}

/** What to do instead of a statement that is refused. */
export function hazardAdvice(hazard: string): string {
  switch (hazard) {
    case 'nondeterministic':
      return 'Compute the value in the application and pass it as a parameter.';
    case 'counter':
      return 'Counters cannot be repeated safely; use session() to count on one cluster.';
    case 'list':
      return 'Use a frozen list, a set or a map, or write the column through session().';
    case 'lwt':
      return 'Conditions are decided on each cluster alone; use session() to decide on one.';
    case 'ddl':
    case 'truncate':
      return 'Run it with onBoth(), which runs it on each cluster and reports each.';
    case 'use':
      return 'Set the keyspace in the options, or qualify the table name.';
    case 'multipleStatements':
      return 'Send one statement at a time, or use batch().';
    default:
      return 'What is not understood cannot be shown to be safe; use session() for it.';
  }
}

const MODIFICATIONS: readonly StatementKind[] = ['insert', 'update', 'delete'];

/**
 * Whether a call takes statements of this kind at all, on one cluster as on two. `exec()` takes whatever is not read:
 * what may be written to two clusters, {@link judge} decides.
 *
 * @returns what is to be thrown
 */
export function refusalOfKind(
  facts: StatementFacts,
  call: StatementCall,
): (() => HelixUsageError | HazardousStatementError) | undefined {
  const { kind, masked } = facts;
  switch (call) {
    case 'exec':
      if (kind !== 'select') return undefined;
      return usage(`exec() is for writes; use one(), values(), all(), page() or iter() to read: ${masked}`);
    case 'add':
      if (MODIFICATIONS.includes(kind)) return undefined;
      return usage(
        `batch.add(): a batch holds INSERT, UPDATE and DELETE; ${inBatch(facts)} Statement: ${masked}`,
      );
    case 'execute': {
      if (kind === 'select' || kind === 'batch' || MODIFICATIONS.includes(kind)) return undefined;
      const { found, hazard } = ofKind(facts);
      const reason = `execute() is for SELECT, INSERT, UPDATE and DELETE; ${inText(found, facts)}`;
      return refused(facts, hazard, reason).refusal;
    }
    default:
      if (kind === 'select') return undefined;
      return usage(`${call}() is for SELECT; use exec() to write: ${masked}`);
  }
}

function usage(message: string): () => HelixUsageError {
  return () => new HelixUsageError(message);
}

function inBatch(facts: StatementFacts): string {
  if (facts.kind === 'select') return 'SELECT is read. Use query() for it.';
  if (facts.kind === 'batch')
    return 'this is a batch itself. Add its statements, or run it with query().exec().';
  const { found, hazard } = ofKind(facts);
  return `${inText(found, facts)} ${hazardAdvice(hazard)}`;
}

/** The hazard that made the text of its kind. */
function ofKind({ kind, hazards }: StatementFacts): { found: HazardFound; hazard: string } {
  const found = hazards.find(({ hazard }) => hazard === kind || hazard === 'multipleStatements');
  return { found: found ?? { hazard: 'unknown', at: 0, what: '' }, hazard: found?.hazard ?? kind };
}
