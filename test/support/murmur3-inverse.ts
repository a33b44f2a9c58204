const BITS = 64n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotateRight = (value: bigint, by: bigint): bigint => wrap((value >> by) | (value << (BITS - by)));

/** Multiplicative inverse modulo 2^64 of an odd number: each step of Newton's doubles the bits that are right. */
function inverse(odd: bigint): bigint {
  let result = odd;
  for (let step = 0; step < 6; step++) result = wrap(result * (2n - odd * result));
  return result;
}

/** x ^= x >>> 33 is its own inverse, because 33 is more than half of 64. */
const unshift = (value: bigint): bigint => value ^ (value >> 33n);

function unmix(value: bigint): bigint {
  const once = wrap(unshift(value) * inverse(0xc4ceb9fe1a85ec53n));
  return unshift(wrap(unshift(once) * inverse(0xff51afd7ed558ccdn)));
}

/**
 * A key of 16 bytes whose Murmur3 (x64, 128 bits) has `hash` for its first 64 bits: the hash read backwards.
 * There are 2^64 of them; `choice` picks one.
 */
export function keyOfHash(hash: bigint, choice: bigint): Buffer {
  let h1 = unmix(wrap(hash - choice));
  let h2 = unmix(choice);
  h2 = wrap(h2 - h1);
  h1 = wrap(h1 - h2);
  h1 ^= 16n;
  h2 ^= 16n;
  const k2 = rotateRight(wrap(wrap(h2 - 0x38495ab5n) * inverse(5n) - h1), 31n);
  const k1 = rotateRight(wrap((h1 - 0x52dce729n) * inverse(5n)), 27n);
  const key = Buffer.alloc(16);
  key.writeBigUInt64LE(wrap(rotateRight(wrap(k1 * inverse(C2)), 31n) * inverse(C1)), 0);
  key.writeBigUInt64LE(wrap(rotateRight(wrap(k2 * inverse(C1)), 33n) * inverse(C2)), 8);
  return key;
}
