import type { FailedOutcome } from '../../../lib/core/index.js';
import { isTurnedAway, isUnpreparedAnswer, RESPONSE_CODE } from './driver-errors.js';
import type { WhatFailed } from './operations.js';

const REFUSALS: readonly unknown[] = [RESPONSE_CODE.syntaxError, RESPONSE_CODE.invalid];

/**
 * What is wrong with what was made of a failure. On a call that goes on on the other side it could hardly be seen
 * otherwise: a strategy or a policy of a user's own would be told something else than what is so.
 */
export function wrongWithOutcome({ kind, error }: FailedOutcome, write?: WhatFailed): string | undefined {
  const due = kindOf(error, write);
  return kind === due
    ? undefined
    : `${error.name} (${error.message}) was taken for ${kind} instead of ${due}`;
}

function kindOf(error: Error, write: WhatFailed | undefined): FailedOutcome['kind'] {
  const { name, code } = error as Error & { code?: unknown };
  // What the driver said when it last tried to connect is told along.
  if (name === 'NotConnectedError') {
    return isTurnedAway((error.cause as Error | undefined)?.cause) ? 'blocked' : 'unreached';
  }
  if (isUnpreparedAnswer(error)) return 'unreached';
  // Of Helix itself, about types and hazards.
  if (name === 'SchemaMismatchError' || name === 'HazardousStatementError') return 'rejected';
  if (REFUSALS.includes(code)) return 'rejected';
  if (code === RESPONSE_CODE.badCredentials) return 'blocked';
  if (!write?.wasSent) return 'unreached';
  const isCertain =
    (code === RESPONSE_CODE.unavailable && !write.isOfMany) ||
    (code === RESPONSE_CODE.overloaded && error.message.includes('shutting down')) ||
    name === 'NoHostAvailableError';
  return isCertain ? 'unreached' : 'ambiguous';
}
