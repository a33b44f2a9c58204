import { expect, it } from 'vitest';
import { CLUSTER_OPTIONS } from '../test/support/cql.js';
import { FakeClock } from '../test/support/fake-clock.js';
import { FakeCqlClient } from '../test/support/fake-cql-client.js';
import { type Driver, loadDriver } from './cql/index.js';
import { createSessions } from './helix.cql.js';
import { resolveOptions } from './helix.options.js';

it('logs that a driver without a place for the guard of its control connection cannot be guarded', async () => {
  const Client = function () {
    const controlConnection = { _registerToConnectionEvents: () => Promise.resolve() };
    return Object.assign(new FakeCqlClient(), { controlConnection });
  } as unknown as Driver['Client'];
  const warnings: string[] = [];
  const logger = {
    log: () => undefined,
    warn: (message: string) => warnings.push(message),
    error: () => undefined,
  };
  const options = resolveOptions(
    { cql: { A: { ...CLUSTER_OPTIONS }, B: { ...CLUSTER_OPTIONS } } },
    'default',
  );
  const sessions = createSessions(options, { ...(await loadDriver()), Client }, new FakeClock(), logger);
  await sessions.A.connect();
  expect(warnings).toEqual([expect.stringContaining('cannot be guarded')]);
  await sessions.B?.connect();
  expect(warnings).toHaveLength(2);
});
