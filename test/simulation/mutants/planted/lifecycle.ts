import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'shutdown-closes-the-queue-first',
    breaks:
      'A shutdown first waits for what is running, and then ends the queue. ' +
      'Here it does not wait for what it has cut off.',
    changes: [{ replace: `await this.#within(leftUntil(DRAIN_SHARE), writePath.settled());`, by: '' }],
    specs: 'helix.lifecycle.spec.ts',
  },
  {
    name: 'shutdown-does-not-flush',
    breaks: 'A shutdown flushes what is only spooled, while there is time. Here it closes the queue at once.',
    changes: [{ replace: `await this.#flushReplayer(leftUntil(FLUSH_SHARE));`, by: '' }],
  },
  {
    name: 'shutdown-drops-the-rest-silently',
    breaks:
      'What a volatile queue holds at the end is reported, each envelope once. ' +
      'Here the first of them is not.',
    changes: [
      {
        replace: `for (const envelope of remaining) this.instance.reportLost(envelope, reason);`,
        by: `for (const envelope of remaining.slice(1)) this.instance.reportLost(envelope, reason);`,
      },
    ],
  },
  {
    name: 'shutdown-forgets-what-comes-late',
    breaks:
      'What a queue hands back when it is closed is reported. ' +
      'Here it is not when closing it takes longer than there is time.',
    changes: [
      {
        replace: `
          const close = async (): Promise<void> => {
            try {
              this.#reportLost(await this.instance.closeReplayer());`,
        by: `
          let remaining: readonly Envelope[] = [];
          const close = async (): Promise<void> => {
            try {
              remaining = await this.instance.closeReplayer();`,
      },
      {
        replace: `if (!(await this.#within(timeoutMs, close()))) logger.error('The replayer did not close in time');`,
        by: `
          if (!(await this.#within(timeoutMs, close()))) logger.error('The replayer did not close in time');
          this.#reportLost(remaining);`,
      },
    ],
  },
  {
    name: 'sync-point-looks-too-early',
    breaks:
      'A sync point waits for every write that was accepted before it, and then for what these have ' +
      'queued. ' +
      'Here it takes its place in the queue first.',
    changes: [
      {
        replace: `
          await writePath.settled();
          const position = await replayer?.position();`,
        by: `
          const position = await replayer?.position();
          await writePath.settled();`,
      },
    ],
  },
];
