import type { Ast } from './ast.js';
import { type Change, type Changes, compileModification } from './modification.js';
import { parseStatement } from './parser.js';
import { CqlRefusal } from './refusal.js';
import type { Schema } from './schema.js';
import { compileSelect, type Read } from './selection.js';
import { BIGINT, type Codec, toNumber, Values, type WireColumn } from './values.js';

/** A statement ready to run, with a description of its parameters. */
export type Compiled = { readonly columns: readonly WireColumn[]; readonly keyspace: string } & (
  | { readonly kind: 'write'; readonly changes: Changes }
  | { readonly kind: 'read'; readonly read: Read }
  /** Changes the schema or empties a table; has no parameters. */
  | { readonly kind: 'schema'; readonly ast: Exclude<Ast, { kind: 'batch' | 'select' }> }
);

/**
 * Reads a text and looks up what it names.
 *
 * @throws CqlRefusal Cassandra would refuse it, or it is outside the subset
 */
export function compile(text: string, schema: Schema, codec: Codec): Compiled {
  const ast = parseStatement(text);
  const values = new Values(codec);
  const { columns } = values;
  switch (ast.kind) {
    case 'select': {
      const table = schema.table(ast.table);
      return { kind: 'read', columns, keyspace: table.keyspace, read: compileSelect(ast, table, values) };
    }
    case 'insert':
    case 'update':
    case 'delete': {
      const table = schema.table(ast.table);
      const changes = compileModification(ast, table, values);
      return { kind: 'write', columns, keyspace: table.keyspace, changes };
    }
    case 'batch':
      return {
        kind: 'write',
        columns,
        keyspace: schema.keyspace,
        changes: compileBatch(ast, schema, values),
      };
    default:
      return { kind: 'schema', columns, keyspace: schema.keyspace, ast };
  }
}

function compileBatch(ast: Extract<Ast, { kind: 'batch' }>, schema: Schema, values: Values): Changes {
  if (ast.using.ttl) throw new CqlRefusal('Global TTL on the BATCH statement is not supported.');
  const timestamp = ast.using.timestamp && values.evaluate(ast.using.timestamp, BIGINT, '[timestamp]');
  const all = ast.statements.map((each) => compileModification(each, schema.table(each.table), values));
  return (request) => {
    const given = timestamp?.(request.params);
    const timestampUs = given instanceof Uint8Array ? toNumber(given) : request.timestampUs;
    return all.flatMap((changes) => changes({ ...request, timestampUs }));
  };
}

/** Applies changes to the tables they are for. */
export function apply(changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.kind === 'write') change.table.data.write(change.write);
    else change.table.data.delete(change.deletion);
  }
}
