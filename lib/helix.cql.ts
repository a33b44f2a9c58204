import { type Clock, HelixConfigError, OperationIds, type PerCluster } from './core/index.js';
import {
  type CqlContext,
  CqlReplayTarget,
  CqlSession,
  type CqlSessions,
  type Driver,
  loadDriver,
  Statements,
} from './cql/index.js';
import type { HelixInstance, InstanceLogger } from './helix.instance.js';
import type { ResolvedOptions } from './helix.options.js';

// What makes an instance one of CQL clusters: the parts of it, and the queries on top of it, that know CQL.

/** @throws HelixConfigError the driver is not installed, or too old */
export async function loadCqlDriver(): Promise<Driver> {
  try {
    return await loadDriver();
  } catch (cause) {
    throw new HelixConfigError('`cql` needs cassandra-driver 4.9 or later: npm install cassandra-driver', {
      cause,
    });
  }
}

/** Sessions that are not connected yet. */
export function createSessions(
  { cql, clusterNames }: ResolvedOptions,
  driver: Driver,
  clock: Clock,
  logger: InstanceLogger,
): CqlSessions {
  const warn = (message: string): void => logger.warn(message);
  const A = new CqlSession(driver, 'A', clusterNames.A, cql.A, clock, warn);
  if (!cql.B) return { A };
  const B = new CqlSession(driver, 'B', clusterNames.B, cql.B, clock, warn);
  if (!cql.allowSameCluster) A.mustDifferFrom(B, warn);
  return { A, B };
}

export function createStatements(
  { cql }: ResolvedOptions,
  sessions: CqlSessions,
  clock: Clock,
  logger: InstanceLogger,
): Statements {
  return new Statements(sessions, clock, undefined, cql.sharedToken, (message) => logger.warn(message));
}

export function replayTargets(
  { A, B }: CqlSessions,
  statements: Statements,
  clock: Clock,
): PerCluster<CqlReplayTarget> {
  const targetOn = (session: CqlSession): CqlReplayTarget => new CqlReplayTarget(session, statements, clock);
  return { A: targetOn(A), ...(B && { B: targetOn(B) }) };
}

/** A client that says when a host of its cluster goes and comes; one of the user's own need not. */
interface HostEvents {
  on?(event: string, listener: () => void): unknown;
  removeListener?(event: string, listener: () => void): unknown;
}

/** The instance is told when the driver believes something else of a host, until it ends. */
function watchHosts(instance: HelixInstance, { A, B }: CqlSessions): void {
  for (const session of [A, ...(B ? [B] : [])]) {
    const client: HostEvents = session.client as object;
    const onHosts = (): void => instance.reporter.onHosts(session.cluster);
    const events = ['hostUp', 'hostDown', 'hostAdd', 'hostRemove'];
    for (const event of events) client.on?.(event, onHosts);
    instance.events.subscribe({
      complete: () => {
        for (const event of events) client.removeListener?.(event, onHosts);
      },
    });
  }
}

/** What every query of the instance shares. */
export function createContext(
  instance: HelixInstance,
  sessions: CqlSessions,
  statements: Statements,
): CqlContext {
  watchHosts(instance, sessions);
  const { name, options, clock, contexts, writePath, readPath, timestamps } = instance;
  return {
    namespace: name,
    sessions,
    statements,
    writePath,
    readPath,
    timestamps,
    ids: new OperationIds(),
    contexts,
    clock,
    ack: options.ack,
    priority: options.priority,
    writeTimeoutMs: options.writeTimeoutMs,
    readTimeoutMs: options.readTimeoutMs,
  };
}
