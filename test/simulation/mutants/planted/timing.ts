import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'deadlines-lose-the-tail',
    breaks:
      'Each side has its own deadline. ' +
      'Here one that begins right after the last one was met is not kept.',
    changes: [{ replace: `else this.#last = previous;`, by: '' }],
  },
  {
    name: 'h13-timestamps-go-back',
    breaks:
      'H13: write times of a process strictly increase, also when the wall clock is set back. ' +
      'Here they follow it when it is more than a second behind.',
    changes: [
      {
        replace: `this.#aheadCount++;`,
        by: `
          this.#aheadCount++;
          this.#lastUs = this.#anchorUs;`,
      },
    ],
  },
  {
    name: 'h13-timestamps-repeat',
    breaks:
      'H13: write times of a process strictly increase. Here two writes of one microsecond share theirs.',
    changes: [
      {
        replace: `return (this.#lastUs = nowUs > this.#lastUs ? nowUs : this.#lastUs + 1);`,
        by: `return (this.#lastUs = nowUs >= this.#lastUs ? nowUs : this.#lastUs + 1);`,
      },
    ],
  },
  {
    name: 'sync-point-waits-for-the-oldest-only',
    breaks:
      'A sync point resolves once everything before it has been decided. ' +
      'Here two that are waited for at once may end with one of them for ever open.',
    changes: [
      {
        replace: `while (this.#oldest.open === 0 && this.#oldest.next) {`,
        by: `if (this.#oldest.open === 0 && this.#oldest.next) {`,
      },
    ],
  },
];
