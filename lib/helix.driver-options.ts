/** Says that an option is wrong. */
interface OptionFailure {
  fail(option: string, received: string, allowed: string): never;
}

/** What `cassandra-driver` 4.10 and Helix know, as far as a typo would go unnoticed until the first connection. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['contactPoints', 'localDataCenter', 'keyspace', 'authProvider', 'credentials', 'cloud', 'encoding'],
    ...['isMetadataSyncEnabled', 'maxPrepared', 'metrics', 'policies', 'pooling', 'prepareOnAllHosts'],
    ...[
      'profiles',
      'promiseFactory',
      'protocolOptions',
      'queryOptions',
      'refreshSchemaDelay',
      'rePrepareOnUp',
    ],
    ...['requestTracker', 'socketOptions', 'sslOptions', 'id', 'applicationName', 'applicationVersion'],
    ...['monitorReporting', 'consistency', 'serialConsistency'],
  ],
  policies: [
    ...['addressResolution', 'loadBalancing', 'reconnection', 'retry', 'speculativeExecution'],
    ...['timestampGeneration'],
  ],
  protocolOptions: ['maxSchemaAgreementWaitSeconds', 'maxVersion', 'noCompact', 'port'],
  socketOptions: [
    ...['connectTimeout', 'defunctReadTimeoutThreshold', 'keepAlive', 'keepAliveDelay', 'readTimeout'],
    ...['tcpNoDelay', 'coalescingThreshold'],
  ],
  pooling: ['coreConnectionsPerHost', 'heartBeatInterval', 'maxRequestsPerConnection', 'warmup'],
  credentials: ['username', 'password'],
  cloud: ['secureConnectBundle'],
};

/**
 * Finds what is wrong with the options of one cluster without asking it: the driver would only say so when it connects,
 * as if the cluster were down, or not at all. No value that was received is ever shown: it may be a secret.
 */
export function checkDriverOptions(check: OptionFailure, path: string, cluster: object | undefined): void {
  if (!cluster || ('execute' in cluster && typeof cluster.execute === 'function')) return;
  const options = cluster as Readonly<Record<string, unknown>>;
  for (const [group, known] of Object.entries(KNOWN)) {
    checkNames(check, group ? `${path}.${group}` : path, group ? options[group] : options, known);
  }
  const { contactPoints, localDataCenter, cloud } = options;
  if (contactPoints !== undefined && !isListOfHosts(contactPoints)) {
    check.fail(
      `${path}.contactPoints`,
      kindOf(contactPoints),
      "a list of hosts, as in ['10.0.0.1', '10.0.0.2']",
    );
  }
  if (contactPoints === undefined && cloud === undefined) {
    check.fail(`${path}.contactPoints`, 'nothing', "a list of hosts, as in ['10.0.0.1', '10.0.0.2']");
  }
  if (localDataCenter !== undefined && (typeof localDataCenter !== 'string' || localDataCenter === '')) {
    check.fail(`${path}.localDataCenter`, kindOf(localDataCenter), 'the name of a data centre');
  }
  if (localDataCenter === undefined && cloud === undefined && !hasLoadBalancing(options)) {
    check.fail(
      `${path}.localDataCenter`,
      'nothing',
      "the data centre whose nodes are asked, as `nodetool status` names it ('datacenter1' by default), or policies.loadBalancing",
    );
  }
}

function checkNames(check: OptionFailure, path: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) return;
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = known.find((each) => each.toLowerCase() === name.toLowerCase());
    if (meant) check.fail(`${path}.${name}`, 'an option that does not exist', `did you mean ${meant}?`);
  }
}

function isListOfHosts(value: unknown): boolean {
  return (
    Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string' && each !== '')
  );
}

/** The driver's default policies need the data centre; one of the user's own knows what it needs. */
function hasLoadBalancing({ policies, profiles }: Readonly<Record<string, unknown>>): boolean {
  const defaults = Array.isArray(profiles)
    ? (profiles as { name?: string; loadBalancing?: object }[]).find(({ name }) => name === 'default')
    : undefined;
  return Boolean(
    (policies as { loadBalancing?: object } | undefined)?.loadBalancing ?? defaults?.loadBalancing,
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : 'a list with something else than hosts';
  if (value === '') return 'an empty text';
  if (typeof value === 'string') return 'a text';
  return value === null ? 'null' : typeof value;
}
