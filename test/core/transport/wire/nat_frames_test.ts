import assert from "node:assert/strict";
import fc from "fast-check";
import { formatHost } from "../../../../src/core/transport/address.ts";
import {
  decodeKeepAlive,
  decodeReflexResponse,
  decodeRendezvous,
  encodeKeepAlive,
  encodeReflexResponse,
  encodeRendezvous,
  type Rendezvous,
} from "../../../../src/core/transport/wire/nat_frames.ts";

const u32 = fc.nat(0xffff_ffff);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const address = fc.record({
  host: fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  ).map(formatHost),
  port: fc.nat(0xffff),
});
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  ...[14, 19, 21, 32, 36].map((length) => fc.uint8Array({ minLength: length, maxLength: length })),
);

Deno.test("decodeRendezvous() gives back what encodeRendezvous() wrote", () => {
  const messages: fc.Arbitrary<Rendezvous> = fc.oneof(
    fc.record({
      kind: fc.constant("request" as const),
      target: u64,
      punchId: u32,
      selfReflex: address,
    }),
    fc.record({
      kind: fc.constant("introduce" as const),
      peer: u64,
      peerReflex: address,
      fireAtMs: u64,
    }),
    fc.record({ kind: fc.constant("ack" as const), fromPeer: u64, toPeer: u64, punchId: u32 }),
    fc.record({
      kind: fc.constant("reject" as const),
      target: u64,
      punchId: u32,
      reason: fc.nat(255),
    }),
  );
  fc.assert(fc.property(messages, (message) => {
    const bytes = encodeRendezvous(message);
    const decoded = decodeRendezvous(bytes) ?? assert.fail();
    assert.deepEqual(JSON.stringify(plain(decoded)), JSON.stringify(plain(message)));
    for (const length of [0, bytes.length - 1]) {
      assert.equal(decodeRendezvous(bytes.subarray(0, length)), undefined);
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    assert.equal(decodeRendezvous(longer), undefined);
  }));
});

Deno.test("decodeRendezvous() refuses unknown kinds and address families", () => {
  const bytes = encodeRendezvous({
    kind: "request",
    target: 1n,
    punchId: 2,
    selfReflex: { host: "::1", port: 3 },
  });
  bytes[13] = 9;
  assert.equal(decodeRendezvous(bytes), undefined);
  bytes[13] = 6;
  bytes[0] = 5;
  assert.equal(decodeRendezvous(bytes), undefined);
});

Deno.test("decodeReflexResponse() and decodeKeepAlive() give back what was encoded", () => {
  fc.assert(fc.property(address, u64, u32, (reflex, senderNodeId, punchId) => {
    assert.deepEqual(decodeReflexResponse(encodeReflexResponse(reflex)), { ...reflex });
    const keepAlive = { senderNodeId, punchId };
    assert.deepEqual(decodeKeepAlive(encodeKeepAlive(keepAlive)), keepAlive);
  }));
  assert.equal(decodeReflexResponse(new Uint8Array(0)), undefined);
  assert.equal(decodeReflexResponse(new Uint8Array(20).fill(4)), undefined);
  assert.equal(decodeKeepAlive(new Uint8Array(14)), undefined);
});

Deno.test("decodeRendezvous() takes any bytes without throwing, as do its neighbours", () => {
  fc.assert(fc.property(hostile, (bytes) => {
    const { length } = bytes;
    if (decodeRendezvous(bytes) !== undefined) assert.ok([32, 36, 21, 14].includes(length));
    if (decodeReflexResponse(bytes) !== undefined) assert.equal(length, 19);
    if (decodeKeepAlive(bytes) !== undefined) assert.equal(length, 14);
  }));
});

/** The message with texts for numbers, in one order of keys. */
function plain(message: Rendezvous): unknown {
  const entries = Object.entries(message).map(([key, value]) => [
    key,
    typeof value === "object" ? `${value.host} ${value.port}` : String(value),
  ]);
  return Object.fromEntries(entries.sort());
}
