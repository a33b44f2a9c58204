import { describe, expect, it } from 'vitest';
import { type ClusterIdentity, haveClonedNodes, shareNode } from './cluster-identity.js';

const cluster = (name: string, ...nodes: [hostId: string, address: string][]): ClusterIdentity => ({
  name,
  nodes: nodes.map(([hostId, address]) => ({ hostId, address })),
});

const east = cluster('shop', ['h1', '10.0.0.1'], ['h2', '10.0.0.2']);

describe('two clusters', () => {
  it.each<[what: string, other: ClusterIdentity, isSame: boolean, isCloned: boolean]>([
    ['found at one node', east, true, true],
    [
      'found at different nodes of one cluster',
      cluster('shop', ['h2', '10.0.0.2'], ['h1', '10.0.0.1']),
      true,
      true,
    ],
    ['with one node in common', cluster('shop', ['h9', '10.0.0.9'], ['h2', '10.0.0.2']), true, true],
    ['of one name', cluster('shop', ['h3', '10.0.0.3']), false, false],
    ['of one name at the same private addresses', cluster('shop', ['h3', '10.0.0.1']), false, false],
    ['of which one was made of the disks of the other', cluster('shop', ['h1', '10.1.0.1']), false, true],
    ['with a node in common and another name', cluster('copy', ['h1', '10.0.0.1']), false, true],
  ])('%s', (_what, other, isSame, isCloned) => {
    expect([shareNode(east, other), haveClonedNodes(east, other)]).toEqual([isSame, isCloned]);
    expect([shareNode(other, east), haveClonedNodes(other, east)]).toEqual([isSame, isCloned]);
  });
});
