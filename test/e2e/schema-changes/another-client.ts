import cassandra from 'cassandra-driver';

/** What somebody else does to a cluster: changes its schema, then goes on with texts that Helix uses too. */
export interface OthersWork {
  readonly options: cassandra.ClientOptions;
  readonly changes: readonly string[];
  /** Executed, so that the node has prepared them under the schema as it is then; `null` fits every type. */
  readonly texts: readonly { readonly text: string; readonly params: readonly unknown[] }[];
}

/** Does it as a process of its own would: with a client that knows nothing of what was before. */
export async function workAsAnother({ options, changes, texts }: OthersWork): Promise<void> {
  const client = new cassandra.Client({ ...options, socketOptions: { readTimeout: 30_000 } });
  try {
    await client.connect();
    for (const change of changes) await client.execute(change);
    for (const { text, params } of texts) {
      // A node prepares also what it then refuses to execute: a comparison with null, say.
      await client.execute(text, params, { prepare: true }).catch((error: unknown) => {
        if (!(error instanceof cassandra.errors.ResponseError)) throw error;
      });
    }
  } finally {
    await client.shutdown();
  }
}
