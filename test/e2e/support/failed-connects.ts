import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { BlockedReason } from '../../../lib/core/index.js';
import type { CqlClusterOptions } from '../../../lib/cql/driver/index.js';
import { type CassandraServer, startCqlProxy, startFaultProxy } from '../../servers/index.js';

/** A way to fail to connect. */
export interface FailedConnect {
  readonly name: string;
  readonly options: CqlClusterOptions;
  /** What is said of it. */
  readonly says: RegExp;
  readonly blocked?: BlockedReason;
  /** Connections as the other end has them. */
  connections(): number;
}

export interface FailedConnects {
  readonly ways: readonly FailedConnect[];
  stop(): Promise<unknown>;
}

/** Each way there is, with a peer of its own. */
export async function failedConnects(
  open: CassandraServer,
  secured: CassandraServer,
): Promise<FailedConnects> {
  const stops: (() => Promise<unknown>)[] = [];
  const before = async (server: { host: string; port: number }) => {
    const proxy = await startFaultProxy(server);
    stops.push(() => proxy.stop());
    return proxy;
  };
  const peer = async (meet: (client: Socket) => unknown) => {
    const made = await startPeer(meet);
    stops.push(() => made.stop());
    return made;
  };
  const swallowing = await startCqlProxy(open);
  stops.push(() => swallowing.stop());
  swallowing.swallow(/FROM system/);

  const through = (
    name: string,
    to: Peer,
    says: RegExp,
    more: CqlClusterOptions = {},
    blocked?: BlockedReason,
  ): FailedConnect => ({
    name,
    options: { ...optionsFor(to), ...more },
    says,
    ...(blocked && { blocked }),
    connections: () => to.connections,
  });
  // Checking a password takes a server its time.
  const patient = { socketOptions: { connectTimeout: 5_000, readTimeout: 5_000 } };
  const credentials = { username: 'cassandra', password: 'wrong' };
  const [first, second] = [await before(open), await before(open)];
  const contactPoints = [first, second].map(({ host, port }) => `${host}:${port}`);
  const nobody = await startPeer(() => undefined);
  await nobody.stop();
  const ways = [
    through(
      'a wrong data centre',
      await before(open),
      /localDataCenter was configured as 'dc_typo', but only found hosts in data centers: \[datacenter1\]/,
      { localDataCenter: 'dc_typo' },
      'wrongDataCenter',
    ),
    {
      ...through(
        'a wrong data centre at several contact points',
        first,
        /dc_typo/,
        { contactPoints, localDataCenter: 'dc_typo' },
        'wrongDataCenter',
      ),
      connections: () => first.connections + second.connections,
    },
    through(
      'no such keyspace',
      await before(open),
      /Keyspace 'nope' does not exist/,
      { keyspace: 'nope' },
      'noKeyspace',
    ),
    through(
      'a wrong password',
      await before(secured),
      /password are incorrect/,
      { credentials, ...patient },
      'unauthorized',
    ),
    through(
      'no credentials',
      await before(secured),
      /requires authentication|Authentication provider/,
      patient,
      'unauthorized',
    ),
    through('a wrong port', { ...nobody, connections: 0 }, /ECONNREFUSED/),
    through('an unknown host', { ...nobody, connections: 0 }, /No host could be resolved/, {
      contactPoints: ['no-such-host.invalid'],
    }),
    through('nobody who answers', await peer(() => undefined), /did not reply before timeout/),
    through('nobody who answers once it is ready', await before(swallowing), /did not reply before timeout/),
    through(
      'a peer that accepts and closes',
      await peer((client) => client.end()),
      /Socket was closed|ECONNRESET|EPIPE/,
    ),
    through(
      'a peer that closes at the first request',
      await peer((client) => client.once('data', () => client.end())),
      /Socket was closed|ECONNRESET/,
    ),
    through(
      'a peer that speaks another protocol',
      await peer((client) => client.once('data', () => client.write('HTTP/1.1 400 Bad Request\r\n\r\n'))),
      /did not reply before timeout/,
    ),
    through(
      'a peer that sends garbage',
      await peer((client) =>
        client.once('data', () => client.write(Buffer.from([0x84, 0, 0, 0, 0x77, 0, 0, 0, 1, 1]))),
      ),
      /invalid opcode/,
    ),
    through(
      'a peer that answers what was not asked',
      await peer((client) =>
        client.once('data', () => client.write(Buffer.from([0x84, 0, 0x7f, 0xff, 2, 0, 0, 0, 0]))),
      ),
      /Socket was closed|Cannot read properties of undefined/,
    ),
    through(
      'a peer that breaks off its answer',
      await peer((client) =>
        // An ERROR without the message that it announces.
        client.once('data', () =>
          client.write(Buffer.from([0x84, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0x7f, 0xff])),
        ),
      ),
      /./,
    ),
    through('TLS where there is none', await before(open), /SSL|TLS|packet|wrong version|disconnected/i, {
      sslOptions: {},
    }),
  ];
  return { ways, stop: () => Promise.all(stops.map((stop) => stop())) };
}

interface Peer {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
}

function optionsFor({ host, port }: Peer): CqlClusterOptions {
  return {
    contactPoints: [host],
    localDataCenter: 'datacenter1',
    protocolOptions: { port },
    socketOptions: { connectTimeout: 200, readTimeout: 200 },
  };
}

async function startPeer(meet: (client: Socket) => unknown): Promise<Peer & { stop(): Promise<unknown> }> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    client.on('error', () => undefined);
    client.resume();
    meet(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return clients.size;
    },
    stop: () => {
      for (const client of clients) client.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What was left by so many attempts of a way, in a process of its own. */
export interface LeftBehind {
  readonly name: string;
  readonly message: string | undefined;
  readonly blocked: BlockedReason | undefined;
  readonly before: object;
  readonly after: object;
}

/** Each way left the process as it was, and said why it failed; its peers have no connection any more. */
export async function expectNothingLeft(
  ways: readonly FailedConnect[],
  left: readonly LeftBehind[],
): Promise<void> {
  expect.soft(left.map(({ name }) => name)).toEqual(ways.map(({ name }) => name));
  for (const { name, message, blocked, before, after } of left) {
    const way = ways.find((each) => each.name === name)!;
    expect.soft({ name, blocked, ...after }).toEqual({ name, blocked: way.blocked, ...before });
    expect.soft(message).toMatch(way.says);
    await expect.poll(() => ({ name, connections: way.connections() })).toEqual({ name, connections: 0 });
  }
}

/** Tries each way so many times. Resolves when the process has ended by itself; it has a while for that. */
export async function failToConnect(
  ways: readonly FailedConnect[],
  attempts: number,
  driver = 'cassandra-driver',
): Promise<{ code: number | null; left: LeftBehind[]; output: string }> {
  const settings = JSON.stringify({
    driver,
    attempts,
    ways: ways.map(({ name, options }) => ({ name, options })),
  });
  const { code, stdout, stderr } = await run(
    ['--import', 'tsx', 'test/e2e/apps/connects.ts', settings],
    10_000,
  );
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return { code, left: lines.map((line) => JSON.parse(line) as LeftBehind), output: stdout + stderr };
}

/** Is given up when nothing has come from it for so long. */
function run(
  args: readonly string[],
  silenceMs: number,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, (error, stdout, stderr) => {
      clearTimeout(timer);
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : null) : 0, stdout, stderr });
    });
    let timer = setTimeout(() => child.kill('SIGKILL'), silenceMs * 3);
    child.stdout?.on('data', () => {
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), silenceMs * 3);
    });
  });
}
