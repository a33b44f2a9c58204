import { describe, expect, it } from 'vitest';
import {
  BothClustersDrainingError,
  ClusterError,
  DualClusterError,
  errorLabel,
  HazardousStatementError,
  HelixConfigError,
  HelixError,
  HelixUsageError,
  isHelixError,
  NoAvailableClusterError,
  OperationAbortedError,
  OverloadedError,
  ReplayQueueFullError,
  SchemaMismatchError,
  SessionClosedError,
  sideLabel,
  toError,
} from './index.js';

const cause = new Error('cause');
const all: [error: HelixError, name: string, code: string][] = [
  [new HelixConfigError('m'), 'HelixConfigError', 'HELIX_CONFIG'],
  [new HelixUsageError('m'), 'HelixUsageError', 'HELIX_USAGE'],
  [new SessionClosedError('m'), 'SessionClosedError', 'HELIX_SESSION_CLOSED'],
  [new NoAvailableClusterError('m'), 'NoAvailableClusterError', 'HELIX_NO_AVAILABLE_CLUSTER'],
  [new BothClustersDrainingError('m'), 'BothClustersDrainingError', 'HELIX_BOTH_DRAINING'],
  [new OverloadedError('m'), 'OverloadedError', 'HELIX_OVERLOADED'],
  [new OperationAbortedError('m', 'unknown', { cause }), 'AbortError', 'HELIX_ABORTED'],
  [new DualClusterError('m', { A: cause, B: cause }, 'unknown'), 'DualClusterError', 'HELIX_BOTH_FAILED'],
  [new ClusterError('m', 'A', 'read', 'notApplied', { cause }), 'ClusterError', 'HELIX_CLUSTER'],
  [new ReplayQueueFullError('m'), 'ReplayQueueFullError', 'HELIX_REPLAY_QUEUE_FULL'],
  [new HazardousStatementError('m', 'lwt'), 'HazardousStatementError', 'HELIX_HAZARD'],
  [new SchemaMismatchError('m'), 'SchemaMismatchError', 'HELIX_SCHEMA_MISMATCH'],
];

describe('errors of Helix', () => {
  it.each(all)('%s has the name %s and the code %s', (error, name, code) => {
    expect(error).toMatchObject({ name, code, message: 'm' });
    expect(error).toBeInstanceOf(HelixError);
    expect(error).toBeInstanceOf(Error);
    expect(isHelixError(error)).toBe(true);
  });

  it.each([new OverloadedError('m'), new ReplayQueueFullError('m')])('%s is safe to retry', (error) => {
    expect(error.outcome).toBe('notApplied');
  });

  it('keep their cause', () => {
    expect(new HelixConfigError('m', { cause }).cause).toBe(cause);
    expect(new ClusterError('m', 'A', 'read', 'notApplied', { cause }).cause).toBe(cause);
    expect(new DualClusterError('m', { A: cause, B: new Error() }, 'unknown').cause).toBe(cause);
  });

  it('have names that subclasses of a user keep for their own', () => {
    class Mine extends HelixUsageError {}
    expect(new Mine('m').name).toBe('Mine');
  });

  it('are known across copies of the package', () => {
    const fromAnotherCopy = Object.assign(new Error('m'), { [Symbol.for('nestjs-helix:error')]: true });
    expect(isHelixError(fromAnotherCopy)).toBe(true);
  });

  it.each([[new Error('m')], [null], [undefined], ['m'], [{ code: 'HELIX_CONFIG' }]])(
    'are told from what is none: %s',
    (other) => {
      expect(isHelixError(other)).toBe(false);
    },
  );
});

describe('toError', () => {
  it('leaves errors as they are and wraps everything else', () => {
    expect(toError(cause)).toBe(cause);
    expect(toError('boom')).toMatchObject({ cause: 'boom' });
    expect(toError(undefined)).toBeInstanceOf(Error);
  });
});

describe('errorLabel', () => {
  it.each<[error: Error, label: string]>([
    [new Error('secret'), 'Error'],
    [Object.assign(new Error('secret'), { name: 'ResponseError', code: 0x2200 }), 'ResponseError 0x2200'],
    [Object.assign(new Error('secret'), { name: 'ResponseError', code: 0x0a }), 'ResponseError 0x000a'],
    [Object.assign(new Error('secret'), { code: 'ECONNREFUSED' }), 'Error ECONNREFUSED'],
    [Object.assign(new Error('secret'), { code: {} }), 'Error'],
  ])('is name and code, never the message', (error, label) => {
    expect(errorLabel(error)).toBe(label);
  });
});

describe('sideLabel', () => {
  it('shows the name only if it says more than the letter', () => {
    const sides = { A: { name: 'A', hasConnected: true }, B: { name: 'us_west', hasConnected: true } };
    expect(sideLabel(sides, 'A')).toBe('cluster A');
    expect(sideLabel(sides, 'B')).toBe('cluster B ("us_west")');
  });

  it('works without B', () => {
    expect(sideLabel({ A: { name: 'x', hasConnected: true } }, 'B')).toBe('cluster B');
  });
});
