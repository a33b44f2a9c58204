import type { ClusterId } from '../../lib/core/index.js';
import type { Driver } from '../../lib/cql/index.js';
import { Random } from './engine/random.js';
import { Scheduler } from './engine/scheduler.js';
import { Timeline } from './engine/timeline.js';
import type { History, ReadStep, Setup, Step, WriteStep } from './history.js';
import { type Answer, type FinalState, Ledger, type ProcessEnd, type WriteRecord } from './ledger.js';
import { ModelCluster } from './model/cluster.js';
import { ModelControlPlane } from './model/control-plane.js';
import { digestIn, KnownTexts, unmarked } from './model/cql-statements.js';
import { ModelDurableQueue } from './model/durable-queue.js';
import { digestOf, signatureOf, spellSchemaChange } from './model/schema.js';
import { observeQueue } from './observed-queues.js';
import { SimulatedProcess } from './process.js';
import { keyspaceOf } from './surfaces/surface.js';

/** How much virtual time everything has to come to rest in, once nothing is wrong any more. */
const SETTLE_MS = 600_000;
/** How often it is looked whether it has. */
const LOOK_MS = 50;
/** How long a process that has been shut down is still there. */
const LINGER_MS = 2_000;
/** Longer than any timer that may go by itself after the end. */
const AFTERMATH_MS = 120_000;

/** For so long after a schema change nobody can say how often a statement has to be prepared. */
const UNSETTLED_MS = 1_000;

/** Two clusters, a queue, a control plane, and the process that uses them. */
export class World {
  readonly setup: Setup;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly timeline: Timeline;
  readonly ledger = new Ledger();
  readonly clusters: Readonly<Record<ClusterId, ModelCluster>>;
  readonly controlPlane: ModelControlPlane;
  /** Used by nobody unless the setup says so. */
  readonly durableQueue: ModelDurableQueue;
  readonly texts = new KnownTexts();
  /** What was done to the wall clock, in ms. */
  wallOffsetMs = 0;
  #process: SimulatedProcess | undefined;
  #processes = 0;
  /** Steps whose end is still to come. */
  #unfinished = 0;
  /** Calls that found no process: made as soon as there is one, all at once. */
  #postponed: (WriteStep | ReadStep)[] = [];
  #lastTimestampUs = 0;
  readonly #drains = { A: 0, B: 0 };

  constructor(
    private readonly history: History,
    isRecorded: boolean,
    /** Of the surface `cql`. */
    readonly driver?: Driver,
  ) {
    const { seed, setup } = history;
    this.setup = setup;
    this.random = new Random(seed).fork('world');
    this.scheduler = new Scheduler(this.random.fork('scheduler'));
    this.timeline = new Timeline(isRecorded, () => this.scheduler.nowMs);
    const clusterOf = (id: ClusterId): ModelCluster =>
      new ModelCluster(id, setup.latency[id], this.scheduler, this.random.fork(id), this.timeline);
    this.clusters = { A: clusterOf('A'), B: clusterOf('B') };
    this.controlPlane = new ModelControlPlane(this.scheduler, this.random.fork('control plane'));
    this.durableQueue = new ModelDurableQueue(
      this.scheduler,
      this.random.fork('queue'),
      observeQueue(this.ledger, this.timeline),
    );
  }

