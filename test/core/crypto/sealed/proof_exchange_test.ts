import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createIdentity,
  decodeSealedMessage,
  type IdentityProof,
  PROOF_BYTES,
  PROOF_REPEAT_MS,
  PROOF_TIMEOUT_MS,
  ProofExchange,
  type SessionRole,
} from "../../../../src/core/crypto/mod.ts";

const hash = new Uint8Array(32).fill(5);
const identities = {
  initiator: createIdentity(new Uint8Array(32).fill(1)),
  responder: createIdentity(new Uint8Array(32).fill(2)),
};

function exchangeOf(
  role: SessionRole,
  changes: { readonly claims?: SessionRole; readonly hash?: Uint8Array } = {},
): ProofExchange {
  const other = role === "initiator" ? "responder" : "initiator";
  return new ProofExchange({
    role,
    identity: identities[role],
    handshakeHash: changes.hash ?? hash,
    peerEntityId: identities[changes.claims ?? other].entityId,
    resetTag: new Uint8Array(16).fill(role === "initiator" ? 1 : 2),
    now: 0,
  });
}

function proofOf(message: Uint8Array | undefined): IdentityProof {
  assert.ok(message !== undefined);
  const decoded = decodeSealedMessage(message);
  assert.ok(decoded.kind === "proof");
  return decoded.proof;
}

Deno.test("ProofExchange opens both sides within one and a half round trips", () => {
  const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
  const [first, followUp] = [proofOf(left.start()), proofOf(right.start())];
  assert.equal(left.onProof(followUp), undefined, "without ack there is nothing to say");
  assert.deepEqual([left.state, left.isPeerProven], ["pending", false]);
  const answer = proofOf(right.onProof(first));
  assert.deepEqual([right.state, right.isPeerProven, answer.isAck], ["proven", true, true]);
  const last = proofOf(left.onProof(answer));
  assert.deepEqual([left.state, last.isAck], ["open", true]);
  right.onProof(last);
  assert.equal(right.state, "open");
  assert.deepEqual(left.peerResetTag, new Uint8Array(16).fill(2));
  assert.deepEqual(right.peerResetTag, new Uint8Array(16).fill(1));
  assert.deepEqual([left.nextTickAt, right.nextTickAt], [undefined, undefined]);
  // A late copy of an answer starts nothing over.
  assert.equal(left.onProof(answer), undefined);
});

Deno.test("ProofExchange gives up an initiator that proved itself and fell silent", () => {
  const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
  right.onProof(proofOf(left.start()));
  assert.equal(right.nextTickAt, 2 * PROOF_TIMEOUT_MS);
  assert.equal(right.tick(2 * PROOF_TIMEOUT_MS - 1), undefined);
  assert.equal(right.state, "proven");
  assert.equal(right.tick(2 * PROOF_TIMEOUT_MS), undefined);
  assert.deepEqual([right.state, right.failure], ["failed", "timeout"]);
});

Deno.test("ProofExchange takes a first packet of the initiator for its acknowledgement", () => {
  const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
  assert.equal(right.onOtherPacket(), false);
  left.onProof(proofOf(right.onProof(proofOf(left.start()))));
  assert.ok(right.onOtherPacket());
  assert.equal(right.state, "open");
});

Deno.test("ProofExchange drops other packets before the peer is proven", () => {
  for (const role of ["initiator", "responder"] as const) {
    const exchange = exchangeOf(role);
    assert.equal(exchange.onOtherPacket(), false);
    assert.equal(exchange.state, "pending");
  }
});

Deno.test("ProofExchange repeats every 250 ms for 5 s, as initiator only", () => {
  const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
  let sent = 0;
  for (let now = 0; now < PROOF_TIMEOUT_MS; now += 50) {
    const message = left.tick(now);
    if (message !== undefined) {
      sent += 1;
      assert.equal(now % PROOF_REPEAT_MS, 0);
      assert.equal(message.length, PROOF_BYTES);
    }
    assert.equal(right.tick(now), undefined);
  }
  assert.equal(sent, PROOF_TIMEOUT_MS / PROOF_REPEAT_MS - 1);
  assert.equal(right.nextTickAt, PROOF_TIMEOUT_MS);
  for (const exchange of [left, right]) {
    assert.equal(exchange.tick(PROOF_TIMEOUT_MS), undefined);
    assert.deepEqual([exchange.state, exchange.failure], ["failed", "timeout"]);
    assert.equal(exchange.nextTickAt, undefined);
    assert.equal(exchange.onProof(proofOf(exchange.start())), undefined);
    assert.equal(exchange.onOtherPacket(), false);
  }
});

Deno.test("ProofExchange fails at a wrong signature and at a reflection", () => {
  const mirrored = exchangeOf("responder");
  mirrored.onProof(proofOf(mirrored.start()));
  assert.deepEqual([mirrored.state, mirrored.failure], ["failed", "role"]);
  const cheated = exchangeOf("responder");
  const elsewhere = exchangeOf("initiator", { hash: new Uint8Array(32) });
  assert.equal(cheated.onProof(proofOf(elsewhere.start())), undefined);
  assert.deepEqual([cheated.state, cheated.failure], ["failed", "signature"]);
  assert.equal(cheated.peerResetTag, undefined);
});

Deno.test("ProofExchange checks a proof again when it differs from the verified one", () => {
  const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
  const first = proofOf(left.start());
  right.onProof(first);
  right.onProof({ ...first, signature: first.signature.toReversed() });
  assert.deepEqual([right.state, right.failure], ["failed", "signature"]);
});

Deno.test("ProofExchange: loss delays but never breaks it, and the responder only answers", () => {
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (losses) => {
    const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
    let next = 0;
    let received = 0;
    let sent = 0;
    /** Lost as often as the run says, then never again. */
    const isLost = () => losses[next++] ?? false;
    const toRight = (message: Uint8Array | undefined) => {
      if (message === undefined || isLost()) return;
      received += 1;
      const answer = right.onProof(proofOf(message));
      if (answer === undefined) return;
      sent += 1;
      if (!isLost()) toRight(left.onProof(proofOf(answer)));
    };
    toRight(left.start());
    for (let now = 0; now < PROOF_TIMEOUT_MS; now += PROOF_REPEAT_MS) toRight(left.tick(now));
    assert.ok(sent <= received);
    if (losses.filter(Boolean).length < 15) {
      assert.equal(left.state, "open");
      assert.ok(right.isPeerProven);
      right.tick(PROOF_TIMEOUT_MS);
      assert.ok(right.isPeerProven, "an answer that was lost last ends nothing");
    }
  }));
});

Deno.test("ProofExchange.isOver() once no more proof can come", () => {
  const [left, right] = [exchangeOf("initiator"), exchangeOf("responder")];
  const first = proofOf(left.start());
  assert.ok(!left.isOver(PROOF_TIMEOUT_MS), "nothing is proven yet");
  const last = proofOf(left.onProof(proofOf(right.onProof(first))));
  assert.ok(left.isOver(0), "the initiator asks no more");
  assert.ok(!right.isOver(PROOF_TIMEOUT_MS), "it may have to end yet");
  right.onProof(last);
  assert.ok(!right.isOver(PROOF_TIMEOUT_MS - 1), "the answer may have been lost");
  assert.ok(right.onProof(first) !== undefined);
  assert.ok(right.isOver(PROOF_TIMEOUT_MS));
});
