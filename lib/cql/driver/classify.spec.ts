import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import type { FailureScope } from '../../core/index.js';
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
const authenticationError = (): Error =>
  new errors.AuthenticationError('Provided username and/or password wrong');
const unknownToDriver = (): Error =>
  new errors.DriverInternalError('Unprepared response invalid, id: 0x1234');
const noHost = (...inner: unknown[]): Error =>
  new errors.NoHostAvailableError(Object.fromEntries(inner.map((each, i) => [`10.0.0.${i}:9042`, each])));

/** As the driver ends what it could not write: thrown below `WriteQueue.process`. */
function whileFraming(error: Error): Error {
  error.stack = [
    `${error.name}: ${error.message}`,
    '    at FrameWriter.writeShort (/app/node_modules/cassandra-driver/lib/writers.js:49:9)',
    '    at BatchRequest.write (/app/node_modules/cassandra-driver/lib/requests.js:442:17)',
    '    at WriteQueue.process (/app/node_modules/cassandra-driver/lib/writers.js:249:44)',
  ].join('\n');
  return error;
}

/** As the driver ends what it could not read. */
function whileReading(error: Error): Error {
  error.stack = [
    `${error.name}: ${error.message}`,
    '    at FrameReader.readShort (/app/node_modules/cassandra-driver/lib/readers.js:100:9)',
    '    at Parser.parseBody (/app/node_modules/cassandra-driver/lib/streams.js:211:66)',
  ].join('\n');
  return error;
}

const writeKind = (error: unknown, context = SINGLE): string => classifyWriteError(error, context).kind;
const scopeOfWrite = (error: unknown): unknown => classifyWriteError(error, SINGLE).scope;
const readKind = (error: unknown): string => classifyReadError(error).kind;

type Row = readonly [signal: string, error: Error, scope: FailureScope];

/** May have been applied. */
const AMBIGUOUS: readonly Row[] = [
  ['a client-side time-out', timedOut(), 'cluster'],
  ['a client-side time-out inside NoHost', noHost(timedOut()), 'cluster'],
  ['a closed socket', socketClosed(), 'connection'],
  ['a closed socket inside NoHost', noHost(socketClosed()), 'connection'],
  ['read ECONNRESET', socketClosed('read ECONNRESET'), 'connection'],
  ['read ECONNRESET inside NoHost', noHost(socketClosed('read ECONNRESET')), 'connection'],
  ['write ECONNRESET', socketClosed('write ECONNRESET'), 'connection'],
  ['write ECONNRESET inside NoHost', noHost(socketClosed('write ECONNRESET')), 'connection'],
  ['a closed socket beside a time-out', noHost(socketClosed(), timedOut()), 'cluster'],
  ['a closed socket beside a busy host', noHost(socketClosed(), busy()), 'cluster'],
  ['a closed socket beside an answer', noHost(socketClosed(), response(0x1100)), 'request'],
  ['WriteTimeout 0x1100', response(codes.writeTimeout), 'request'],
  ['WriteTimeout 0x1100 inside NoHost', noHost(response(codes.writeTimeout)), 'request'],
  ['a write failure 0x1500', response(codes.writeFailure), 'request'],
  ['Overloaded with another message', response(codes.overloaded, 'Too many requests'), 'cluster'],
  ['a server error 0x0000', response(codes.serverError), 'request'],
  ['IsBootstrapping 0x1002', response(codes.isBootstrapping), 'cluster'],
  ['TruncateError 0x1003', response(codes.truncateError), 'request'],
  [
    'a rate limit of ScyllaDB 0x2300',
    response(codes.configError, 'Per partition rate limit reached'),
    'request',
  ],
  ['a protocol error 0x000a', response(codes.protocolError), 'request'],
  ['a code that is not known', response(0x7777), 'request'],
  ['an internal error of the driver', new errors.DriverInternalError('bug'), 'local'],
  ['an unsupported feature', new errors.NotSupportedError('no'), 'local'],
  ['a TypeError from nobody knows where', new TypeError('x'), 'local'],
  ['a TypeError while an answer was read', whileReading(new TypeError('x')), 'local'],
  ['a RangeError while an answer was read', whileReading(new RangeError('x')), 'local'],
  ['an error of another kind while framing', whileFraming(new Error('x')), 'local'],
];

/** Certainly not applied, worth retrying, however many partitions are written. */
const UNREACHED: readonly Row[] = [
  ['NoHost without inner errors', noHost(), 'cluster'],
  ['NoHost with "No connection available"', noHost(noConnection()), 'cluster'],
  ['NoHost with busy connections', noHost(busy()), 'local'],
  ['busy connections', busy(), 'local'],
  ['NoHost with a request that was not written', noHost(notWritten()), 'connection'],
  ['"Server is shutting down"', shuttingDown(), 'cluster'],
  ['"Server is shutting down" inside NoHost', noHost(shuttingDown()), 'cluster'],
  [
    'a client that was shut down',
    new errors.NoHostAvailableError(null, 'Connecting after shutdown is not supported'),
    'cluster',
  ],
  ['NoHost with all of these', noHost(noConnection(), busy(), notWritten(), shuttingDown()), 'cluster'],
  ['Unprepared 0x2500', response(codes.unprepared), 'request'],
  ['Unprepared 0x2500 inside NoHost', noHost(response(codes.unprepared)), 'request'],
  ['Unprepared 0x2500 beside a host without connection', noHost(response(0x2500), noConnection()), 'request'],
  ['Unprepared for what the driver does not know', unknownToDriver(), 'request'],
  ['the same inside NoHost', noHost(unknownToDriver()), 'request'],
  ['a refusal beside a host without connection', noHost(response(codes.invalid), noConnection()), 'request'],
  ['no memory for the frame', whileFraming(new RangeError('Array buffer allocation failed')), 'local'],
];

