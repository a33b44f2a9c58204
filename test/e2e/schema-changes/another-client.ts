import cassandra from 'cassandra-driver';
import { CqlConnection } from '../../servers/index.js';

/** What somebody else does to a cluster: changes its schema, then goes on with texts that Helix uses too. */
export interface OthersWork {
  readonly options: cassandra.ClientOptions & { readonly contactPoints: string[]; readonly keyspace: string };
  readonly changes: readonly string[];
  /** Executed, so that the node has prepared them under the schema as it is then; `null` fits every type. */
  readonly texts: readonly { readonly text: string; readonly params: readonly unknown[] }[];
}

/** Does it as a process of its own would: with a client that knows nothing of what was before. */
export async function workAsAnother({ options, changes, texts }: OthersWork): Promise<void> {
  const client = new cassandra.Client({ ...options, socketOptions: { readTimeout: 30_000 } });
  try {
    await client.connect();
    const asked = await asHelixAsks(
      client,
      texts.map(({ text }) => text),
    );
    for (const change of changes) await client.execute(change);
    for (const { text, params } of texts) {
      // A node prepares also what it then refuses to execute: a comparison with null, say.
      await client.execute(text, params, { prepare: true }).catch((error: unknown) => {
        if (!(error instanceof cassandra.errors.ResponseError)) throw error;
      });
    }
    await prepareAgain(options, asked);
  } finally {
    await client.shutdown();
  }
}

/**
 * The texts as a node has prepared them for Helix, which adds a comment: another process of the same application has
 * them prepared again, and so does a node that starts.
 */
async function asHelixAsks(client: cassandra.Client, texts: readonly string[]): Promise<string[]> {
  if (texts.length === 0) return [];
  const { rows } = await client.execute('SELECT query_string FROM system.prepared_statements', [], {
    fetchSize: 100_000,
  });
  const prepared = new Set(rows.map((row) => row['query_string'] as string));
  return [...prepared].filter((query) => texts.some((text) => query.startsWith(text)));
}

async function prepareAgain({ contactPoints, ...options }: OthersWork['options'], texts: readonly string[]) {
  for (const host of texts.length > 0 ? contactPoints : []) {
    const connection = await CqlConnection.open({ host, port: options.protocolOptions?.port ?? 9042 });
    try {
      await connection.rows(`USE ${options.keyspace}`);
      // What does not fit the new schema is refused.
      for (const text of texts) await connection.prepare(text).catch(() => undefined);
    } finally {
      connection.close();
    }
  }
}
