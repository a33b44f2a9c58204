import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'deadline-ends-one-side-only',
    breaks: 'Each side has its own deadline. Here B is waited for for ever when A is late, too.',
    changes: [
      { replace: `if (b) this.tell('B', b, undefined);`, by: `else if (b) this.tell('B', b, undefined);` },
    ],
  },
  {
    name: 'decision-aborted-before-sent',
    breaks: 'A signal that was aborted before the call: it is sent all the same.',
    changes: [
      {
        replace: `
          #runFor(operation: WriteOperation, call: WriteCall): Promise<WriteReceipt> {
            if (call.signal?.aborted) return Promise.reject(abortedBefore(call.signal, operation.masked));`,
        by: `#runFor(operation: WriteOperation, call: WriteCall): Promise<WriteReceipt> {`,
      },
    ],
  },
  {
    name: 'decision-aborted-later-notApplied',
    breaks: 'A signal that is aborted after something was sent: the caller is told that nothing was applied.',
    changes: [
      {
        replace: `if (!isQueued && operation.cancel()) return { outcome: 'notApplied' };`,
        by: `
          operation.cancel();
          if (!isQueued) return { outcome: 'notApplied' };`,
      },
    ],
  },
  {
    name: 'decision-aborted-not-cancelled',
    breaks:
      'A caller that goes before anything was sent: it is told that nothing was applied, and the write ' +
      'is sent later.',
    changes: [
      {
        replace: `if (!isQueued && operation.cancel()) return { outcome: 'notApplied' };`,
        by: `if (!isQueued && this.wire.inFlight.A + this.wire.inFlight.B === 0) return { outcome: 'notApplied' };`,
      },
    ],
  },
  {
    name: 'decision-aborted-not-settled',
    breaks: 'A caller that goes after something was sent: what one side misses is not queued any more.',
    changes: [
      {
        replace: `let [a, b] = await this.#asked(strategy, signal);`,
        by: `
          let [a, b] = await this.#asked(strategy, signal);
          signal?.throwIfAborted();`,
      },
    ],
  },
  {
    name: 'decision-aborted-prepared-sent',
    breaks:
      'A caller that goes while the statement is being prepared: it is told that nothing was applied, ' +
      'and the write is sent all the same.',
    changes: [{ replace: `if (isGone) operation.cancel();`, by: '' }],
  },
  {
    name: 'decision-last-hope-only-a',
    breaks: 'A side skipped for its breaker is tried after all only if it is A.',
    changes: [
      {
        replace: `return isLastHope(b, a) && this.#mayTry('B') ? 'B' : undefined;`,
        by: `return undefined;`,
      },
    ],
  },
  {
    name: 'in-flight-ends-with-the-deadline',
    breaks:
      'At most maxInFlight writes are on the wire to a side, whoever still waits for them. ' +
      'Here one that has missed its deadline is no longer counted.',
    changes: [
      {
        replace: `if (a) this.tell('A', a, undefined);`,
        by: `
          if (a) this.wire.traffic.A.ended++;
          if (a) this.tell('A', a, undefined);`,
      },
      {
        replace: `
          const traffic = isA ? wire.traffic.A : wire.traffic.B;
          traffic.ended++;`,
        by: `
          const traffic = isA ? wire.traffic.A : wire.traffic.B;
          if (!isA || state & WAITS_FOR.A) traffic.ended++;`,
      },
    ],
  },
  {
    name: 'in-flight-leaks-on-failure',
    breaks:
      'At most maxInFlight writes are on the wire to a side. ' +
      'Here a write that fails is counted for ever.',
    changes: [
      {
        replace: `
          else if (this.comesBack(cluster)) this.fail(cluster, error);
          else this.countMute(cluster);`,
        by: `else {
          const { ended } = this.wire.traffic[cluster];
          if (this.comesBack(cluster)) this.fail(cluster, error);
          this.wire.traffic[cluster].ended = ended;
        }`,
      },
    ],
  },
  {
    name: 'late-answer-counts',
    breaks:
      'What a side answers after its deadline changes nothing any more. ' +
      'Here an acknowledgement of A that comes late is still taken for an answer.',
    changes: [
      {
        replace: `if (this.comesBack(cluster)) this.tell(cluster, outcome, answer);`,
        by: `if (this.comesBack(cluster) || this.#state & WAITED_FOR) this.tell(cluster, outcome, answer);`,
      },
    ],
  },
  {
    name: 'late-answer-is-waited-for',
    breaks: 'Each side has its own deadline. Here one that was tried after all has none.',
    changes: [
      {
        replace: `
          if ((this.#state & WAITED_FOR) === 0) {
            wire.deadlines.add(this, nowMs);`,
        by: `
          if ((this.#state & WAITED_FOR) === 0 && this.startedMs === 0) {
            wire.deadlines.add(this, nowMs);`,
      },
      {
        replace: `if ((this.#state & WAITED_FOR) === 0) wire.deadlines.remove(this);`,
        by: `if ((this.#state & WAITED_FOR) === 0 && this.dueMs !== -Infinity) wire.deadlines.remove(this);`,
      },
    ],
  },
  {
    name: 'own-writes-not-noted-when-partial',
    breaks:
      'Inside a decorated call a read finds what the call has written. ' +
      'Here a write that fails with PartialWriteError is not noted, although one side has it.',
    changes: [
      {
        replace: `if (error instanceof PartialWriteError) context.onWrite(error.receipt);`,
        by: '',
      },
    ],
  },
  {
    name: 'reservation-leaks-on-success',
    breaks:
      'Room that was kept and is not needed is given back. ' +
      'Here a write that both sides have applied after all keeps it.',
    changes: [
      {
        replace: `
          const { id, timestampUs } = this.operation;
          this.admissions.leave(this);`,
        by: `
          const { id, timestampUs } = this.operation;
          this.reservations.splice(0);
          this.admissions.leave(this);`,
      },
    ],
  },
  {
    name: 'shutdown-does-not-cut-off',
    breaks:
      'At the end of its time a shutdown decides what is under way as it stands. ' +
      'Here calls are only refused from then on.',
    changes: [
      {
        replace: `
          /** Sends nothing more: every write is decided by what has come back of it until now. */
          cutOff(): void {
            this.#closed = true;
            this.wire.cutOff();`,
        by: `
          /** Sends nothing more: every write is decided by what has come back of it until now. */
          cutOff(): void {
            this.#closed = true;`,
      },
    ],
  },
  {
    name: 'shutdown-sends-after-cut-off',
    breaks:
      'Once running calls are cut off nothing more is sent. ' +
      'Here a strategy that comes to its second side later still sends.',
    changes: [
      {
        replace: `
          if (wire.isCutOff) {
            this.ended(cluster, { kind: 'unreached', error: closedError() }, undefined);
            return;
          }`,
        by: '',
      },
    ],
  },
  {
    name: 'sync-point-forgets-prepared-writes',
    breaks:
      'A sync point waits for every write that was accepted before it, one that had to be prepared ' +
      'included. ' +
      'Here its pending side counts from the moment at which it was prepared.',
    changes: [
      {
        replace: `this.#admissions.enter(holdings, within);`,
        by: `this.#admissions.enter(holdings);`,
      },
    ],
  },
];
