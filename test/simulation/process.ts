import {
  type ClusterId,
  type DeadLetter,
  type DeadLetterReason,
  type Envelope,
  type FailedOutcome,
  type Replayer,
  type SignOfLife,
  timeoutError,
  toError,
} from '../../lib/core/index.js';
import { HelixCallHost } from '../../lib/decorators/index.js';
import { HelixInstance } from '../../lib/helix.instance.js';
import { HelixLifecycle } from '../../lib/helix.lifecycle.js';
import { HelixService } from '../../lib/helix.service.js';
import type { ReadStep, WriteStep } from './history.js';
import {
  type Answer,
  newSideTruth,
  type ProcessEnd,
  type ReadRecord,
  type SuspicionRecord,
  type SyncPointRecord,
  WAITING,
  type WriteRecord,
} from './ledger.js';
import { NAMESPACE, type UnpreparedAnswer, type WhatFailed } from './model/operations.js';
import { wrongWithOutcome } from './model/outcomes.js';
import { ModelTopologyWatcher } from './model/control-plane.js';
import { ModelConnection, type RequestKind } from './model/session.js';
import {
  ObservedDurableReplayer,
  ObservedMemoryReplayer,
  type ObservedReplayer,
  observeQueue,
} from './observed-queues.js';
import { ProcessClock } from './process-clock.js';
import { policyOf, readStrategyOf, writeStrategyOf } from './setup-parts.js';
import { CoreSurface } from './surfaces/core-surface.js';
import { CqlSurface } from './surfaces/cql-surface.js';
import type { Caller, Calls, Connections } from './surfaces/surface.js';
import type { World } from './world.js';

const SIDES: readonly ClusterId[] = ['A', 'B'];
/** Requests whose answers are heard in any case. Of others what they fail with may be, and that a statement is prepared. */
const TELLING: readonly RequestKind[] = ['write', 'read', 'ping'];

/** An application process with one Helix instance in it. */
export class SimulatedProcess implements Caller {
  readonly clock: ProcessClock;
  readonly connections: Connections;
  readonly instance: HelixInstance;
  readonly helix: HelixService;
  readonly replayer: ObservedReplayer | undefined;
  /** Takes calls; also while it is shut down, when it has to refuse them. */
  isReady = false;
  isClosing = false;
  /** Calls that have not been answered. */
  waiting = 0;
  readonly #lifecycle: HelixLifecycle;
  readonly #watcher: ModelTopologyWatcher;
  /** Since when the process knows that a cluster drains; infinite while it does not. */
  readonly #drainingSinceMs = { A: Infinity, B: Infinity };
  /** When it was last told that a drain begins or ends. */
  readonly #drainEndedMs = { A: -Infinity, B: -Infinity };
  /** When a side last came to have as many writes under way as is allowed. */
  readonly #filledMs = { A: -Infinity, B: -Infinity };
  #isAlive = true;
  #dropped = 0;
  readonly #calls: Calls;
  /** Until the operators before have done what they do. */
  #operating: Promise<void> = Promise.resolve();

