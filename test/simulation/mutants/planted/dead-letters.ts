import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'dead-letter-counted-not-stored',
    breaks:
      'A dead letter is kept until an operator decides. ' +
      'Here one that comes straight from the write is only counted.',
    changes: [
      {
        replace: `this.#letters.set(id, dead);`,
        by: `if (dead.attempts > 0) this.#letters.set(id, dead);`,
      },
    ],
  },
  {
    name: 'dead-letter-ids-without-side',
    breaks:
      'Both sides of an operation may have a dead letter. Here the second takes the place of the first.',
    changes: [
      {
        replace: `
          function idOf({ operationId, cluster, generation }: Envelope): string {
            return \`\${operationId}:\${cluster}:\${generation}\`;`,
        by: `
          function idOf({ operationId, generation }: Envelope): string {
            return \`\${operationId}:\${generation}\`;`,
      },
    ],
  },
  {
    name: 'requeue-keeps-the-generation',
    breaks:
      'The generation rises on every requeue. ' +
      'Here it stays, so that a durable queue would take the envelope for one that it knows.',
    changes: [
      {
        replace: `this.#owner.requeue({ ...envelope, generation: envelope.generation + 1 });`,
        by: `this.#owner.requeue(envelope);`,
      },
    ],
  },
  {
    name: 'requeue-repeats-what-is-in-doubt',
    breaks:
      'Dead letters in doubt are requeued only by force. ' +
      'Here only those that come straight from a write are held back.',
    changes: [
      {
        replace: `const letters = this.#select(ids).filter(([, { reason }]) => reason !== 'inDoubt' || force);`,
        by: `
          const letters = this.#select(ids).filter(
            ([, { reason, attempts }]) => reason !== 'inDoubt' || force || attempts > 0,
          );`,
      },
    ],
  },
  {
    name: 'requeue-stamps-anew',
    breaks:
      'An envelope keeps the write time of its operation for ever. ' +
      'Here an operator who puts it back into the queue gives it a new one.',
    changes: [
      {
        replace: `
          for (const [id, { envelope }] of fitting) {
            this.#remove(id);
            this.#owner.requeue({ ...envelope, generation: envelope.generation + 1 });`,
        by: `
          for (const [id, { envelope, deadAtMs }] of fitting) {
            this.#remove(id);
            this.#owner.requeue({
              ...envelope,
              generation: envelope.generation + 1,
              timestampUs: deadAtMs * 1_000,
            });`,
      },
    ],
  },
];
