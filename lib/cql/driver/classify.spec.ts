import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { classifyReadError, classifyWriteError, type ClassifyContext, isEncodingError } from './classify.js';

const { errors, types } = cassandra;
const codes = types.responseErrorCodes;

const SINGLE: ClassifyContext = { stage: 'execute', singlePartition: true };
const MULTI: ClassifyContext = { stage: 'execute', singlePartition: false };
const PREPARE: ClassifyContext = { stage: 'prepare', singlePartition: true };

/** Its typings call the class abstract; the driver makes objects of it all the same. */
const driverError = (message: string): Error =>
  new (errors.DriverError as unknown as new (message: string) => Error)(message);

/** As `connection.js` ends the requests that were on a socket when it closed. */
function socketClosed(inner?: string): Error {
  return Object.assign(driverError('Socket was closed'), {
    isSocketError: true,
    ...(inner !== undefined && { innerError: Object.assign(new Error(inner), { isSocketError: true }) }),
  });
}

/** As `writers.js` ends the requests that were still waiting to be written. */
function notWritten(): Error {
  return Object.assign(socketClosed('write EPIPE'), { requestNotWritten: true });
}

const timedOut = (): Error =>
  new errors.OperationTimedOutError('The host 10.0.0.1:9042 did not reply before timeout 5000 ms');
const busy = (): Error => new errors.BusyConnectionError('10.0.0.1:9042', 2_048, 1);
const noConnection = (): Error => new Error('No connection available');
const response = (code: number, message = 'server message'): Error => new errors.ResponseError(code, message);
const shuttingDown = (): Error => response(codes.overloaded, 'Server is shutting down');
const noHost = (...inner: unknown[]): Error =>
  new errors.NoHostAvailableError(Object.fromEntries(inner.map((each, i) => [`10.0.0.${i}:9042`, each])));

const writeKind = (error: unknown, context = SINGLE): string => classifyWriteError(error, context).kind;
const readKind = (error: unknown): string => classifyReadError(error).kind;

