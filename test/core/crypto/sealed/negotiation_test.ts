import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createIdentity,
  createNoiseKeyPair,
  decodeMessage1Payload,
  decodeSealedBlock,
  encodeMessage1Payload,
  encodeSealedBlock,
  judgeNegotiation,
  negotiationError,
  type PeerExpectation,
  SEALED_BLOCK_BYTES,
  type SealedBlock,
} from "../../../../src/core/crypto/mod.ts";

const own = createIdentity(new Uint8Array(32).fill(1));
const peer = createIdentity(new Uint8Array(32).fill(2));
const other = createIdentity(new Uint8Array(32).fill(3));
const noiseKey = createNoiseKeyPair(new Uint8Array(32).fill(4)).publicKey;
const block: SealedBlock = {
  isRequired: false,
  entityId: peer.entityId,
  noisePublicKey: noiseKey,
};
const expected: PeerExpectation = {
  nodeId: peer.nodeId,
  ownEntityId: own.entityId,
  isRequired: false,
};

const anyBlock: fc.Arbitrary<SealedBlock> = fc.record({
  isRequired: fc.boolean(),
  entityId: fc.uint8Array({ minLength: 32, maxLength: 32 })
    .map((seed) => createIdentity(seed).entityId),
  noisePublicKey: fc.uint8Array({ minLength: 32, maxLength: 32 })
    .map((key) => createNoiseKeyPair(key).publicKey),
}, { noNullPrototype: true });

/** The block's judgement as one word. */
function verdictOf(bytes: Uint8Array, changes: Partial<PeerExpectation> = {}): string {
  const result = judgeNegotiation(decodeSealedBlock(bytes), { ...expected, ...changes });
  return result.kind === "failed" ? result.fault : result.kind;
}

Deno.test("encodeSealedBlock() and decodeSealedBlock() are inverse", () => {
  fc.assert(
    fc.property(anyBlock, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (block, nodeId) => {
      const bytes = encodeSealedBlock(block);
      assert.equal(bytes.length, SEALED_BLOCK_BYTES);
      const reading = { kind: "valid", block, version: 1 };
      assert.deepEqual(decodeSealedBlock(bytes), reading);
      const payload = encodeMessage1Payload(nodeId, block);
      assert.equal(payload.length, 8 + SEALED_BLOCK_BYTES);
      assert.deepEqual(decodeMessage1Payload(payload), { nodeId, reading });
    }),
    { numRuns: 50 },
  );
});

Deno.test("encodeSealedBlock() refuses keys of another length", () => {
  const bad = new Uint8Array(31);
  assert.throws(() => encodeSealedBlock({ ...block, entityId: bad }), RangeError);
  assert.throws(() => encodeSealedBlock({ ...block, noisePublicKey: bad }), RangeError);
});

Deno.test("decodeSealedBlock() survives hostile bytes", () => {
  const good = encodeSealedBlock(block);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      fc.nat(SEALED_BLOCK_BYTES),
      (noise, startsWell, cut) => {
        const bytes = startsWell ? new Uint8Array([...good.subarray(0, cut), ...noise]) : noise;
        const reading = decodeSealedBlock(bytes);
        const hasMagic = bytes[0] === 0x4e && bytes[1] === 0x58;
        assert.equal(reading.kind === "absent", !hasMagic);
        if (reading.kind === "valid" && reading.version === 1) {
          assert.deepEqual(encodeSealedBlock(reading.block), bytes);
        }
        decodeMessage1Payload(bytes);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("decodeSealedBlock() copies the keys out of the buffer", () => {
  const bytes = encodeSealedBlock(block);
  const reading = decodeSealedBlock(bytes);
  bytes.fill(0);
  assert.ok(reading.kind === "valid");
  assert.deepEqual(reading.block, block);
});

Deno.test("decodeMessage1Payload() takes what compat peers send", () => {
  assert.equal(decodeMessage1Payload(new Uint8Array(7)), undefined);
  for (const length of [8, 9, 44, 208]) {
    const payload = new Uint8Array(length).fill(5);
    assert.deepEqual(decodeMessage1Payload(payload), {
      nodeId: 0x0505050505050505n,
      reading: { kind: "absent" },
    });
  }
});

Deno.test("judgeNegotiation() gives sealed, compat or the reason", () => {
  const good = encodeSealedBlock(block);
  const nothing = new Uint8Array(0);
  assert.equal(verdictOf(good), "sealed");
  assert.equal(verdictOf(good, { isRequired: true }), "sealed");
  assert.equal(verdictOf(good, { knownEntityId: peer.entityId }), "sealed");
  assert.equal(verdictOf(good, { dialledNoiseKey: noiseKey }), "sealed");
  assert.equal(verdictOf(nothing), "compat");
  assert.equal(verdictOf(nothing, { isRequired: true }), "not_supported");
  assert.equal(verdictOf(good, { ownEntityId: peer.entityId }), "own_entity");
  assert.equal(verdictOf(good, { nodeId: other.nodeId }), "node_id");
  assert.equal(verdictOf(good, { knownEntityId: other.entityId }), "second_entity");
  assert.equal(verdictOf(good, { dialledNoiseKey: other.entityId }), "dialled_key");
});

Deno.test("judgeNegotiation() never takes a malformed block for compat", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (tail, isRequired) => {
    const bytes = new Uint8Array([0x4e, 0x58, ...tail]);
    assert.notEqual(verdictOf(bytes, { isRequired }), "compat");
  }));
});

Deno.test("judgeNegotiation() takes a newer version that begins like ours", () => {
  const newer = new Uint8Array([...encodeSealedBlock(block), 1, 2, 3]);
  newer[2] = 9;
  newer[3] = 0xfe;
  assert.equal(verdictOf(newer), "sealed");
});

Deno.test("negotiationError() names the peer, the reason and what to do", () => {
  const error = negotiationError(0xabcn, "not_supported");
  assert.equal(error.code, "handshake_refused");
  assert.equal(
    error.message,
    "Cannot reach node 0000000000000abc: peer does not support sealed sessions",
  );
  assert.ok(error.next);
  assert.equal(error.data?.reason, "not_supported");
});
