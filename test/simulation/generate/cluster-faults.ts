import { type ClusterId, otherCluster } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { ClusterFault, FaultStep, Setup } from '../history.js';
import { around, type Moments, SUSPICION_PING_MS } from './moments.js';
import { roundTripMs } from './setup.js';

/**
 * Faults of the clusters, in episodes in which one follows from the other: the second side is hurt while the
 * first one comes back, or is still away, or at the same moment.
 */
export function clusterFaults(random: Random, setup: Setup, moments: Moments, count: number): FaultStep[] {
  const faults = new Faults(random.fork('kinds'), random.fork('lengths'), setup, moments);
  const plots = random.fork('plots');
  if (plots.chance(0.12)) faults.beginFromTheStart();
  while (faults.steps.length < count) addEpisode(plots, faults, moments, count);
  return faults.steps;
}

/** Adds faults until its story is told, or there are `count` of them. */
function addEpisode(random: Random, faults: Faults, moments: Moments, count: number): void {
  const atMs = random.chance(0.75) ? moments.anywhere(random) : moments.near(random);
  const first = faults.begin(atMs, random.pick<ClusterId>(['A', 'B']));
  const other = otherCluster(first.cluster);
  const endMs = first.atMs + first.forMs;
  const isFull = (): boolean => faults.steps.length >= count;
  const plot = random.weighted(PLOTS);
  if (plot === 'alone' || isFull()) return;
  switch (plot) {
    case 'one after the other': {
      let last = faults.begin(around(random, endMs), other);
      while (!isFull() && random.chance(0.5)) {
        last = faults.begin(around(random, last.atMs + last.forMs), otherCluster(last.cluster));
      }
      return;
    }
    case 'one within the other':
      faults.begin(first.atMs + random.int(0, first.forMs), other);
      return;
    case 'both at once':
      faults.begin(first.atMs + random.pick([0, 0, 1]), other, random.chance(0.5) ? first : undefined);
      return;
    case 'the same side again':
      faults.begin(around(random, endMs), first.cluster);
      return;
    case 'flapping': {
      const wellMs = random.pick([random.int(1, 10), random.int(10, 200)]);
      let last = first;
      for (let left = random.int(2, 4); left > 0 && !isFull(); left--) {
        last = faults.begin(last.atMs + last.forMs + wellMs, last.cluster, last);
      }
    }
  }
}

class Faults {
  readonly steps: FaultStep[] = [];

  constructor(
    private readonly kinds: Random,
    private readonly lengths: Random,
    private readonly setup: Setup,
    private readonly moments: Moments,
  ) {}

  /** One side is not there when the process begins to connect: refused at once, unless it does not wait for it. */
  beginFromTheStart(): void {
    const cluster = this.kinds.pick<ClusterId>(['A', 'B']);
    const fault = this.setup.connect === 'lazy' ? this.#any() : { kind: 'crash' as const, losesMs: 0 };
    this.#add(0, cluster, fault, this.moments.lengthMs(this.lengths));
  }

  /** `like`: the same fault again, as long. */
  begin(atMs: number, cluster: ClusterId, like?: FaultStep): FaultStep {
    const fault = like?.fault ?? this.#any();
    return this.#add(atMs, cluster, fault, like?.forMs ?? this.#lengthMs(fault));
  }

  /** One that nobody tells of often lasts until it is found out, and some more. */
  #lengthMs({ kind }: ClusterFault): number {
    const { lengths, moments, setup } = this;
    const isSilent = kind === 'hang' || kind === 'partition' || kind === 'requests lost';
    const { suspectAfterMs = 0 } = setup;
    if (!isSilent || suspectAfterMs === 0 || lengths.chance(0.5)) return moments.lengthMs(lengths);
    return suspectAfterMs + SUSPICION_PING_MS + lengths.int(0, setup.writeTimeoutMs + 1_000);
  }

  #add(atMs: number, cluster: ClusterId, fault: ClusterFault, forMs: number): FaultStep {
    const step: FaultStep = { atMs, do: 'fault', cluster, fault, forMs };
    this.steps.push(step);
    this.moments.add(atMs);
    this.moments.add(atMs + forMs);
    return step;
  }

  #any(): ClusterFault {
    const { kinds } = this;
    const kind = kinds.weighted(KINDS);
    switch (kind) {
      case 'crash':
        return { kind, losesMs: kinds.chance(0.7) ? 0 : kinds.int(1, 50) };
      case 'hang':
      case 'disconnect':
        return { kind };
      case 'slow':
        return { kind, factor: this.#slowFactor() };
      case 'partition':
        return { kind, thenReset: kinds.chance(0.5) };
      case 'answers lost':
      case 'requests lost':
        return { kind, share: this.#share() };
      case 'reorder':
        return { kind, spreadMs: this.#overtakingMs() };
      case 'refuse':
        return { kind, error: kinds.pick(ERRORS), share: this.#share() };
    }
  }

  #share(): number {
    return this.kinds.chance(0.4) ? 1 : this.kinds.int(2, 9) / 10;
  }

  /** Half of the time answers then arrive about when the time limit ends. */
  #slowFactor(): number {
    const toTheLimit = Math.max(2, Math.round(this.setup.writeTimeoutMs / roundTripMs(this.setup)));
    return this.kinds.pick([this.kinds.int(2, 10), toTheLimit]);
  }

  #overtakingMs(): number {
    return this.kinds.pick([this.kinds.int(5, 50), this.setup.writeTimeoutMs]);
  }
}

const PLOTS = [
  [20, 'alone'],
  [28, 'one after the other'],
  [20, 'one within the other'],
  [17, 'both at once'],
  [8, 'the same side again'],
  [15, 'flapping'],
] as const;
const KINDS = [
  [20, 'crash'],
  [20, 'hang'],
  [9, 'slow'],
  [14, 'partition'],
  [12, 'answers lost'],
  [8, 'requests lost'],
  [9, 'disconnect'],
  [7, 'reorder'],
  [14, 'refuse'],
] as const;
const ERRORS = [
  'overloaded',
  'shutting down',
  'unavailable',
  'write timeout',
  'read failure',
  'locked out',
  'unknown',
] as const;
