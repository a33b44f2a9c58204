import {
  type ClusterId,
  type Draining,
  type Envelope,
  Failover,
  type Outcome,
  type Replayer,
  type SideWrite,
  type WriteCall,
  type WriteContext,
  WritePath,
  type WriteReceipt,
  WriteStrategy,
} from '../../lib/core/index.js';
import { FakeClock } from './fake-clock.js';
import { FakeWrite, type FakeWriteFields, type SideScript, Watched } from './fake-operations.js';
import { noBreaches } from './invariants.js';
import { FakePolicy } from './fake-policy.js';
import { fakeWatch } from './fake-watch.js';
import { RecordingReplayer } from './recording-replayer.js';

export const WRITE_TIMEOUT_MS = 5_000;
export const ENQUEUE_TIMEOUT_MS = 500;

/** The path's own way of sending to both at once. */
export class BuiltIn extends WriteStrategy {
  override readonly sendsBothAtOnce = true;

  override execute(): never {
    throw new Error('the path is to do it itself');
  }
}

/** The same through the port, as a strategy of a user would do it. */
export class Custom extends WriteStrategy {
  override execute(a: SideWrite, b: SideWrite): Promise<readonly [Outcome, Outcome]> {
    return Promise.all([a.send(), b.send()]);
  }
}

export const bothWays: [name: string, strategy: () => WriteStrategy][] = [
  ['the built-in concurrent write', () => new BuiltIn()],
  ['a strategy of the user', () => new Custom()],
];

type Execute = (a: SideWrite, b: SideWrite, context: WriteContext) => Promise<readonly [Outcome, Outcome]>;

/** A strategy of one function. */
export class Strategy extends WriteStrategy {
  constructor(override readonly execute: Execute) {
    super();
  }
}

/** Waits for A, and for B no longer than that. */
export const leavesB = (): Strategy =>
  new Strategy(async (a, b) => {
    const settled = b.send();
    return [await a.send(), { kind: 'pending', settled }];
  });

export interface WritePathSetup {
  readonly strategy?: WriteStrategy;
  readonly policy?: FakePolicy;
  /** `off`: none. Default: a {@link RecordingReplayer}. */
  readonly replay?: 'off' | Replayer;
  readonly single?: boolean;
  readonly maxInFlight?: number;
  readonly onReplayLost?: 'throw' | 'report';
  readonly whenBothFail?: 'throw' | 'queue';
  /** Display names of clusters that were never reached. */
  readonly neverConnected?: readonly string[];
  /** Clusters that drain from the start; the fixture's `draining` changes it. */
  readonly drains?: readonly ClusterId[];
  readonly clock?: FakeClock;
  /** Clusters that are dead and given up; the fixture's `givenUp` changes it. */
  readonly givenUp?: readonly ClusterId[];
}

export function setUpWritePath({
  strategy = new BuiltIn(),
  policy = new FakePolicy(),
  replay,
  single = false,
  maxInFlight = 100,
  onReplayLost = 'report',
  whenBothFail = 'throw',
  neverConnected = [],
  drains = [],
  clock = new FakeClock(),
  givenUp: dead = [],
}: WritePathSetup = {}) {
  const replayer = replay instanceof RecordingReplayer ? replay : new RecordingReplayer();
  const dropped: { envelope: Envelope; error: Error }[] = [];
  const strategyErrors: Error[] = [];
  const divergences: [ClusterId, Error][] = [];
  const draining: Draining = { A: false, B: false };
  for (const cluster of drains) draining[cluster] = true;
  const givenUp = new Set(dead);
  const side = (name: string) => ({ name, hasConnected: !neverConnected.includes(name) });
  const path = new WritePath({
    sides: single ? { A: side('us_east') } : { A: side('us_east'), B: side('us_west') },
    clock,
    strategy,
    failover: new Failover(policy, clock, (error) => strategyErrors.push(error)),
    replayer: replay === 'off' ? undefined : (replay ?? replayer),
    draining,
    maxInFlight,
    onReplayLost,
    whenBothFail,
    writeTimeoutMs: WRITE_TIMEOUT_MS,
    invariants: noBreaches(),
    watch: fakeWatch(clock, givenUp, strategy.stragglerMs),
    enqueueTimeoutMs: ENQUEUE_TIMEOUT_MS,
    onDropped: (envelope, error) => dropped.push({ envelope, error }),
    onStrategyError: (error) => strategyErrors.push(error),
    onDivergence: (cluster, error) => divergences.push([cluster, error]),
  });
  const write = (a: SideScript, b: SideScript, fields?: FakeWriteFields) =>
    new FakeWrite(clock, { A: a, B: b }, fields);
  /** Runs a write and lets everything happen that needs no time. */
  const run = async (operation: FakeWrite, call?: WriteCall): Promise<Watched<WriteReceipt>> => {
    const watched = new Watched(path.run(operation, call));
    await clock.settle();
    return watched;
  };
  /** What must be so once nothing is running any more. */
  const leftovers = async () => {
    const settled = new Watched(path.settled());
    await clock.settle();
    const { isSettled } = settled;
    const inFlight = { ...path.wire.inFlight };
    const reservations = replayer.reserved.length - replayer.released.length;
    // The one timer of all deadlines goes by itself.
    await clock.advance(WRITE_TIMEOUT_MS);
    return { isSettled, inFlight, reservations, timers: clock.pendingTimers };
  };
  return {
    clock,
    path,
    policy,
    draining,
    givenUp,
    replayer,
    dropped,
    strategyErrors,
    divergences,
    write,
    run,
    leftovers,
  };
}

export const NO_LEFTOVERS = { isSettled: true, inFlight: { A: 0, B: 0 }, reservations: 0, timers: 0 };

export const statuses = ({ A, B }: WriteReceipt): string => `${A}, ${B}`;
export const skipped = (reason: Extract<Outcome, { reason: unknown }>['reason']): Outcome => ({
  kind: 'skipped',
  reason,
});