/** It will go on to be refused until somebody acts. */
const REJECTED: readonly Row[] = [
  ...(
    [
      ['SyntaxError', 0x2000],
      ['Unauthorized', 0x2100],
      ['Invalid', 0x2200],
      ['ConfigError', 0x2300],
      ['AlreadyExists', 0x2400],
      ['FunctionFailure', 0x1400],
    ] as const
  ).flatMap(([name, code]): Row[] => [
    [name, response(code), 'request'],
    [`${name} inside NoHost`, noHost(response(code), response(0x2200)), 'request'],
  ]),
  ['a TypeError while framing', whileFraming(new TypeError('Expected Long')), 'local'],
  ['a RangeError while framing', whileFraming(new RangeError('out of range')), 'local'],
];

/** The side as a whole cannot be used until somebody acts. */
const BLOCKED: readonly Row[] = [
  ['bad credentials', response(0x0100), 'request'],
  ['an authentication error', authenticationError(), 'request'],
  ['authentication errors of every host', noHost(authenticationError(), response(0x0100)), 'request'],
  ['a keyspace that does not exist', response(0x2200, "Keyspace 'shop' does not exist"), 'request'],
  ['the same inside NoHost', noHost(response(0x2200, "Keyspace 'shop' does not exist")), 'request'],
  [
    'a data centre that does not exist',
    new errors.ArgumentError(
      "localDataCenter was configured as 'dc9', but only found hosts in data centers: [dc1]",
    ),
    'local',
  ],
];

describe('classifyWriteError', () => {
  it.each(AMBIGUOUS)('is ambiguous for %s', (_signal, error) => {
    expect(writeKind(error, SINGLE)).toBe('ambiguous');
    expect(writeKind(error, MULTI)).toBe('ambiguous');
  });

  it.each(AMBIGUOUS)('is unreached when preparing ended with %s', (_signal, error) => {
    expect(writeKind(error, PREPARE)).toBe('unreached');
  });

  it.each(UNREACHED)('is unreached for %s, however many partitions are written', (_signal, error) => {
    expect(writeKind(error, SINGLE)).toBe('unreached');
    expect(writeKind(error, MULTI)).toBe('unreached');
    expect(writeKind(error, PREPARE)).toBe('unreached');
  });

  it.each<[signal: string, error: Error]>([
    ['bare', response(codes.unavailableException)],
    ['inside NoHost', noHost(response(codes.unavailableException))],
    ['inside NoHost beside a host without connection', noHost(noConnection(), response(0x1000))],
  ])('takes Unavailable %s for unreached only when one partition is written', (_signal, error) => {
    expect(writeKind(error, SINGLE)).toBe('unreached');
    expect(writeKind(error, MULTI)).toBe('ambiguous');
    expect(scopeOfWrite(error)).toBe('request');
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
    expect(writeKind(noHost(inner, response(codes.invalid)))).toBe('ambiguous');
  });

  it.each(REJECTED)('is rejected for %s, whether preparing or executing', (_name, error) => {
    expect(writeKind(error, SINGLE)).toBe('rejected');
    expect(writeKind(error, MULTI)).toBe('rejected');
    expect(writeKind(error, PREPARE)).toBe('rejected');
  });

  it.each(BLOCKED)('is blocked for %s, whether preparing or executing', (_name, error) => {
    expect(writeKind(error, SINGLE)).toBe('blocked');
    expect(writeKind(error, PREPARE)).toBe('blocked');
  });

  it.each([...AMBIGUOUS, ...UNREACHED, ...REJECTED, ...BLOCKED])(
    'says what %s means for the cluster',
    (_signal, error, scope) => {
      expect(scopeOfWrite(error)).toBe(scope);
      expect(classifyReadError(error).scope).toBe(scope);
    },
  );

  it('counts what one host of several ended with against the cluster if it is not known', () => {
    expect(scopeOfWrite(noHost('Host considered as DOWN'))).toBe('cluster');
    expect(
      scopeOfWrite(noHost(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))),
    ).toBe('cluster');
    expect(scopeOfWrite(noHost('Host considered as DOWN', busy()))).toBe('cluster');
  });

  it('is not blocked while one of the hosts failed in another way', () => {
    expect(writeKind(noHost(authenticationError(), timedOut()))).toBe('ambiguous');
    expect(writeKind(noHost(authenticationError(), noConnection()))).toBe('unreached');
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
    expect(classifyWriteError(error, SINGLE)).toEqual({ kind: 'ambiguous', error, scope: 'cluster' });
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

  it.each(REJECTED)('is rejected for %s', (_signal, error) => {
    expect(readKind(error)).toBe('rejected');
  });

  it.each(BLOCKED)('is blocked for %s', (_signal, error) => {
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
