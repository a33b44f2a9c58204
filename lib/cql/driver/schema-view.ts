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
  /** Whether it is known to have changed, and not only not known to be the same. */
  hasChanged = false;
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

  /** Of one table; without it, of a keyspace; without that, of all there is. */
  of(keyspace: string | undefined, table: string | undefined): SchemaView {
    const key = JSON.stringify([keyspace, table]);
    let view = this.#current.get(key);
    if (!view) this.#current.set(key, (view = new SchemaView(keyspace, table)));
    return view;
  }

  expire(change: SchemaChange): void {
    for (const [key, view] of this.#current) {
      if (!concerns(change, view)) continue;
      view.isCurrent = false;
      view.hasChanged = change.keyspace !== undefined;
      this.#current.delete(key);
    }
  }
}

function concerns(change: SchemaChange, { keyspace, table }: SchemaView): boolean {
  if (change.keyspace === undefined || keyspace === undefined) return true;
  return (
    change.keyspace === keyspace &&
    (change.table === undefined || table === undefined || change.table === table)
  );
}
