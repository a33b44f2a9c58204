import type { Mutant } from '../mutant.js';

// A cluster that hangs: who finds it out, what is decided then, and how it comes back.

export const mutants: readonly Mutant[] = [
  {
    name: 'silence-answer-does-not-count',
    breaks: 'Anything that comes from a suspected cluster ends the suspicion. Here the ping alone decides.',
    changes: [
      {
        replace: `
          hearing.earliestMs = this.#lastRoundMs;
          hearing.latestMs = nowMs;
          hearing.hasBegunAnew = false;
          this.#become(cluster, 'alive');`,
        by: `
          hearing.earliestMs = this.#lastRoundMs;
          hearing.latestMs = nowMs;
          hearing.hasBegunAnew = false;`,
      },
    ],
  },
  {
    name: 'silence-aborted-receipt-guesses',
    breaks:
      'What a caller that goes is told of both sides is what has been answered. Here it is what is hoped for.',
    changes: [
      {
        replace: `outcome?.kind === 'applied' || outcome?.kind === 'rejected' ? outcome.kind : 'pending';`,
        by: `outcome?.kind === 'rejected' ? outcome.kind : 'applied';`,
      },
    ],
  },
  {
    name: 'silence-breaker-hears-its-own-pings-only',
    breaks: "A ping that is answered closes a breaker, whoever sent it. Here only the breaker's own does.",
    changes: [
      {
        replace: `
          if (event === 'pingSucceeded') return CLOSED;
          return event === 'pingDue' ? HALF_OPEN : breaker;`,
        by: `return event === 'pingDue' ? HALF_OPEN : breaker;`,
      },
    ],
  },
  {
    name: 'silence-deadline-aborts-what-is-applied',
    breaks: 'A deadline never turns what is known to be applied into an abort. Here it does.',
    changes: [
      {
        replace: `if (why === 'overdue' && (isQueued || write?.answerNow())) return 'answered';`,
        by: `if (why === 'overdue' && isQueued) return 'answered';`,
      },
    ],
  },
  {
    name: 'silence-deadline-aborts-what-a-strategy-has-applied',
    breaks: 'The same, where a strategy sends to one side after the other.',
    changes: [
      {
        replace: `if (a !== APPLIED && b !== APPLIED) return false;`,
        by: `if (a !== APPLIED || b !== APPLIED) return false;`,
      },
    ],
  },
  {
    name: 'silence-delivery-stays',
    breaks:
      'A delivery to a dead cluster goes back into the queue. Here it holds its place until its own time is over.',
    changes: [
      {
        replace: `if (this.envelope.class === 'idempotent' && this.wire.detector.isGivenUp(cluster)) this.giveUp(cluster);`,
        by: `void cluster;`,
      },
    ],
    specs: 'replay/worker.spec.ts',
  },
  {
    name: 'silence-early-answer-forgets-the-side',
    breaks:
      'A side that is pending when the caller is answered still gets its row. Here nobody looks how it ends.',
    changes: [
      {
        replace: `
          if (this.#endPending) {
            this.#endPending(outcome);
            return;
          }`,
        by: `if (this.#endPending) return;`,
      },
    ],
  },
  {
    name: 'silence-early-answer-of-a-strategy-forgets-the-side',
    breaks: 'The same, where the caller is answered before a strategy has.',
    changes: [
      {
        replace: `const settled = this.#outcomes.then((all) => all[side]);`,
        by: `const settled = this.#outcomes.then((all) => new Promise<Outcome>(() => side && all));`,
      },
    ],
  },
  {
    name: 'silence-flapping-is-hammered',
    breaks: 'A cluster that comes and goes is asked less often each time. Here it is asked as often as ever.',
    changes: [
      {
        replace: `Math.min(this.resetTimeoutMs, usualMs * 2 ** this.#flaps);`,
        by: `Math.min(this.resetTimeoutMs, usualMs);`,
      },
    ],
  },
  {
    name: 'silence-host-up-is-ignored',
    breaks:
      'An avoided cluster is asked at once when its driver says that a host is up. Here the next pause is waited for.',
    changes: [
      {
        replace: `if (this.#flaps <= MOST_FLAPS || nowMs - this.#openedMs >= GONE_MS) this.on('pingDue');`,
        by: ``,
      },
    ],
  },
  {
    name: 'silence-in-doubt-is-applied',
    breaks: 'What a dead cluster was sent is in doubt. Here it counts as applied.',
    changes: [
      {
        replace: `this.tell(cluster, { ...this.unanswered(cluster, 'dead'), scope: 'connection' }, undefined);`,
        by: `
          this.unanswered(cluster, 'dead');
          this.tell(cluster, APPLIED, undefined);`,
      },
    ],
  },
  {
    name: 'silence-late-answer-counted-twice',
    breaks: 'What comes when nobody waits for it is counted off the wire once. Here it is counted twice.',
    changes: [
      {
        replace: `
          traffic.late++;
          return false;`,
        by: `
          traffic.late++;
          traffic.ended++;
          return false;`,
      },
    ],
  },
  {
    name: 'silence-never-suspected',
    breaks: 'A silent cluster is found out. Here everybody waits until their time is over.',
    changes: [
      {
        replace: `if (this.options.suspectAfterMs === 0 || this.#isEnded || hearing.liveness !== 'alive') return false;`,
        by: `if (this.options.suspectAfterMs >= 0 || this.#isEnded || hearing.liveness !== 'alive') return false;`,
      },
    ],
  },
  {
    name: 'silence-not-asked-is-dead',
    breaks: 'A ping that could not be sent decides nothing. Here it counts as not answered.',
    changes: [
      {
        replace: `this.#become(cluster, sign === 'silent' ? 'dead' : 'alive');`,
        by: `this.#become(cluster, sign !== 'answered' ? 'dead' : 'alive');`,
      },
    ],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-of-both-decides',
    breaks: 'While the other cluster is silent too nothing is decided without one. Here both are given up.',
    changes: [
      {
        replace: `return this.isDead(cluster) && this.#hearings[otherCluster(cluster)].liveness === 'alive';`,
        by: `return this.isDead(cluster) && this.#hearings[otherCluster(cluster)] !== undefined;`,
      },
    ],
  },
  {
    name: 'silence-pauses-never-grow',
    breaks: 'An open breaker asks at growing pauses. Here it goes on asking every 250 ms.',
    changes: [
      {
        replace: `Math.min(LAST_PING_MS, FIRST_PING_MS * 2 ** this.#failedPings);`,
        by: `Math.min(LAST_PING_MS, FIRST_PING_MS + 0 * this.#failedPings);`,
      },
    ],
  },
  {
    name: 'silence-read-asks-nobody',
    breaks: 'A read that waits for a dead cluster asks the other one. Here it goes on waiting.',
    changes: [{ replace: `this.#isGivenUp = this.read.givenUp(this);`, by: `void this.read.givenUp;` }],
  },
  {
    name: 'silence-released-before-the-verdict',
    breaks: 'Nothing is released before the ping has gone unanswered. Here a suspicion is enough.',
    changes: [
      {
        replace: `return (cluster === 'A' ? this.#hearings.A : this.#hearings.B).liveness === 'dead';`,
        by: `return (cluster === 'A' ? this.#hearings.A : this.#hearings.B).liveness !== 'alive';`,
      },
    ],
  },
  {
    name: 'silence-released-each-counts',
    breaks: 'A dead cluster counts once against itself, however much waited for it. Here each release does.',
    changes: [
      {
        replace: `this.tell(cluster, { ...this.unanswered(cluster, 'dead'), scope: 'connection' }, undefined);`,
        by: `this.tell(cluster, this.unanswered(cluster, 'dead'), undefined);`,
      },
    ],
    specs: 'core/early-answers.spec.ts',
  },
  {
    name: 'silence-released-once',
    breaks:
      'A write that must not be applied twice waits for its own deadline. Here it is released as others are.',
    changes: [
      {
        replace: `return detector.hasDead && detector.isGivenUp(cluster) && this.operation.class === 'idempotent';`,
        by: `return detector.isGivenUp(cluster);`,
      },
    ],
  },
  {
    name: 'silence-released-late',
    breaks:
      'What a dead cluster alone has not answered is not waited for. Here each write waits for a round.',
    changes: [
      {
        replace: `
          if (this.isGivenUp(missing)) this.giveUp(missing);
          else if (this.stragglerMs === 0`,
        by: `if (this.stragglerMs === 0`,
      },
    ],
    specs: 'core/early-answers.spec.ts',
  },
  {
    name: 'silence-released-unheard',
    breaks: 'A cluster is dead until anything comes from it. Here it is until the next round.',
    changes: [
      {
        replace: `
          this.#listen('A', nowMs);
          this.#listen('B', nowMs);
          return`,
        by: `return`,
      },
    ],
  },
  {
    name: 'silence-slow-is-dead',
    breaks:
      'A cluster whose pings take long has longer to answer. Here it has as long as any other, and is found dead again and again.',
    changes: [
      {
        replace: `if (!isLong) hearing.roundTripMs = latencyMs;`,
        by: `if (!isLong) hearing.roundTripMs = 0;`,
      },
    ],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-slow-for-good',
    breaks: 'Whether a cluster is still slow is found out again. Here it stays slow, and a hang costs more.',
    changes: [
      {
        replace: `if (isLong || this.#isSlow(hearing)) this.#measureIn(cluster, wasSlow ? MEASURE_AGAIN_MS : 0);`,
        by: `if (isLong) this.#measureIn(cluster, wasSlow ? MEASURE_AGAIN_MS : 0);`,
      },
    ],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-stall-is-suspicious',
    breaks: 'While the process itself stood still nothing could be heard. Here that counts as silence.',
    changes: [
      {
        replace: `if (isLate && this.#beginsAnew(cluster, nowMs)) continue;`,
        by: `if (isLate && nowMs < 0 && this.#beginsAnew(cluster, nowMs)) continue;`,
      },
    ],
  },
  {
    name: 'silence-stalls-without-end',
    breaks:
      'A silence begins anew once, when the process stood still. Here it does each time, and one that works on and on never finds out that a cluster hangs.',
    changes: [
      {
        replace: `hearing.hasBegunAnew = hearing.latestMs < nowMs;`,
        by: `hearing.hasBegunAnew = nowMs < 0;`,
      },
    ],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-grace-without-end',
    breaks:
      'A deadline that is over late gets a second of grace in all. Here it gets more each time, and may never be over.',
    changes: [{ replace: `this.#givenMs += grace;`, by: `this.#givenMs = 0;` }],
    specs: 'core/deadlines.spec.ts',
  },
  {
    name: 'silence-late-ping-decides',
    breaks:
      'A ping during which the process stood still is sent again. Here a cluster is dead that had no chance to answer.',
    changes: [
      {
        replace: `if (sign === 'silent' && wasLate && late < MOST_LATE_PINGS) continue;`,
        by: `if (sign === 'silent' && wasLate && late < 0) continue;`,
      },
    ],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-very-slow-is-dead',
    breaks:
      'Two pings in a row that take longer than 2 s say that a cluster is that slow. Here it is found dead again and again.',
    changes: [{ replace: `else if (hearing.longMs > 0) {`, by: `else if (hearing.longMs < 0) {` }],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-thaw-is-slow',
    breaks:
      'One ping that took longer than 2 s may have found the cluster hanging. Here it is taken for that slow.',
    changes: [{ replace: `if (!isLong) hearing.roundTripMs`, by: `if (latencyMs > 0) hearing.roundTripMs` }],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-preparing-does-not-count',
    breaks:
      'A cluster that has prepared a statement is there. Here it is not heard, and its slow writes count against it.',
    changes: [{ replace: `this.#hearings[cluster].beside++;`, by: `void cluster;` }],
    specs: 'core/failure-detector.spec.ts',
  },
  {
    name: 'silence-straggler-limit-of-both',
    breaks: "With ack 'both' nothing is left pending by the straggler limit. Here it is.",
    changes: [
      {
        replace: `nowMs - this.#halfMs >= stragglerMs && operation.ack === 'any') {`,
        by: `nowMs - this.#halfMs >= stragglerMs && operation.ack !== undefined) {`,
      },
    ],
  },
  {
    name: 'silence-straggler-waits-for-ever',
    breaks:
      'Once one side has applied a write the other is waited for no longer than stragglerMs. Here it is.',
    changes: [
      {
        replace: `nowMs - this.#halfMs >= stragglerMs &&`,
        by: `nowMs - this.#halfMs >= stragglerMs + 60_000 &&`,
      },
    ],
  },
  {
    name: 'silence-stuck-dead',
    breaks: 'A dead cluster that nobody sends to is asked again. Here it stays dead until somebody does.',
    changes: [
      {
        replace: `hearing.askAgain = liveness === 'dead' ? this.#askAgain(cluster) : undefined;`,
        by: `hearing.askAgain = undefined;`,
      },
    ],
  },
  {
    name: 'silence-suspected-too-soon',
    breaks:
      'A cluster is suspected when a request has waited for suspectAfterMs. Here any that waits is enough.',
    changes: [{ replace: `return nowMs - sinceMs >= patienceMs;`, by: `return nowMs > sinceMs;` }],
  },
];
