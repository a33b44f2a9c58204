import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'life-blocked-is-unreached',
    breaks: 'A cluster that refuses the credentials is blocked. Here it counts as one that was not reached.',
    changes: [
      {
        replace: `return { kind: error.isBlocked ? 'blocked' : 'unreached', error };`,
        by: `return { kind: 'unreached', error };`,
      },
    ],
  },
  {
    name: 'life-blocked-read-is-unreached',
    breaks: 'The same, of reads alone: what Helix itself has thrown is not told apart.',
    changes: [
      {
        replace: `
          export function classifyReadError(thrown: unknown): FailedOutcome {
            const own = ownFailure(thrown);
            if (own) return own;`,
        by: `export function classifyReadError(thrown: unknown): FailedOutcome {`,
      },
    ],
  },
  {
    name: 'life-blocked-write-is-unreached',
    breaks: 'The same, of writes and replay alone: what Helix itself has thrown is not told apart.',
    changes: [
      {
        replace: `
          export function classifyWriteError(thrown: unknown, context: ClassifyContext): FailedOutcome {
            const own = ownFailure(thrown);
            if (own) return own;`,
        by: `export function classifyWriteError(thrown: unknown, context: ClassifyContext): FailedOutcome {`,
      },
    ],
  },
  {
    name: 'life-cancelled-although-sent',
    breaks:
      'notApplied means that nothing was sent, and nothing will be. ' +
      'Here a caller that goes is told so although A was sent to.',
    changes: [
      {
        replace: `if (this.#state & (SENT.A | SENT.B)) return false;`,
        by: `if (this.#state & SENT.B) return false;`,
      },
    ],
  },
  {
    name: 'life-expired-is-sent',
    breaks:
      'What has not been sent when the time of its side is over never is. Here it is, once it is prepared.',
    changes: [
      {
        replace: `if (isOver) return Promise.reject(new Error('Its time was over before it could be sent'));`,
        by: '',
      },
    ],
  },
  {
    name: 'life-expires-the-other-side',
    breaks: 'Each side has its own time. Here B is not sent any more once the time of A is over.',
    changes: [
      {
        replace: `this.#state |= cluster === 'A' ? EXPIRED.A : EXPIRED.B;`,
        by: `this.#state |= cluster === 'A' ? EXPIRED.A | EXPIRED.B : EXPIRED.B;`,
      },
    ],
  },
  {
    name: 'life-sent-is-unreached',
    breaks: 'A write that was sent and not answered in time is in doubt. Here it counts as not sent.',
    changes: [
      {
        replace: `const kind = this.wasSent(cluster) ? 'ambiguous' : 'unreached';`,
        by: `const kind = 'unreached' as const;`,
      },
    ],
  },
  {
    name: 'life-stage-of-the-other-side',
    breaks:
      'An error means what it does at the stage that was reached on its own side. ' +
      'Here B is judged by how far A has come.',
    changes: [
      {
        replace: `this.classifyAt(error, this.wasSent(cluster) ? 'execute' : 'prepare')`,
        by: `this.classifyAt(error, this.wasSent('A') ? 'execute' : 'prepare')`,
      },
    ],
  },
  {
    name: 'life-unsent-is-ambiguous',
    breaks:
      'A side that nothing was sent to has certainly not applied the write. Here its time is over, so it is in doubt.',
    changes: [
      {
        replace: `const kind = this.wasSent(cluster) ? 'ambiguous' : 'unreached';`,
        by: `const kind = 'ambiguous' as const;`,
      },
    ],
  },
];
