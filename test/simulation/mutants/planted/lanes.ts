import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'gate-never-on-probation',
    breaks:
      'A target that answers pings and takes nothing is given one envelope at a time, with a pause ' +
      'after each. ' +
      'Here it is given all that wait, one attempt after the other.',
    changes: [
      {
        replace: `
          if (isOnProbation(gate)) return { kind: 'closed', refusals: gate.refusals + 1, failedPings: 0 };
          // An answer is as good as that to a ping.
          return event === 'notTaken' ? { kind: 'open', refusals: 1 } : { kind: 'checking', refusals: 1 };`,
        by: `return event === 'notTaken' ? gate : { kind: 'checking', refusals: 0 };`,
      },
    ],
  },
  {
    name: 'gate-stays-open-in-doubt',
    breaks:
      'Replay to a target that is not well is halted, and probed. ' +
      'Here a delivery that ends in doubt changes nothing.',
    changes: [
      {
        replace: `if (event === 'doubted') return { kind: 'checking', refusals: gate.refusals };`,
        by: `if (event === 'doubted') return gate;`,
      },
    ],
  },
  {
    name: 'gate-trouble-of-one-blocks-all',
    specs: 'replay/worker.spec.ts',
    breaks:
      'Envelopes that fail while the target is well are delayed one by one and never block the lane. ' +
      'Here one that cannot be applied keeps its place, and closes the lane each time.',
    changes: [
      {
        replace: `if (this.isOpen && answers !== this.#answers) return this.#retry(attempts);`,
        by: `if (this.isOpen && answers !== this.#answers) return { kind: 'release' };`,
      },
      {
        replace: `return wasOnProbation ? this.#retry(attempts) : { kind: 'release' };`,
        by: `return { kind: 'release' };`,
      },
    ],
  },
  {
    name: 'gate-waits-longer-for-each-refusal',
    breaks:
      'A target that answers pings and refuses some envelopes is given the next one soon. ' +
      'Here each that is refused doubles the wait, as if the target were down.',
    changes: [
      {
        replace: `: backoffMs(REFUSAL_BACKOFF, refusals - 2, random);`,
        by: `: backoffMs(PROBE_BACKOFF, refusals - 2, random);`,
      },
    ],
  },
  {
    name: 'h16-one-worker-for-both-sides',
    breaks:
      'H16: a lane per side, so that a dead cluster never delays the other. ' +
      'Here replay goes on when all its targets are well.',
    changes: [
      {
        replace: `this.#lanes = { A: laneTo('A', targets.A), B: targets.B && laneTo('B', targets.B) };`,
        by: `
          const ping = async (timeoutMs: number): Promise<void> => {
            await Promise.all([targets.A.ping(timeoutMs), targets.B?.ping(timeoutMs)]);
          };
          const withAll = (target: ReplayTarget): ReplayTarget => ({
            ping,
            apply: (envelope, timeoutMs) => target.apply(envelope, timeoutMs),
          });
          this.#lanes = { A: laneTo('A', withAll(targets.A)), B: targets.B && laneTo('B', withAll(targets.B)) };`,
      },
    ],
  },
  {
    name: 'h5-poison-is-retried',
    breaks:
      'H5: an envelope that its cluster refuses becomes a dead letter at once. ' +
      'Here it is tried again, for ever.',
    changes: [
      {
        replace: `return this.#dead(envelope, 'rejected', outcome.error);`,
        by: `return this.#retry(attempts);`,
      },
    ],
  },
  {
    name: 'lane-outage-costs-attempts',
    breaks:
      'While a target is down what waits for it keeps its place, and is there at once when it is back. ' +
      'Here a delivery that does not reach it is delayed by itself, and longer each time.',
    changes: [
      {
        replace: `return wasOnProbation ? this.#retry(attempts) : { kind: 'release' };`,
        by: `return this.#retry(attempts);`,
      },
    ],
  },
  {
    name: 'lane-repeats-what-is-in-doubt',
    breaks:
      'Class once: an ambiguous end of a replay is a dead letter, never another attempt. ' +
      'Here it is one only if the target does not answer the ping.',
    changes: [
      {
        replace: `
          if (envelope.class === 'once') return this.#dead(envelope, 'inDoubt', error);
          const isWell = era === this.#era && this.#gate.kind === 'checking' && (await this.#ping);`,
        by: `
          const isWell = era === this.#era && this.#gate.kind === 'checking' && (await this.#ping);
          if (envelope.class === 'once' && !isWell) return this.#dead(envelope, 'inDoubt', error);`,
      },
    ],
  },
  {
    name: 'lane-resume-ends-a-drain',
    breaks: 'A drain is over when the control plane says so. Here an operator who resumes replay ends it.',
    changes: [{ replace: `this.#pausedBy.delete(by);`, by: `this.#pausedBy.clear();` }],
  },
  {
    name: 'lane-start-ignores-a-drain',
    breaks:
      'A draining cluster is not replayed to, and not probed. ' +
      'Here a process that learns of the drain before it replays does not heed it.',
    changes: [
      {
        replace: `
          this.#lane = this.#on.replayer.consume(this.#on.cluster, (delivery) => this.#deliver(delivery));
          this.#resumeUnlessPaused();`,
        by: `
          this.#lane = this.#on.replayer.consume(this.#on.cluster, (delivery) => this.#deliver(delivery));
          this.#advance('resumed');`,
      },
    ],
  },
  {
    name: 'lane-outcome-lost-when-it-cannot-be-understood',
    breaks:
      'A request ends, whatever is thrown while its error is read. ' +
      'Here what the classifier throws goes on, and nobody ever hears of the request.',
    changes: [
      {
        replace: `export function classifyWriteError(thrown: unknown, context: ClassifyContext): FailedOutcome {`,
        by: `
          export function classifyWriteError(thrown: unknown, context: ClassifyContext): FailedOutcome {
            if (context.stage === 'execute' && (thrown as { code?: unknown }).code === CODE.overloaded) throw new TypeError();`,
      },
      {
        replace: `return { kind: 'ambiguous', error: toError(error) };
    }
  }

  private tell(`,
        by: `throw error;
    }
  }

  private tell(`,
      },
    ],
  },
  {
    name: 'lane-time-limit-is-success',
    breaks:
      'An envelope is applied when its target says so. ' +
      'Here one that the target has not answered in time counts as applied.',
    changes: [
      {
        replace: `return { kind: 'ambiguous', error: timeoutError(\`The target did not answer\${when}\`) };`,
        by: `return { kind: 'applied', when } as never;`,
      },
    ],
  },
];
