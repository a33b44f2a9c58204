import type { ClusterId, PerCluster } from './cluster.js';

/** What the paths need to know of a configured cluster. */
export interface Side {
  /** Display name, for messages. */
  readonly name: string;
  /** True once the first connection was made. */
  readonly hasConnected: boolean;
}

export type Sides = PerCluster<Side>;

/** Which clusters of a pair are being drained. Read for every call; whoever hears of a change sets it. */
export type Draining = Record<ClusterId, boolean>;

/** A single cluster has nobody to drain to. */
export const NOBODY_DRAINS: Readonly<Draining> = { A: false, B: false };

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
