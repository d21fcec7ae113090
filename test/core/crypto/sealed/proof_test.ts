import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import {
  checkProof,
  createIdentity,
  decodeSealedMessage,
  encodeBoot,
  encodeFarewell,
  encodePathChallenge,
  encodePathResponse,
  encodeProof,
  type IdentityProof,
  PATH_BYTES,
  PROOF_BYTES,
  type ProofSubject,
  type SessionRole,
  signProof,
} from "../../../../src/core/crypto/mod.ts";

const any32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyRole = fc.constantFrom<SessionRole>("initiator", "responder");
const left = createIdentity(new Uint8Array(32).fill(1));
const right = createIdentity(new Uint8Array(32).fill(2));
const subject: ProofSubject = {
  role: "initiator",
  handshakeHash: new Uint8Array(32).fill(7),
  entityId: left.entityId,
  peerEntityId: right.entityId,
};
const proof: IdentityProof = {
  role: "initiator",
  isAck: false,
  resetTag: new Uint8Array(16).fill(8),
  signature: signProof(left, subject),
};

Deno.test("signProof() signs label, role, hash and both entities", () => {
  fc.assert(
    fc.property(any32, any32, any32, anyRole, (seed, handshakeHash, peerEntityId, role) => {
      const me = createIdentity(seed);
      const message = new Uint8Array([
        ...new TextEncoder().encode("net-sealed-id-v1"),
        role === "initiator" ? 0 : 1,
        ...handshakeHash,
        ...me.entityId,
        ...peerEntityId,
      ]);
      const signature = signProof(me, { role, handshakeHash, entityId: me.entityId, peerEntityId });
      assert.equal(signature.toHex(), ed25519.sign(message, seed).toHex());
    }),
    { numRuns: 20 },
  );
});

Deno.test("checkProof() accepts the proof of the peer only", () => {
  assert.equal(checkProof(proof, subject), undefined);
  assert.equal(checkProof({ ...proof, isAck: true }, subject), undefined);
  const cases: readonly [string, IdentityProof, ProofSubject][] = [
    ["signature", proof, { ...subject, handshakeHash: new Uint8Array(32) }],
    ["signature", proof, { ...subject, entityId: right.entityId }],
    ["signature", proof, { ...subject, peerEntityId: left.entityId }],
    ["signature", { ...proof, signature: new Uint8Array(64) }, subject],
    ["signature", { ...proof, signature: new Uint8Array(63) }, subject],
    ["role", { ...proof, role: "responder" }, subject],
  ];
  for (const [fault, given, about] of cases) assert.equal(checkProof(given, about), fault);
});

Deno.test("checkProof() refuses our own proof sent back, whatever role it claims", () => {
  const expected: ProofSubject = {
    ...subject,
    role: "responder",
    entityId: right.entityId,
    peerEntityId: left.entityId,
  };
  assert.equal(checkProof(proof, expected), "role");
  assert.equal(checkProof({ ...proof, role: "responder" }, expected), "signature");
  // Not even for somebody who talks to itself.
  const mirror: ProofSubject = { ...subject, role: "responder", peerEntityId: left.entityId };
  const own = signProof(left, { ...mirror, role: "initiator" });
  assert.equal(checkProof({ ...proof, role: "responder", signature: own }, mirror), "signature");
});

Deno.test("checkProof() refuses keys and points of small order", () => {
  const identityPoint = new Uint8Array(32);
  identityPoint[0] = 1;
  // R = the neutral element and S = 0 satisfy the equation for a key of small order.
  const signature = new Uint8Array(64);
  signature.set(identityPoint);
  const weak = { ...subject, entityId: identityPoint };
  assert.equal(checkProof({ ...proof, signature }, weak), "signature");
  assert.equal(checkProof({ ...proof, signature }, subject), "signature");
});

