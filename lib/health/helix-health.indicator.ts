import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import type { ClusterId, ClusterState, LaneStats } from '../core/index.js';
import { HelixService } from '../helix.service.js';

/** Options of {@link HelixHealthIndicator.cluster}. */
export interface ClusterHealthOptions {
  /** Key in the health response. Default `helix:<instance>:<cluster>`. */
  readonly key?: string;
  /** Longest wait for an answer, in ms. Default 1,000. */
  readonly timeoutMs?: number;
}

/** Options of {@link HelixHealthIndicator.replay}. */
export interface ReplayHealthOptions {
  /** Down when a side waits for more envelopes. Default: no limit. */
  readonly maxQueued?: number;
  /** Down when an envelope has waited longer, in ms. Default: no limit. */
  readonly maxAgeMs?: number;
  /**
   * Down when more dead letters wait for somebody's decision, of both sides. Default 0: the clusters differ until
   * somebody acts.
   */
  readonly maxDeadLettered?: number;
}

/** Terminus 12 has `degraded`; on 11 the same is said by `up` with `degraded: true`. */
interface DegradableSession {
  readonly degraded?: (data: Record<string, unknown>) => HealthIndicatorResult;
}

/**
 * Health of one instance, for `HealthCheckService.check()`. Every check asks the clusters themselves, and none
 * ever throws. `HelixHealthModule` provides one for its instance: `@InjectHelix(HelixHealthIndicator, 'analytics')`.
 */
@Injectable()
export class HelixHealthIndicator {
  constructor(
    private readonly helix: HelixService,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /** Down while this cluster does not answer a ping. */
  async cluster(cluster: ClusterId, options: ClusterHealthOptions = {}): Promise<HealthIndicatorResult> {
    const session = this.indicators.check(options.key ?? this.#key(cluster));
    const { answered, data } = await this.#ping(cluster, options.timeoutMs);
    return answered ? session.up(data) : session.down(data);
  }

  /**
   * Down once a write was lost for a side, while there are more than `maxDeadLettered` dead letters, or while more than
   * `maxQueued` envelopes wait or one waits longer than `maxAgeMs`.
   */
  replay(options: ReplayHealthOptions = {}): Promise<HealthIndicatorResult> {
    const session = this.indicators.check(this.#key('replay'));
    const { maxQueued = Infinity, maxAgeMs = Infinity, maxDeadLettered = 0 } = options;
    const isBehind = (lane: LaneStats): boolean =>
      lane.queued + lane.inFlight > maxQueued || lane.oldestAgeMs > maxAgeMs;
    try {
      const { replay, lost } = this.helix.status();
      const data = { lost, A: summary(replay.A), B: summary(replay.B) };
      const { A, B } = replay;
      const isDiverged = A.deadLettered + B.deadLettered > maxDeadLettered;
      const isDown = lost > 0 || isDiverged || isBehind(A) || isBehind(B);
      return Promise.resolve(isDown ? session.down(data) : session.up(data));
    } catch (error) {
      return Promise.resolve(session.down({ error: error instanceof Error ? error.name : 'unknown' }));
    }
  }

  /** Up while one cluster answers, degraded (HTTP 200) when the other does not, down when none does. */
  async readiness(options: { readonly timeoutMs?: number } = {}): Promise<HealthIndicatorResult> {
    const session = this.indicators.check(this.#key('readiness'));
    const clusters: ClusterId[] = this.helix.isSingleCluster ? ['A'] : ['A', 'B'];
    const pings = await Promise.all(clusters.map((cluster) => this.#ping(cluster, options.timeoutMs)));
    const data = Object.fromEntries(clusters.map((cluster, i) => [cluster, pings[i]?.data]));
    const answering = pings.filter(({ answered }) => answered).length;
    if (answering === 0) return session.down(data);
    if (answering === clusters.length) return session.up(data);
    const { degraded } = session as DegradableSession;
    return degraded?.call(session, data) ?? session.up({ ...data, degraded: true });
  }

  /** Up as long as the process can answer: a database that is down is no reason to restart it. */
  liveness(): Promise<HealthIndicatorResult> {
    return Promise.resolve(this.indicators.check(this.#key('liveness')).up());
  }

  /** What Helix goes by, which may differ from what one ping has found: it avoids a cluster after several failures. */
  #state(cluster: ClusterId): { readonly state?: ClusterState } {
    const state = this.helix.status()[cluster]?.state;
    return state === undefined ? {} : { state };
  }

  #key(part: string): string {
    return `helix:${this.helix.name}:${part}`;
  }

  async #ping(
    cluster: ClusterId,
    timeoutMs = 1_000,
  ): Promise<{ answered: boolean; data: Record<string, unknown> }> {
    const name = this.helix.clusterName(cluster);
    try {
      await this.helix.ping(cluster, timeoutMs);
      return { answered: true, data: { name, ...this.#state(cluster) } };
    } catch (error) {
      const blocked = this.helix.status()[cluster]?.blocked;
      const label = error instanceof Error ? error.name : 'unknown';
      return {
        answered: false,
        data: { name, ...this.#state(cluster), error: label, ...(blocked && { blocked }) },
      };
    }
  }
}

function summary({ queued, inFlight, deadLettered, oldestAgeMs, open }: LaneStats): Record<string, unknown> {
  return { queued, inFlight, deadLettered, oldestAgeMs, open };
}
