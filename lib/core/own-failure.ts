import { HazardousStatementError } from './errors.js';
import type { FailedOutcome } from './outcome.js';

/** The cluster has not been reached since the application started. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError';

  constructor(
    message: string,
    options?: ErrorOptions,
    /** Waiting will not mend it: the credentials are wrong, say. */
    readonly isBlocked = false,
  ) {
    super(message, options);
  }
}

/**
 * What an error that Helix itself has thrown says of a side, whatever its database is. `undefined`: it is not one of
 * these, and only its driver's classifier knows.
 */
export function ownFailure(error: unknown): FailedOutcome | undefined {
  if (error instanceof HazardousStatementError) return { kind: 'rejected', error };
  if (error instanceof NotConnectedError) return { kind: error.isBlocked ? 'blocked' : 'unreached', error };
  return undefined;
}
