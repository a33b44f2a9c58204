import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'h9-class-is-lost',
    breaks:
      'H9: the envelope says whether the operation may be repeated. ' +
      'Here everything that comes back may be.',
    changes: [{ replace: `class: fields.oneOf('k', 'class', CLASSES),`, by: `class: CLASSES[0],` }],
  },
  {
    name: 'h9-consistency-is-lost',
    breaks:
      'H9: the envelope has the consistency of the write. ' +
      'Here every write is replayed with LOCAL_QUORUM.',
    changes: [{ replace: `consistency: fields.count('l', 'consistency'),`, by: `consistency: 6,` }],
  },
  {
    name: 'h9-creation-time-is-lost',
    breaks:
      'H9: the envelope has the moment at which the operation was accepted. ' +
      'Here it is derived from the write time.',
    changes: [
      {
        replace: `createdAtMs: fields.number('a', 'createdAtMs'),`,
        by: `createdAtMs: Math.floor(fields.number('t', 'timestampUs') / 1_000),`,
      },
    ],
  },
  {
    name: 'h9-operation-id-is-lost',
    breaks:
      'H9: the envelope has the id of the operation, that of the receipt. ' +
      'Here it comes back with the id of the message.',
    changes: [
      {
        replace: `operationId: fields.text('o', 'operationId'),`,
        by: `operationId: \`\${fields.text('o', 'operationId')}:\${fields.text('c', 'cluster')}\`,`,
      },
    ],
  },
  {
    name: 'h9-priority-is-lost',
    breaks: 'H9: the envelope has the priority of the write. Here everything comes back with the default.',
    changes: [
      {
        replace: `priority: fields.oneOf('p', 'priority', PRIORITIES),`,
        by: `priority: PRIORITIES[0],`,
      },
    ],
  },
  {
    name: 'h9-write-time-is-rounded',
    breaks:
      'H9: the envelope has the write time, to the microsecond. ' +
      'Here it comes back in whole milliseconds.',
    changes: [
      {
        replace: `timestampUs: fields.integer('t', 'timestampUs'),`,
        by: `timestampUs: Math.trunc(fields.integer('t', 'timestampUs') / 1_000) * 1_000,`,
      },
    ],
  },
];
