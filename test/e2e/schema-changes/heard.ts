import { expect } from 'vitest';
import type { ClusterId } from '../../../lib/index.js';
import { CqlConnection } from '../../servers/index.js';
import type { InspectedCluster, TestPair } from '../support/clusters.js';

/**
 * Resolves when a node has told everybody who listens of all schema changes so far. Events come in their order:
 * when that of a table made for this is here, the ones before it have been sent to all.
 */
export async function toldOfChanges(
  node: { readonly host: string; readonly port: number },
  cluster: InspectedCluster,
  keyspace: string,
  marker: string,
): Promise<void> {
  const listener = await CqlConnection.open(node);
  try {
    await listener.listen();
    await cluster.run(`CREATE TABLE ${keyspace}.${marker} (id int PRIMARY KEY)`);
    const names = (): string[] => listener.events.map(({ name }) => name);
    await expect.poll(names, { timeout: 10_000, interval: 5, message: 'events' }).toContain(marker);
  } finally {
    listener.close();
  }
}

/** Counts the control connections that drivers make through the proxies: with them they hear of changes. */
export class ControlConnections {
  readonly #made = { A: 0, B: 0 };

  constructor(private readonly pair: TestPair) {
    for (const side of ['A', 'B'] as const) {
      pair[side].proxy.watch((chunk) => {
        if (chunk.includes('SCHEMA_CHANGE')) this.#made[side] += 1;
      });
    }
  }

  madeTo(side: ClusterId): number {
    return this.#made[side];
  }

  async anotherTo(side: ClusterId, since: number): Promise<void> {
    await expect
      .poll(() => this.#made[side], {
        timeout: 30_000,
        interval: 5,
        message: `control connections to ${side}`,
      })
      .toBeGreaterThan(since);
  }

  stop(): void {
    for (const side of ['A', 'B'] as const) this.pair[side].proxy.watch(() => undefined);
  }
}
