/**
 * Errors as cassandra-driver makes them, so that the real classifier reads them. Shapes: what
 * lib/cql/driver/classify.ts was measured against.
 */
class DriverError extends Error {
  constructor(
    override readonly name: string,
    message: string,
    fields: object = {},
  ) {
    super(message);
    Object.assign(this, fields);
  }
}

export const RESPONSE_CODE = {
  serverError: 0x0000,
  unavailable: 0x1000,
  overloaded: 0x1001,
  writeTimeout: 0x1100,
  readTimeout: 0x1200,
  readFailure: 0x1300,
  syntaxError: 0x2000,
  badCredentials: 0x0100,
  invalid: 0x2200,
  unprepared: 0x2500,
} as const;

export function responseError(code: number, message = 'refused'): Error {
  return new DriverError('ResponseError', message, { code });
}

/** No host has a connection: nothing was sent. */
export function noHostAvailable(): Error {
  return new DriverError('NoHostAvailableError', 'All host(s) tried for query failed.', { innerErrors: {} });
}

/** The server does not know who connects. */
export function badCredentials(): Error {
  const refusal = new DriverError('AuthenticationError', 'Provided username and/or password are incorrect');
  return new DriverError('NoHostAvailableError', 'All host(s) tried for query failed.', {
    innerErrors: { 'model:9042': refusal },
  });
}

/** Whether somebody has to act before one can connect. */
export function isTurnedAway(error: unknown): boolean {
  const { innerErrors, code } = (error ?? {}) as { innerErrors?: Record<string, Error>; code?: unknown };
  if (code === RESPONSE_CODE.badCredentials) return true;
  return Object.values(innerErrors ?? {}).some(({ name }) => name === 'AuthenticationError');
}

/** What the driver makes of UNPREPARED if it does not know the id itself: nothing was executed. */
export function unknownId(id: Buffer): Error {
  return new DriverError('DriverInternalError', `Unprepared response invalid, id: 0x${id.toString('hex')}`);
}

/** Whether nothing was executed because the server does not have the id. */
export function isUnpreparedAnswer(error: unknown): boolean {
  const { name, message, code } = (error ?? {}) as Partial<Error & { code: unknown }>;
  return (
    code === RESPONSE_CODE.unprepared ||
    (name === 'DriverInternalError' && message?.startsWith('Unprepared response invalid') === true)
  );
}

/** The connection closed under a request that was on it. */
export function connectionLost(): Error {
  return new DriverError('DriverError', 'Socket was closed', { isSocketError: true });
}

/** The driver has waited for its `readTimeout`. */
export function timedOut(): Error {
  return new DriverError('OperationTimedOutError', 'The host did not reply in time');
}
