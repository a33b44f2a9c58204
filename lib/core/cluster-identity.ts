/** A node as its cluster describes it. */
export interface ClusterNode {
  readonly hostId: string;
  /** Where the other nodes reach it. */
  readonly address: string;
}

/** By what a cluster can be told from another one, whatever address it was found at. */
export interface ClusterIdentity {
  readonly name: string;
  readonly nodes: readonly ClusterNode[];
}

/** Whether the two are one cluster: names are seldom unique, and a host id alone is copied with a disk. */
export function shareNode(a: ClusterIdentity, b: ClusterIdentity): boolean {
  const isIn = ({ hostId, address }: ClusterNode): boolean =>
    b.nodes.some((other) => other.hostId === hostId && other.address === address);
  return a.name === b.name && a.nodes.some(isIn);
}

/** Whether a node of one was made of a copy of the disk of a node of the other. */
export function haveClonedNodes(a: ClusterIdentity, b: ClusterIdentity): boolean {
  return a.nodes.some(({ hostId }) => b.nodes.some((other) => other.hostId === hostId));
}
