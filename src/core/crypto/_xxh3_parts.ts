/**
 * What XXH3-64 and XXH3-128 have in common: constants, the default secret, the lanes of long inputs and the
 * mixing of 64-bit words in plain `bigint`.
 */

export const PRIME32_1 = 0x9e3779b1n;
export const PRIME32_2 = 0x85ebca77n;
export const PRIME32_3 = 0xc2b2ae3dn;
export const PRIME64_1 = 0x9e3779b185ebca87n;
export const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
export const PRIME64_3 = 0x165667b19e3779f9n;
export const PRIME64_4 = 0x85ebca77c2b2ae63n;
export const PRIME64_5 = 0x27d4eb2f165667c5n;
export const SHORT_MULTIPLIER = 0x9fb21c651e98df25n;
const AVALANCHE_MULTIPLIER = 0x165667919e3779f9n;

export const MASK_32 = 0xffff_ffffn;
export const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** The algorithm's default secret. */
export const SECRET = new DataView(
  Uint8Array.fromHex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f" +
      "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
      "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
      "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
      "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e" +
      "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
  ).buffer,
);
export const SECRET_BYTES = 192;
const STRIPE_BYTES = 64;
/** Each stripe moves 8 bytes along the secret: (192 - 64) / 8 stripes make a block. */
const STRIPES_PER_BLOCK = (SECRET_BYTES - STRIPE_BYTES) / 8;

/** The lanes of an input of more than 240 bytes. */
export function longLanes(view: DataView, secret: DataView): BigUint64Array {
  const length = view.byteLength;
  const lanes = BigUint64Array.of(
    PRIME32_3,
    PRIME64_1,
    PRIME64_2,
    PRIME64_3,
    PRIME64_4,
    PRIME32_2,
    PRIME64_5,
    PRIME32_1,
  );
  // The last 1 to 64 bytes never count as a stripe here, so a block that ends the input isn't scrambled.
  const stripes = Math.floor((length - 1) / STRIPE_BYTES);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inBlock = stripe % STRIPES_PER_BLOCK;
    accumulate(lanes, view, stripe * STRIPE_BYTES, secret, inBlock * 8);
    if (inBlock === STRIPES_PER_BLOCK - 1) scramble(lanes, secret);
  }
  accumulate(lanes, view, length - STRIPE_BYTES, secret, SECRET_BYTES - STRIPE_BYTES - 7);
  return lanes;
}

/** One word out of the lanes. */
export function mergeLanes(
  lanes: BigUint64Array,
  secret: DataView,
  offset: number,
  start: bigint,
): bigint {
  let sum = start;
  for (let i = 0; i < 4; i++) {
    sum += multiplyFold(
      lane(lanes, 2 * i) ^ secret.getBigUint64(offset + 16 * i, true),
      lane(lanes, 2 * i + 1) ^ secret.getBigUint64(offset + 8 + 16 * i, true),
    );
  }
  return avalanche(sum);
}

/** Low half of the 128-bit product XOR its high half. */
export function multiplyFold(left: bigint, right: bigint): bigint {
  const product = left * right;
  return (product & MASK_64) ^ (product >> 64n);
}

/** Spreads every bit over the word. */
export function avalanche(sum: bigint): bigint {
  let hash = sum & MASK_64;
  hash ^= hash >> 37n;
  hash = (hash * AVALANCHE_MULTIPLIER) & MASK_64;
  return hash ^ (hash >> 32n);
}

/** The older way to spread, for the shortest inputs. */
export function avalancheXxh64(value: bigint): bigint {
  let hash = value;
  hash ^= hash >> 33n;
  hash = (hash * PRIME64_2) & MASK_64;
  hash ^= hash >> 29n;
  hash = (hash * PRIME64_3) & MASK_64;
  return hash ^ (hash >> 32n);
}

/** The bytes of a word of 64 bits in the other order. */
export function swapBytes(value: bigint): bigint {
  let swapped = 0n;
  for (let i = 0n; i < 64n; i += 8n) swapped = (swapped << 8n) | ((value >> i) & 0xffn);
  return swapped;
}

/** A word of the default secret. */
export function secret64(offset: number): bigint {
  return SECRET.getBigUint64(offset, true);
}

function accumulate(
  lanes: BigUint64Array,
  view: DataView,
  offset: number,
  secret: DataView,
  secretOffset: number,
): void {
  for (let i = 0; i < 8; i++) {
    const value = view.getBigUint64(offset + 8 * i, true);
    const keyed = value ^ secret.getBigUint64(secretOffset + 8 * i, true);
    lanes[i ^ 1] = lane(lanes, i ^ 1) + value;
    lanes[i] = lane(lanes, i) + (keyed & MASK_32) * (keyed >> 32n);
  }
}

function scramble(lanes: BigUint64Array, secret: DataView): void {
  for (let i = 0; i < 8; i++) {
    const value = lane(lanes, i);
    const key = secret.getBigUint64(SECRET_BYTES - STRIPE_BYTES + 8 * i, true);
    lanes[i] = (value ^ (value >> 47n) ^ key) * PRIME32_1;
  }
}

function lane(lanes: BigUint64Array, index: number): bigint {
  return lanes[index] ?? 0n;
}
