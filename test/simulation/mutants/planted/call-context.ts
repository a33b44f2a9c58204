import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'own-writes-forgotten-by-the-next',
    breaks:
      'Inside a decorated call a read goes to a side that has applied all that the call has written. ' +
      'Here only the last write counts.',
    changes: [
      {
        replace: `if (!missedBy) return;`,
        by: `
          if (!missedBy) return;
          missedBy.A = missedBy.B = false;`,
      },
    ],
  },
  {
    name: 'own-writes-latest-does-not-count',
    breaks:
      'When each side has missed something that a call has written, reads go where the latest write is. ' +
      'Here they go anywhere.',
    changes: [
      {
        replace: `if (receipt[otherCluster(cluster)] === 'applied') missedBy[otherCluster(cluster)] = false;`,
        by: '',
      },
    ],
  },
  {
    name: 'own-writes-pending-counts-as-there',
    breaks:
      'Inside a decorated call a read goes to a side that has applied what the call has written. ' +
      'Here a side that is pending is taken for one.',
    changes: [
      {
        replace: `if (receipt[cluster] === 'applied' || receipt[cluster] === 'absent') continue;`,
        by: `if (['applied', 'pending', 'absent'].includes(receipt[cluster])) continue;`,
      },
    ],
  },
  {
    name: 'sticky-call-does-not-stay',
    breaks: 'Inside a sticky call all reads stay on one side. Here it is chosen anew for each.',
    changes: [
      {
        replace: `if (this.pin) this.pin.cluster = cluster;`,
        by: `if (this.pin?.cluster) this.pin.cluster = cluster;`,
      },
    ],
  },
];
