import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'h5-refused-read-fails-over',
    breaks:
      'H5: a read that one side refuses is not tried on the other. ' +
      'Here it is, as any other read that the policy lets fail over.',
    changes: [
      {
        replace: `
          if (outcome.kind === 'rejected') {
            this.#fail(`,
        by: `
          if (outcome.kind === 'rejected' && !this.path.failover.shouldFailover(cluster, outcome.error)) {
            this.#fail(`,
      },
    ],
  },
  {
    name: 'h5-refused-read-moves-preference',
    breaks:
      'H5: a read that is refused does not move the preference. ' +
      'Here the strategy is told of it as of any other failure.',
    changes: [
      {
        replace: `
          if (outcome.kind === 'rejected') {
            this.#fail(`,
        by: `
          if (outcome.kind === 'rejected') {
            this.path.strategy.onFailure(cluster, outcome.error);
            this.#fail(`,
      },
    ],
  },
  {
    name: 'hedge-counts-as-tried',
    breaks:
      'A read fails only after both sides were tried. ' +
      'Here it fails with the side that was asked first if there was to be a hedge, asked or not.',
    changes: [
      {
        replace: `return this.#errors[next] ? undefined : next;`,
        by: `return this.#errors[next] || this.#stopHedge ? undefined : next;`,
      },
    ],
  },
  {
    name: 'hedge-fails-with-the-first',
    breaks:
      'With hedgeAfterMs the first answer wins. ' +
      'Here a side that fails ends the read while the other may still answer.',
    changes: [
      {
        replace: `
          if (this.#waiting.length > 0) return;
          if (next && this.path.hasRoom(next)) {`,
        by: `if (next && this.#waiting.length === 0 && this.path.hasRoom(next)) {`,
      },
    ],
  },
  {
    name: 'hedge-is-not-called-off',
    breaks:
      'A read that has been answered asks nobody else. ' +
      'Here the other side is asked all the same when its time has come.',
    changes: [{ replace: `this.#stopHedge?.();`, by: '' }],
  },
  {
    name: 'own-writes-fail-over',
    breaks:
      'Inside a decorated call a read is not answered by a side that lacks what the call has written, ' +
      'not even when the other fails. ' +
      'Here it is.',
    changes: [
      {
        replace: `const only = this.call?.cluster ?? this.call?.context?.onlySide;`,
        by: `const only = this.call?.cluster;`,
      },
    ],
  },
  {
    name: 'read-lag-of-the-other-side',
    breaks:
      'A side whose backlog is older than maxReadLagMs is asked last. Here it is the other one that is.',
    changes: [
      {
        replace: `
          this.#isBehind.A = A.oldestAgeMs > this.maxReadLagMs;
          this.#isBehind.B = B.oldestAgeMs > this.maxReadLagMs;`,
        by: `
          this.#isBehind.B = A.oldestAgeMs > this.maxReadLagMs;
          this.#isBehind.A = B.oldestAgeMs > this.maxReadLagMs;`,
      },
    ],
  },
  {
    name: 'sticky-call-goes-back',
    breaks:
      'The reads of a sticky call stay with the side that has answered instead of one that failed. ' +
      'Here each begins with the one that failed.',
    changes: [
      {
        replace: `      call?.context?.stayOn(attempt.cluster);
      path.onMoved?.(this.#left, attempt.cluster);`,
        by: `      path.onMoved?.(this.#left, attempt.cluster);`,
      },
    ],
  },
  {
    name: 'sticky-call-moves-with-a-hedge',
    breaks:
      'The reads of a sticky call move to the other side when theirs fails, and for nothing else. ' +
      'Here a hedge that is faster moves them too.',
    changes: [
      {
        replace: `    if (this.#left) {
      call?.context?.stayOn(attempt.cluster);`,
        by: `    call?.context?.stayOn(attempt.cluster);
    if (this.#left) {`,
      },
    ],
  },
];
