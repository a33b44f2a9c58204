import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeExecutable } from './fixtures/fake-executable.js';
import { startNats, type NatsServer } from './index.js';
import { findNats } from './nats-binary.js';

async function greeting({ host, port }: NatsServer): Promise<{ version: string; jetstream: boolean }> {
  const socket = connect({ host, port });
  const [info] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return JSON.parse(info.toString().replace(/^INFO /, '')) as { version: string; jetstream: boolean };
}

describe('a NATS server', () => {
  it('offers JetStream, also after it was killed', async () => {
    const server = await startNats({ name: 'nats-spec' });
    try {
      expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
      expect(await greeting(server)).toMatchObject({ server_name: 'nats-spec', jetstream: true });
      await server.restart();
      expect(await greeting(server)).toMatchObject({ server_name: 'nats-spec', jetstream: true });
    } finally {
      await server.stop();
    }
  });

  it('is refused when its version is too old to sync before an ack, with what to do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'old-nats-'));
    try {
      const file = fakeExecutable(folder, 'nats-server', 'echo nats-server: v2.9.10');
      await expect(findNats({ NATS_SERVER: file })).rejects.toThrow(/v2\.9\.10.*2\.10 or later/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
