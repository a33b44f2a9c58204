import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'h7-cooldown-not-kept',
    breaks: 'H7: within the cooldown the preference stays where it is. Here every failure moves it.',
    changes: [
      {
        replace: `if (cluster === this.#preferred && nowMs - this.#switchedMs >= this.#cooldownMs) {`,
        by: `if (cluster === this.#preferred && nowMs >= this.#switchedMs) {`,
      },
    ],
  },
  {
    name: 'h7-cooldown-refuses',
    breaks:
      'H7: the cooldown limits moves of the preference, never an attempt. ' +
      'Here a read that fails within it is not tried on the other side.',
    changes: [
      {
        replace: `
          override onFailure(cluster: ClusterId, _error?: Error): ClusterId {
            const other = otherCluster(cluster);
            const nowMs = this.clock.monotonicMs();`,
        by: `
          override onFailure(cluster: ClusterId, _error?: Error): ClusterId | undefined {
            const other = otherCluster(cluster);
            const nowMs = this.clock.monotonicMs();
            if (nowMs - this.#switchedMs < this.#cooldownMs) return undefined;`,
      },
    ],
  },
  {
    name: 'sequential-sends-what-was-refused',
    breaks: 'What the first side refuses is never sent to the second. Here it is.',
    changes: [
      {
        replace: `firstOutcome.kind === 'rejected' ? { kind: 'skipped', reason: 'firstRejected' } : await second.send();`,
        by: `firstOutcome.kind === 'skipped' ? { kind: 'skipped', reason: 'firstRejected' } : await second.send();`,
      },
    ],
  },
];
