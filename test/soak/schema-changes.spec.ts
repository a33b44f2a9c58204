import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stopApplications } from '../e2e/support/application.js';
import { clusterPair, createKeyspace, type TestPair } from '../e2e/support/clusters.js';
import { generate } from '../e2e/schema-changes/generate.js';
import { type Ending, play } from '../e2e/schema-changes/play.js';
import { seedOfRun, summaryOf, titleOf, violationsOf } from '../e2e/schema-changes/report.js';
import '../matchers/index.js';

const keyspace = 'all_schema_changes';
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

describe(`The whole table of schema changes (HELIX_SEED=${seed}) makes Helix store nothing wrong`, () => {
  it.each(generate(seed).map((round) => [titleOf(round), round] as const))('%s', async (_, round) => {
    const played = await play(pair, keyspace, round);
    endings.push(...played);
    expect(violationsOf(played)).toEqual([]);
  });
});
