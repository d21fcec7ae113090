import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  type AnyFoldEnvelope,
  decodeFoldEnvelope,
  encodeFoldEnvelope,
  foldSigningBytes,
  signFoldEnvelope,
  verifyFoldEnvelope,
} from "../../../../src/core/capability/mod.ts";
import { identityOf } from "../samples.ts";
import { anyEnvelope, islandOf, membershipOf, reservationOf, signedBy } from "./fold_samples.ts";

const identity = identityOf(1);
const FREE = { kind: "free" } as const;

function faultOf(bytes: Uint8Array): string | undefined {
  const decoded = decodeFoldEnvelope(bytes);
  return decoded.ok ? undefined : decoded.fault;
}

/** The bytes of an envelope with any signature, as somebody who does not care would make them. */
function rawBytes(envelope: AnyFoldEnvelope): Uint8Array {
  return Uint8Array.of(...foldSigningBytes(envelope), 64, ...new Uint8Array(64).fill(1));
}

Deno.test("encodeFoldEnvelope() round-trips through decodeFoldEnvelope()", () => {
  fc.assert(fc.property(anyEnvelope, fc.uint8Array({ minLength: 64, maxLength: 64 }), (
    unsigned,
    signature,
  ) => {
    const bytes = encodeFoldEnvelope({ ...unsigned, signature });
    const decoded = decodeFoldEnvelope(bytes);
    assert.ok(decoded.ok);
    const { envelope } = decoded;
    assert.deepEqual(encodeFoldEnvelope(envelope), bytes);
    assert.equal(envelope.kind, unsigned.kind);
    assert.equal(envelope.generation, unsigned.generation);
    // Metadata in another order is the same to this comparison.
    assert.deepEqual({ ...envelope.payload }, { ...unsigned.payload });
  }));
});

Deno.test("decodeFoldEnvelope() never throws and takes nothing that encodes otherwise", () => {
  const sample = encodeFoldEnvelope(signedBy(identity, membershipOf()));
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc.tuple(fc.nat(sample.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = sample.slice();
      bytes[at] = byte;
      return bytes;
    }),
  );
  fc.assert(fc.property(hostile, (bytes) => {
    const decoded = decodeFoldEnvelope(bytes);
    if (decoded.ok) {
      assert.deepEqual(encodeFoldEnvelope(decoded.envelope), new Uint8Array(bytes));
    }
  }));
});

Deno.test("decodeFoldEnvelope() says what is wrong", () => {
  const good = encodeFoldEnvelope(signedBy(identity, reservationOf({}, FREE)));
  assert.equal(faultOf(good), undefined);
  assert.equal(faultOf(new Uint8Array(8_105)), "too_long");
  assert.equal(faultOf(good.subarray(0, good.length - 1)), "malformed");
  assert.equal(faultOf(new Uint8Array(0)), "malformed");
  assert.equal(faultOf(Uint8Array.of(5, ...good.subarray(1))), "unknown_kind");
  assert.equal(faultOf(Uint8Array.of(0x80, 0x80, 4)), "unknown_kind");
  assert.equal(
    faultOf(encodeFoldEnvelope(reservationOf({}, FREE))),
    "signature_length",
  );
  assert.equal(faultOf(Uint8Array.of(...good, 0)), "not_canonical");
  assert.equal(faultOf(Uint8Array.of(0x83, 0, ...good.subarray(1))), "not_canonical");
  const metadata = new Map([["a", "1"], ["b", "2"]]);
  const sorted = rawBytes(membershipOf({}, { metadata }));
  assert.equal(faultOf(sorted), undefined);
  const text = sorted.toHex().replace("0161013101620132", "0162013201610131");
  assert.equal(faultOf(Uint8Array.fromHex(text)), "not_canonical");
});

Deno.test("decodeFoldEnvelope() refuses what no honest node says", () => {
  const list = Array.from({ length: 65 }, (_, i) => BigInt(i));
  const unsound: readonly AnyFoldEnvelope[] = [
    membershipOf({ classHash: 7n }, { classHash: 8n }),
    membershipOf({}, { tags: [""] }),
    membershipOf({}, { allowedNodes: list }),
    membershipOf({}, { reflexAddress: { host: "::1", port: 65_536 } }),
    islandOf({}, { units: [2, 1] }),
    islandOf({}, { units: [2, 2] }),
    islandOf({}, { load: NaN }),
    islandOf({}, { load: Infinity }),
  ];
  for (const envelope of unsound) {
    assert.equal(faultOf(rawBytes(envelope)), "unsound");
    assert.throws(() => signedBy(identity, envelope), RangeError);
  }
});

Deno.test("encodeFoldEnvelope() refuses what does not fit one event", () => {
  const tags = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(90));
  assert.throws(
    () => encodeFoldEnvelope(membershipOf({}, { tags })),
    (error) => error instanceof NetError && error.code === "limit",
  );
});

Deno.test("verifyFoldEnvelope() takes only what the publisher said", () => {
  const thief = identityOf(2);
  const envelope = signedBy(identity, reservationOf({ generation: 3n }, FREE));
  const verify = (changed: Partial<typeof envelope>, publisher = identity.entityId) =>
    verifyFoldEnvelope({ ...envelope, ...changed }, publisher);
  assert.equal(verify({}), undefined);
  assert.equal(verify({}, thief.entityId), "signature");
  assert.equal(verify({ generation: 4n }), "signature");
  assert.equal(verify({ flags: 1 }), "signature");
  assert.equal(verify({ signature: undefined }), "signature_length");
  assert.equal(verify({ signature: new Uint8Array(63) }), "signature_length");
  assert.equal(verify({ signature: new Uint8Array(64) }), "unsigned");
  // Well signed, but in the name of somebody else, or with no generation at all.
  const signature = thief.sign(foldSigningBytes(envelope));
  assert.equal(verify({ signature }, thief.entityId), "node_id_mismatch");
  const none = { ...envelope, generation: 0n };
  assert.equal(
    verify({ ...none, signature: identity.sign(foldSigningBytes(none)) }),
    "no_generation",
  );
});

Deno.test("signFoldEnvelope() signs only in its own name, and a generation there is", () => {
  const envelope = reservationOf({}, FREE);
  assert.throws(() => signFoldEnvelope({ ...envelope, nodeId: 1n }, identity), RangeError);
  assert.throws(() => signFoldEnvelope({ ...envelope, generation: 0n }, identity), RangeError);
});
