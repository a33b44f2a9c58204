/** Columns of a table by name, with their types as `system_schema.columns` spells them: `frozen<list<int>>`, … */
export type TableColumns = ReadonlyMap<string, string>;

/** A table as its cluster describes it. */
export interface TableDescription {
  readonly columns: TableColumns;
  /** Columns of the primary key. */
  readonly keys: ReadonlySet<string>;
}

/** What is known of one keyspace, until something says that its schema may be another one. */
export class SchemaView {
  isCurrent = true;
  /** What has been asked of tables, by name. */
  readonly tables = new Map<string, Promise<TableDescription | undefined>>();
}

/** The views of one cluster, by keyspace; `undefined` is for what belongs to no one keyspace. */
export class SchemaViews {
  readonly #current = new Map<string | undefined, SchemaView>();

  of(keyspace: string | undefined): SchemaView {
    let view = this.#current.get(keyspace);
    if (!view) this.#current.set(keyspace, (view = new SchemaView()));
    return view;
  }

  /** The keyspace may have changed, or, without one, any of them. */
  expire(keyspace: string | undefined): void {
    if (keyspace === undefined) {
      for (const view of this.#current.values()) view.isCurrent = false;
      this.#current.clear();
      return;
    }
    for (const each of [keyspace, undefined]) {
      const view = this.#current.get(each);
      if (view) view.isCurrent = false;
      this.#current.delete(each);
    }
  }
}
