import { afterEach, describe, expect, it, vi } from 'vitest';
import { answers } from './answers.js';
import { directoriesOf, runScript, type Child } from './fixtures/child.js';
import { startNats, type Server, type WantedServers } from './index.js';
import { freezeTree, isGone, processesIn, signal } from './process-tree.js';

type Started = Pick<Server, 'name' | 'host' | 'port'> & { pid: number };

interface Run extends Child {
  servers: Started[];
  directories: string[];
}

describe('a process that starts servers', () => {
  const runs: Run[] = [];

  async function start(wanted: WantedServers, ...args: string[]): Promise<Run> {
    const child = await runScript('run-servers.ts', JSON.stringify(wanted), ...args);
    const run = {
      ...child,
      servers: JSON.parse(child.line) as Started[],
      directories: directoriesOf(child.pid),
    };
    runs.push(run);
    return run;
  }

  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const run of runs.splice(0)) {
      signal(run.pid, 'SIGKILL');
      await run.ended;
    }
  });

  const left = ({ servers, directories }: Run) => [
    ...servers.filter(({ pid }) => !isGone(pid)).map(({ name }) => name),
    ...directories.flatMap(processesIn),
  ];

  /** Any start sweeps. */
  async function nextRun(): Promise<void> {
    const server = await startNats();
    await server.stop();
  }

  it('does not collide with another one', async () => {
    const wanted = { cassandra: 1, postgres: 1, nats: 1 };
    const both = await Promise.all([start(wanted), start(wanted)]);
    const servers = both.flatMap((run) => run.servers);
    expect(new Set(servers.map(({ port }) => port)).size).toBe(6);
    const greet = servers.filter(({ name }) => name === 'nats-1');
    expect(await Promise.all(greet.map((each) => answers(each, undefined, () => true)))).toEqual([
      true,
      true,
    ]);
    expect(servers.filter(({ pid }) => isGone(pid))).toEqual([]);
  });

  it('leaves no process when it is killed, and its data is swept by the next one', async () => {
    const run = await start({ cassandra: 1, postgres: 1, nats: 1 });
    expect(run.directories).toHaveLength(3);
    signal(run.pid, 'SIGKILL');
    await expect.poll(() => left(run), { message: 'processes left', timeout: 10_000 }).toEqual([]);
    await run.ended;
    await nextRun();
    expect(directoriesOf(run.pid)).toEqual([]);
  });

  it('has processes it left frozen ended by the next one', async () => {
    const run = await start({ postgres: 1 });
    const frozen = freezeTree(run.servers[0]!.pid);
    expect(frozen.length).toBeGreaterThan(1);
    signal(run.pid, 'SIGKILL');
    await run.ended;
    await nextRun();
    expect(frozen.filter((pid) => !isGone(pid))).toEqual([]);
    expect(directoriesOf(run.pid)).toEqual([]);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('ends by %s with code %i and leaves nothing', async (name, code) => {
    const run = await start({ postgres: 1, nats: 1 });
    signal(run.pid, name);
    expect(await run.ended).toBe(code);
    expect(left(run)).toEqual([]);
    expect(directoriesOf(run.pid)).toEqual([]);
  });

  it('ends by SIGINT and leaves nothing where there is no setpriv', async () => {
    vi.stubEnv('PATH', '/nowhere');
    const run = await start({ postgres: 1, nats: 1 });
    signal(run.pid, 'SIGINT');
    expect(await run.ended).toBe(130);
    expect(left(run)).toEqual([]);
    expect(directoriesOf(run.pid)).toEqual([]);
  });

  it('keeps its servers while it handles the signal itself', async () => {
    const run = await start({ postgres: 1, nats: 1 }, 'drains');
    signal(-run.pid, 'SIGINT'); // to its process group, as a terminal does
    expect(await run.ended).toBe(7);
    expect(left(run)).toEqual([]);
    expect(directoriesOf(run.pid)).toEqual([]);
  });
});

describe('npm run servers', () => {
  it('says what it starts and leaves nothing after Ctrl-C', async () => {
    const cli = await runScript('../cli.ts', 'nats');
    expect(cli.line).toBe('Starting 1 × nats …');
    await expect.poll(() => directoriesOf(cli.pid), { message: 'data directories' }).toHaveLength(1);
    signal(-cli.pid, 'SIGINT'); // to its process group, as a terminal does
    expect([0, 130]).toContain(await cli.ended);
    expect(directoriesOf(cli.pid)).toEqual([]);
  });
});
