import { type Scenario } from '../scenario.js';
import { ackBoth } from './ack-both.js';
import { breaker } from './breaker.js';
import { completeFailure } from './complete-failure.js';
import { degradedSide } from './degraded-side.js';
import { drain } from './drain.js';
import { laneIsolation } from './lane-isolation.js';
import { replaySaturation } from './replay-saturation.js';
import { shutdown } from './shutdown.js';
import { stickyCooldown } from './sticky-cooldown.js';
import { straggler } from './straggler.js';

export const scenarios: readonly Scenario[] = [
  degradedSide,
  completeFailure,
  replaySaturation,
  stickyCooldown,
  breaker,
  straggler,
  laneIsolation,
  drain,
  shutdown,
  ackBoth,
];
