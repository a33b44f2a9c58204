import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CallContext,
  type Envelope,
  Failover,
  OperationIds,
  ReadPath,
  WritePath,
} from '../../lib/core/index.js';
import { type CqlContext, CqlSession, HelixCqlService, loadDriver, Statements } from '../../lib/cql/index.js';
import type { Column } from '../../lib/cql/driver/driver-internals.js';
import type { CqlClusterOptions } from '../../lib/cql/index.js';
import { ConcurrentDualWriteStrategy, StickyReadStrategy } from '../../lib/strategies/index.js';
import { FakeClock } from './fake-clock.js';
import { noBreaches } from './invariants.js';
import { FakeCqlClient } from './fake-cql-client.js';
import { FakePolicy } from './fake-policy.js';
import { RecordingReplayer } from './recording-replayer.js';

export const WRITE_TIMEOUT_MS = 5_000;
export const READ_TIMEOUT_MS = 5_000;
/** The write time of the first operation; each has the next. */
export const FIRST_TIMESTAMP_US = 1_735_689_600_000_001;

interface CqlSetup {
  readonly single?: boolean;
  readonly whenBothFail?: 'throw' | 'queue';
  /** Sides that are connected from the start. Default: all. */
  readonly connected?: readonly ('A' | 'B')[];
}

/** `HelixCqlService` over two fake clients, on a clock that stands still. */
export async function setUpCql({
  single = false,
  connected = ['A', 'B'],
  whenBothFail = 'throw',
}: CqlSetup = {}) {
  const clock = new FakeClock();
  const driver = await loadDriver();
  const clients = { A: new FakeCqlClient(), B: new FakeCqlClient() };
  const a = new CqlSession(driver, 'A', 'us_east', clients.A, clock);
  const b = new CqlSession(driver, 'B', 'us_west', clients.B, clock);
  const sessions = single ? { A: a } : { A: a, B: b };
  if (connected.includes('A')) await a.connect();
  if (connected.includes('B') && !single) await b.connect();

  const replayer = new RecordingReplayer();
  const policy = new FakePolicy();
  const failover = new Failover(policy, clock, (error) => {
    throw error;
  });
  const dropped: Envelope[] = [];
  let timestampUs = FIRST_TIMESTAMP_US;
  const statements = new Statements(sessions, clock);
  const context: CqlContext = {
    namespace: 'default',
    sessions,
    statements,
    writePath: new WritePath({
      sides: sessions,
      clock,
      strategy: new ConcurrentDualWriteStrategy(),
      failover,
      replayer: single ? undefined : replayer,
      maxInFlight: 1_024,
      onReplayLost: 'report',
      whenBothFail,
      writeTimeoutMs: WRITE_TIMEOUT_MS,
      invariants: noBreaches(),
      enqueueTimeoutMs: 500,
      onDropped: (envelope) => dropped.push(envelope),
      onStrategyError: (error) => {
        throw error;
      },
      onDivergence: () => undefined,
    }),
    readPath: new ReadPath({
      sides: sessions,
      clock,
      strategy: new StickyReadStrategy({ preferred: 'A' }, clock),
      failover,
      maxInFlight: 1_024,
      readTimeoutMs: READ_TIMEOUT_MS,
      invariants: noBreaches(),
      lag: undefined,
      onStrategyError: (error) => {
        throw error;
      },
    }),
    timestamps: () => timestampUs++,
    ids: new OperationIds(),
    clock,
    contexts: new AsyncLocalStorage<CallContext>(),
    ack: 'any',
    priority: 'high',
    writeTimeoutMs: WRITE_TIMEOUT_MS,
    readTimeoutMs: READ_TIMEOUT_MS,
  };
  /** Makes a statement known to both clusters. */
  const knows = (text: string, params: Column[]): string => {
    clients.A.statements.set(text, params);
    clients.B.statements.set(text, params);
    return text;
  };
  /** Makes a table known to both clusters. */
  const hasTable = (name: string, all: Column[]): void => {
    clients.A.tables.set(name, all);
    clients.B.tables.set(name, all);
  };
  const helix = new HelixCqlService(context, () => Promise.resolve());
  return {
    clock,
    driver,
    clients,
    sessions,
    replayer,
    policy,
    dropped,
    context,
    statements,
    helix,
    knows,
    hasTable,
  };
}

export type CqlFixture = Awaited<ReturnType<typeof setUpCql>>;

/** What a cluster's driver options are when nothing is to be connected. */
export const CLUSTER_OPTIONS: CqlClusterOptions = {
  contactPoints: ['127.0.0.1'],
  localDataCenter: 'dc1',
};
