import type { DriverClient, LoadBalancingPolicies, Token, TokenValue } from './driver-internals.js';
import { murmur3 } from './murmur3.js';

/** What a client's driver makes its tokens of. */
export interface TokenClasses {
  readonly Token: new (value: TokenValue) => Token;
  /** 64 bits from four pieces of 16, the lowest first; more than 16 bits of a piece are cut off. */
  readonly Value: new (bits0: number, bits16: number, bits32: number, bits48: number) => TokenValue;
}

/** A statement as one cluster routes it. */
export interface Routing {
  /** `undefined` if the cluster's driver is not known to take a Murmur3 token. */
  readonly tokenClasses: TokenClasses | undefined;
  /** Indices of the parameters that make up the partition key; empty if not all of it is parameters. */
  readonly partitionKeys: readonly number[] | undefined;
}

/** A token for the `routingKey` of both clusters' drivers; `undefined` if a part of the key has no value. */
export type SharedToken = (params: readonly unknown[]) => Token | undefined;

/** Tokens of Murmur3 by key: one above and one below zero. */
const KNOWN_TOKENS: readonly [key: Buffer, token: string][] = [
  [Buffer.from([0, 0, 0, 1]), '-4069959284402364209'],
  [Buffer.from([0, 0, 0, 3]), '9010454139840013625'],
];

/** A component of a composite key has its length before it, in two bytes. */
const LONGEST_COMPONENT = 0xffff;

/**
 * Finds out whether a client routes by Murmur3 tokens and lets others make them; asked once it is connected,
 * because the partitioner is learnt from the cluster. Never throws: a driver that has changed is one without.
 */
export function findTokenClasses(
  client: DriverClient,
  policies: LoadBalancingPolicies,
): TokenClasses | undefined {
  try {
    const policy = client.profileManager?.getDefaultLoadBalancing();
    return routesByToken(policy, policies) ? provenTokenClasses(client) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * One token for both clusters. The driver would make it twice, once for each; a Murmur3 token depends on
 * nothing but the key.
 *
 * @returns `undefined` unless it is sure that both drivers would have come to this token by themselves
 */
export function sharedToken(a: Routing, b: Routing): SharedToken | undefined {
  const { tokenClasses, partitionKeys } = a;
  if (!tokenClasses || !partitionKeys) return undefined;
  // A client of the user's own may come from another copy of the driver, which would refuse the token.
  if (b.tokenClasses?.Token !== tokenClasses.Token || b.tokenClasses.Value !== tokenClasses.Value) {
    return undefined;
  }
  if (!isSame(partitionKeys, b.partitionKeys)) return undefined;
  const [first, ...others] = partitionKeys;
  if (first === undefined) return undefined;
  if (others.length === 0) {
    return (params) => {
      const key = params[first];
      return key instanceof Uint8Array ? makeToken(tokenClasses, key) : undefined;
    };
  }
  return (params) => {
    const key = compositeKey(params, partitionKeys);
    return key && makeToken(tokenClasses, key);
  };
}

/**
 * A policy of the user's own expects the key, not a token; and the round-robin ones need neither. The
 * driver's ones are known by their class itself, so that nothing is taken for one that only derives from it.
 */
function routesByToken(policy: unknown, known: LoadBalancingPolicies): boolean {
  if (typeof policy !== 'object' || policy === null) return false;
  switch (policy.constructor) {
    case known.DefaultLoadBalancingPolicy:
      // Its option `getReplicas` becomes a method of the object.
      return !Object.hasOwn(policy, '_getReplicas');
    case known.TokenAwarePolicy: {
      const child = (policy as { childPolicy?: object }).childPolicy?.constructor;
      return child === known.RoundRobinPolicy || child === known.DCAwareRoundRobinPolicy;
    }
    default:
      return false;
  }
}

/** What a client's tokens are made of, if tokens that are made of it are the client's. */
function provenTokenClasses({ metadata }: DriverClient): TokenClasses | undefined {
  let classes: TokenClasses | undefined;
  for (const [key, token] of KNOWN_TOKENS) {
    const theirs = metadata.newToken?.(key);
    // Of another partitioner's tokens nothing is known, so nothing is made of them.
    if (theirs?.toString() !== token) return undefined;
    classes = { Token: theirs.constructor, Value: theirs.getValue().constructor } as TokenClasses;
    const ours = makeToken(classes, key);
    if (ours.compare(theirs) !== 0 || theirs.compare(ours) !== 0) return undefined;
  }
  return classes;
}

function makeToken({ Token, Value }: TokenClasses, key: Uint8Array): Token {
  const { high, low } = murmur3(key);
  return new Token(new Value(low, low >>> 16, high, high >>> 16));
}

/** A partition key of several components as the server hashes it; `undefined` if one is null, unset or too long. */
function compositeKey(params: readonly unknown[], indices: readonly number[]): Uint8Array | undefined {
  let length = 0;
  for (const index of indices) {
    const component = params[index];
    if (!(component instanceof Uint8Array) || component.length > LONGEST_COMPONENT) return undefined;
    length += 2 + component.length + 1;
  }
  const key = Buffer.allocUnsafe(length);
  let offset = 0;
  for (const index of indices) {
    const component = params[index] as Uint8Array;
    offset = key.writeUInt16BE(component.length, offset);
    key.set(component, offset);
    offset = key.writeUInt8(0, offset + component.length);
  }
  return key;
}

function isSame(a: readonly number[], b: readonly number[] | undefined): boolean {
  return b?.length === a.length && a.every((index, i) => index === b[i]);
}
