import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'decision-both-draining-sent',
    breaks: 'Decision table, row "both draining": it is sent all the same.',
    changes: [
      {
        replace: `
          const againstA = this.#skipFor('A');
          const againstB = this.#skipFor('B');`,
        by: `
          const areDraining = this.#draining.A && this.#draining.B;
          const againstA = areDraining ? undefined : this.#skipFor('A');
          const againstB = areDraining ? undefined : this.#skipFor('B');`,
      },
    ],
  },
  {
    name: 'decision-last-hope-draining-by-now',
    breaks: 'A side that has begun to drain since the write began is tried after all.',
    changes: [
      {
        replace: `return this.#hasRoom(cluster) && !this.#isDraining(cluster);`,
        by: `return this.#hasRoom(cluster);`,
      },
    ],
  },
  {
    name: 'decision-last-hope-over-limit',
    breaks: 'A side at its in-flight limit is tried after all while it is still at it.',
    changes: [
      {
        replace: `return this.#hasRoom(cluster) && !this.#isDraining(cluster);`,
        by: `return !this.#isDraining(cluster);`,
      },
    ],
  },
  {
    name: 'decision-limit-both-queued',
    breaks: "Both sides at their in-flight limit with whenBothFail 'queue': queued instead of refused.",
    changes: [
      {
        replace: `if (isFull && (againstA === againstB || !replayer)) throw this.#overloaded(operation);`,
        by: `if (isFull && ((againstA === againstB && whenBothFail === 'throw') || !replayer)) throw this.#overloaded(operation);`,
      },
      {
        replace: `if (isSkipped(a, 'limit') && isSkipped(b, 'limit')) return { kind: 'overloaded' };`,
        by: '',
      },
    ],
  },
  {
    name: 'decision-limit-both-sent',
    breaks: 'Both sides at their in-flight limit: it is sent to both all the same.',
    changes: [
      {
        replace: `if (isFull && (againstA === againstB || !replayer)) throw this.#overloaded(operation);`,
        by: `
          if (isFull && !replayer) throw this.#overloaded(operation);
          if (isFull && againstA === againstB) return ADMITTED;`,
      },
    ],
  },
  {
    name: 'decision-limit-one-sent',
    breaks: 'One side at its in-flight limit is not left out.',
    changes: [
      {
        replace: `if (!this.#hasRoom(cluster)) return SKIPPED_BY_LIMIT;`,
        by: `if (!this.#hasRoom(cluster) && !this.#hasRoom(otherCluster(cluster))) return SKIPPED_BY_LIMIT;`,
      },
    ],
  },
  {
    name: 'decision-no-queue-full-side',
    breaks:
      'replayer: false: a side at its in-flight limit is left out, although nobody would bring the ' +
      'write there later.',
    changes: [
      {
        replace: `if (isFull && (againstA === againstB || !replayer)) throw this.#overloaded(operation);`,
        by: `if (isFull && againstA === againstB) throw this.#overloaded(operation);`,
      },
    ],
  },
  {
    name: 'decision-no-queue-left-out',
    breaks:
      'replayer: false: a side is left out for its breaker, although nobody would bring the write there ' +
      'later.',
    changes: [
      {
        replace: `return replayer && !failover.isAvailable(cluster) ? SKIPPED_BY_BREAKER : undefined;`,
        by: `return !failover.isAvailable(cluster) ? SKIPPED_BY_BREAKER : undefined;`,
      },
    ],
  },
  {
    name: 'decision-reservation-refused-sent',
    breaks: "onReplayLost 'throw': a write that the queue has no room for is sent all the same.",
    changes: [
      {
        replace: `else if (this.options.onReplayLost === 'throw') throw this.#queueFull(cluster, operation);`,
        by: '',
      },
    ],
  },
  {
    name: 'h6-breaker-does-not-skip-writes',
    breaks:
      'H6: a side whose breaker is open is left out of writes. ' +
      'Here the breaker is kept for reads and replay.',
    changes: [
      {
        replace: `return replayer && !failover.isAvailable(cluster) ? SKIPPED_BY_BREAKER : undefined;`,
        by: `return !replayer && !failover.isAvailable(cluster) ? SKIPPED_BY_BREAKER : undefined;`,
      },
    ],
  },
  {
    name: 'reservation-leaks-on-refusal',
    breaks:
      'Room that was kept for a write that is refused is given back. ' +
      'Here what was kept for A is not, when there is none for B.',
    changes: [
      {
        replace: `
          } catch (error) {
            release(reservations);`,
        by: `} catch (error) {`,
      },
    ],
  },
];
