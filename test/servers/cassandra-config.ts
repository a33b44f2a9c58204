export interface CassandraPlace {
  clusterName: string;
  directory: string;
  host: string;
  port: number;
  storagePort: number;
  /** Hosts, all with the same storage port. */
  seeds: readonly string[];
  /** Whoever connects has to say who it is: `cassandra` with the password `cassandra`, at first. */
  asksForPassword?: boolean;
}

/** cassandra.yaml for a node that has to share a small machine with others. */
export function cassandraConfig(place: CassandraPlace): string {
  const { clusterName, directory, host, port, storagePort, seeds, asksForPassword } = place;
  const config = {
    cluster_name: clusterName,
    num_tokens: 1,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    endpoint_snitch: 'SimpleSnitch',
    seed_provider: [
      {
        class_name: 'org.apache.cassandra.locator.SimpleSeedProvider',
        parameters: [{ seeds: seeds.map((seed) => `${seed}:${storagePort}`).join(',') }],
      },
    ],
    listen_address: host,
    rpc_address: host,
    storage_port: storagePort,
    native_transport_port: port,
    start_native_transport: true,
    authenticator: asksForPassword ? 'PasswordAuthenticator' : 'AllowAllAuthenticator',
    authorizer: 'AllowAllAuthorizer',
    data_file_directories: [`${directory}/data`],
    commitlog_directory: `${directory}/commitlog`,
    saved_caches_directory: `${directory}/saved_caches`,
    hints_directory: `${directory}/hints`,
    cdc_raw_directory: `${directory}/cdc_raw`,
    hinted_handoff_enabled: false,
    auto_snapshot: false,
    // The shipped default, periodic, loses acknowledged writes of its last ten seconds on SIGKILL.
    commitlog_sync: 'batch',
    commitlog_segment_size: '8MiB',
    commitlog_total_space: '64MiB',
    disk_failure_policy: 'stop',
    commit_failure_policy: 'stop',
    memtable_heap_space: '64MiB',
    memtable_offheap_space: '64MiB',
    memtable_allocation_type: 'heap_buffers',
    file_cache_size: '32MiB',
    networking_cache_size: '16MiB',
    key_cache_size: '4MiB',
    counter_cache_size: '1MiB',
    row_cache_size: '0MiB',
    concurrent_reads: 8,
    concurrent_writes: 8,
    concurrent_counter_writes: 4,
    concurrent_materialized_view_writes: 2,
    concurrent_compactors: 1,
    native_transport_max_threads: 32,
    read_request_timeout: '5s',
    write_request_timeout: '5s',
    counter_write_request_timeout: '5s',
    range_request_timeout: '10s',
    request_timeout: '10s',
    cas_contention_timeout: '2s',
    truncate_request_timeout: '30s',
    // Reading over the shipped 100,000 of them stops a small heap for longer than a cluster may be silent.
    tombstone_warn_threshold: 1_000,
    tombstone_failure_threshold: 10_000,
  };
  return JSON.stringify(config, null, 2); // JSON is YAML, and quotes paths
}

export const logbackConfig = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{HH:mm:ss.SSS} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
`;

const exported = [
  'java.base/jdk.internal.misc',
  'java.base/java.lang.ref',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'jdk.attach/sun.tools.attach',
  'jdk.compiler/com.sun.tools.javac.file',
  'jdk.unsupported/sun.misc',
];

const opened = [
  'java.base/java.io',
  'java.base/java.lang',
  'java.base/java.lang.module',
  'java.base/java.lang.reflect',
  'java.base/java.util',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.util.jar',
  'java.base/sun.nio.ch',
  'jdk.compiler/com.sun.tools.javac',
  'jdk.management/com.sun.management.internal',
];

/** The modules Cassandra reaches into: conf/jvm17-server.options of its distribution. */
export const moduleFlags = [
  ...exported.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  ...opened.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
  '-Djdk.attach.allowAttachSelf=true',
  '-Dio.netty.tryReflectionSetAccessible=true',
  // Cassandra installs a security manager, which Java 18 and later allow only when told so.
  '-Djava.security.manager=allow',
];

/** About 250 MB resident instead of the gigabytes of the shipped settings. */
export const memoryFlags = [
  '-Xms64M',
  '-Xmx256M',
  '-Xss512k',
  '-XX:MaxDirectMemorySize=128M',
  '-XX:ReservedCodeCacheSize=64M',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '-XX:+ExitOnOutOfMemoryError',
];

/**
 * All nodes start at once, on a ring that is laid out beforehand: nobody is waited for, and nothing streams.
 * Asked at ALL, the keyspace system_distributed then tells whether a node sees every other one.
 */
export function startFlags({ token, nodes }: { token: bigint; nodes: number }): string[] {
  return [
    `-Dcassandra.initial_token=${token}`,
    `-Dcassandra.system_distributed.default_rf=${nodes}`,
    '-Dcassandra.ring_delay_ms=0',
    // Twice the ring's delay by default: nodes that were not quite ready together would forget one another.
    '-Dcassandra.gossip_quarantine_delay_ms=60000',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.superuser_setup_delay_ms=0',
    // One of several that restarts knows its ring at once: others send to it before gossip has told it.
    `-Dcassandra.load_ring_state=${nodes > 1}`,
    // What Cassandra arrives at itself with a third of the processor time of its whole start.
    '-Dcassandra.memtable.row_overhead_size=180',
  ];
}