describe('classifyWriteError', () => {
  const ambiguous: [signal: string, error: Error][] = [
    ['a client-side time-out', timedOut()],
    ['a client-side time-out inside NoHost', noHost(timedOut())],
    ['a closed socket', socketClosed()],
    ['a closed socket inside NoHost', noHost(socketClosed())],
    ['read ECONNRESET', socketClosed('read ECONNRESET')],
    ['read ECONNRESET inside NoHost', noHost(socketClosed('read ECONNRESET'))],
    ['write ECONNRESET', socketClosed('write ECONNRESET')],
    ['write ECONNRESET inside NoHost', noHost(socketClosed('write ECONNRESET'))],
    ['WriteTimeout 0x1100', response(codes.writeTimeout)],
    ['WriteTimeout 0x1100 inside NoHost', noHost(response(codes.writeTimeout))],
    ['a write failure 0x1500', response(codes.writeFailure)],
    ['Overloaded with another message', response(codes.overloaded, 'Too many requests')],
    ['a server error 0x0000', response(codes.serverError)],
    ['IsBootstrapping 0x1002', response(codes.isBootstrapping)],
    ['TruncateError 0x1003', response(codes.truncateError)],
    ['Unprepared 0x2500', response(codes.unprepared)],
    ['a configuration error 0x2300', response(codes.configError)],
    ['a protocol error 0x000a', response(codes.protocolError)],
    ['an internal error of the driver', new errors.DriverInternalError('bug')],
    ['an unsupported feature', new errors.NotSupportedError('no')],
  ];

  it.each(ambiguous)('is ambiguous for %s', (_signal, error) => {
    expect(writeKind(error, SINGLE)).toBe('ambiguous');
    expect(writeKind(error, MULTI)).toBe('ambiguous');
  });

  it.each(ambiguous)('is unreached when preparing ended with %s', (_signal, error) => {
    expect(writeKind(error, PREPARE)).toBe('unreached');
  });

  it.each<[signal: string, error: Error]>([
    ['NoHost without inner errors', noHost()],
    ['NoHost with "No connection available"', noHost(noConnection())],
    ['NoHost with busy connections', noHost(busy())],
    ['NoHost with a request that was not written', noHost(notWritten())],
    ['"Server is shutting down"', shuttingDown()],
    ['"Server is shutting down" inside NoHost', noHost(shuttingDown())],
    [
      'a client that was shut down',
      new errors.NoHostAvailableError(null, 'Connecting after shutdown is not supported'),
    ],
    ['NoHost with all of these', noHost(noConnection(), busy(), notWritten(), shuttingDown())],
  ])('is unreached for %s, however many partitions are written', (_signal, error) => {
    expect(writeKind(error, SINGLE)).toBe('unreached');
    expect(writeKind(error, MULTI)).toBe('unreached');
  });

  it.each<[signal: string, error: Error]>([
    ['bare', response(codes.unavailableException)],
    ['inside NoHost', noHost(response(codes.unavailableException))],
    ['inside NoHost beside a host without connection', noHost(noConnection(), response(0x1000))],
  ])('takes Unavailable %s for unreached only when one partition is written', (_signal, error) => {
    expect(writeKind(error, SINGLE)).toBe('unreached');
    expect(writeKind(error, MULTI)).toBe('ambiguous');
  });

  it.each<[signal: string, inner: unknown]>([
    ['a time-out', timedOut()],
    ['a closed socket', socketClosed()],
    ['a write reset', socketClosed('write ECONNRESET')],
    ['a WriteTimeout', response(codes.writeTimeout)],
    ['an unknown error', new Error('something else')],
    ['another NoHost', noHost()],
    ['something that is not an error', 'No connection available'],
    ['nothing', undefined],
  ])('is ambiguous when one of several hosts ended with %s', (_signal, inner) => {
    expect(writeKind(noHost(noConnection(), inner))).toBe('ambiguous');
    expect(writeKind(noHost(inner, notWritten()))).toBe('ambiguous');
  });

  it.each<[name: string, code: number]>([
    ['SyntaxError', 0x2000],
    ['Invalid', 0x2200],
    ['AlreadyExists', 0x2400],
    ['FunctionFailure', 0x1400],
  ])('is rejected for %s, whether preparing or executing', (_name, code) => {
    expect(writeKind(response(code), SINGLE)).toBe('rejected');
    expect(writeKind(response(code), MULTI)).toBe('rejected');
    expect(writeKind(response(code), PREPARE)).toBe('rejected');
  });

  it.each<[name: string, error: Error]>([
    ['Unauthorized', response(0x2100)],
    ['bad credentials', response(0x0100)],
    ['an authentication error', new errors.AuthenticationError('Provided username and/or password wrong')],
    ['authentication errors of every host', noHost(new errors.AuthenticationError('no'), response(0x0100))],
    [
      'a data centre that does not exist',
      new errors.ArgumentError(
        "localDataCenter was configured as 'dc9', but only found hosts in data centers: [dc1]",
      ),
    ],
  ])('is blocked for %s, whether preparing or executing', (_name, error) => {
    expect(writeKind(error, SINGLE)).toBe('blocked');
    expect(writeKind(error, PREPARE)).toBe('blocked');
  });

  it('is not blocked while one of the hosts failed in another way', () => {
    expect(writeKind(noHost(new errors.AuthenticationError('no'), timedOut()))).toBe('ambiguous');
  });

  it('does not take a code for an answer of the server when the error is not one', () => {
    expect(writeKind(Object.assign(new Error('x'), { code: 0x2200 }))).toBe('ambiguous');
    expect(writeKind(Object.assign(new Error('x'), { code: 0x1000 }))).toBe('ambiguous');
  });

  it('does not take the flag of an unwritten request for one without the flag of a socket error', () => {
    expect(writeKind(Object.assign(driverError('x'), { requestNotWritten: true }))).toBe('ambiguous');
  });

  it('hands the error through unchanged', () => {
    const error = timedOut();
    expect(classifyWriteError(error, SINGLE)).toEqual({ kind: 'ambiguous', error });
    expect((classifyWriteError(error, SINGLE) as { error: Error }).error).toBe(error);
  });

  it('makes an error of what is none, with what was thrown as its cause', () => {
    const { error } = classifyWriteError('boom', SINGLE);
    expect(error).toBeInstanceOf(Error);
    expect(error.cause).toBe('boom');
  });
});

describe('classifyReadError', () => {
  it.each<[signal: string, error: Error]>([
    ['a time-out', timedOut()],
    ['a closed socket', socketClosed()],
    ['no host', noHost()],
    ['Unavailable', response(codes.unavailableException)],
    ['a read time-out', response(codes.readTimeout)],
    ['a read failure', response(codes.readFailure)],
    ['overload', response(codes.overloaded, 'Too many requests')],
    ['an unknown error', new Error('?')],
  ])('lets the other side be asked after %s', (_signal, error) => {
    expect(readKind(error)).toBe('unreached');
  });

  it.each<[what: string, code: number]>([
    ['too many tombstones', codes.readFailure],
    ['a page state that the server cannot read', codes.protocolError],
  ])('says nothing against the cluster after %s', (_what, code) => {
    const error = response(code);
    expect(classifyReadError(error)).toEqual({ kind: 'unreached', error, scope: 'request' });
  });

  it.each([0x2000, 0x2200, 0x2400, 0x1400])('is rejected for code %i', (code) => {
    expect(readKind(response(code))).toBe('rejected');
  });

  it.each([0x2100, 0x0100])('is blocked for code %i', (code) => {
    expect(readKind(response(code))).toBe('blocked');
  });

  it('is blocked for a data centre that does not exist', () => {
    const error = new errors.ArgumentError(
      "localDataCenter was configured as 'dc9', but only found hosts in data centers: [dc1]",
    );
    expect(readKind(error)).toBe('blocked');
  });

  it.each<[name: string, error: Error]>([
    ['TypeError', new TypeError('Expected Number')],
    ['RangeError', new RangeError('out of range')],
    ['ArgumentError', new errors.ArgumentError('Parameter "id" not found')],
  ])('is rejected for a parameter that cannot be encoded: %s', (_name, error) => {
    expect(isEncodingError(error)).toBe(true);
    expect(readKind(error)).toBe('rejected');
  });
});
