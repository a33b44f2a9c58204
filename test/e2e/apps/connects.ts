/**
 * Fails to connect, again and again, in each of several ways, and says what that has left in the process. Nothing else
 * keeps it alive, so it ends by itself if nothing was left.
 */
import type { EventEmitter } from 'node:events';
import { systemClock } from '../../../lib/core/index.js';
import { type CqlClusterOptions, CqlSession, loadDriver } from '../../../lib/cql/driver/index.js';

interface Way {
  readonly name: string;
  readonly options: CqlClusterOptions;
}

const { driver, attempts, ways } = JSON.parse(process.argv[2] ?? '{}') as {
  driver: string;
  attempts: number;
  ways: Way[];
};

const count = (resource: string): number =>
  process.getActiveResourcesInfo().filter((each) => each === resource).length;

interface Left {
  readonly sockets: number;
  readonly timers: number;
  readonly listeners: number;
}

/** What there is once nothing more goes: a socket whose peer does not answer is given up after its time limit. */
async function left(session: CqlSession, expected?: Left): Promise<Left> {
  const startMs = performance.now();
  for (;;) {
    const now = {
      sockets: count('TCPSocketWrap') + count('TLSWrap') + count('ConnectWrap'),
      timers: count('Timeout'),
      listeners: listenersOf(session),
    };
    const isBack = !expected || (now.sockets <= expected.sockets && now.timers <= expected.timers);
    if (isBack || performance.now() - startMs > 5_000) return now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function listenersOf(session: CqlSession): number {
  const client = session.client as unknown as Record<'hosts' | 'controlConnection', EventEmitter>;
  const emitters = [client as unknown as EventEmitter, client.hosts, client.controlConnection];
  return emitters
    .flatMap((each) => each.eventNames().map((event) => each.listenerCount(event)))
    .reduce((a, b) => a + b, 0);
}

const loaded = await loadDriver(driver);
for (const { name, options } of ways) {
  const session = new CqlSession(loaded, 'B', 'us_west', options, systemClock);
  const before = await left(session);
  let error: Error | undefined;
  for (let i = 0; i < attempts; i++) {
    error = await session.connect().then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
  }
  const after = await left(session, before);
  const { blocked } = session;
  await session.close();
  process.stdout.write(`${JSON.stringify({ name, message: error?.message, blocked, before, after })}\n`);
}
