import assert from "node:assert/strict";
import fc from "fast-check";
import {
  channelId,
  decodeMembership,
  encodeMembership,
  type MembershipMessage,
  OFFERED_MAX,
  requireChannelId,
} from "../../../src/channel/mod.ts";

const nonces = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const channels = fc.stringMatching(/^[a-z0-9._-]{1,40}$/).filter((name) =>
  channelId(name) !== undefined
).map(requireChannelId);
const messages: fc.Arbitrary<MembershipMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("subscribe" as const),
    nonce: nonces,
    channel: channels,
    chain: fc.uint8Array({ maxLength: 400 }),
    queueGroup: fc.option(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      { nil: undefined },
    ),
  }),
  fc.record({ kind: fc.constant("unsubscribe" as const), nonce: nonces, channel: channels }),
  fc.record({
    kind: fc.constant("ack" as const),
    nonce: nonces,
    isAccepted: fc.boolean(),
    reason: fc.nat(255),
  }),
  fc.record({ kind: fc.constant("offer" as const), hashes: fc.array(nonces, { maxLength: 20 }) }),
);

Deno.test("decodeMembership() gives back what was encoded", () => {
  fc.assert(fc.property(messages, (message) => {
    const decoded = decodeMembership(encodeMembership(message));
    assert.deepEqual(decoded, { ok: true, message: { ...message } });
  }));
});

Deno.test("decodeMembership() takes any bytes without throwing, and only canonical ones twice", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.tuple(messages, fc.nat(200), fc.nat(255)).map(([message, at, value]) => {
      const encoded = encodeMembership(message);
      encoded[at % encoded.length] = value;
      return encoded;
    }),
  );
  fc.assert(fc.property(bytes, (input) => {
    const decoded = decodeMembership(input);
    if (!decoded.ok) return;
    const again = decodeMembership(encodeMembership(decoded.message));
    assert.deepEqual(again, decoded);
  }));
});

Deno.test("decodeMembership() takes a request without a chain, and not one that is broken off", () => {
  const message = {
    kind: "subscribe",
    nonce: 1n,
    channel: requireChannelId("room/a"),
    chain: new Uint8Array([1, 2, 3]),
    queueGroup: "g",
  } as const;
  const bytes = encodeMembership(message);
  for (let length = 0; length < bytes.length; length++) {
    // Whole with the name alone, and with the chain; the group is the rest.
    const isWhole = length === 16 || length === 21;
    assert.equal(decodeMembership(bytes.subarray(0, length)).ok, isWhole, String(length));
  }
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  assert.deepEqual(decodeMembership(longer), { ok: false, fault: "trailing" });
});

Deno.test("decodeMembership() takes an empty group for none, and refuses one that is no text", () => {
  const empty = Uint8Array.fromHex(`000100000000000000${"0161"}${"0000"}${"00"}`);
  const decoded = decodeMembership(empty);
  assert.ok(decoded.ok && decoded.message.kind === "subscribe");
  assert.equal(decoded.message.queueGroup, undefined);
  const broken = Uint8Array.fromHex(`000100000000000000${"0161"}${"0000"}${"01ff"}`);
  assert.deepEqual(decodeMembership(broken), { ok: false, fault: "text" });
});

Deno.test("decodeMembership() refuses names that are none, and answers that are neither", () => {
  assert.deepEqual(
    decodeMembership(Uint8Array.fromHex("01010000000000000001" + "41")),
    { ok: false, fault: "name" },
  );
  assert.deepEqual(
    decodeMembership(Uint8Array.fromHex("02040000000000000002" + "00")),
    { ok: false, fault: "unknown_kind" },
  );
});

Deno.test("encodeMembership() refuses what is too long", () => {
  const subscribe = {
    kind: "subscribe",
    nonce: 1n,
    channel: requireChannelId("a"),
    chain: new Uint8Array(0),
    queueGroup: undefined,
  } as const;
  assert.throws(
    () => encodeMembership({ ...subscribe, chain: new Uint8Array(1_354) }),
    RangeError,
  );
  assert.throws(() => encodeMembership({ ...subscribe, queueGroup: "" }), RangeError);
  assert.throws(() => encodeMembership({ ...subscribe, queueGroup: "é".repeat(128) }), RangeError);
  const hashes = Array.from({ length: OFFERED_MAX + 1 }, () => 1n);
  assert.throws(() => encodeMembership({ kind: "offer", hashes }), RangeError);
});
