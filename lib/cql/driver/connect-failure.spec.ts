import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import type { BlockedReason } from '../../core/index.js';
import { blockedReason, connectReason } from './connect-failure.js';

const { ArgumentError, AuthenticationError, NoHostAvailableError, ResponseError } = cassandra.errors;
const refused = (port = 9042): Error => new Error(`connect ECONNREFUSED 10.0.0.1:${port}`);
const noHost = (inner: Record<string, Error>, message?: string): Error =>
  new NoHostAvailableError(inner, message);
const wrongPassword = new AuthenticationError('Provided username and/or password are incorrect');
const wrongDataCenter = new ArgumentError(
  "localDataCenter was configured as 'dc9', but only found hosts in data centers: [dc1]",
);
const noKeyspace = new ResponseError(0x2200, "Keyspace 'nope' does not exist");

describe('what is said', () => {
  it.each<[what: string, error: unknown, says: string]>([
    ['of one host', noHost({ '10.0.0.1:9042': refused() }), refused().message],
    ['of hosts that all say the same', noHost({ a: wrongPassword, b: wrongPassword }), wrongPassword.message],
    [
      'of hosts that say different things',
      noHost({ 'a:9042': refused(), 'b:9042': wrongPassword }),
      `a:9042: ${refused().message}; b:9042: ${wrongPassword.message}`,
    ],
    [
      'of many hosts',
      noHost(Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`h${i}`, refused(i)]))),
      `h1: ${refused(1).message}; h2: ${refused(2).message}; h3: ${refused(3).message} (and 2 more)`,
    ],
    ['of no host at all', noHost({}, 'No host could be resolved'), 'No host could be resolved'],
    ['of errors within errors', noHost({ a: noHost({ b: wrongDataCenter }) }), wrongDataCenter.message],
    ['of several addresses of a host', noHost({ a: new AggregateError([refused()], '') }), refused().message],
    ['of an error without a message', new TypeError(''), 'TypeError'],
    ['of something that is no error', 'down', 'Something that is not an error was thrown'],
    [
      'of a connection that was closed',
      noHost({
        a: Object.assign(new Error('Socket was closed'), { innerError: new Error('read ECONNRESET') }),
      }),
      'Socket was closed (read ECONNRESET)',
    ],
  ])('%s', (_what, error, says) => {
    expect(connectReason(error)).toBe(says);
  });
});

describe('who has to act', () => {
  it.each<[what: string, error: unknown, reason: BlockedReason | undefined]>([
    ['a wrong password', noHost({ a: wrongPassword }), 'unauthorized'],
    [
      'no credentials',
      noHost({ a: new AuthenticationError('Authentication provider not set') }),
      'unauthorized',
    ],
    ['a wrong data centre', noHost({ a: wrongDataCenter }), 'wrongDataCenter'],
    ['a wrong data centre, bare', wrongDataCenter, 'wrongDataCenter'],
    ['no keyspace', noKeyspace, 'noKeyspace'],
    [
      'one host that refuses the password while another is down',
      noHost({ a: refused(), b: wrongPassword }),
      'unauthorized',
    ],
    ['nobody there', noHost({ a: refused() }), undefined],
    ['no host at all', noHost({}), undefined],
  ])('%s', (_what, error, reason) => {
    expect(blockedReason(error)).toBe(reason);
  });
});
