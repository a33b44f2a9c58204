import { describe, expect, it } from 'vitest';
import { CLUSTER_OPTIONS } from '../test/support/cql.js';
import { FakeCqlClient } from '../test/support/fake-cql-client.js';
import { HelixConfigError } from './core/index.js';
import { resolveOptions } from './helix.options.js';

function resolve(B: object): unknown {
  try {
    return resolveOptions({ cql: { A: { ...CLUSTER_OPTIONS }, B } }, 'default');
  } catch (error) {
    return error;
  }
}

const { localDataCenter, ...withoutDataCenter } = CLUSTER_OPTIONS;
const { contactPoints, ...withoutHosts } = CLUSTER_OPTIONS;

describe('options of one cluster that cannot be right', () => {
  it.each<[what: string, options: object, says: string]>([
    ['no data centre', withoutDataCenter, 'cql.B.localDataCenter is wrong. Received nothing'],
    [
      'a data centre that is no text',
      { ...CLUSTER_OPTIONS, localDataCenter: 7 },
      'cql.B.localDataCenter is wrong. Received number',
    ],
    [
      'an empty data centre',
      { ...CLUSTER_OPTIONS, localDataCenter: '' },
      'cql.B.localDataCenter is wrong. Received an empty text',
    ],
    [
      'a data centre in another spelling',
      { ...withoutDataCenter, localDatacenter: 'dc1' },
      'cql.B.localDatacenter is wrong. Received an option that does not exist; allowed: did you mean localDataCenter?',
    ],
    [
      'a port in another spelling',
      { ...CLUSTER_OPTIONS, protocolOptions: { Port: 1 } },
      'did you mean port?',
    ],
    [
      'hosts as one text',
      { ...CLUSTER_OPTIONS, contactPoints: 'secret' },
      'cql.B.contactPoints is wrong. Received a text',
    ],
    [
      'hosts that are no texts',
      { ...CLUSTER_OPTIONS, contactPoints: [undefined] },
      'cql.B.contactPoints is wrong',
    ],
    ['no host in the list', { ...CLUSTER_OPTIONS, contactPoints: [] }, 'Received an empty list'],
    ['no hosts', withoutHosts, 'cql.B.contactPoints is wrong. Received nothing'],
    [
      'a user in another spelling',
      { ...CLUSTER_OPTIONS, credentials: { userName: 'secret' } },
      'did you mean username?',
    ],
  ])('%s', (_what, options, says) => {
    const error = resolve(options);
    expect(error).toBeInstanceOf(HelixConfigError);
    expect((error as Error).message).toContain(says);
    expect((error as Error).message).not.toContain('secret');
  });
});

describe('options of one cluster that may be right', () => {
  const loadBalancing = {};
  it.each<[what: string, options: object]>([
    ['all that is needed', { contactPoints, localDataCenter }],
    ['a load balancing policy', { ...withoutDataCenter, policies: { loadBalancing } }],
    ['one of the default profile', { ...withoutDataCenter, profiles: [{ name: 'default', loadBalancing }] }],
    ['a cloud bundle', { cloud: { secureConnectBundle: 'bundle.zip' } }],
    ['an option that this version of Helix does not know', { ...CLUSTER_OPTIONS, brandNew: true }],
    ["a client of the user's own", new FakeCqlClient()],
  ])('%s', (_what, options) => {
    expect(resolve(options)).not.toBeInstanceOf(Error);
  });
});
