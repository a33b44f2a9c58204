import type { Scenario } from '../scenario.js';
import { ackBoth } from './ack-both.js';
import { blockedEnvelope } from './blocked-envelope.js';
import { breaker } from './breaker.js';
import { completeFailure } from './complete-failure.js';
import { cutOff } from './cut-off.js';
import { degradedSide } from './degraded-side.js';
import { drain } from './drain.js';
import { inDoubt } from './in-doubt.js';
import { laneIsolation } from './lane-isolation.js';
import { readLag } from './read-lag.js';
import { replaySaturation } from './replay-saturation.js';
import { schemaChanges } from './schema-changes.js';
import { shutdown } from './shutdown.js';
import { spool } from './spool.js';
import { stickyCooldown } from './sticky-cooldown.js';
import { straggler } from './straggler.js';
import { takesNothing } from './takes-nothing.js';

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
  cutOff,
  inDoubt,
  readLag,
  blockedEnvelope,
  takesNothing,
  spool,
  schemaChanges,
];