Deno.test("checkProof() refuses any changed bit of a signature", () => {
  fc.assert(
    fc.property(fc.nat(63), fc.nat(7), (at, bit) => {
      const signature = proof.signature.slice();
      signature[at] = (signature[at] ?? 0) ^ (1 << bit);
      assert.equal(checkProof({ ...proof, signature }, subject), "signature");
    }),
    { numRuns: 100 },
  );
});

Deno.test("signProof() and checkProof() want hashes and entity ids of 32 bytes", () => {
  for (const name of ["handshakeHash", "entityId", "peerEntityId"]) {
    const bad = { ...subject, [name]: new Uint8Array(31) };
    assert.throws(() => signProof(left, bad), RangeError);
    assert.throws(() => checkProof(proof, bad), RangeError);
  }
});

Deno.test("encodeProof() and decodeSealedMessage() are inverse", () => {
  fc.assert(fc.property(
    anyRole,
    fc.boolean(),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.uint8Array({ minLength: 64, maxLength: 64 }),
    (role, isAck, resetTag, signature) => {
      const proof: IdentityProof = { role, isAck, resetTag, signature };
      const bytes = encodeProof(proof);
      assert.equal(bytes.length, PROOF_BYTES);
      assert.deepEqual(decodeSealedMessage(bytes), { kind: "proof", proof });
    },
  ));
});

Deno.test("encodePathChallenge() and encodePathResponse() round trip and want 8 bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (data) => {
    assert.equal(encodePathChallenge(data).length, PATH_BYTES);
    assert.deepEqual(decodeSealedMessage(encodePathChallenge(data)), {
      kind: "path_challenge",
      data,
    });
    assert.deepEqual(decodeSealedMessage(encodePathResponse(data)), {
      kind: "path_response",
      data,
    });
  }));
  assert.throws(() => encodePathChallenge(new Uint8Array(7)), RangeError);
  assert.throws(() => encodePathResponse(new Uint8Array(9)), RangeError);
  assert.throws(() => encodeProof({ ...proof, resetTag: new Uint8Array(15) }), RangeError);
  assert.throws(() => encodeProof({ ...proof, signature: new Uint8Array(65) }), RangeError);
});

Deno.test("encodeFarewell() round trips, and a longer one is none", () => {
  assert.deepEqual(decodeSealedMessage(encodeFarewell()), { kind: "farewell" });
  assert.deepEqual(decodeSealedMessage(Uint8Array.of(5, 0)), {
    kind: "malformed",
    fault: "length",
  });
});

Deno.test("encodeBoot() round trips, other lengths are none", () => {
  const boot = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  assert.deepEqual(decodeSealedMessage(encodeBoot(boot)), { kind: "boot", boot });
  for (const length of [0, 7, 9]) {
    assert.throws(() => encodeBoot(new Uint8Array(length)), RangeError);
    const bytes = new Uint8Array(1 + length);
    bytes[0] = 6;
    assert.deepEqual(decodeSealedMessage(bytes), { kind: "malformed", fault: "length" });
  }
});

Deno.test("decodeSealedMessage() survives hostile bytes", () => {
  const anyLength = fc.constantFrom(0, 1, 8, 9, 10, 82, 83, 84, 300);
  fc.assert(
    fc.property(
      anyLength.chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
      fc.integer({ min: 0, max: 6 }),
      fc.boolean(),
      (bytes, kind, isShaped) => {
        if (isShaped && bytes.length > 2) bytes.set([kind, kind & 1, kind >> 1]);
        const message = decodeSealedMessage(bytes);
        if (message.kind === "malformed") return;
        const again = message.kind === "proof"
          ? encodeProof(message.proof)
          : message.kind === "path_challenge"
          ? encodePathChallenge(message.data)
          : message.kind === "path_response"
          ? encodePathResponse(message.data)
          : message.kind === "boot"
          ? encodeBoot(message.boot)
          : encodeFarewell();
        assert.deepEqual(again, bytes);
      },
    ),
    { numRuns: 1_000 },
  );
});
