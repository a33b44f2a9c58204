import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import '../../matchers/index.js';
import { stopApplications } from '../support/application.js';
import { clusterPair, createKeyspace, type TestPair } from '../support/clusters.js';
import { generate } from './generate.js';
import { type Ending, play } from './play.js';
import { seedOfRun, summaryOf, titleOf, violationsOf } from './report.js';

type Rounds = ReturnType<typeof generate>;

/** The table of schema changes of this run's seed, or what is picked of it. `what` is said of it; the keyspace is its own. */
export function describeSchemaChanges(
  what: string,
  keyspace: string,
  pick: (rounds: Rounds, seed: number) => Rounds,
): void {
  const seed = seedOfRun();
  const endings: Ending[] = [];
  let pair: TestPair;

  beforeAll(async () => {
    pair = await clusterPair();
    await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.plain (id int PRIMARY KEY, v text)']);
  });

  afterEach(async () => {
    await Promise.all([pair.A.heal(), pair.B.heal()]);
    await stopApplications();
  });

  afterAll(() => process.stdout.write(summaryOf(endings, seed)));

  describe(`${what} of schema changes (HELIX_SEED=${seed}) makes Helix store nothing wrong`, () => {
    it.each(pick(generate(seed), seed).map((round) => [titleOf(round), round] as const))(
      '%s',
      async (_, round) => {
        const played = await play(pair, keyspace, round);
        endings.push(...played);
        expect(violationsOf(played)).toEqual([]);
      },
    );
  });
}