  constructor(
    readonly world: World,
    readonly number: number,
  ) {
    const { setup, ledger, clusters, random } = world;
    this.clock = new ProcessClock(world);
    const isAlive = (): boolean => this.#isAlive;
    const onRequest = (kind: RequestKind, cluster: ClusterId): void => {
      ledger.requests.push({ kind, cluster, atMs: world.scheduler.nowMs });
    };
    const onAnswered = (kind: RequestKind, cluster: ClusterId, isError: boolean): void => {
      if (kind === 'connect' && !isError) return;
      const isUnsure = isError || !TELLING.includes(kind);
      ledger.heard.push({ process: number, cluster, atMs: world.scheduler.nowMs, isUnsure });
    };
    this.connections = {
      A: new ModelConnection(clusters.A, isAlive, onRequest, onAnswered),
      B: new ModelConnection(clusters.B, isAlive, onRequest, onAnswered),
    };
    const surface =
      world.driver === undefined
        ? new CoreSurface(this, this.connections)
        : new CqlSurface(this, this.connections, world.driver);
    this.replayer = this.#makeReplayer();
    this.#watcher = new ModelTopologyWatcher(world.controlPlane, isAlive);
    // Before the instance hears of it.
    this.#watcher.changes.subscribe(({ cluster, draining }) => {
      this.#drainingSinceMs[cluster] = draining ? world.scheduler.nowMs : Infinity;
      this.#drainEndedMs[cluster] = world.scheduler.nowMs;
    });
    this.instance = new HelixInstance({
      name: NAMESPACE,
      kind: 'cql',
      options: {
        clusterNames: { A: 'A', B: 'B' },
        replayWorker: {
          mode: 'embedded',
          executeTimeoutMs: setup.executeTimeoutMs,
          onDrop: (envelope, reason) => this.#onBuried(envelope, reason),
        },
        onReplayDropped: (envelope) => this.#onDropped(envelope),
        connect: setup.connect,
        connectTimeoutMs: 30_000,
        ack: 'any',
        priority: 'high',
        whenBothFail: setup.whenBothFail,
        onReplayLost: setup.onReplayLost,
        maxInFlight: setup.maxInFlight,
        // Simulated reads are few.
        maxReadsInFlight: 1_024,
        maxReadLagMs: setup.maxReadLagMs,
        suspectAfterMs: setup.suspectAfterMs ?? 500,
        writeTimeoutMs: setup.writeTimeoutMs,
        readTimeoutMs: setup.readTimeoutMs,
        enqueueTimeoutMs: setup.enqueueTimeoutMs,
        shutdownTimeoutMs: setup.shutdownTimeoutMs,
        timestampProvider: undefined,
      },
      clock: this.clock,
      sessions: surface.sessions,
      targets: surface.targets,
      describe: surface.describe,
      readStrategy: readStrategyOf(setup, this.clock),
      writeStrategy: writeStrategyOf(setup, this.clock, random.fork(`haste ${number}`)),
      failoverPolicy: policyOf(setup),
      replayer: this.replayer,
      topology: this.#watcher,
      logger: this.#logger(),
      random: random.fork(`jitter ${number}`).next,
    });
    this.#calls = surface.callsOn(this.instance);
    this.instance.events.subscribe((event) => {
      if (event.type !== 'breaker') return;
      const { cluster, state } = event;
      ledger.breakers.push({ process: number, cluster, state, atMs: world.scheduler.nowMs });
    });
    this.#lifecycle = new HelixLifecycle(this.instance, () => undefined);
    this.helix = new HelixService(this.instance, this.#lifecycle, new HelixCallHost(this.instance.contexts));
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  start(): void {
    this.#watcher.open();
    this.#lifecycle.onModuleInit().then(
      () => {
        if (!this.#isAlive) return;
        this.#lifecycle.onApplicationBootstrap();
        this.isReady = true;
        this.world.onReady(this);
      },
      (error: unknown) =>
        this.world.ledger.violate('start', `Process ${this.number}: ${toError(error).message}`),
    );
  }

  call(step: WriteStep | ReadStep): void {
    if (step.do === 'write') this.#write(step);
    else this.#read(step);
  }

  #write(step: WriteStep): void {
    const { world, clock } = this;
    const monotonicMs = clock.monotonicMs();
    const record: WriteRecord = {
      step,
      timestampUs: 0,
      startedMs: monotonicMs,
      process: this.number,
      createdAtMs: clock.nowMs(),
      answer: WAITING,
      usable: [],
      heard: this.#calls.heard(),
      draining: this.drainingNow(),
      drained: [],
      full: this.#fullSince(Infinity),
      A: newSideTruth(),
      B: newSideTruth(),
    };
    world.ledger.writes.set(step.id, record);
    const heldUp = this.#calls.heldUp(step);
    const answered = this.#calls.write(record);
    this.#noteEnd(answered, step.id, record, () => {
      record.drained = this.#drainedSince(record.startedMs);
      record.full = [...record.full, ...this.#fullSince(record.startedMs)];
      record.usable = this.#usableSince(record.startedMs).filter(
        (cluster) => this.#notDrainingSinceMs(cluster) < record.startedMs && !heldUp.includes(cluster),
      );
      if (record.A.unprepared + record.B.unprepared > 0 || world.hasNewSchemaSince(record.startedMs)) {
        record.usable = [];
      }
    });
  }

  #read(step: ReadStep): void {
    const { world } = this;
    const record: ReadRecord = {
      step,
      startedMs: world.scheduler.nowMs,
      process: this.number,
      draining: SIDES.filter((cluster) => this.#drainingSinceMs[cluster] !== Infinity),
      asked: [],
      unprepared: 0,
      answeredBy: undefined,
      answer: WAITING,
      usable: [],
    };
    world.ledger.reads.push(record);
    const heldUp = this.#calls.heldUp(step);
    const answered = this.#calls.read(record);
    this.#noteEnd(answered, step.id, record, () => {
      const isUnsettled = record.unprepared > 0 || world.hasNewSchemaSince(record.startedMs);
      record.usable = this.#usableSince(record.startedMs).filter(
        (cluster) => !heldUp.includes(cluster) && !isUnsettled,
      );
    });
  }

  /** A schema change, on both clusters. */
  onBoth(text: string): Promise<void> {
    return this.#calls.onBoth(text);
  }

  syncPoint(): void {
    const { world } = this;
    const writes = [...world.ledger.writes.values()].filter((each) => each.process === this.number);
    const record: SyncPointRecord = {
      startedMs: world.scheduler.nowMs,
      process: this.number,
      writes,
      answer: WAITING,
    };
    world.ledger.syncPoints.push(record);
    this.#noteEnd(this.helix.syncPoint(), 'sync point', record);
  }

  /** An operator's; what the durable queue does of it, it tells itself. */
  requeue(): Promise<void> {
    return this.#operate(async (letters) => {
      await this.replayer?.deadLetters.requeue(letters.map(({ id }) => id));
      if (this.world.setup.queue === 'durable') return;
      for (const { operationId, cluster, reason } of letters) {
        const truth = this.world.ledger.writes.get(operationId)?.[cluster];
        // It must be applied now, or become a dead letter once more.
        if (truth && reason !== 'inDoubt') truth.buried = [];
      }
    });
  }

  purge(): Promise<void> {
    return this.#operate(async (letters) => {
      await this.replayer?.deadLetters.purge(letters.map(({ id }) => id));
      if (this.world.setup.queue === 'durable') return;
      for (const { operationId, cluster } of letters) {
        const truth = this.world.ledger.writes.get(operationId)?.[cluster];
        if (truth) truth.purged = true;
      }
    });
  }

  /** One operator after the other: what one of them decides on is still there then. */
  #operate(decide: (letters: readonly DeadLetter[]) => Promise<void>): Promise<void> {
    const decided = this.#operating.then(async () => decide(await this.#letters()));
    this.#operating = decided.catch(() => undefined);
    return decided;
  }

  /** No write is under way any more, and no operator is at work. */
  async settled(): Promise<void> {
    await Promise.all([this.instance.writePath.settled(), this.#operating]);
  }

  /** SIGKILL: nothing of it runs any more. */
  kill(): ProcessEnd {
    const end = this.#end('killed', this.world.scheduler.nowMs);
    this.#stop();
    return end;
  }

  /** As the end of the application; answers with how it looked when it began to end. */
  async shutDown(): Promise<ProcessEnd> {
    const { scheduler } = this.world;
    this.isClosing = true;
    const before = await this.#lastLook();
    await this.helix.close();
    return { ...before, endedMs: scheduler.nowMs, dropped: this.#dropped, lost: this.instance.lost };
  }

  /** How it is when it begins to end, all of it at one moment. */
  async #lastLook(): Promise<ProcessEnd> {
    const { scheduler, setup } = this.world;
    await this.#operating;
    const listing = this.#letters();
    const now = this.#end('shut down', scheduler.nowMs, []);
    try {
      const deadLetters = await listing;
      return setup.queue === 'durable'
        ? this.#end('shut down', scheduler.nowMs, deadLetters)
        : { ...now, deadLetters };
    } catch {
      // The queue cannot be asked: nothing is known of it.
      return this.#end('shut down', scheduler.nowMs);
    }
  }

  /** After its end: what was left behind. */
  leave(): number {
    const { pending } = this.clock;
    this.#stop();
    return pending;
  }

  onWriteAttempted(cluster: ClusterId): void {
    if (this.#isFull(cluster)) this.#filledMs[cluster] = this.world.scheduler.nowMs;
  }

  onWriteSent(write: WriteRecord, cluster: ClusterId): void {
    const { world } = this;
    const truth = write[cluster];
    truth.sent++;
    // Once more, because nothing had been executed, and no oftener.
    if (truth.sent > 1 || truth.sent + truth.unprepared > 2)
      world.ledger.violate('sent twice', `${write.step.id} was sent to ${cluster} twice by itself`);
    // Without a queue it is gone on with what was begun: the other side may have it by now.
    const decidedMs = (this.replayer && truth.attemptedMs) ?? write.startedMs;
    if (this.#drainingSinceMs[cluster] < decidedMs) {
      world.ledger.violate('draining', `${write.step.id} was sent to ${cluster}, which is draining`);
    }
    const inFlight = this.instance.writePath.wire.inFlight[cluster];
    // Without a queue a side that is full by then is written to all the same.
    if (inFlight > world.setup.maxInFlight && this.replayer) {
      world.ledger.violate('max in flight', `${inFlight} writes at once to ${cluster}`);
    }
    if (world.timeline.isOn) world.note(write.step.id, `goes to ${cluster}`);
  }

  onUnprepared(write: WriteRecord, cluster: ClusterId, answer: UnpreparedAnswer): void {
    const truth = write[cluster];
    if (this.world.timeline.isOn) this.world.note(write.step.id, `is not prepared on ${cluster} any more`);
    // Said too late it changes nothing: its time is over, and it counts as sent.
    if (truth.isExpired) return;
    truth.sent--;
    truth.unprepared++;
    const before = truth.unpreparedAs;
    truth.unpreparedAs = answer;
    if (!before || before.isPreparing || before.version < answer.version) return;
    const what = `${write.step.id} was not prepared again on ${cluster} before it was sent once more`;
    this.world.ledger.violate('outcome', what);
  }

  onReadSent(read: ReadRecord, cluster: ClusterId): void {
    read.asked.push({ cluster, atMs: this.world.scheduler.nowMs, failedMs: undefined });
    if (this.world.timeline.isOn) this.world.note(read.step.id, `asks ${cluster}`);
  }

  onOutcome(who: string, cluster: ClusterId, outcome: FailedOutcome, write?: WhatFailed): void {
    const wrong = wrongWithOutcome(outcome, write);
    if (wrong) this.world.ledger.violate('outcome', `${who} on ${cluster}: ${wrong}`);
  }

  onPinged(cluster: ClusterId, wasAnswered: boolean, tookMs?: number): void {
    const { ledger, scheduler } = this.world;
    ledger.pings.push({
      process: this.number,
      cluster,
      wasAnswered,
      endedMs: scheduler.nowMs,
      ...(tookMs !== undefined && { tookMs }),
    });
  }

  onSuspected(cluster: ClusterId, limitMs: number, sign: Promise<SignOfLife>): void {
    const { ledger, scheduler, timeline } = this.world;
    const record: SuspicionRecord = {
      process: this.number,
      cluster,
      fromMs: scheduler.nowMs,
      limitMs,
      end: undefined,
    };
    ledger.suspicions.push(record);
    if (timeline.isOn) this.world.note('helix', `asks every host of ${cluster}`);
    void sign.then((said) => {
      record.end = { atMs: scheduler.nowMs, sign: said };
      if (timeline.isOn) this.world.note('helix', `finds ${cluster} ${said}`);
    });
  }

  onHostUp(cluster: ClusterId): void {
    const { ledger, scheduler } = this.world;
    ledger.hostUps.push({ process: this.number, cluster, atMs: scheduler.nowMs });
  }

  drainingNow(): ClusterId[] {
    return this.#drainedSince(Infinity);
  }

  onReplayRequest(cluster: ClusterId, kind: 'ping' | 'envelope'): void {
    if (this.#drainingSinceMs[cluster] < this.world.scheduler.nowMs) {
      this.world.ledger.violate('draining', `Replay sent ${kind} to ${cluster}, which is draining`);
    }
    if (this.world.timeline.isOn) this.world.note('replay', `${kind} to ${cluster}`);
  }

  /** Nothing is queued, nothing on its way to a cluster, and nothing will be sent to the queue once more. */
  get isIdle(): boolean {
    const { stats, replayer } = this;
    if (replayer instanceof ObservedDurableReplayer && replayer.isSpooling) return false;
    if (this.#inFlight('A') + this.#inFlight('B') > 0) return false;
    return !stats || SIDES.every((each) => stats[each].queued + stats[each].inFlight === 0);
  }

  /** Notes how a call ends; with the process its callers have gone as well. */
  #noteEnd<T>(
    call: Promise<T>,
    id: string,
    record: { answer: Answer<T> },
    noteMore: () => void = () => undefined,
  ): void {
    const { world } = this;
    const end = (answer: Answer<T>): void => {
      if (!this.#isAlive) return;
      this.waiting--;
      record.answer = answer;
      noteMore();
      world.onAnswered(id, answer);
    };
    this.waiting++;
    call.then(
      (value) => end({ kind: 'value', value, atMs: world.scheduler.nowMs }),
      (error: unknown) => end({ kind: 'error', error: toError(error), atMs: world.scheduler.nowMs }),
    );
  }

  get stats(): ReturnType<Replayer['snapshot']> | undefined {
    return this.replayer?.snapshot();
  }

  #stop(): void {
    for (const [breach, count] of this.instance.invariants.breaches) {
      this.world.ledger.violate('invariant', `Process ${this.number}: ${breach}, ${count} time(s)`);
    }
    this.#isAlive = false;
    this.isReady = false;
    this.clock.isStopped = true;
    this.#watcher.close();
    this.connections.A.close();
    this.connections.B.close();
  }

  #end(how: ProcessEnd['how'], atMs: number, deadLetters?: readonly DeadLetter[]): ProcessEnd {
    return {
      process: this.number,
      how,
      atMs,
      endedMs: atMs,
      stats: deadLetters && this.stats,
      deadLetters: deadLetters ?? [],
      inFlight: { A: this.#inFlight('A'), B: this.#inFlight('B') },
      dropped: this.#dropped,
      lost: this.instance.lost,
      reserved: this.replayer?.reservations.held ?? 0,
      leftTimers: 0,
      takenForDead: SIDES.filter((cluster) => this.instance.watch.detector?.isDead(cluster)).map(
        (cluster) => {
          return { cluster, forMs: Math.max(0, atMs - this.connections[cluster].usableSinceMs) };
        },
      ),
    };
  }

  async #letters(): Promise<readonly DeadLetter[]> {
    return (await this.replayer?.deadLetters.list({ limit: 100_000 })) ?? [];
  }

  abortAfter(ms: number, as?: 'timeout'): AbortSignal {
    const controller = new AbortController();
    const abort = (): void => {
      if (!this.#isAlive) return;
      const why = as === 'timeout' ? timeoutError('Its time is over') : new Error('The caller has gone');
      controller.abort(why);
    };
    if (ms === 0) abort();
    else this.world.scheduler.after(ms, 'io', abort);
    return controller.signal;
  }

  #usableSince(startedMs: number): ClusterId[] {
    return SIDES.filter((cluster) => this.connections[cluster].usableSinceMs < startedMs);
  }

  /** Sides that drain, or have at some time since. */
  #drainedSince(sinceMs: number): ClusterId[] {
    return SIDES.filter((cluster) => {
      return this.#drainingSinceMs[cluster] !== Infinity || this.#drainEndedMs[cluster] >= sinceMs;
    });
  }

  /** Calls that the driver has not answered, whoever still waits for them. */
  #inFlight(cluster: ClusterId): number {
    const { writePath, readPath } = this.instance;
    return writePath.wire.inFlight[cluster] + readPath.wire.inFlight[cluster];
  }

  #isFull(cluster: ClusterId): boolean {
    return this.instance.writePath.wire.inFlight[cluster] >= this.world.setup.maxInFlight;
  }

  /** Sides that are full, or have been at some time since. */
  #fullSince(sinceMs: number): ClusterId[] {
    return SIDES.filter((cluster) => {
      return this.#isFull(cluster) || this.#filledMs[cluster] >= sinceMs;
    });
  }

  #notDrainingSinceMs(cluster: ClusterId): number {
    return this.#drainingSinceMs[cluster] === Infinity ? this.#drainEndedMs[cluster] : Infinity;
  }

  #makeReplayer(): ObservedReplayer | undefined {
    const { setup, durableQueue, ledger, timeline, scheduler } = this.world;
    const { queue, capacity } = setup;
    const nowMs = (): number => scheduler.nowMs;
    switch (queue) {
      case 'none':
        return undefined;
      case 'durable':
        return new ObservedDurableReplayer(durableQueue, () => this.#isAlive, ledger, nowMs);
      case 'memory':
      case 'encoding': {
        const observer = observeQueue(ledger, timeline);
        const options = { capacity, keepsBytes: queue === 'encoding' };
        return new ObservedMemoryReplayer(options, ledger, observer, nowMs);
      }
    }
  }

  /** Replay has given up on an envelope of the memory queue; the durable one tells of it itself. */
  #onBuried(envelope: Envelope, reason: DeadLetterReason): void {
    const { setup, ledger, timeline } = this.world;
    if (setup.queue !== 'durable') observeQueue(ledger, timeline).onBuried(envelope, reason);
  }

  #onDropped(envelope: Envelope): void {
    this.#dropped++;
    const truth = this.world.ledger.writeOf(envelope)?.[envelope.cluster];
    if (truth) truth.dropped++;
    if (this.world.timeline.isOn)
      this.world.note('helix', `reports ${envelope.operationId} lost for ${envelope.cluster}`);
  }

  #logger(): { log(m: string): void; warn(m: string): void; error(m: string): void } {
    const { world } = this;
    const add = (level: string) => (message: string) => {
      if (world.timeline.isOn) world.note('log', `${level}: ${message}`);
    };
    return { log: add('log'), warn: add('warn'), error: add('error') };
  }
}