  async run(): Promise<FinalState> {
    this.#startProcess();
    await this.scheduler.run(Infinity, () => this.#process?.isReady === true);
    for (const step of this.history.steps) {
      this.#unfinished++;
      this.scheduler.after(step.atMs, kindOf(step), () => this.#execute(step));
    }
    await this.scheduler.run(Infinity, () => this.#unfinished === 0);
    const undrained = await this.#settle();
    await this.#end();
    const { A, B } = this.clusters;
    return {
      undrained,
      cells: { A: A.cells(), B: B.cells() },
      counters: { A: A.counters(), B: B.counters() },
    };
  }

  /** One line of the timeline. */
  note(who: string, what: string): void {
    if (this.timeline.isOn) this.timeline.add(who, what);
  }

  onReady(process: SimulatedProcess): void {
    this.note('process', `${process.number} is ready`);
    for (const step of this.#postponed.splice(0)) process.call(step);
  }

  onAnswered(id: string, answer: Answer<unknown>): void {
    if (this.timeline.isOn) this.note(id, told(answer));
  }

  /** Write times of a process only ever rise. */
  onTimestamp({ step, timestampUs }: Pick<WriteRecord, 'step' | 'timestampUs'>): void {
    if (timestampUs <= this.#lastTimestampUs) {
      this.ledger.violate(
        'timestamps',
        `${step.id} has ${timestampUs}, the write before it ${this.#lastTimestampUs}`,
      );
    }
    this.#lastTimestampUs = timestampUs;
  }

  /** Whether a schema has changed lately, or they are not the same: then statements are prepared over and over. */
  hasNewSchemaSince(startedMs: number): boolean {
    const { A, B } = this.clusters;
    if (A.schema.version === 0 && B.schema.version === 0) return false;
    const isNew = [A, B].some(
      ({ schema }) => schema.version > 0 && schema.now.sinceMs >= startedMs - UNSETTLED_MS,
    );
    return isNew || JSON.stringify(A.schema.types) !== JSON.stringify(B.schema.types);
  }

  #changeSchema(step: Extract<Step, { do: 'schema change' }>, process: SimulatedProcess | undefined): void {
    const { change, by, preparedAgain } = step;
    if (by === 'onBoth') void process?.onBoth(spellSchemaChange(change));
    else
      for (const cluster of by)
        if (!this.clusters[cluster].isDown) this.clusters[cluster].changeSchema(change);
    if (!preparedAgain) return;
    this.#afterwards(preparedAgain.afterMs, 'world', () => {
      for (const cluster of ['A', 'B'] as const) {
        if (!this.clusters[cluster].isDown) this.#prepareAgain(cluster, preparedAgain.as);
      }
    });
  }

  /** Another process prepares again whatever was ever prepared. */
  #prepareAgain(cluster: ClusterId, as: 'plain' | 'Helix' | 'Helix as before'): void {
    const { schema } = this.clusters[cluster];
    this.note('another', `process prepares on ${cluster}: ${as}`);
    const keyspace = keyspaceOf(this.setup, cluster);
    const prepare = (text: string): void => void schema.prepare(keyspace, text);
    if (as === 'Helix as before') {
      for (const text of schema.texts) if (digestIn(text) !== undefined) prepare(text);
      return;
    }
    for (const text of new Set(schema.texts.map(unmarked))) {
      const known = this.texts.of(text);
      if (!known) continue;
      if (as === 'plain') {
        prepare(text);
        continue;
      }
      prepare(`${text} /* helix */`);
      prepare(`${text} /* helix ${digestOf(signatureOf(known.names, schema.types))} */`);
    }
  }

