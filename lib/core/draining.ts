import type { ClusterId } from './cluster.js';

/**
 * Which clusters are being drained, for the paths, which ask it for every call. Whoever hears of a change sets it.
 *
 * Of a pair only: where there is one cluster, there is nowhere else to go.
 */
export class Draining {
  // Two fields: one that is named by a variable would cost every write 10 ns.
  #drainsA = false;
  #drainsB = false;

  isDraining(cluster: ClusterId): boolean {
    return cluster === 'A' ? this.#drainsA : this.#drainsB;
  }

  set(cluster: ClusterId, draining: boolean): void {
    if (cluster === 'A') this.#drainsA = draining;
    else this.#drainsB = draining;
  }
}
