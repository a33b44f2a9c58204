/** Columns of a table by name, with their types as `system_schema.columns` spells them: `frozen<list<int>>`, … */
export type TableColumns = ReadonlyMap<string, string>;

/** A table as its cluster describes it. */
export interface TableDescription {
  readonly columns: TableColumns;
  /** Columns of the primary key. */
  readonly keys: ReadonlySet<string>;
}

/** What has changed, as far as is known. */
export interface SchemaChange {
  /** `undefined`: any may have. */
  readonly keyspace?: string | undefined;
  /** `undefined`: all of the keyspace may be concerned. */
  readonly table?: string | undefined;
}

/** What is known of a table, until something says that it may be another one. */
export class SchemaView {
  isCurrent = true;
  /** What has been asked of it. */
  description: Promise<TableDescription | undefined> | undefined;

  constructor(
    /** `undefined`: it stands for several. */
    readonly keyspace: string | undefined,
    readonly table: string | undefined,
  ) {}
}

/** The current views of one cluster. */
export class SchemaViews {
  readonly #current = new Map<string, SchemaView>();
  /** How often it was said of a keyspace or table that it has changed; of those only that somebody has looked at. */
  readonly #changes = new Map<string, number>();

  /** Of one table; without it, of a keyspace; without that, of all there is. */
  of(keyspace: string | undefined, table: string | undefined): SchemaView {
    const key = keyOf(keyspace, table);
    let view = this.#current.get(key);
    if (!view) {
      this.#current.set(key, (view = new SchemaView(keyspace, table)));
      for (const each of [key, keyOf(keyspace, undefined)]) {
        if (!this.#changes.has(each)) this.#changes.set(each, 0);
      }
    }
    return view;
  }

  /** Rises with each change that is known, and not with what only may have changed. */
  changesOf({ keyspace, table }: SchemaView): number {
    const ofTable = table === undefined ? 0 : (this.#changes.get(keyOf(keyspace, table)) ?? 0);
    return ofTable + (this.#changes.get(keyOf(keyspace, undefined)) ?? 0);
  }

  expire(change: SchemaChange): void {
    const { keyspace, table } = change;
    const changed = keyOf(keyspace, table);
    const before = keyspace === undefined ? undefined : this.#changes.get(changed);
    if (before !== undefined) this.#changes.set(changed, before + 1);
    for (const [key, view] of this.#current) {
      if (!concerns(change, view)) continue;
      view.isCurrent = false;
      this.#current.delete(key);
    }
  }
}

function keyOf(keyspace: string | undefined, table: string | undefined): string {
  return JSON.stringify([keyspace, table]);
}

function concerns(change: SchemaChange, { keyspace, table }: SchemaView): boolean {
  if (change.keyspace === undefined || keyspace === undefined) return true;
  return (
    change.keyspace === keyspace &&
    (change.table === undefined || table === undefined || change.table === table)
  );
}
