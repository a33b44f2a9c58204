import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CircuitBreaker } from '../../../lib/index.js';
import '../../matchers/index.js';
import { startApplication, stopApplications } from '../support/application.js';
import { createKeyspace } from '../support/clusters.js';
import { startThreeNodePair, type ThreeNodePair } from '../support/three-nodes.js';
import { Alarms } from './alarms.js';
import { longest, ms, statuses, tell } from './figures.js';
import { writing } from './ground.js';
import { SteadyLoad } from './steady-load.js';

/** Six servers share this machine. */
const CALLS_PER_S = 30;
const WELL_FOR_MS = 2_000;

export function describeFrozenNode(keyspace: string): void {
  describe('one frozen node of three is not a dead cluster', () => {
    let pair: ThreeNodePair;
    let tables = 0;

    beforeAll(async () => {
      pair = await startThreeNodePair();
      await createKeyspace(pair, keyspace, [], 3);
    });

    afterEach(async () => {
      await stopApplications();
      await Promise.all([pair.A.heal(), pair.B.heal()]);
    });

    afterAll(() => pair.stop());

    it.each([
      // Shorter than a deadline: what the node has been given, it carries out when it goes on.
      { frozenForMs: 3_000, mostQueued: 0 },
      // Longer: what was sent to this node, and only that, is queued at the deadline.
      { frozenForMs: 12_000, mostQueued: Infinity },
    ])('for $frozenForMs ms: no breaker opens', async ({ frozenForMs, mostQueued }) => {
      const table = `users_${++tables}`;
      for (const cluster of [pair.A, pair.B]) {
        await cluster.run(`CREATE TABLE ${keyspace}.${table} (id int PRIMARY KEY, name text)`);
      }
      const application = await startApplication({
        cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
        failoverPolicy: new CircuitBreaker(),
        connect: 'both',
      });
      const { helix } = application;
      const alarms = new Alarms(helix);
      const [node] = pair.B.cluster.nodes;
      const load = new SteadyLoad({ callsPerS: CALLS_PER_S }, writing(application, table));
      await load.at(WELL_FOR_MS);
      node!.freeze();
      await load.at(WELL_FOR_MS + frozenForMs);
      node!.thaw();
      const calls = await load.stop();
      await pair.B.cluster.united();
      await helix.syncPoint({ timeoutMs: 60_000 });

      tell(
        `one of three frozen for ${ms(frozenForMs)}`,
        `${calls.length} writes, the longest ${ms(longest(calls))}`,
        `on A: ${statuses(calls, 'A')}; on B: ${statuses(calls, 'B')}`,
        alarms.text,
      );
      expect(calls).toAllHaveSucceeded();
      expect(alarms.opened).toBe(0);
      expect(alarms.queued).toBeLessThanOrEqual(mostQueued);
      expect(helix.status().replay).toAddUp();
      expect(helix.status().lost).toBe(0);
      await expect(pair).toBeEqualCellByCell(keyspace, table, calls.length);
    });
  });
}
