import type { InspectedCluster, InspectedPair } from './clusters.js';

/** Every row of a table as text: its key, and each regular column with value and write time. */
export async function cells(cluster: InspectedCluster, keyspace: string, table: string): Promise<string[]> {
  const { keys, regular } = await cluster.columns(keyspace, table);
  const columns = [
    ...keys.map(quoted),
    ...regular.flatMap((name) => [quoted(name), `writetime(${quoted(name)})`]),
  ];
  const { rows } = await cluster.run(`SELECT ${columns.join(', ')} FROM ${keyspace}.${table}`);
  return rows.map((row) => JSON.stringify(row)).sort();
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export async function cellsOfBoth(
  pair: InspectedPair,
  keyspace: string,
  table: string,
): Promise<{ A: string[]; B: string[] }> {
  const [A, B] = await Promise.all([pair.A, pair.B].map((cluster) => cells(cluster, keyspace, table)));
  return { A: A!, B: B! };
}
