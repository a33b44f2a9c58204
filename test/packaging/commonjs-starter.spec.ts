import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnTied } from '../servers/process-tree.js';
import { nodeBinary, nodeVersions } from './node-binaries.js';
import { Project } from './project.js';

/** From here on Jest can `require` an ES module by itself, given a flag. */
const JEST_REQUIRES_ESM = '24.9.0';
const isAtLeast = (version: string, other: string): boolean =>
  version.localeCompare(other, 'en', { numeric: true }) >= 0;

const ALL_PASSED = /^Tests: +(\d+) passed, \1 total$/m;

/** What `nest new` of Nest 11 makes, with HelixModule: CommonJS, built by `nest build`, tested by Jest. */
describe("Nest 11's CommonJS starter", () => {
  let project: Project;

  beforeAll(async () => {
    project = await Project.install('commonjs-starter');
  });

  afterAll(() => project.remove());

  describe.each(nodeVersions)('on Node %s', (version) => {
    let node: string;
    const nest = (...args: string[]) => project.run(node, ['node_modules/@nestjs/cli/bin/nest.js', ...args]);
    const jest = (args: string[], env = {}) =>
      project.run(node, ['node_modules/jest/bin/jest.js', '--ci', ...args], env);

    beforeAll(async () => {
      node = await nodeBinary(version);
    });

    it('builds, boots, answers, and ends when it is told to', async () => {
      rmSync(join(project.directory, 'dist'), { recursive: true, force: true });
      await nest('build');
      const application = await start(project, node);
      try {
        const status: unknown = await (await fetch(application.url)).json();
        expect(status).toEqual({ instance: 'default', A: false, B: false });
        const user = `${application.url}/users/7`;
        const written: unknown = await (await fetch(user, { method: 'PUT' })).json();
        expect(written).toEqual({ code: 'HELIX_BOTH_FAILED' });
        const writtenWhileReading: unknown = await (await fetch(user)).json();
        expect(writtenWhileReading).toEqual({ code: 'HELIX_USAGE' });
      } finally {
        await application.end();
      }
    });

    it('passes its Jest tests with one more line of configuration', async () => {
      expect(await jest([])).toMatch(ALL_PASSED);
      expect(await jest(['--config', 'test/jest-e2e.json'])).toMatch(ALL_PASSED);
    });

    it.runIf(isAtLeast(version, JEST_REQUIRES_ESM))(
      'passes its Jest tests without that line, given --experimental-vm-modules',
      async () => {
        const asGenerated = ['--transformIgnorePatterns', '/node_modules/'];
        const output = await jest(asGenerated, { NODE_OPTIONS: '--experimental-vm-modules' });
        expect(output).toMatch(ALL_PASSED);
        await expect(jest(asGenerated)).rejects.toThrow('transformIgnorePatterns');
      },
    );
  });
});

interface Running {
  readonly url: string;
  /** Asks it to end; rejects if it does not. */
  end(): Promise<void>;
}

const END_LIMIT_MS = 20_000;

/** Starts what was built and waits for the line that says where it listens. */
async function start(project: Project, node: string): Promise<Running> {
  const child = spawnTied(project.command(node, ['dist/main'], { PORT: '0' }));
  const ended = once(child, 'exit');
  let output = '';
  const url = new Promise<string>((resolve) => {
    const collect = (chunk: string): void => {
      output += chunk;
      const [, found] = /Listening on (\S+)\n/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
  });
  const endedEarly = ended.then(() => {
    throw new Error(`The application ended before it listened:\n${output}`);
  });
  return {
    url: await Promise.race([url, endedEarly]),
    end: async () => {
      child.kill('SIGTERM');
      const limit = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS);
      const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
      clearTimeout(limit);
      if (signal === 'SIGKILL') throw new Error(`Still there ${END_LIMIT_MS} ms after SIGTERM:\n${output}`);
    },
  };
}
