import type { ClusterId } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';
import type { Setup } from '../history.js';

/** A setup as the library's own defaults make it, on a network that is as fast as it can be. */
export const PLAIN_SETUP: Setup = {
  writeStrategy: 'concurrent',
  stragglerMs: 1_000,
  readStrategy: 'sticky',
  preferred: 'A',
  cooldownMs: 300_000,
  policy: 'breaker',
  threshold: 3,
  resetTimeoutMs: 30_000,
  slowMs: 500,
  queue: 'memory',
  capacity: 10_000,
  onReplayLost: 'report',
  whenBothFail: 'throw',
  writeTimeoutMs: 5_000,
  readTimeoutMs: 5_000,
  enqueueTimeoutMs: 500,
  executeTimeoutMs: 30_000,
  maxInFlight: 1_024,
  maxReadLagMs: 5_000,
  suspectAfterMs: 500,
  shutdownTimeoutMs: 10_000,
  connect: 'any',
  driverPatience: 1,
  latency: { A: { baseMs: 1, spreadMs: 0 }, B: { baseMs: 1, spreadMs: 0 } },
};

/**
 * Any setup that the library takes. Time limits are short, so that much can happen within seconds, and often the
 * same or round, so that several end at one moment. Some are longer than it takes to find out that a cluster is dead.
 */
export function randomSetup(random: Random): Setup {
  const of = (name: keyof Setup): Random => random.fork(name);
  const queue = of('queue').weighted(QUEUES);
  const writeTimeoutMs = timeLimitMs(of('writeTimeoutMs'));
  const readTimeoutMs = of('readTimeoutMs').chance(0.3)
    ? writeTimeoutMs
    : timeLimitMs(of('readTimeoutMs').fork('its own'));
  const writeStrategy = of('writeStrategy').weighted(WRITE_STRATEGIES);
  const setup: Setup = {
    writeStrategy,
    stragglerMs: stragglerMs(of('stragglerMs'), writeStrategy),
    readStrategy: of('readStrategy').weighted(READ_STRATEGIES),
    preferred: of('preferred').pick(['A', 'B']),
    cooldownMs: cooldownMs(of('cooldownMs')),
    policy: of('policy').weighted(POLICIES),
    threshold: of('threshold').int(1, 5),
    resetTimeoutMs: shortMs(of('resetTimeoutMs'), 100, 5_000, [100, 200, 500, 1_000, 5_000]),
    slowMs: shortMs(of('slowMs'), 10, 100, [20, 50, 100]),
    queue,
    capacity: capacity(of('capacity')),
    onReplayLost: of('onReplayLost').pick(['throw', 'report']),
    whenBothFail: queue === 'durable' ? of('whenBothFail').pick(['throw', 'queue']) : 'throw',
    writeTimeoutMs,
    readTimeoutMs,
    enqueueTimeoutMs: shortMs(of('enqueueTimeoutMs'), 20, 200, [20, 50, 100, 200]),
    executeTimeoutMs: shortMs(of('executeTimeoutMs'), 100, 1_000, [100, 200, 500, 1_000]),
    maxInFlight: maxInFlight(of('maxInFlight')),
    // The options refuse 0.
    maxReadLagMs: shortMs(of('maxReadLagMs'), 1, 5_000, [1, 100, 1_000, 5_000]),
    suspectAfterMs: suspectAfterMs(of('suspectAfterMs')),
    shutdownTimeoutMs: shortMs(of('shutdownTimeoutMs'), 500, 5_000, [500, 1_000, 5_000]),
    connect: of('connect').weighted(CONNECT),
    driverPatience: of('driverPatience').pick([1, 1, 1.5, 10]),
    latency: { A: latency(of('latency').fork('A')), B: latency(of('latency').fork('B')) },
  };
  // A cluster that is always too slow for its breaker is avoided for good.
  return { ...setup, slowMs: Math.max(setup.slowMs, roundTripMs(setup) + 1) };
}

/** Longest time that a request and its answer take while nothing is wrong, whichever side it is. */
export function roundTripMs({ latency: { A, B } }: Setup): number {
  return 2 * Math.max(A.baseMs + A.spreadMs, B.baseMs + B.spreadMs);
}

const QUEUES = [
  [35, 'memory'],
  [25, 'encoding'],
  [35, 'durable'],
  [5, 'none'],
] as const;
const WRITE_STRATEGIES = [
  [30, 'concurrent'],
  [25, 'straggler'],
  [15, 'A first'],
  [15, 'B first'],
  [15, 'hasty'],
] as const;
const READ_STRATEGIES = [
  [45, 'sticky'],
  [20, 'primary only'],
  [35, 'round robin'],
] as const;
const POLICIES = [
  [25, 'active'],
  [50, 'breaker'],
  [25, 'latency breaker'],
] as const;
const CONNECT = [
  [70, 'any'],
  [30, 'lazy'],
] as const;

/** Half of them round. */
function shortMs(
  random: Random,
  minMs: number,
  maxMs: number,
  round: readonly [number, ...number[]],
): number {
  return random.chance(0.5) ? random.pick(round) : random.int(minMs, maxMs);
}

function cooldownMs(random: Random): number {
  const [none, short, long] = [0, random.int(1, 2_000), random.int(2_000, 60_000)];
  return random.pick([none, short, long, 60_000]);
}

/** Over before anybody can be found dead, or long afterwards. */
function timeLimitMs(random: Random): number {
  return random.chance(0.6)
    ? shortMs(random, 50, 500, [50, 100, 200, 500])
    : shortMs(random, 700, 2_500, [1_000, 1_500, 2_500]);
}

/** Of a strategy that waits long: longer than many time limits are, or not. */
function stragglerMs(random: Random, strategy: Setup['writeStrategy']): number {
  return strategy === 'concurrent'
    ? shortMs(random, 50, 1_500, [100, 500, 1_000, 1_500])
    : shortMs(random, 0, 20, [0, 5, 10, 20]);
}

function suspectAfterMs(random: Random): number {
  const short = random.pick([100, random.int(50, 400)]);
  return random.pick([0, short, short, 500, 500, 500]);
}

/** A queue that is often full, or never. */
function capacity(random: Random): number {
  const [tiny, small] = [random.int(5, 30), random.int(30, 200)];
  return random.pick([tiny, small, 10_000, 10_000]);
}

/** A limit that single writes reach, that bursts reach, or that nothing does. */
function maxInFlight(random: Random): number {
  const [tiny, small] = [random.int(1, 4), random.int(5, 40)];
  return random.pick([tiny, small, 1_024, 1_024]);
}

function latency(random: Random): Setup['latency'][ClusterId] {
  return { baseMs: random.int(1, 5), spreadMs: random.int(0, 10) };
}
