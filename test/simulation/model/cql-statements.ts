import type { CqlParams } from '../../../lib/cql/index.js';
import type { Change, ReadStep, WriteStep } from '../history.js';
import type { TypedValue } from './schema.js';

// How steps are put in CQL: the only statements that there are.

const ALL = ['a', 'b', 'c'] as const;
/** What is read. */
export const READ_COLUMNS = [...ALL, 'n', 'u'] as const;
/** The one parameter of `INSERT … JSON ?`. */
const DOCUMENT = '[json]';
/** What another process of Helix, and this one, appends to what it prepares. */
const MARK = / \/\* helix( [\w-]+)? \*\/$/;

/** A parameter: a column's name, and the value that a caller gives. `undefined`: the column stays as it is. */
type Parameter = readonly [column: string, value: string | null | undefined];

/** A statement as a caller has it, and as it must arrive. */
export interface Spelled {
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

/** Without the mark of Helix. */
export function unmarked(text: string): string {
  return text.replace(MARK, '');
}

/** What the mark of Helix says of types; `undefined`: nothing. */
export function digestIn(text: string): string | undefined {
  return MARK.exec(text)?.[1]?.trim();
}

/** Whether the type of a column may change. */
export function isTyped(name: string): boolean {
  return name === 'n' || name === 'u';
}

/** What a caller gives for such a column. */
export function typedValue({ id, givesFurtherField }: WriteStep): TypedValue {
  return { number: Number(/\d+$/.exec(id)?.[0]), isFurther: givesFurtherField === true };
}

/** Whether the text leaves it to the table which columns it sets. */
export function isOfDocument({ parameters }: Spelled): boolean {
  return parameters[0]?.[0] === DOCUMENT;
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
    : `k, ${READ_COLUMNS.join(', ')}, ${READ_COLUMNS.map((each) => `WRITETIME(${each})`).join(', ')}`;
  const from = `SELECT ${columns} FROM model_rows`;
  return step.pageSize === undefined
    ? spelled(step, true, `${from} WHERE k = `, [['k', step.key]])
    : spelled(step, true, from, []);
}

/** What the caller gives; afterwards it may be changed without any consequence. */
export function paramsOf(step: Step, { parameters }: Spelled): CqlParams {
  const given = parameters.map(([name, value]): [string, unknown] => [name, givenFor(step, name, value)]);
  // In another order than the statement has them.
  return step.isNamed ? Object.fromEntries(given.reverse()) : given.map(([, value]) => value);
}

function givenFor(step: Step, name: string, value: string | null | undefined): unknown {
  if (typeof value !== 'string') return value;
  if (name === 'c') return Buffer.from(value);
  if (step.do === 'read' || !isTyped(name)) return value;
  const { number, isFurther } = typedValue(step);
  return name === 'n' ? number : { x: number, ...(isFurther && { y: -number }) };
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
      if (style === 3 && change.columns.every((column) => column === 'a' || column === 'b')) {
        return document(step, isFirst, key, change.columns);
      }
      if (change.columns.some(isTyped)) {
        return style % 2 === 1
          ? update(step, isFirst, set, parameterOfKey)
          : insert(step, isFirst, [parameterOfKey, ...set]);
      }
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
  return { text: own(step, isFirst, text), parameters };
}

/** All of a row as one text: which columns it sets, the table says. */
function document(step: WriteStep, isFirst: boolean, key: string, columns: readonly string[]): Spelled {
  const row = Object.fromEntries([['k', key], ...columns.map((column) => [column, step.id])]) as object;
  const text = 'INSERT INTO model_rows JSON ? DEFAULT UNSET';
  return { text: own(step, isFirst, text), parameters: [[DOCUMENT, JSON.stringify(row)]] };
}

function update(step: WriteStep, isFirst: boolean, set: readonly Parameter[], key: Parameter): Spelled {
  const assignments = set.map(([name]) => `${name} = ${marker(step, name)}`).join(', ');
  const text = `UPDATE model_rows SET ${assignments} WHERE k = ${marker(step, 'k')}`;
  const parameters = [...set, key];
  return { text: own(step, isFirst, text), parameters };
}

/** A text that its last marker ends, if it has any. */
function spelled(step: Step, isFirst: boolean, text: string, parameters: readonly Parameter[]): Spelled {
  const end = parameters.map(([name]) => marker(step, name)).join('');
  return { text: own(step, isFirst, `${text}${end}`), parameters };
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
  /** Of its parameters, in order. */
  readonly names: readonly string[];
  readonly step: Step;
}

/** Every text that was ever used, by any process: what a server makes of it. */
export class KnownTexts {
  readonly #byText = new Map<string, KnownText>();

  add(step: Step, statements: readonly Spelled[]): void {
    for (const { text, parameters } of statements) {
      if (this.#byText.has(text)) continue;
      this.#byText.set(text, { names: parameters.map(([name]) => name), step });
    }
  }

  of(text: string): KnownText | undefined {
    return this.#byText.get(text);
  }
}
