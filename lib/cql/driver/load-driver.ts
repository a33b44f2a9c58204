import type { Clock } from '../../core/index.js';
import type {
  DriverClient,
  Encoder,
  LoadBalancingPolicies,
  PrepareHandlerClass,
} from './driver-internals.js';
import { DriverPreparedRequests, type PreparedRequests } from './prepared-requests.js';

interface DriverModule {
  readonly version: string;
  readonly Client: new (options: object) => DriverClient;
  readonly Encoder: new (protocolVersion: number, options: object) => Encoder;
  readonly types: { readonly unset: object };
  readonly policies: {
    readonly loadBalancing: LoadBalancingPolicies;
    readonly reconnection: { readonly ConstantReconnectionPolicy: new (delayMs: number) => object };
    readonly retry: { readonly RetryPolicy: new () => { rethrowResult(): object } };
  };
}

export interface Driver extends Omit<DriverModule, 'version'> {
  /** What a client's statements go through. */
  requestsOf(client: DriverClient, clock: Clock): PreparedRequests;
}

/**
 * Loads the driver when an instance is made for it; a package without `cql` never needs it installed.
 *
 * @param name what the package is installed as
 */
export async function loadDriver(name = 'cassandra-driver'): Promise<Driver> {
  const [driver, Handler] = await Promise.all([
    importDefault<DriverModule>(name),
    importDefault<PrepareHandlerClass>(`${name}/lib/prepare-handler.js`),
  ]);
  return { ...driver, requestsOf: (client, clock) => new DriverPreparedRequests(client, Handler, clock) };
}

async function importDefault<T>(specifier: string): Promise<T> {
  const { default: value } = (await import(specifier)) as { default: T };
  return value;
}
