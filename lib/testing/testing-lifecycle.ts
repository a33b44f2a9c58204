import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import { type Clock, type PerCluster, toError } from '../core/index.js';
import type { CqlSession } from '../cql/index.js';
import type { HelixInstance } from '../helix.instance.js';
import type { HelixLifecycle } from '../helix.lifecycle.js';
import { CircuitBreaker } from '../policies/index.js';
import { FakeClock } from './fake-clock.js';
import type { InMemoryCluster } from './in-memory-cluster.js';
import type { HelixTestingClusters } from './testing-clusters.js';

/** A test framework's fake timers may replace the global one. */
const nextTurn = setImmediate;

/**
 * Spares a test the waiting: Helix is told at once what it would find out by its next ping, and the end of the
 * application waits neither for an answer that never comes nor for a clock that stands still.
 */
export class TestingLifecycle implements BeforeApplicationShutdown, OnApplicationShutdown {
  #hasClosed: (() => void) | undefined;

  constructor(
    private readonly clusters: HelixTestingClusters,
    private readonly sessions: PerCluster<CqlSession>,
    private readonly instance: HelixInstance,
    private readonly lifecycle: HelixLifecycle,
    private readonly clock: Clock,
  ) {
    for (const cluster of [clusters.A, clusters.B]) {
      // By the next turn Helix knows of everything that failed until now.
      cluster.onBack = () => nextTurn(() => void this.#useAgain(cluster));
    }
  }

  beforeApplicationShutdown(): void {
    for (const cluster of [this.clusters.A, this.clusters.B]) cluster.stopWaiting();
    if (this.clock instanceof FakeClock) {
      this.clock.runUntil(new Promise<void>((resolve) => (this.#hasClosed = resolve)));
    }
  }

  async onApplicationShutdown(): Promise<void> {
    // Whichever of the two is called first: it is one close.
    await this.lifecycle.close();
    this.#hasClosed?.();
  }

  async #useAgain({ cluster }: InMemoryCluster): Promise<void> {
    const { parts, worker, logger } = this.instance;
    try {
      await this.sessions[cluster]?.connect();
    } catch (error) {
      logger.warn(`In-memory cluster ${cluster} was not back for long: ${toError(error).message}`);
      return;
    }
    if (parts.failoverPolicy instanceof CircuitBreaker) parts.failoverPolicy.reset(cluster);
    worker?.probe(cluster);
  }
}
