import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'h5-invalid-is-ambiguous',
    breaks:
      'H5, classification: an invalid statement is a refusal. ' +
      'Here a write may have been applied all the same.',
    changes: [
      {
        replace: `return isUnknownKeyspace(error) ? 'blocked' : 'rejected';`,
        by: `return isUnknownKeyspace(error) ? 'blocked' : undefined;`,
      },
    ],
  },
  {
    name: 'h5-lost-connection-is-unreached',
    breaks:
      'Classification is an allow-list: a connection that is lost after the request was written leaves ' +
      'it in doubt. ' +
      'Here it does not matter whether it was written.',
    changes: [
      {
        replace: `return error.isSocketError === true && error.requestNotWritten === true;`,
        by: `return error.isSocketError === true || error.requestNotWritten === true;`,
      },
    ],
  },
  {
    name: 'h5-overloaded-is-unreached',
    breaks:
      'Classification: Overloaded is certain only with the message of a server that shuts down. ' +
      'Here it always is.',
    changes: [
      {
        replace: `(error.code === CODE.overloaded && error.message.includes('Server is shutting down'))`,
        by: `error.code === CODE.overloaded`,
      },
    ],
  },
  {
    name: 'h5-syntax-error-is-a-failure',
    breaks: 'H5, classification: a syntax error is a refusal. Here it is a failure like any other.',
    changes: [{ replace: `case CODE.syntaxError:`, by: '' }],
  },
  {
    name: 'h5-timeout-is-unreached',
    breaks:
      'Classification is an allow-list: no answer in time is ambiguous. ' +
      "Here the driver's time-out counts as never sent.",
    changes: [
      {
        replace: `if (isUnprepared(error)) return true; switch (error.name) { case 'BusyConnectionError':`,
        by: `if (isUnprepared(error)) return true; switch (error.name) {
          case 'BusyConnectionError':
          case 'OperationTimedOutError':`,
      },
    ],
  },
];
