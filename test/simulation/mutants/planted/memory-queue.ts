import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'h16-half-the-capacity-for-each-priority',
    breaks: 'H16: the memory queue is bounded as a whole. Here each priority has half of it.',
    changes: [
      {
        replace: `return A.size + B.size;`,
        by: `
            return A.size + B.size;
          }

          #sizeOf(priority: Envelope['priority']): number {
            return this.#sides.A.sizeOf(priority) + this.#sides.B.sizeOf(priority);`,
      },
      {
        replace: `return envelopes.length > this.#room() ?`,
        by: `
          return envelopes.length > this.#room() ||
            envelopes.some(({ priority }) => 2 * this.#sizeOf(priority) >= this.#capacity) ?`,
      },
      {
        replace: `return this.#held.size;`,
        by: `
            return this.#held.size;
          }

          sizeOf(priority: string): number {
            return [...this.#held].filter(({ envelope }) => envelope.priority === priority).length;`,
      },
    ],
  },
  {
    name: 'h16-half-the-capacity-for-each-side',
    breaks: 'H16: the memory queue is bounded as a whole. Here each side has half of it.',
    changes: [
      {
        replace: `return envelopes.length > this.#room() ?`,
        by: `
          return envelopes.length > this.#room() ||
            envelopes.some(({ cluster }) => 2 * this.#sides[cluster].size >= this.#capacity) ?`,
      },
    ],
  },
  {
    name: 'h16-poison-cycles',
    breaks:
      'H16: a dead letter leaves the queue. ' +
      'Here the queue keeps what is refused, and delivers it again every second.',
    changes: [
      {
        replace: `
          case 'dead':
            side.remove(held);`,
        by: `
          case 'dead':
            if (verdict.reason === 'rejected') {
              this.#require().delayed.add(held, 1_000);
              return;
            }
            side.remove(held);`,
      },
    ],
  },
  {
    name: 'queue-close-forgets-dead-letters',
    breaks:
      'What a volatile queue cannot keep is reported at the end, dead letters included. ' +
      'Here they are forgotten without a word.',
    changes: [{ replace: `remaining.push(envelope);`, by: '' }],
  },
  {
    name: 'queue-close-forgets-delayed',
    breaks: 'What a volatile queue cannot keep is reported at the end. Here only what was never tried is.',
    changes: [
      {
        replace: `remaining.push(held.envelope);`,
        by: `if (held.attempts === 0) remaining.push(held.envelope);`,
      },
    ],
  },
  {
    name: 'queue-delayed-drops-equals',
    breaks:
      'Every envelope that failed comes again after its delay. ' +
      'Here of several that are due at the same moment only the first does.',
    changes: [
      {
        replace: `this.#onDue(soonest.item);`,
        by: `
          this.#onDue(soonest.item);
          while (this.#heap[0]?.dueMs === soonest.dueMs) this.#removeSoonest();`,
      },
    ],
  },
  {
    name: 'queue-delayed-heap-of-two',
    breaks:
      'Every envelope that failed comes again after its delay, once. ' +
      'Here of the last two that wait the first comes twice and the second never.',
    changes: [
      {
        replace: `if (!moved || this.#heap.length === 0) return;`,
        by: `if (!moved || this.#heap.length <= 1) return;`,
      },
    ],
  },
  {
    name: 'queue-delayed-timer-set-once',
    breaks:
      'An envelope that failed comes again after its delay. ' +
      'Here the queue looks for a next one only if it is due earlier than the one before.',
    changes: [
      {
        replace: `
          this.#timerDueMs = Infinity;
          const nowMs = this.#clock.monotonicMs();`,
        by: `const nowMs = this.#clock.monotonicMs();`,
      },
    ],
  },
  {
    name: 'queue-enqueues-one-by-one',
    breaks:
      'enqueue takes all envelopes or none. ' +
      'Here the first is taken although there is no room for the second.',
    changes: [
      {
        replace: `
          const refusal = this.#refusal(envelopes);
          if (refusal) return this.#refuse(envelopes, refusal);
          for (const envelope of envelopes) {`,
        by: `
          for (const envelope of envelopes) {
            const refusal = this.#refusal([envelope]);
            if (refusal) return this.#refuse([envelope], refusal);`,
      },
    ],
  },
  {
    name: 'queue-put-back-loses-the-tail',
    breaks:
      'An envelope leaves the queue only by being applied or as a dead letter. ' +
      'Here the one that is put back last does not become the end of its list: what comes after it is ' +
      'never found.',
    changes: [{ replace: `if (!behind) this.#last = held;`, by: '' }],
  },
  {
    name: 'queue-release-forgets',
    breaks:
      'An envelope leaves the queue only by being applied or as a dead letter. ' +
      'Here one that comes back because its target went away is not put back when it had been tried ' +
      'before.',
    changes: [
      {
        replace: `side.putBack(held);`,
        by: `
          if (held.attempts > 0) side.remove(held);
          else side.putBack(held);`,
      },
    ],
  },
  {
    name: 'queue-retry-on-the-wrong-side',
    breaks: 'A lane per side. Here what has failed once comes again on the lane of A, whichever it is for.',
    changes: [
      {
        replace: `this.#sides[held.envelope.cluster].append(held),`,
        by: `this.#sides.A.append(held),`,
      },
    ],
  },
  {
    name: 'queue-taken-keeps-its-link',
    breaks:
      'An envelope is delivered once at a time. ' +
      'Here one that is taken out of its list still points at the next one, and brings it along when it ' +
      'comes back.',
    changes: [
      {
        replace: `
          if (!this.#first) this.#last = undefined;
          held.next = undefined;`,
        by: `if (!this.#first) this.#last = undefined;`,
      },
    ],
  },
  {
    name: 'queue-takes-half-of-a-batch',
    breaks: 'enqueue takes all envelopes or none. Here it looks for room for one of them only.',
    changes: [
      {
        replace: `return envelopes.length > this.#room() ?`,
        by: `return this.#room() < 1 ?`,
      },
    ],
  },
  {
    name: 'reservation-reserves-nothing',
    breaks:
      'Where a side is known to be bad, room in the queue is kept before anything is sent. ' +
      'Here it is only looked at.',
    changes: [
      {
        replace: `this.#reserved += count;`,
        by: '',
      },
      {
        replace: `if (isHeld) this.#reserved -= count;`,
        by: '',
      },
    ],
  },
  {
    name: 'sync-point-resolves-at-the-end',
    breaks:
      'A sync point that the end overtakes is not reached. ' +
      'Here what the queue hands back counts as dealt with.',
    changes: [
      {
        replace: `
          side.dropped++;
          remaining.push(held.envelope);`,
        by: `
          side.dropped++;
          this.#positions.leave(held.presence, 'deadLettered');
          remaining.push(held.envelope);`,
      },
      {
        replace: `
          this.#positions.fail(
            new SessionClosedError(
              'The replay queue was closed while envelopes were waited for: they were handed back.',
            ),
          );`,
        by: '',
      },
    ],
  },
];
