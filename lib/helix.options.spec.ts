import { describe, expect, it } from 'vitest';
import { CLUSTER_OPTIONS } from '../test/support/cql.js';
import { FakeCqlClient } from '../test/support/fake-cql-client.js';
import { HelixConfigError } from './core/index.js';
import { resolveOptions } from './helix.options.js';
import { ActiveFailover } from './policies/index.js';
import { MemoryReplayer } from './replay/index.js';
import { ConcurrentDualWriteStrategy, StickyReadStrategy } from './strategies/index.js';

const A = { ...CLUSTER_OPTIONS };
const B = { ...CLUSTER_OPTIONS };

const resolve = (options: object = {}) => resolveOptions({ cql: { A, B }, ...options }, 'default');

function refusal(options: object, instance = 'default'): Error {
  try {
    resolveOptions({ cql: { A, B }, ...options }, instance);
  } catch (error) {
    expect(error).toBeInstanceOf(HelixConfigError);
    return error as Error;
  }
  throw new Error('was expected to be refused');
}

describe('defaults', () => {
  it.each<[option: string, value: unknown]>([
    ['clusterNames', { A: 'A', B: 'B' }],
    ['connect', 'any'],
    ['connectTimeoutMs', 30_000],
    ['priority', 'high'],
    ['writeTimeoutMs', 5_000],
    ['readTimeoutMs', 5_000],
    ['enqueueTimeoutMs', 500],
    ['shutdownTimeoutMs', 10_000],
    ['replayWorker', { mode: 'embedded', executeTimeoutMs: 30_000 }],
  ])('%s', (option, value) => {
    expect(resolve()).toMatchObject({ [option]: value });
  });

  it.each(['readStrategy', 'writeStrategy', 'failoverPolicy', 'replayer', 'timestampProvider'])(
    '%s is left to its provider',
    (option) => {
      expect(resolve()).toHaveProperty(option, undefined);
    },
  );

  it('let onReplayDropped be called by whoever wants to', () => {
    expect(() => resolve().onReplayDropped({} as never, new Error())).not.toThrow();
  });
});

describe('what was given', () => {
  it.each<[option: string, value: unknown]>([
    ['clusterNames', { A: 'us_east', B: '_b2' }],
    ['connect', 'both'],
    ['connect', 'lazy'],
    ['connectTimeoutMs', 1],
    ['connectTimeoutMs', 2_147_483_647],
    ['priority', 'low'],
    ['writeTimeoutMs', 1_500.5],
    ['replayer', false],
    ['replayer', new MemoryReplayer()],
    ['readStrategy', new StickyReadStrategy()],
    ['writeStrategy', new ConcurrentDualWriteStrategy()],
    ['failoverPolicy', new ActiveFailover()],
    ['timestampProvider', () => 1],
    ['onReplayDropped', () => undefined],
  ])('%s is kept: %o', (option, value) => {
    expect(resolve({ [option]: value })).toHaveProperty(option, value);
  });

  it('hooks of the worker are kept beside its defaults', () => {
    const onSuccess = () => undefined;
    expect(resolve({ replayWorker: { onSuccess } }).replayWorker).toEqual({
      onSuccess,
      mode: 'embedded',
      executeTimeoutMs: 30_000,
    });
  });

  it('one name may be missing', () => {
    expect(resolve({ clusterNames: { B: 'us_west' } }).clusterNames).toEqual({ A: 'A', B: 'us_west' });
  });

  it('undefined is the same as missing', () => {
    const names = [
      'clusterNames',
      'connect',
      'writeTimeoutMs',
      'replayWorker',
      'onReplayDropped',
      'replayer',
    ];
    const nothing = Object.fromEntries(names.map((name) => [name, undefined]));
    expect(resolve(nothing)).toMatchObject({ connect: 'any', writeTimeoutMs: 5_000 });
  });

  it('a cluster may be a client of the user', () => {
    const client = new FakeCqlClient();
    expect(resolve({ cql: { A: client } }).cql.A).toBe(client);
  });
});

