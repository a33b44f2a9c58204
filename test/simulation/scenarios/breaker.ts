import type { Scenario } from '../scenario.js';
import { BREAKER_PING_MS, MOMENT_MS, RECONNECT_MS, Script } from './building-blocks.js';
import { Course, lastAppliedMs, roundTripMs, statusOf } from './course.js';

/** B swallows everything; before that, much happens that says nothing against it. */
export const breaker: Scenario = {
  name: 'breaker',
  about:
    'Refusals and one lost connection do not open the breaker; a black hole does, after as many failures as are set, and then B is left alone but for one ping at a time until it answers.',

  history(seed) {
    const script = new Script(seed);
    const { random } = script;
    const harmless = random.int(15, 25);
    for (let count = 0; count < harmless; count++) {
      const atMs = random.int(100, 300);
      script.write(atMs, 'refused', { refusedBy: random.chance(0.9) ? ['A', 'B'] : ['B'] });
      script.read(atMs, 'harmless', random.chance(0.5) ? { isBad: true } : { key: 'never written' });
    }
    const lostMs = random.int(400, 500);
    for (let count = 0; count < 64; count++) script.write(lostMs, 'in-flight');
    script.fault('B', { kind: 'disconnect' }, lostMs + 1, lostMs + 2);

    const holeMs = lostMs + RECONNECT_MS + random.int(2_000, 2_500);
    const endMs = holeMs + random.int(2_500, 4_000);
    script.load('well', { fromMs: holeMs - 100, toMs: holeMs - 20, everyMs: 20 });
    script.fault('B', { kind: 'requests lost', share: 1 }, holeMs, endMs);
    let spacingMs = 50;
    for (let atMs = holeMs + 1; atMs < endMs; atMs += random.int(1, spacingMs)) {
      script.write(atMs, 'hole');
      if (random.chance(0.5)) script.read(atMs, 'hole-read');
      if (atMs > holeMs + 800) spacingMs = 400;
    }
    return script.history({
      threshold: random.int(3, 6),
      resetTimeoutMs: random.int(100, 1_000),
      // It is the failures that open it.
      suspectAfterMs: 0,
      // What replay has sent is in doubt only after the breaker has opened: until then replay may ping too.
      executeTimeoutMs: 2_000,
      preferred: 'A',
      latency: { A: { baseMs: 1, spreadMs: 3 }, B: { baseMs: 4, spreadMs: 3 } },
      queue: script.pick('memory', 'encoding', 'durable'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const { setup } = course;
    const { requests } = outcome.ledger;
    const { threshold, resetTimeoutMs, writeTimeoutMs } = setup;
    const [span, ...more] = course.openSpans('B');
    const { fromMs: openMs, toMs: closedMs } = span ?? { fromMs: Infinity, toMs: Infinity };
    const hole = course.outages.find(({ fault }) => fault.kind === 'requests lost') ?? course.outage('B');
    const isOnce = more.length === 0 && course.openSpans('A').length === 0 && openMs > hole.fromMs;
    course.must('opens for nothing else', isOnce, () => JSON.stringify(outcome.ledger.breakers));
    const harmless = course.reads('harmless');
    course.mustAllReads('a bad read stays where it is', harmless, ({ asked }) => {
      return asked.length === 1 && asked[0]?.cluster === 'A';
    });
    const lost = course.writes('in-flight');
    const failed = lost.filter((write) => statusOf(write, 'B') === 'queued').length;
    course.must('the connection was lost', failed > threshold, () => `only ${failed} were on it`);

    const writes = course.writes('hole');
    const due = (writes[threshold - 1]?.startedMs ?? Infinity) + writeTimeoutMs;
    course.must('opens in time', Math.abs(openMs - due) <= MOMENT_MS, () => `at ${openMs}, not at ${due}`);
    const toB = requests.filter(({ cluster, atMs }) => cluster === 'B' && atMs > openMs && atMs < closedMs);
    const calls = toB.filter(({ kind }) => kind !== 'ping');
    course.must('B is left alone', calls.length === 0, () => JSON.stringify(calls.slice(0, 3)));
    const during = writes.filter(({ startedMs }) => startedMs > openMs && startedMs < closedMs);
    course.mustAll('what B misses is queued at once', during, (write) => {
      const { answer, startedMs, B } = write;
      const isQuick = answer.kind === 'value' && answer.atMs - startedMs <= roundTripMs(setup, 'A') + 30;
      return isQuick && statusOf(write, 'B') === 'queued' && B.sent === 0;
    });

    let askedMs = openMs;
    let pauseMs = Math.min(250, resetTimeoutMs);
    const pings = toB.filter(({ kind }) => kind === 'ping');
    course.must('pings', pings.length > 0, () => 'it never did');
    for (const { atMs } of pings) {
      course.must(
        'one ping at a time',
        atMs >= askedMs + 0.75 * pauseMs - MOMENT_MS && atMs <= askedMs + pauseMs + MOMENT_MS,
        () => `at ${atMs}, ${pauseMs} after ${askedMs} at most`,
      );
      askedMs = atMs + BREAKER_PING_MS;
      pauseMs = Math.min(2 * pauseMs, 2_000, resetTimeoutMs);
    }
    const closeMs = hole.toMs + BREAKER_PING_MS + resetTimeoutMs + roundTripMs(setup, 'B') + MOMENT_MS;
    course.must('closes by itself', closedMs <= closeMs, () => `at ${closedMs}, not by ${closeMs}`);

    const queued = course.writes().filter((write) => statusOf(write, 'B') === 'queued');
    const replayMs = (queued.length + 2) * (roundTripMs(setup, 'B') + 10) + setup.executeTimeoutMs;
    const levelMs = lastAppliedMs(queued, 'B');
    course.must(
      'B has it all soon',
      levelMs <= closedMs + replayMs,
      () => `at ${levelMs}, closed at ${closedMs}`,
    );
    course.mustBeEqual();
    return course.violations;
  },
};
