import type { ClusterId, PerCluster } from './cluster.js';

/** What the paths need to know of a configured cluster. */
export interface Side {
  /** Display name, for messages. */
  readonly name: string;
  /** True once the first connection was made. */
  readonly hasConnected: boolean;
}

export type Sides = PerCluster<Side>;

/** One cluster as an instance needs it, whatever its driver is: connected, asked for a sign of life, closed. */
export interface ClusterSession extends Side {
  /** The side it is. */
  readonly cluster: ClusterId;
  /** Whether the driver believes that the cluster can be reached now. */
  readonly isConnected: boolean;
  /** Why the last attempt to connect failed, the driver's own error as its `cause`. */
  readonly connectError: Error | undefined;
  /** Connects, trying again until it succeeds or the session is closed. `onFailure` is told of each failure. */
  keepConnecting(onConnected: () => void, onFailure: (error: Error) => void): void;
  /** What is to be said of a cluster that was never reached. */
  notConnected(): Error;
  /** Resolves when the cluster answers within the time; rejects at once if it was never reached. */
  ping(timeoutMs: number): Promise<void>;
  /** Ends every connection and attempt to connect. */
  close(): Promise<void>;
}

/** `cluster A ("us_east")`, or just `cluster A` when it has no other name. */
export function sideLabel(sides: Sides, cluster: ClusterId): string {
  const name = sides[cluster]?.name ?? cluster;
  return name === cluster ? `cluster ${cluster}` : `cluster ${cluster} ("${name}")`;
}

/** Name and code of an error: all of it that may be logged, its message may carry values. */
export function errorLabel(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  switch (typeof code) {
    case 'number':
      return `${error.name} 0x${code.toString(16).padStart(4, '0')}`;
    case 'string':
      return `${error.name} ${code}`;
    default:
      return error.name;
  }
}