  #execute(step: Step): void {
    const process = this.#process?.isReady ? this.#process : undefined;
    switch (step.do) {
      case 'write':
      case 'read':
        if (process) process.call(step);
        else this.#postponed.push(step);
        break;
      case 'fault':
        this.clusters[step.cluster].begin(step.fault);
        this.#afterwards(step.forMs, 'world', () => this.clusters[step.cluster].end(step.fault));
        break;
      case 'queue fault':
        this.note('queue', `begins: ${step.fault}`);
        this.durableQueue.begin(step.fault);
        this.#afterwards(step.forMs, 'world', () => {
          this.note('queue', `ends: ${step.fault}`);
          this.durableQueue.end(step.fault);
        });
        break;
      case 'stall':
        this.ledger.stalls.push({ fromMs: this.scheduler.nowMs, toMs: this.scheduler.nowMs + step.forMs });
        this.note('process', `does nothing for ${step.forMs} ms`);
        this.scheduler.stall(step.forMs);
        break;
      case 'set clock':
        this.wallOffsetMs += step.byMs;
        this.note('clock', `set by ${step.byMs} ms`);
        break;
      case 'drain':
        this.#drain(step.cluster, 1);
        this.#afterwards(step.forMs, 'world', () => this.#drain(step.cluster, -1));
        break;
      case 'control partition':
        this.note('control', 'is cut off');
        this.controlPlane.beginPartition();
        this.#afterwards(step.forMs, 'world', () => {
          this.note('control', 'can be reached again');
          this.controlPlane.endPartition();
        });
        break;
      case 'pause replay':
        process?.helix.pauseReplay(step.cluster);
        this.#afterwards(step.forMs, 'io', () => process?.helix.resumeReplay(step.cluster));
        break;
      case 'sync point':
        process?.syncPoint();
        break;
      case 'requeue':
        process?.requeue().catch(() => this.note('operator', 'could not requeue'));
        break;
      case 'purge':
        process?.purge().catch(() => this.note('operator', 'could not purge'));
        break;
      case 'schema change':
        this.#changeSchema(step, process);
        break;
      case 'restart':
        if (process && !process.isClosing) this.#restart(process, step.how, step.afterMs);
    }
    this.#unfinished--;
  }

  /** Drains of one cluster that overlap last until the last of them ends. */
  #drain(cluster: ClusterId, by: 1 | -1): void {
    this.#drains[cluster] += by;
    const isDraining = this.#drains[cluster] > 0;
    this.note('control', `${cluster} ${isDraining ? 'is to drain' : 'need not drain any more'}`);
    this.controlPlane.set(cluster, isDraining);
  }

  /** The end of something that lasts; the history is not over before. */
  #afterwards(delayMs: number, kind: 'io' | 'world', run: () => void): void {
    this.#unfinished++;
    this.scheduler.after(delayMs, kind, () => {
      run();
      this.#unfinished--;
    });
  }

  #startProcess(): void {
    this.#processes++;
    this.#lastTimestampUs = 0;
    this.#process = new SimulatedProcess(this, this.#processes);
    this.#process.start();
  }

  #restart(process: SimulatedProcess, how: 'kill' | 'shut down', afterMs: number): void {
    this.#unfinished++;
    this.note('process', `${process.number}: ${how}`);
    const startAnew = (): void => {
      this.#afterwards(afterMs, 'io', () => this.#startProcess());
      this.#unfinished--;
    };
    if (how === 'kill') {
      this.ledger.ends.push(process.kill());
      startAnew();
      return;
    }
    void process.shutDown().then((end) => {
      this.ledger.ends.push({ ...end, leftTimers: 0 });
      // Ended is not gone: until then it can answer.
      this.#afterwards(LINGER_MS, 'world', () => process.leave());
      startAnew();
    });
  }

  /** Waits until nothing is left to do; answers with what is, if that takes too long. */
  async #settle(): Promise<string | undefined> {
    const untilMs = this.scheduler.nowMs + SETTLE_MS;
    await this.scheduler.run(untilMs, () => this.#process?.isReady === true);
    const process = this.#process;
    if (!process?.isReady) return 'the process did not start';
    const seen = { isSettled: false, isQuiet: false };
    void process.settled().then(() => (seen.isSettled = true));
    const look = (): void => {
      seen.isQuiet = process.waiting === 0 && seen.isSettled && process.isIdle;
      if (!seen.isQuiet) this.scheduler.after(LOOK_MS, 'world', look);
    };
    look();
    await this.scheduler.run(untilMs, () => seen.isQuiet);
    if (seen.isQuiet) return undefined;
    return `${process.waiting} calls unanswered, writes and operators ${seen.isSettled ? '' : 'not '}settled, queue ${JSON.stringify(process.stats)}`;
  }

  async #end(): Promise<void> {
    const process = this.#process;
    if (!process) return;
    this.note('process', `${process.number}: shut down`);
    const ended: ProcessEnd[] = [];
    void process.shutDown().then((end) => ended.push(end));
    await this.scheduler.run(this.scheduler.nowMs + SETTLE_MS, () => ended.length > 0);
    await this.scheduler.run(this.scheduler.nowMs + AFTERMATH_MS);
    const leftTimers = process.leave();
    const [end] = ended;
    if (end) this.ledger.ends.push({ ...end, leftTimers });
    else this.ledger.violate('liveness', `Process ${process.number} did not end`);
  }
}

/** Whether the code under test notices. */
function kindOf(step: Step): 'io' | 'world' {
  switch (step.do) {
    case 'fault':
    case 'queue fault':
    case 'stall':
    case 'set clock':
    case 'drain':
    case 'control partition':
      return 'world';
    default:
      return 'io';
  }
}

function told(answer: Answer<unknown>): string {
  switch (answer.kind) {
    case 'waiting':
      return 'waits';
    case 'value':
      return `is told ${JSON.stringify(answer.value instanceof Map ? Object.fromEntries(answer.value) : answer.value)}`;
    case 'error': {
      const outcome: unknown = 'outcome' in answer.error ? answer.error.outcome : undefined;
      return `fails with ${answer.error.name}${typeof outcome === 'string' ? ` (${outcome})` : ''}`;
    }
  }
}
