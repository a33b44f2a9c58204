import type { BreakerState, ClusterId, PolicyContext } from '../../lib/core/index.js';
import { FakeClock } from './fake-clock.js';

interface Ping {
  readonly cluster: ClusterId;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** An instance as a failover policy sees it: its pings wait until they are told how to end. */
export class FakePolicyContext implements PolicyContext {
  readonly clock = new FakeClock();
  /** In the order in which the policy asked. */
  readonly pinged: ClusterId[] = [];
  readonly changes: [cluster: ClusterId, state: BreakerState][] = [];
  /** Called at each change, before it is noted. */
  onChange: (cluster: ClusterId, state: BreakerState) => void = () => undefined;
  /** No pause is left to chance. */
  random: () => number = () => 0;
  readonly #underWay: Ping[] = [];

  pingsUnderWay(cluster: ClusterId): number {
    return this.#underWay.filter((ping) => ping.cluster === cluster).length;
  }

  ping(cluster: ClusterId): Promise<void> {
    this.pinged.push(cluster);
    return new Promise((resolve, reject) => this.#underWay.push({ cluster, resolve, reject }));
  }

  onStateChange(cluster: ClusterId, state: BreakerState): void {
    this.onChange(cluster, state);
    this.changes.push([cluster, state]);
  }

  /** Ends the cluster's oldest ping, and everything that follows from it. */
  async answerPing(cluster: ClusterId): Promise<void> {
    this.#take(cluster).resolve();
    await this.clock.settle();
  }

  async failPing(cluster: ClusterId): Promise<void> {
    this.#take(cluster).reject(new Error('no answer'));
    await this.clock.settle();
  }

  #take(cluster: ClusterId): Ping {
    const index = this.#underWay.findIndex((ping) => ping.cluster === cluster);
    const [ping] = index < 0 ? [] : this.#underWay.splice(index, 1);
    if (!ping) throw new Error(`no ping of ${cluster} is under way`);
    return ping;
  }
}
