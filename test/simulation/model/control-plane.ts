import { type Observable, Subject } from 'rxjs';
import { type ClusterId, TopologyWatcher, type TopologyUpdate } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { Scheduler } from '../engine/scheduler.js';

/** One way between a process and the control plane, in ms: `min + 0…spread`. */
const NETWORK = { minMs: 0.2, spreadMs: 9.8 };
/** How long it takes at most to notice that there will be no answer. */
const LONGEST_NOTICE_MS = 1_000;

interface DrainState {
  readonly draining: boolean;
  readonly reason?: string;
}

const NOT_DRAINING: DrainState = { draining: false };

/** Holds which clusters drain, for all processes, and outlives them. */
export class ModelControlPlane {
  readonly #state: Record<ClusterId, DrainState> = { A: NOT_DRAINING, B: NOT_DRAINING };
  readonly #watchers = new Set<ModelTopologyWatcher>();
  #partitions = 0;

  constructor(
    readonly scheduler: Scheduler,
    readonly random: Random,
  ) {}

  get isReachable(): boolean {
    return this.#partitions === 0;
  }

  state(cluster: ClusterId): DrainState {
    return this.#state[cluster];
  }

  /** What an operator sets here takes effect at once, whoever can be reached. */
  set(cluster: ClusterId, draining: boolean, reason?: string): void {
    if (this.#state[cluster].draining === draining) return;
    this.#state[cluster] = { draining, ...(reason !== undefined && { reason }) };
    this.#tell();
  }

  /** No process hears from it, nor can tell it anything. Partitions that overlap last until the last one ends. */
  beginPartition(): void {
    this.#partitions++;
  }

  endPartition(): void {
    if (this.#partitions === 0) return;
    this.#partitions--;
    if (this.isReachable) this.#tell();
  }

  /** One way through the network. `io`: to a process. */
  travel(to: 'io' | 'world', arrive: () => void): void {
    this.scheduler.after(NETWORK.minMs + this.random.next() * NETWORK.spreadMs, to, arrive);
  }

  /** When a process notices that there is no answer. */
  afterNotice(run: () => void): void {
    this.scheduler.after(this.random.next() * LONGEST_NOTICE_MS, 'io', run);
  }

  add(watcher: ModelTopologyWatcher): void {
    this.#watchers.add(watcher);
  }

  remove(watcher: ModelTopologyWatcher): void {
    this.#watchers.delete(watcher);
  }

  #tell(): void {
    for (const watcher of this.#watchers) this.travel('io', () => watcher.learn());
  }
}

/**
 * What one process knows of a {@link ModelControlPlane}. It learns of a change after a moment; while it hears
 * nothing it keeps what it knew last, and learns afterwards how things are then, not what was in between. Before it
 * has learnt anything nobody drains.
 */
export class ModelTopologyWatcher extends TopologyWatcher {
  readonly #changes = new Subject<TopologyUpdate>();
  readonly changes: Observable<TopologyUpdate> = this.#changes.asObservable();
  readonly #isDraining = { A: false, B: false };
  /** Changes of its own that were taken, and of which it has not heard. */
  readonly #whenLearnt: (() => void)[] = [];

  /** @param isAlive of the process: when it says no, it learns nothing any more */
  constructor(
    private readonly plane: ModelControlPlane,
    private readonly isAlive: () => boolean,
  ) {
    super();
  }

  /** Begins to watch; what is so by then it learns after a moment. */
  open(): void {
    this.plane.add(this);
    this.plane.travel('io', () => this.learn());
  }

  close(): void {
    this.plane.remove(this);
    this.#changes.complete();
  }

  isDraining(cluster: ClusterId): boolean {
    return this.#isDraining[cluster];
  }

  /** Rejects while there is no way to the plane. A change whose answer gets lost is made, and answered for when heard of. */
  setDrain(cluster: ClusterId, draining: boolean, reason?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.plane.travel('world', () => {
        if (!this.plane.isReachable) {
          this.plane.afterNotice(() => {
            if (this.isAlive())
              reject(new Error('The control plane cannot be reached; nothing has changed.'));
          });
          return;
        }
        this.plane.set(cluster, draining, reason);
        this.#whenLearnt.push(resolve);
        this.plane.travel('io', () => this.learn());
      });
    });
  }

  /** How things are now has reached the process, in an `io` event. */
  learn(): void {
    if (!this.isAlive()) {
      this.plane.remove(this);
      return;
    }
    if (!this.plane.isReachable) return;
    for (const cluster of ['A', 'B'] as const) {
      const { draining, reason } = this.plane.state(cluster);
      if (draining === this.#isDraining[cluster]) continue;
      this.#isDraining[cluster] = draining;
      this.#changes.next({ cluster, draining, ...(reason !== undefined && { reason }) });
    }
    for (const resolve of this.#whenLearnt.splice(0)) resolve();
  }
}
