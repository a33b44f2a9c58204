import { type ClusterId, FailoverPolicy } from '../../lib/core/index.js';

/** A policy that avoids the sides it is told to, and notes what it is told. */
export class FakePolicy extends FailoverPolicy {
  override readonly needsLatency: boolean;
  readonly unavailable = new Set<ClusterId>();
  readonly failures: ClusterId[] = [];
  readonly successes: [cluster: ClusterId, latencyMs: number | undefined][] = [];
  allowsFailover = true;
  /** Every method throws from now on. */
  isBroken = false;

  constructor(
    options: { readonly unavailable?: readonly ClusterId[]; readonly needsLatency?: boolean } = {},
  ) {
    super();
    this.needsLatency = options.needsLatency ?? false;
    for (const cluster of options.unavailable ?? []) this.unavailable.add(cluster);
  }

  override shouldFailover(): boolean {
    this.#check();
    return this.allowsFailover;
  }

  override recordSuccess(cluster: ClusterId, latencyMs?: number): void {
    this.#check();
    this.successes.push([cluster, latencyMs]);
  }

  override recordFailure(cluster: ClusterId): void {
    this.#check();
    this.failures.push(cluster);
  }

  override isAvailable(cluster: ClusterId): boolean {
    this.#check();
    return !this.unavailable.has(cluster);
  }

  #check(): void {
    if (this.isBroken) throw new Error('broken policy');
  }
}
