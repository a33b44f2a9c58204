import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'decision-ack-both-not-enqueued',
    breaks: "ack 'both': PartialWriteError, and the missing side is not queued.",
    changes: [
      {
        replace: `
          const kept = await this.#replay(operation, decision.replay, { A: a, B: b }, holdings);
          const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];`,
        by: `
          const replay = operation.ack === 'both' ? {} : decision.replay;
          const kept = await this.#replay(operation, replay, { A: a, B: b }, holdings);
          const status = (cluster: ClusterId): SideStatus => kept[cluster] ?? decision[cluster];`,
      },
    ],
  },
  {
    name: 'decision-ack-both-one-queued',
    breaks: "ack 'both': succeeds with one side queued.",
    changes: [
      {
        replace: `const isShort = operation.ack === 'both' && !(A === 'applied' && B === 'applied');`,
        by: `const isShort = operation.ack === 'both' && A !== 'applied' && B !== 'applied';`,
      },
    ],
  },
  {
    name: 'decision-both-draining-not-queued',
    breaks: "whenBothFail 'queue': refused while both drain, instead of being queued.",
    changes: [
      {
        replace: `if (this.#isQueuedWhenBothFail(operation)) return this.#queueForBoth(operation, a, b, holdings);`,
        by: '',
      },
    ],
  },
  {
    name: 'decision-both-queued-aborted',
    breaks:
      "whenBothFail 'queue': a caller who goes while it is being queued is told that nothing will be " +
      'applied.',
    changes: [{ replace: `this.#queuedForBoth.add(operation);`, by: '' }],
  },
  {
    name: 'decision-both-queued-cancelled',
    breaks: "whenBothFail 'queue': what its caller was told is not applied is queued all the same.",
    changes: [
      {
        replace: `return this.options.whenBothFail === 'queue' && operation.canBeQueued && !operation.isCancelled;`,
        by: `return this.options.whenBothFail === 'queue';`,
      },
    ],
  },
  {
    name: 'decision-both-queued-for-one',
    breaks: "whenBothFail 'queue': queued for one side only.",
    changes: [
      {
        replace: `const envelopes = [operation.envelope('A'), operation.envelope('B')];`,
        by: `const envelopes = [operation.envelope('A')];`,
      },
    ],
  },
  {
    name: 'decision-both-queued-in-doubt',
    breaks:
      "whenBothFail 'queue': a write that may have been applied gets a receipt instead of an error that " +
      'says so.',
    changes: [
      {
        replace: `if (decision.outcome === 'notApplied' && this.#isQueuedWhenBothFail(operation)) {`,
        by: `if (operation.class === 'idempotent' && this.#isQueuedWhenBothFail(operation)) {`,
      },
    ],
  },
  {
    name: 'decision-both-queued-refused-unknown',
    breaks:
      "whenBothFail 'queue': a queue that is full has said that it does not take the write, so nothing " +
      'was applied, and nothing will be. ' +
      'Here the caller is told that nobody knows.',
    changes: [
      {
        replace: `throw this.#bothFailed(operation, isRefused ? 'notApplied' : 'unknown', a, b, advice);`,
        by: `throw this.#bothFailed(operation, 'unknown', a, b, advice);`,
      },
    ],
  },
  {
    name: 'decision-both-queued-said-applied',
    breaks: "whenBothFail 'queue': the receipt says that it was applied.",
    changes: [
      {
        replace: `const receipt = { id: operation.id, timestamp: operation.timestampUs, A: status, B: status };`,
        by: `const receipt = { id: operation.id, timestamp: operation.timestampUs, A: 'applied', B: status } as const;`,
      },
    ],
  },
  {
    name: 'decision-both-queued-unanswered-notApplied',
    breaks:
      "whenBothFail 'queue': a queue that does not answer in time may have taken the write, and the " +
      'caller is told that nothing was applied.',
    changes: [
      {
        replace: `throw this.#bothFailed(operation, isRefused ? 'notApplied' : 'unknown', a, b, advice);`,
        by: `throw this.#bothFailed(operation, 'notApplied', a, b, advice);`,
      },
    ],
  },
  {
    name: 'decision-lost-not-thrown',
    breaks: "onReplayLost 'throw': a write that is lost for one side succeeds.",
    changes: [
      {
        replace: `const isLost = (A === 'lost' || B === 'lost') && this.options.onReplayLost === 'throw';`,
        by: `const isLost = A === 'lost' && B === 'lost' && this.options.onReplayLost === 'throw';`,
      },
    ],
  },
  {
    name: 'decision-lost-said-queued',
    breaks: 'A queue that refuses: the receipt says queued instead of lost.',
    changes: [
      {
        replace: `for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);`,
        by: `
          for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);
          status = 'queued';`,
      },
    ],
  },
  {
    name: 'decision-straggler-ack-both',
    breaks: "ack 'both': a side that is pending is not waited for.",
    changes: [
      {
        replace: `return isPending && (ack === 'both' || decide(a, b, operationClass).kind === 'await');`,
        by: `return isPending && (ack === undefined || decide(a, b, operationClass).kind === 'await');`,
      },
    ],
  },
  {
    name: 'decision-straggler-forgotten',
    breaks:
      'Decision table, row "applied, pending": nobody looks when the pending side ends, so its failure ' +
      'is forgotten.',
    changes: [
      {
        replace: `if (outcome.kind === 'pending') this.#settleLater(operation, a, b, outcome.settled, cluster, holdings);`,
        by: '',
      },
    ],
  },
  {
    name: 'reservation-ends-with-the-call',
    breaks:
      'Room that was kept is there until the queue has got the envelope. ' +
      'Here a side that is pending when the caller has its receipt has lost its place.',
    changes: [
      {
        replace: `const rest: Holdings = { since: undefined, reservations: holdings.reservations.splice(0) };`,
        by: `const rest: Holdings = { since: undefined, reservations: [] };`,
      },
    ],
  },
  {
    name: 'settle-lost-without-report',
    breaks: 'Losing is never silent. Here nobody is told of what the queue has refused.',
    changes: [
      {
        replace: `for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);`,
        by: `
          if (!(kept.error instanceof ReplayQueueFullError)) {
            for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);
          }`,
      },
    ],
  },
  {
    name: 'settle-straggler-for-the-wrong-side',
    breaks:
      'A pending side gets its row of the table when it ends. ' +
      'Here its outcome is taken for that of the other side.',
    changes: [
      {
        replace: `this.settle(operation, cluster === 'A' ? outcome : a, cluster === 'B' ? outcome : b, rest),`,
        by: `this.settle(operation, cluster === 'A' ? b : outcome, cluster === 'A' ? outcome : a, rest),`,
      },
    ],
  },
  {
    name: 'settle-time-out-counts-as-kept',
    breaks:
      'queued means accepted by the replayer. ' +
      'Here a queue that has not confirmed in time is believed to have it.',
    changes: [
      {
        replace: `for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);`,
        by: `
          if (kept.error.name === 'TimeoutError') status = 'queued';
          else for (const envelope of envelopes) this.options.onDropped(envelope, kept.error);`,
      },
    ],
  },
  {
    name: 'sync-point-forgets-pending-sides',
    breaks:
      'A sync point waits for every write that was accepted before it, its pending side included. ' +
      'Here a pending side counts from the moment at which the caller has its receipt.',
    changes: [
      {
        replace: `this.#underWay.enterWith(rest, holdings);`,
        by: `this.#underWay.enter(rest);`,
      },
    ],
  },
];
