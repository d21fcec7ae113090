import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import {
  createIdentity,
  createPublicIdentity,
  deriveNodeId,
  deriveOriginHash,
  generateSeed,
  hasRecognisablePingwaves,
  isValidEntityId,
  verifySignature,
} from "../../../src/core/crypto/mod.ts";
import { concatBytes, NetError, utf8 } from "../../../src/base/mod.ts";
import { createSeededSource } from "./random_bytes.ts";

const anySeed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const FIELD_PRIME = 2n ** 255n - 19n;

Deno.test("createIdentity() agrees with the reference implementation", () => {
  fc.assert(
    fc.property(anySeed, fc.uint8Array({ maxLength: 300 }), (seed, message) => {
      const identity = createIdentity(seed);
      assert.deepEqual(identity.entityId, ed25519.getPublicKey(seed));
      assert.deepEqual(identity.sign(message), ed25519.sign(message, seed));
      assert.equal(identity.nodeId, deriveNodeId(identity.entityId));
      assert.equal(identity.originHash, deriveOriginHash(identity.entityId));
      assert.equal(BigInt(identity.routingId), identity.nodeId & 0xffffffffn);
      assert.ok(verifySignature(identity.entityId, message, identity.sign(message)));
      assert.ok(isValidEntityId(identity.entityId));
    }),
    { numRuns: 30 },
  );
});

Deno.test("sign() and verifySignature() equal the reference for every length up to 1024 and longer ones", () => {
  const seed = new Uint8Array(32).fill(9);
  const identity = createIdentity(seed);
  const message = createSeededSource(1).bytes(200_000);
  for (const length of [...Array(1_025).keys(), 8_104, 65_537, 200_000]) {
    const part = message.subarray(0, length);
    const signature = identity.sign(part);
    // The reference takes half a millisecond for each.
    if (length % 16 === 0 || length > 1_024) assert.deepEqual(signature, ed25519.sign(part, seed));
    assert.ok(verifySignature(identity.entityId, part, signature), `${length}`);
  }
});

Deno.test("createIdentity() refuses seeds of other lengths", () => {
  for (const length of [0, 31, 33, 64]) {
    assert.throws(() => createIdentity(new Uint8Array(length)), RangeError);
  }
});

Deno.test("createIdentity() keeps working when the seed's array is overwritten", () => {
  const seed = new Uint8Array(32).fill(7);
  const identity = createIdentity(seed);
  const before = identity.sign(utf8("m"));
  seed.fill(0);
  assert.deepEqual(identity.sign(utf8("m")), before);
});

Deno.test("verifySignature() refuses any changed bit", () => {
  const identity = createIdentity(new Uint8Array(32).fill(3));
  const message = utf8("a message");
  const signature = identity.sign(message);
  fc.assert(
    fc.property(fc.nat(31), fc.nat(63), fc.nat(8), fc.nat(7), (key, place, at, bit) => {
      assert.ok(!verifySignature(flip(identity.entityId, key, bit), message, signature));
      assert.ok(!verifySignature(identity.entityId, message, flip(signature, place, bit)));
      assert.ok(!verifySignature(identity.entityId, flip(message, at, bit), signature));
    }),
    { numRuns: 60 },
  );
});

Deno.test("verifySignature() refuses arbitrary bytes of any length without throwing", () => {
  const anyBytes = fc.uint8Array({ maxLength: 80 });
  fc.assert(fc.property(anyBytes, anyBytes, anyBytes, (key, message, signature) => {
    assert.ok(!verifySignature(key, message, signature));
  }));
});

Deno.test("verifySignature() refuses S that is not reduced", () => {
  const identity = createIdentity(new Uint8Array(32).fill(5));
  const signature = identity.sign(utf8("m"));
  const s = fromLittleEndian(signature.subarray(32)) + GROUP_ORDER;
  const malleated = concatBytes(signature.subarray(0, 32), toLittleEndian(s));
  assert.ok(!verifySignature(identity.entityId, utf8("m"), malleated));
});

Deno.test("verifySignature() refuses small-order keys, whose signatures fit any message", () => {
  const smallOrder = smallOrderPoints();
  assert.equal(new Set(smallOrder.map((point) => point.toHex())).size, 8);
  for (const key of smallOrder) {
    assert.ok(!isValidEntityId(key));
    for (const r of smallOrder) {
      assert.ok(!verifySignature(key, utf8("m"), concatBytes(r, new Uint8Array(32))));
    }
  }
});

