import { describe, expect, it } from 'vitest';
import { setUpCql } from '../../test/support/cql.js';
import { timedOut } from '../../test/support/fake-cql-client.js';
import { HelixConfigError, SessionClosedError } from '../core/index.js';
import { HelixCqlService } from './index.js';

const CREATE = 'CREATE TABLE t (id int PRIMARY KEY)';

describe('onBoth()', () => {
  it('runs the text as it is on each cluster, one after the other', async () => {
    const { helix, clients } = await setUpCql();
    expect(await helix.onBoth(CREATE)).toEqual({ A: { ok: true }, B: { ok: true } });
    for (const client of [clients.A, clients.B]) {
      expect(client.unprepared).toMatchObject([
        { query: CREATE, options: { prepare: false, isIdempotent: false, readTimeout: 30_000 } },
      ]);
    }
  });

  it('reports each cluster by itself and goes on to B when A fails', async () => {
    const { helix, clients } = await setUpCql();
    const error = timedOut();
    clients.A.pingError = error;
    expect(await helix.onBoth(CREATE)).toEqual({ A: { ok: false, error }, B: { ok: true } });
  });

  it('reports a cluster that was never connected', async () => {
    const { helix, clients } = await setUpCql({ connected: ['A'] });
    expect(await helix.onBoth(CREATE)).toMatchObject({
      A: { ok: true },
      B: { ok: false, error: { name: 'NotConnectedError' } },
    });
    expect(clients.B.unprepared).toEqual([]);
  });

  it('gives each side the time it is told to', async () => {
    const { helix, clients } = await setUpCql();
    await helix.onBoth(CREATE, { timeoutMs: 77 });
    expect(clients.B.unprepared).toMatchObject([{ options: { readTimeout: 77 } }]);
  });

  it('asks only A on a single cluster', async () => {
    const { helix, clients } = await setUpCql({ single: true });
    expect(await helix.onBoth(CREATE)).toEqual({ A: { ok: true }, B: { ok: true } });
    expect(clients.B.unprepared).toEqual([]);
  });

  it('is refused after the end', async () => {
    const { helix, clients, context } = await setUpCql();
    context.writePath.close();
    await expect(helix.onBoth(CREATE)).rejects.toThrow(SessionClosedError);
    expect(clients.A.unprepared).toEqual([]);
  });
});

describe('session()', () => {
  it("is the driver's own client", async () => {
    const { helix, clients } = await setUpCql();
    expect(helix.session('A')).toBe(clients.A);
    expect(helix.session('B')).toBe(clients.B);
  });

  it('is refused for a cluster that is not configured', async () => {
    const { helix } = await setUpCql({ single: true });
    expect(() => helix.session('B')).toThrow(HelixConfigError);
    expect(() => helix.session('B')).toThrow('cql.B');
  });
});

describe('isSingleCluster', () => {
  it.each([true, false])('is %s', async (single) => {
    const { helix } = await setUpCql({ single });
    expect(helix.isSingleCluster).toBe(single);
  });
});

describe('the service of an instance without cql', () => {
  const helix = new HelixCqlService(undefined, () => Promise.resolve());

  it.each<[call: string, run: () => unknown]>([
    ['query', () => helix.query('SELECT 1')],
    ['batch', () => helix.batch()],
    ['session', () => helix.session('A')],
    ['isSingleCluster', () => helix.isSingleCluster],
  ])('exists, but %s throws and says what is missing', (_call, run) => {
    expect(run).toThrow(HelixConfigError);
    expect(run).toThrow('`cql`');
  });

  it('rejects onBoth() and execute()', async () => {
    await expect(helix.onBoth(CREATE)).rejects.toThrow(HelixConfigError);
    await expect(helix.execute('SELECT 1')).rejects.toThrow(HelixConfigError);
  });
});
