import type { Column } from '../../../lib/cql/driver/index.js';
import type { CqlParams } from '../../../lib/cql/index.js';
import type { Change, ReadStep, WriteStep } from '../history.js';

// How steps are put in CQL: the only statements that there are.

/** Codes of the native protocol. */
const VARCHAR = 0x0d;
const BLOB = 0x03;
const ALL = ['a', 'b', 'c'] as const;

/** A parameter: a column's name, and the value that a caller gives. `undefined`: the column stays as it is. */
type Parameter = readonly [column: string, value: string | null | undefined];

/** A statement as a caller has it, and as it must arrive. */
export interface Spelled {
  readonly text: string;
  readonly columns: readonly Column[];
  readonly parameters: readonly Parameter[];
}

/** One column is a blob, whose bytes are the caller's own. */
export function columnOf(name: string): Column {
  return { name, type: { code: name === 'c' ? BLOB : VARCHAR, info: null } };
}

/** What the parameters of a statement are called when their types are compared. */
export function signatureOf(columns: readonly Column[]): string {
  return columns.map(({ type }) => String(type.code)).join(';');
}

/** The statements of a write: one, or those of its batch. */
export function spellWrite(step: WriteStep): readonly Spelled[] {
  let known = spelledWrites.get(step);
  if (!known) spelledWrites.set(step, (known = spellChanges(step)));
  return known;
}

const spelledWrites = new WeakMap<WriteStep, readonly Spelled[]>();

function spellChanges(step: WriteStep): readonly Spelled[] {
  const changes = [{ key: step.key, change: step.change }, ...(step.batch?.also ?? [])];
  return changes.map(({ key, change }, index) => spellChange(step, key, change, index === 0));
}

export function spellRead(step: ReadStep): Spelled {
  const columns = step.isBad
    ? 'nothing'
    : `k, a, b, c, ${ALL.map((each) => `WRITETIME(${each})`).join(', ')}`;
  const from = `SELECT ${columns} FROM model_rows`;
  return step.pageSize === undefined
    ? spelled(step, true, `${from} WHERE k = `, [['k', step.key]])
    : spelled(step, true, from, []);
}

/** What the caller gives; afterwards it may be changed without any consequence. */
export function paramsOf({ isNamed }: { readonly isNamed?: boolean }, { parameters }: Spelled): CqlParams {
  const given = parameters.map(([name, value]): [string, unknown] => [
    name,
    name === 'c' && typeof value === 'string' ? Buffer.from(value) : value,
  ]);
  // In another order than the statement has them.
  return isNamed ? Object.fromEntries(given.reverse()) : given.map(([, value]) => value);
}

/** The caller uses what it gave for something else. */
export function reuse(params: CqlParams): void {
  const values = params as Record<string, unknown>;
  for (const [name, value] of Object.entries(values)) {
    if (value instanceof Uint8Array) value.fill(0);
    values[name] = 'reused';
  }
}

function spellChange(step: WriteStep, key: string, change: Change, isFirst: boolean): Spelled {
  const style = step.style ?? 0;
  const parameterOfKey: Parameter = ['k', key];
  switch (change.kind) {
    case 'set': {
      const set = change.columns.map((column): Parameter => [column, step.id]);
      if (style % 3 === 1) return update(step, isFirst, set, parameterOfKey);
      const named = ALL.map(
        (column): Parameter => set.find(([name]) => name === column) ?? [column, undefined],
      );
      return insert(step, isFirst, [parameterOfKey, ...(style % 3 === 2 ? named : set)]);
    }
    case 'unset':
      return style % 2 === 1
        ? update(step, isFirst, [[change.column, null]], parameterOfKey)
        : spelled(step, isFirst, `DELETE ${change.column} FROM model_rows WHERE k = `, [parameterOfKey]);
    case 'delete':
      return spelled(step, isFirst, 'DELETE FROM model_rows WHERE k = ', [parameterOfKey]);
    case 'add':
      throw new Error('Nothing is added to in CQL');
  }
}

function insert(step: WriteStep, isFirst: boolean, parameters: readonly Parameter[]): Spelled {
  const names = parameters.map(([name]) => name);
  const markers = names.map((name) => marker(step, name));
  const text = `INSERT INTO model_rows (${names.join(', ')}) VALUES (${markers.join(', ')})`;
  return { text: own(step, isFirst, text), columns: names.map(columnOf), parameters };
}

function update(step: WriteStep, isFirst: boolean, set: readonly Parameter[], key: Parameter): Spelled {
  const assignments = set.map(([name]) => `${name} = ${marker(step, name)}`).join(', ');
  const text = `UPDATE model_rows SET ${assignments} WHERE k = ${marker(step, 'k')}`;
  const parameters = [...set, key];
  return { text: own(step, isFirst, text), columns: parameters.map(([name]) => columnOf(name)), parameters };
}

/** A text that its last marker ends, if it has any. */
function spelled(step: Step, isFirst: boolean, text: string, parameters: readonly Parameter[]): Spelled {
  const end = parameters.map(([name]) => marker(step, name)).join('');
  return {
    text: own(step, isFirst, `${text}${end}`),
    columns: parameters.map(([name]) => columnOf(name)),
    parameters,
  };
}

type Step = WriteStep | ReadStep;

function marker({ isNamed }: Step, name: string): string {
  return isNamed ? `:${name}` : '?';
}

function own(step: Step, isFirst: boolean, text: string): string {
  return isFirst && hasOwnText(step) ? `${text} /* ${step.id} */` : text;
}

/** What is said of one text must not be said of another's. */
function hasOwnText(step: Step): boolean {
  if (step.isNewText) return true;
  return step.do === 'write' && step.refusedBy !== undefined && step.refusedAt === undefined;
}

/** A text as the servers of both clusters know it. */
export interface KnownText {
  readonly columns: readonly Column[];
  readonly step: Step;
}

/** Every text that was ever used, by any process: what a server makes of it. */
export class KnownTexts {
  readonly #byText = new Map<string, KnownText>();

  add(step: Step, statements: readonly Spelled[]): void {
    for (const { text, columns } of statements) {
      if (!this.#byText.has(text)) this.#byText.set(text, { columns, step });
    }
  }

  of(text: string): KnownText | undefined {
    return this.#byText.get(text);
  }
}
