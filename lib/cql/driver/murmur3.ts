/** A signed integer of 64 bits as its two signed halves. */
export interface Int64 {
  readonly high: number;
  readonly low: number;
}

const C1_HIGH = 0x87c37b91 | 0;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;
const MIN_HIGH = -0x80000000;

/**
 * Murmur3 (x64, 128 bits, seed 0) as Cassandra's `Murmur3Partitioner` has it: the first 64 bits, the last bytes
 * of a key taken as signed ones (`MurmurHash.hash3_x64_128`), and the greatest number in place of the least one,
 * which is no partition's token (`Murmur3Partitioner.normalize`).
 *
 * In 32-bit arithmetic, which compiles to machine instructions; nothing but the result is allocated.
 */
export function murmur3(key: Uint8Array): Int64 {
  const { length } = key;
  let h1High = 0;
  let h1Low = 0;
  let h2High = 0;
  let h2Low = 0;
  let high: number;
  let low: number;
  let rotated: number;

  for (let offset = 0; offset < length; offset += 16) {
    const isWhole = length - offset >= 16;

    // h1 ^= rotateLeft(k1 * C1, 31) * C2
    low = isWhole ? word(key, offset) : tailLow(key, offset, length);
    high = isWhole ? word(key, offset + 4) : tailHigh(key, offset, length);
    high = multiplyHigh(high, low, C1_HIGH, C1_LOW);
    low = Math.imul(low, C1_LOW);
    rotated = (high << 31) | (low >>> 1);
    low = (low << 31) | (high >>> 1);
    h1High ^= multiplyHigh(rotated, low, C2_HIGH, C2_LOW);
    h1Low ^= Math.imul(low, C2_LOW);
    if (isWhole) {
      // h1 = (rotateLeft(h1, 27) + h2) * 5 + 0x52dce729
      high = (h1High << 27) | (h1Low >>> 5);
      low = (h1Low << 27) | (h1High >>> 5);
      high = addHigh(high, low, h2High, h2Low);
      low = (low + h2Low) | 0;
      h1High = addHigh(multiplyHigh(high, low, 0, 5), Math.imul(low, 5), 0, 0x52dce729);
      h1Low = (Math.imul(low, 5) + 0x52dce729) | 0;
    }

    // h2 ^= rotateLeft(k2 * C2, 33) * C1
    low = isWhole ? word(key, offset + 8) : tailLow(key, offset + 8, length);
    high = isWhole ? word(key, offset + 12) : tailHigh(key, offset + 8, length);
    high = multiplyHigh(high, low, C2_HIGH, C2_LOW);
    low = Math.imul(low, C2_LOW);
    rotated = (low << 1) | (high >>> 31);
    low = (high << 1) | (low >>> 31);
    h2High ^= multiplyHigh(rotated, low, C1_HIGH, C1_LOW);
    h2Low ^= Math.imul(low, C1_LOW);
    if (isWhole) {
      // h2 = (rotateLeft(h2, 31) + h1) * 5 + 0x38495ab5
      high = (h2High << 31) | (h2Low >>> 1);
      low = (h2Low << 31) | (h2High >>> 1);
      high = addHigh(high, low, h1High, h1Low);
      low = (low + h1Low) | 0;
      h2High = addHigh(multiplyHigh(high, low, 0, 5), Math.imul(low, 5), 0, 0x38495ab5);
      h2Low = (Math.imul(low, 5) + 0x38495ab5) | 0;
    }
  }

  h1Low ^= length;
  h2Low ^= length;
  h1High = addHigh(h1High, h1Low, h2High, h2Low);
  h1Low = (h1Low + h2Low) | 0;
  h2High = addHigh(h2High, h2Low, h1High, h1Low);
  h2Low = (h2Low + h1Low) | 0;
  const h1 = finalMix(h1High, h1Low);
  const h2 = finalMix(h2High, h2Low);
  high = addHigh(h1.high, h1.low, h2.high, h2.low);
  low = (h1.low + h2.low) | 0;
  return high === MIN_HIGH && low === 0 ? { high: 0x7fffffff, low: -1 } : { high, low };
}

function finalMix(high: number, low: number): Int64 {
  low ^= high >>> 1;
  high = multiplyHigh(high, low, 0xff51afd7 | 0, 0xed558ccd | 0);
  low = Math.imul(low, 0xed558ccd | 0);
  low ^= high >>> 1;
  high = multiplyHigh(high, low, 0xc4ceb9fe | 0, 0x1a85ec53);
  low = Math.imul(low, 0x1a85ec53);
  return { high, low: low ^ (high >>> 1) };
}

/** Upper half of a sum; the lower one is that of the lower halves. */
function addHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const carry = (aLow >>> 0) + (bLow >>> 0) > 0xffffffff ? 1 : 0;
  return (aHigh + bHigh + carry) | 0;
}

/** Upper half of the lower 64 bits of a product; the lower one is `Math.imul` of the lower halves. */
function multiplyHigh(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const other = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
  const carried = (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16)) | 0;
  return (carried + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** Four bytes, the lowest first. */
function word(key: Uint8Array, offset: number): number {
  return (
    byte(key, offset) |
    (byte(key, offset + 1) << 8) |
    (byte(key, offset + 2) << 16) |
    (byte(key, offset + 3) << 24)
  );
}

/** Lower half of up to eight last bytes. Each is a signed number that is shifted to its place and xor-ed in. */
function tailLow(key: Uint8Array, from: number, end: number): number {
  let low = 0;
  for (let i = Math.min(from + 4, end) - 1; i >= from; i--) low ^= signedByte(key, i) << (8 * (i - from));
  return low;
}

/** Upper half of the same: the sign of a byte in the lower half reaches all of it. */
function tailHigh(key: Uint8Array, from: number, end: number): number {
  let high = 0;
  for (let i = Math.min(from + 4, end) - 1; i >= from; i--) high ^= signedByte(key, i) >> 31;
  for (let i = Math.min(from + 8, end) - 1; i >= from + 4; i--) {
    high ^= signedByte(key, i) << (8 * (i - from - 4));
  }
  return high;
}

function byte(key: Uint8Array, at: number): number {
  return key[at] ?? 0;
}

function signedByte(key: Uint8Array, at: number): number {
  return (byte(key, at) << 24) >> 24;
}