Deno.test("verifySignature() refuses a small-order R that the key's owner made fit", () => {
  // With R the neutral element, S = k·a satisfies the equation; only the rule about R refuses it.
  const seed = new Uint8Array(32).fill(9);
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed);
  const r = toLittleEndian(1n);
  const k = fromLittleEndian(sha512(concatBytes(r, pointBytes, utf8("m")))) % GROUP_ORDER;
  const signature = concatBytes(r, toLittleEndian((k * scalar) % GROUP_ORDER));
  assert.ok(ed25519.verify(signature, utf8("m"), pointBytes));
  assert.ok(!verifySignature(pointBytes, utf8("m"), signature));
});

Deno.test("isValidEntityId() refuses every non-canonical encoding", () => {
  for (let excess = 0n; excess < 19n; excess++) {
    const encoded = toLittleEndian(FIELD_PRIME + excess);
    assert.ok(!isValidEntityId(encoded));
    assert.ok(!isValidEntityId(flip(encoded, 31, 7)));
  }
  // x = 0 with the sign bit set, for both points that have x = 0.
  assert.ok(!isValidEntityId(flip(toLittleEndian(1n), 31, 7)));
  assert.ok(!isValidEntityId(flip(toLittleEndian(FIELD_PRIME - 1n), 31, 7)));
  assert.ok(isValidEntityId(toLittleEndian(FIELD_PRIME - 2n)));
});

Deno.test("generateSeed() skips node ids that end in the packet magic", () => {
  const unlucky = unluckySeed();
  assert.ok(!hasRecognisablePingwaves(createIdentity(unlucky).nodeId));
  const lucky = new Uint8Array(32).fill(1);
  const answers = [unlucky, lucky];
  assert.deepEqual(generateSeed(() => new Uint8Array(answers.shift() ?? [])), lucky);
  assert.throws(
    () => generateSeed(() => new Uint8Array(unlucky)),
    (error) => error instanceof NetError && error.code === "internal",
  );
});

/** The first of its kind when counting up from zero. */
function unluckySeed(): Uint8Array<ArrayBuffer> {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, 1791, true);
  return seed;
}

function smallOrderPoints(): Uint8Array[] {
  const generator = ed25519.Point.fromHex(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  );
  const points = [ed25519.Point.ZERO];
  for (let i = 1; i < 8; i++) points.push((points[i - 1] ?? generator).add(generator));
  return points.map((point) => point.toBytes());
}

function sha512(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha512").update(bytes).digest());
}

function flip(bytes: Uint8Array, place: number, bit: number): Uint8Array {
  const changed = bytes.slice();
  changed[place] = (changed[place] ?? 0) ^ (1 << bit);
  return changed;
}

function toLittleEndian(value: bigint): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(value.toString(16).padStart(64, "0")).reverse();
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.slice().reverse().toHex()}`);
}

Deno.test("atGeneration() changes nothing but the generation", () => {
  const identity = createIdentity(new Uint8Array(32).fill(1));
  assert.equal(identity.issuerGeneration, 0);
  const later = identity.atGeneration(7);
  assert.equal(later.issuerGeneration, 7);
  assert.equal(identity.issuerGeneration, 0);
  assert.equal(later.atGeneration(0).issuerGeneration, 0);
  assert.deepEqual(later.sign(utf8("m")), identity.sign(utf8("m")));
  assert.equal(later.nodeId, identity.nodeId);
  assert.equal(createIdentity(new Uint8Array(32), 9).issuerGeneration, 9);
  for (const generation of [-1, 0.5, 2 ** 32, NaN]) {
    assert.throws(() => identity.atGeneration(generation), RangeError);
  }
});

Deno.test("createPublicIdentity() has all ids but cannot sign", () => {
  const identity = createIdentity(new Uint8Array(32).fill(1));
  const known = createPublicIdentity(identity.entityId, 3);
  assert.ok(identity.canSign && !known.canSign);
  assert.deepEqual(
    [known.entityId, known.nodeId, known.originHash, known.routingId, known.issuerGeneration],
    [identity.entityId, identity.nodeId, identity.originHash, identity.routingId, 3],
  );
  for (const it of [known, known.atGeneration(4)]) {
    assert.throws(() => it.sign(utf8("m")), (error) => {
      return error instanceof NetError && error.code === "not_allowed" &&
        error.message === "identity: read_only" && error.data?.kind === "read_only";
    });
  }
  assert.throws(() => createPublicIdentity(new Uint8Array(31)), RangeError);
});