/** A policy knows the hosts of the last client it was given to: the writes of both sides would go to one cluster. */
function sharedPolicies(): [option: string, options: object, received: string, allowed: string][] {
  const policy = { init: () => undefined };
  const child = { childPolicy: policy };
  const places: [string, object, object][] = [
    ['policies', { policies: { loadBalancing: policy } }, { policies: { loadBalancing: policy } }],
    ['a child', { policies: { loadBalancing: policy } }, { policies: { loadBalancing: child } }],
    ['a profile', { policies: { loadBalancing: policy } }, { profiles: [{ loadBalancing: policy }] }],
    [
      'a client',
      { policies: { loadBalancing: policy } },
      { execute: () => undefined, options: { profiles: [{ loadBalancing: policy }] } },
    ],
    [
      'speculation',
      { policies: { speculativeExecution: policy } },
      { policies: { speculativeExecution: policy } },
    ],
  ];
  return places.map(([, a, b]) => [
    'cql.B',
    { cql: { A: { ...A, ...a }, B: { ...B, ...b } } },
    'the same load balancing or speculative execution policy as cql.A',
    'policies of its own',
  ]);
}

describe('a wrong value is refused, and the message says what it is and what it should be', () => {
  const timeouts = [
    'connectTimeoutMs',
    'writeTimeoutMs',
    'readTimeoutMs',
    'enqueueTimeoutMs',
    'shutdownTimeoutMs',
  ];

  it.each(
    timeouts.flatMap((option) =>
      [0, -1, NaN, Infinity, 2_147_483_648, '5000', null, {}, true].map((value) => [option, value] as const),
    ),
  )('%s: %s', (option, value) => {
    const { message } = refusal({ [option]: value });
    expect(message).toContain(option);
    expect(message).toMatch(/allowed: milliseconds from 1 to 2147483647$/);
  });

  it.each<[option: string, options: object, received: string, allowed: string]>([
    ['connect', { connect: 'all' }, '"all"', "'any', 'both', 'lazy'"],
    ['connect', { connect: null }, 'null', "'any', 'both', 'lazy'"],
    ['connect', { connect: Object.create(null) as object }, 'an object of no class', "'any'"],
    ['priority', { priority: 'urgent' }, '"urgent"', "'high', 'low'"],
    ['replayWorker.mode', { replayWorker: { mode: 'on' } }, '"on"', "'embedded', 'off'"],
    ['replayWorker.executeTimeoutMs', { replayWorker: { executeTimeoutMs: 0 } }, '0', 'milliseconds from 1'],
    ['replayWorker', { replayWorker: 'off' }, '"off"', 'an object'],
    ['replayWorker', { replayWorker: [] }, 'an object of Array', 'an object'],
    ['replayWorker.onSuccess', { replayWorker: { onSuccess: 5 } }, '5', 'a function'],
    ['replayWorker.onError', { replayWorker: { onError: 'log' } }, '"log"', 'a function'],
    ['replayWorker.onDrop', { replayWorker: { onDrop: null } }, 'null', 'a function'],
    ['clusterNames', { clusterNames: 'x' }, '"x"', 'an object'],
    ['clusterNames.A', { clusterNames: { A: '' } }, '""', 'letters, digits and _'],
    ['clusterNames.A', { clusterNames: { A: '1st' } }, '"1st"', 'letters, digits and _'],
    ['clusterNames.B', { clusterNames: { B: 'us-west' } }, '"us-west"', 'letters, digits and _'],
    ['clusterNames.B', { clusterNames: { B: 'west'.repeat(9) } }, 'westwest', 'at most 32 characters'],
    ['clusterNames.B', { clusterNames: { A: 'x', B: 'x' } }, '"x"', 'other than that of A'],
    ['clusterNames.B', { clusterNames: { A: 'B' } }, '"B"', 'other than that of A'],
    ['readStrategy', { readStrategy: {} }, 'an object of Object', 'select, onSuccess, onFailure'],
    ['readStrategy', { readStrategy: null }, 'null', 'select, onSuccess, onFailure'],
    ['readStrategy', { readStrategy: StickyReadStrategy }, 'function', 'select, onSuccess, onFailure'],
    ['writeStrategy', { writeStrategy: 'sync' }, '"sync"', 'execute'],
    ['failoverPolicy', { failoverPolicy: new StickyReadStrategy() }, 'StickyReadStrategy', 'isAvailable'],
    ['replayer', { replayer: true }, 'true', 'enqueue'],
    ['replayer', { replayer: new ActiveFailover() }, 'ActiveFailover', 'enqueue'],
    ['onReplayDropped', { onReplayDropped: 'log' }, '"log"', 'a function'],
    ['timestampProvider', { timestampProvider: 5 }, '5', 'a function'],
    ['maxReadsInFlight', { maxReadsInFlight: 0 }, '0', 'a whole number, 1 or more'],
    ['maxReadsInFlight', { maxReadsInFlight: '9' }, '"9"', 'a whole number, 1 or more'],
    ['cql', { cql: undefined }, 'undefined', 'an object'],
    ['cql', { cql: 'localhost' }, '"localhost"', 'an object'],
    ['cql.A', { cql: {} }, 'undefined', 'an object'],
    ['cql.A', { cql: { B } }, 'undefined', 'an object'],
    ['cql.B', { cql: { A, B: null } }, 'null', 'an object'],
    ['cql.B', { cql: { A, B: A } }, 'the same object as cql.A', 'the second cluster'],
    ['cql.sharedToken', { cql: { A, B, sharedToken: 1 } }, '1', 'true or false'],
    ...sharedPolicies(),
  ])('%s: %o', (option, options, received, allowed) => {
    const { message } = refusal(options);
    expect(message).toContain(`${option} is wrong`);
    expect(message).toContain(received);
    expect(message.slice(message.indexOf('allowed:'))).toContain(allowed);
  });

  const replayerMethods = [
    ...['open', 'enqueue', 'reserve', 'bury', 'consume', 'position', 'stats', 'snapshot', 'flush', 'close'],
  ];

  it.each(replayerMethods)('a replayer without %s()', (missing) => {
    const others = replayerMethods.filter((name) => name !== missing);
    const replayer = Object.fromEntries(others.map((name) => [name, () => undefined]));
    expect(refusal({ replayer }).message).toContain(
      `allowed: an object with the methods ${replayerMethods.join(', ')}`,
    );
  });

  it.each([undefined, null, 'x', 5, []])('options as a whole: %s', (options) => {
    expect(() => resolveOptions(options as never, 'default')).toThrow(HelixConfigError);
  });

  it.each<[option: string, options: object]>([
    ['retries', { retries: 3 }],
    ['name', { name: 'x' }],
    ['sql', { sql: {} }],
    ['writeTimeout', { writeTimeout: 5_000 }],
    ['cql.C', { cql: { A, B, C: A } }],
    ['clusterNames.C', { clusterNames: { C: 'x' } }],
    ['replayWorker.batchsize', { replayWorker: { batchsize: 3 } }],
  ])('an option that does not exist: %s', (option, options) => {
    const { message } = refusal(options);
    expect(message).toContain(`${option} is wrong. Received an option that does not exist`);
    expect(message).toContain('allowed: ');
  });

  it('names the instance when it is not the default one', () => {
    expect(refusal({ connect: 'all' }, 'analytics').message).toContain('"analytics"');
  });

  it('never shows what is in a wrong object', () => {
    const secret = { password: 'hunter2' };
    expect(refusal({ readStrategy: secret }).message).not.toContain('hunter2');
    expect(refusal({ connect: secret }).message).not.toContain('hunter2');
  });
});
