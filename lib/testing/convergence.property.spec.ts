import { Test } from '@nestjs/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HelixCqlService, HelixService } from '../index.js';
import { type ClusterFailure, FakeClock, HelixTestingClusters, HelixTestingModule } from './index.js';

const SCHEMA = `
  CREATE TABLE users (id int, part int, name text, tags set<text>, PRIMARY KEY (id, part));
`;

const id = fc.nat(1);
const word = fc.constantFrom('a', 'b', undefined, null);
const cluster = fc.constantFrom('A' as const, 'B' as const);
const failure = fc.constantFrom<ClusterFailure>(
  ...(['unreachable', 'connectionLost', 'answerLost', 'writeTimeout', 'overloaded', 'unavailable'] as const),
);

type Step = (on: {
  readonly cql: HelixCqlService;
  readonly clusters: HelixTestingClusters;
  readonly clock: FakeClock;
}) => Promise<unknown>;

const statement: fc.Arbitrary<readonly [string, readonly unknown[]]> = fc.oneof(
  fc
    .tuple(id, id, word)
    .map(
      ([key, part, name]) =>
        ['INSERT INTO users (id, part, name) VALUES (?, ?, ?)', [key, part, name]] as const,
    ),
  fc
    .tuple(id, id, word)
    .map(
      ([key, part, tag]) =>
        [
          'UPDATE users SET tags = tags + ? WHERE id = ? AND part = ?',
          [tag ? [tag] : tag, key, part],
        ] as const,
    ),
  fc
    .tuple(id, id)
    .map(([key, part]) => ['DELETE tags FROM users WHERE id = ? AND part = ?', [key, part]] as const),
  fc
    .tuple(id, id)
    .map(([key, part]) => ['DELETE FROM users WHERE id = ? AND part > ?', [key, part]] as const),
  id.map((key) => ['DELETE FROM users WHERE id = ?', [key]] as const),
);

/** What a write ends with is not the point here; that it ends is. */
const write: fc.Arbitrary<Step> = statement.map(([text, params]) => async ({ cql, clock }) => {
  const waiting = new Set([text]);
  const end = (): boolean => waiting.delete(text);
  cql.query(text, params).exec().then(end, end);
  for (let s = 0; waiting.size > 0 && s < 60; s++) await clock.advance(1_000);
  expect(waiting.size).toBe(0);
});

/** Wrong on one cluster for a while, or for one statement. */
const switched: fc.Arbitrary<Step> = fc
  .tuple(cluster, fc.constantFrom('goDown', 'hang', 'loseAnswers', 'comeBack', 'failNext'), failure)
  .map(([side, fault, kind]): Step => ({ clusters }) => {
    if (fault === 'failNext') clusters[side].failNext(kind);
    else clusters[side][fault]();
    return Promise.resolve();
  });

it('whatever goes wrong on the way, both clusters end equal once they are back', async () => {
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: write }, switched), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const clock = new FakeClock();
      const app = await Test.createTestingModule({
        imports: [HelixTestingModule.forRoot({ schema: SCHEMA, clock })],
      }).compile();
      app.useLogger(false);
      await app.init();
      const clusters = app.get(HelixTestingClusters);
      const helix = app.get(HelixService);
      for (const step of all) await step({ cql: app.get(HelixCqlService), clusters, clock });

      clusters.A.comeBack();
      clusters.B.comeBack();
      const inSync = helix.syncPoint();
      await clock.advance(120_000);
      await inSync;
      expect(clusters.differences()).toEqual([]);
      const { A, B } = helix.status().replay;
      expect([A.queued, A.deadLettered, B.queued, B.deadLettered]).toEqual([0, 0, 0, 0]);
      await app.close();
    }),
    { numRuns: 50 },
  );
}, 60_000);
