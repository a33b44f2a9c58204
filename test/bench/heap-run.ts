/** A million calls of every kind on one instance; prints what the heap held after so many, garbage collected. */
import 'reflect-metadata';
import { getEventListeners, setMaxListeners } from 'node:events';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HelixCqlService, HelixModule, HelixService, LatencyCircuitBreaker } from '../../lib/index.js';
import { FakeClient } from './fake-client.js';
import { insertText, selectText, USERS } from './tables.js';

@Module({})
class HeapApp {}

/** Every so many writes it loses its connection for one of them: the breaker counts, the queue replays. */
class FlakyClient extends FakeClient {
  #calls = 0;

  override execute(...args: Parameters<FakeClient['execute']>): ReturnType<FakeClient['execute']> {
    if (++this.#calls % 1_000 !== 0) return super.execute(...args);
    return Promise.reject(Object.assign(new Error('Socket was closed'), { isSocketError: true }));
  }
}

const withRow = { rows: [{ values: () => USERS.row(0) }], pageState: null };
const app = await NestFactory.createApplicationContext(
  {
    module: HeapApp,
    imports: [
      HelixModule.forRoot({
        cql: { A: new FakeClient(withRow), B: new FlakyClient(withRow) },
        failoverPolicy: new LatencyCircuitBreaker({ slowMs: 1_000, resetTimeoutMs: 5 }),
      }),
    ],
  },
  { logger: false, abortOnError: false },
);
const cql = app.get(HelixCqlService);
const helix = app.get(HelixService);
const lasting = new AbortController();
setMaxListeners(1, lasting.signal);
const [insert, select] = [insertText(USERS), selectText(USERS)];
let mostListeners = 0;

const calls: readonly ((index: number) => Promise<unknown>)[] = [
  (index) => cql.query(insert, USERS.row(index)).withSignal(lasting.signal).exec(),
  (index) => cql.query(insert, USERS.row(index)).withTimeout(60_000).exec(),
  (index) => cql.query(select, USERS.row(index).slice(0, 1)).withSignal(lasting.signal).one(),
  (index) => cql.query(insert, USERS.row(index)).withSignal(new AbortController().signal).exec(),
  (index) => helix.dualWrite({}, () => cql.query(insert, USERS.row(index)).exec()),
  (index) =>
    helix.stickyRead({ key: String(index) }, () => cql.query(select, USERS.row(index).slice(0, 1)).one()),
  (index) => {
    const controller = new AbortController();
    const write = cql.query(insert, USERS.row(index)).withSignal(controller.signal).exec();
    controller.abort();
    return write.catch(() => undefined);
  },
];

let done = 0;
async function upTo(count: number): Promise<number> {
  const run = async (): Promise<void> => {
    while (done < count) {
      const index = done++;
      const call = calls[index % calls.length]!(index);
      if (index % 64 === 0) {
        mostListeners = Math.max(mostListeners, getEventListeners(lasting.signal, 'abort').length);
      }
      await call;
    }
  };
  await Promise.all(Array.from({ length: 64 }, run));
  await helix.syncPoint();
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

const early = await upTo(100_000);
const late = await upTo(1_000_000);
const { replay, lost } = helix.status();
const listenersLeft = getEventListeners(lasting.signal, 'abort').length;
process.stdout.write(
  JSON.stringify({ early, late, mostListeners, listenersLeft, lost, replayed: replay.B.applied }),
);
await app.close();
