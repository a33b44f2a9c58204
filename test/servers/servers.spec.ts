import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { directoriesOf } from './fixtures/child.js';
import { fakeExecutable } from './fixtures/fake-executable.js';
import { startNats, startServers } from './index.js';

describe('startServers', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'servers-spec-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('starts only what is asked for and removes all of it', async () => {
    const servers = await startServers({ nats: 2 });
    expect([servers.cassandra.length, servers.postgres.length]).toEqual([0, 0]);
    expect(servers.nats.map(({ name, running }) => [name, running])).toEqual([
      ['nats-1', true],
      ['nats-2', true],
    ]);
    await servers.stop();
    expect(servers.nats.map(({ running }) => running)).toEqual([false, false]);
    expect(directoriesOf(process.pid)).toEqual([]);
  });

  it('stops the others when one fails', async () => {
    vi.stubEnv('NATS_SERVER', '/nowhere/nats-server');
    await expect(startServers({ postgres: 1, nats: 1 })).rejects.toThrow(/nowhere.*2\.10 or later/);
    expect(directoriesOf(process.pid)).toEqual([]);
  });

  it('keeps the logs where it is told to', async () => {
    const servers = await startServers({ nats: 1, keepLogs: folder });
    await servers.stop();
    expect(readFileSync(join(folder, 'nats-1.log'), 'utf8')).toContain('Server is ready');
  });

  it('says with the end of its log why a server did not start', async () => {
    const script = 'test "$1" = --version && echo v2.10.0 || { echo out of luck; exit 3; }';
    vi.stubEnv('NATS_SERVER', fakeExecutable(folder, 'nats-server', script));
    await expect(startNats({ name: 'unlucky' })).rejects.toThrow(
      'unlucky ended with code 3 before it was ready. The end of its log:\nout of luck',
    );
    expect(directoriesOf(process.pid)).toEqual([]);
  });

  it('does not start a server again that was stopped for good', async () => {
    const server = await startNats({ name: 'ended' });
    await server.stop();
    await expect(server.start()).rejects.toThrow('ended was stopped for good');
    expect(() => server.freeze()).toThrow('ended is not running');
  });
});
