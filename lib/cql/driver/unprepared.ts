/** `types.responseErrorCodes.unprepared` */
const UNPREPARED = 0x2500;

/**
 * Whether a cluster has said that it does not know the id of a statement, so that nothing was executed. The driver says
 * so in an error of its own when it does not know the id either (`request-execution.js`, `_prepareAndRetry`).
 */
export function isUnprepared(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'ResponseError') return (error as { code?: unknown }).code === UNPREPARED;
  return error.name === 'DriverInternalError' && error.message.startsWith('Unprepared response invalid');
}
