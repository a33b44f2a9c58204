import type { Mutant } from '../mutant.js';

/** What the library itself has to notice: its own rules, broken in the way that corrupts in silence. */
export const mutants: readonly Mutant[] = [
  {
    name: 'breach-answered-twice',
    breaks: 'Each request is counted off the wire once. Here one that fails is counted off twice.',
    changes: [
      {
        replace: `else if (this.comesBack(cluster)) this.fail(cluster, error);`,
        by: `
          else if (this.comesBack(cluster)) {
            this.fail(cluster, error);
            this.comesBack(cluster);
          }`,
      },
    ],
  },
  {
    name: 'breach-barrier-left-twice',
    breaks:
      'What is under way leaves once. ' +
      'Here a write that was decided on leaves twice: without the guard, sync points would be reached too early.',
    changes: [
      {
        replace: `
          } finally {
            this.admissions.leave(holdings);`,
        by: `
          } finally {
            this.admissions.leave(holdings);
            this.admissions.leave(holdings);`,
      },
    ],
  },
  {
    name: 'breach-deadline-removed-twice',
    breaks:
      'A deadline leaves its list once. ' +
      'Here one of a read that is abandoned leaves twice: without the guard, no other one would ever expire.',
    changes: [
      {
        replace: `
          this.#state &= ~WAITED_FOR;
          this.wire.deadlines.remove(this);`,
        by: `
          this.#state &= ~WAITED_FOR;
          this.wire.deadlines.remove(this);
          this.wire.deadlines.remove(this);`,
      },
    ],
  },
  {
    name: 'breach-lane-does-not-add-up',
    breaks: 'Every envelope is in one place. Here one that is retried is counted as applied as well.',
    changes: [
      {
        replace: `
          case 'retry':
            held.attempts++;`,
        by: `
          case 'retry':
            side.applied++;
            held.attempts++;`,
      },
    ],
  },
];
