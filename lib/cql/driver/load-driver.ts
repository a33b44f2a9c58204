import type { Clock } from '../../core/index.js';
import type { DriverClient, Encoder, LoadBalancingPolicies, NoHostAvailable } from './driver-internals.js';
import { DriverPreparedRequests, type PreparedRequests } from './prepared-requests.js';

interface DriverModule {
  readonly version: string;
  readonly Client: new (options: object) => DriverClient;
  readonly Encoder: new (protocolVersion: number, options: object) => Encoder;
  readonly errors: { readonly NoHostAvailableError: NoHostAvailable };
  readonly types: { readonly unset: object };
  readonly policies: {
    readonly loadBalancing: LoadBalancingPolicies;
    readonly reconnection: { readonly ConstantReconnectionPolicy: new (delayMs: number) => object };
    readonly retry: { readonly RetryPolicy: new () => { rethrowResult(): object } };
  };
}

export interface Driver extends Omit<DriverModule, 'version' | 'errors'> {
  /** What a client's statements go through; `onDifference`: its hosts turn out to disagree about types. */
  requestsOf(client: DriverClient, clock: Clock, onDifference: () => void): PreparedRequests;
}

/**
 * Loads the driver when an instance is made for it; a package without `cql` never needs it installed.
 *
 * @param name what the package is installed as
 */
export async function loadDriver(name = 'cassandra-driver'): Promise<Driver> {
  const driver = await importDefault<DriverModule>(name);
  const { NoHostAvailableError } = driver.errors;
  return {
    ...driver,
    requestsOf: (client, clock, onDifference) =>
      new DriverPreparedRequests(client, NoHostAvailableError, clock, onDifference),
  };
}

async function importDefault<T>(specifier: string): Promise<T> {
  const { default: value } = (await import(specifier)) as { default: T };
  return value;
}
