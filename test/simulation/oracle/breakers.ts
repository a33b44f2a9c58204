import type { BreakerState, ClusterId } from '../../../lib/core/index.js';
import type { BreakerChange, Violation } from '../ledger.js';
import { ms } from './describe.js';
import { type Evidence, SIDES } from './evidence.js';
import { ROUNDING_MS } from './fates.js';

/** What a breaker may become. */
const NEXT: Readonly<Record<BreakerState, readonly BreakerState[]>> = {
  closed: ['open'],
  open: ['half-open', 'closed'],
  'half-open': ['closed', 'open'],
};

/** The first ping of an open breaker, and the longest pause between two of them, in ms. */
const FIRST_PING_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
/** So much of a pause, at most, is left out by chance. */
const JITTER = 0.25;
/** How long the ping of a breaker waits for its answer, in ms. */
const PING_MS = 2_000;
/** A cluster that has opened its breaker so often again soon after it was closed is not asked when its driver says so, … */
const FLAPPING = 2;
/** … unless it has been away for so long, in ms. */
const GONE_MS = 4_000;

/** The breaker of one cluster in one process, as it must be by what is known of it. */
interface Course {
  state: BreakerState;
  sinceMs: number;
  closedMs: number;
  /** When it opened after it had been closed. */
  openedMs: number;
  /** Pings in a row that were not answered, and how often in a row it has opened again soon after it was closed. */
  failedPings: number;
  flaps: number;
}

/**
 * A breaker that has opened is closed by a ping that is answered, whoever sent it, and by nothing else. It asks by
 * itself, one ping after the other, at growing pauses of 2 s at most, and at once when the driver says that a host is
 * up; only one that opens again and again asks less often.
 */
export function breakers(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  const processes = new Set(evidence.ledger.breakers.map(({ process }) => process));
  for (const process of processes) {
    for (const cluster of SIDES) {
      const wrong = wrongWithBreaker(evidence, process, cluster);
      const message = `Breaker of ${cluster}, process ${process}, ${wrong}`;
      if (wrong) found.push({ rule: 'breaker', message });
    }
  }
  return found;
}

function wrongWithBreaker(evidence: Evidence, process: number, cluster: ClusterId): string | undefined {
  const isOfThis = (each: { process: number; cluster: ClusterId }): boolean =>
    each.process === process && each.cluster === cluster;
  const course: Course = {
    state: 'closed',
    sinceMs: -Infinity,
    closedMs: -Infinity,
    openedMs: -Infinity,
    failedPings: 0,
    flaps: 0,
  };
  for (const change of evidence.ledger.breakers.filter(isOfThis)) {
    const { state, atMs } = change;
    const said = `was ${course.state} since ${ms(course.sinceMs)} and became ${state} at ${ms(atMs)}`;
    if (!NEXT[course.state].includes(state)) return `${said}, which does not follow`;
    const wrong =
      wrongWithStay(evidence, process, cluster, course, atMs) ?? wrongWithChange(evidence, course, change);
    if (wrong) return `${said}, ${wrong}`;
    advance(course, state, atMs, evidence.setup.resetTimeoutMs);
  }
  const endMs = evidence.ledger.ends.find((each) => each.process === process)?.atMs ?? -Infinity;
  const wrong = wrongWithStay(evidence, process, cluster, course, endMs);
  return wrong && `was ${course.state} since ${ms(course.sinceMs)}, ${wrong}`;
}

function advance(course: Course, state: BreakerState, atMs: number, resetTimeoutMs: number): void {
  if (state === 'open') {
    const isFlap = atMs - course.closedMs < resetTimeoutMs;
    if (course.state === 'closed') {
      course.flaps = isFlap ? course.flaps + 1 : 0;
      course.failedPings = 0;
      course.openedMs = atMs;
    } else course.failedPings++;
  }
  if (state === 'closed') course.closedMs = atMs;
  course.state = state;
  course.sinceMs = atMs;
}

/** What must have ended its state before that moment. */
function wrongWithStay(
  evidence: Evidence,
  process: number,
  cluster: ClusterId,
  course: Course,
  untilMs: number,
): string | undefined {
  const { state, sinceMs } = course;
  if (state === 'closed' || untilMs <= sinceMs) return undefined;
  const { ledger, setup } = evidence;
  const isWithin = (atMs: number): boolean =>
    atMs > sinceMs + ROUNDING_MS && atMs < untilMs - ROUNDING_MS && !evidence.isClosing(process, atMs);
  // How fast it was, only the breaker knows.
  const answered =
    setup.policy === 'breaker' &&
    ledger.pings.find(
      (each) =>
        each.process === process && each.cluster === cluster && each.wasAnswered && isWithin(each.endedMs),
    );
  if (answered) return `although a ping was answered at ${ms(answered.endedMs)}`;
  const back =
    state === 'open' &&
    ledger.hostUps.find(
      (each) =>
        each.process === process &&
        each.cluster === cluster &&
        isWithin(each.atMs) &&
        isReason(course, each.atMs - ROUNDING_MS),
    );
  if (back) return `although its driver had said at ${ms(back.atMs)} that a host was up`;
  const mostMs = state === 'open' ? pauseMs(evidence, course) : PING_MS;
  const limitMs = mostMs + evidence.stalledMs(sinceMs, untilMs);
  return untilMs - sinceMs > limitMs + ROUNDING_MS && !evidence.isClosing(process, sinceMs + limitMs)
    ? `although at most ${ms(mostMs)} are allowed`
    : undefined;
}

function wrongWithChange(evidence: Evidence, course: Course, change: BreakerChange): string | undefined {
  const { ledger, setup } = evidence;
  const { process, cluster, state, atMs } = change;
  if (course.state === 'closed') return undefined;
  if (state === 'half-open') {
    const leastMs = (1 - JITTER) * pauseMs(evidence, course);
    const isTold = ledger.hostUps.some(
      (each) => each.process === process && each.cluster === cluster && each.atMs === atMs,
    );
    if (isTold && isReason(course, atMs + ROUNDING_MS)) return undefined;
    return atMs - course.sinceMs < leastMs - ROUNDING_MS
      ? `although at least ${ms(leastMs)} are due`
      : undefined;
  }
  const isDecided = ledger.pings.some((ping) => {
    if (ping.process !== process || ping.cluster !== cluster || ping.endedMs !== atMs) return false;
    // An answer may be too slow.
    return ping.wasAnswered === (state === 'closed') || setup.policy === 'latency breaker';
  });
  return isDecided ? undefined : `with no ping that ${state === 'closed' ? 'was answered' : 'failed'} then`;
}

/** Whether it is reason enough to ask it that its driver sees it again. */
function isReason({ flaps, openedMs }: Course, atMs: number): boolean {
  return flaps < FLAPPING || atMs - openedMs >= GONE_MS;
}

/** The longest time until the next ping. */
function pauseMs({ setup }: Evidence, { failedPings, flaps }: Course): number {
  const usualMs = Math.min(LONGEST_PAUSE_MS, FIRST_PING_MS * 2 ** failedPings);
  return Math.min(setup.resetTimeoutMs, usualMs * 2 ** flaps);
}
