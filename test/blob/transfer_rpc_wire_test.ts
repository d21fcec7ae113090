import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeTransfersRequest,
  decodeTransfersResponse,
  encodeTransfersRequest,
  encodeTransfersResponse,
  type TransfersRequest,
  type TransfersResponse,
  type WireTransfer,
} from "../../src/blob/mod.ts";

const HASH = new Uint8Array(32).fill(0xab);
const HASH_HEX = "ab".repeat(32);

const TRANSFER: WireTransfer = {
  streamId: 0x2000_0000_0000_0001n,
  holder: 300n,
  expectedHash: HASH,
  bytesReceived: 128n,
  totalBytes: 4_194_304n,
};

/** By hand from section 13 of `dataforts.md`: variants, 64-bit varints, a bare array of 32 bytes. */
const TRANSFER_HEX = `818080808080808020ac02${HASH_HEX}80010180808002`;

const REQUESTS: readonly (readonly [TransfersRequest, string])[] = [
  [{ kind: "list" }, "00"],
  [{ kind: "get", streamId: 127n }, "017f"],
  [{ kind: "get", streamId: 0x2000_0000_0000_0001n }, "01818080808080808020"],
  [{ kind: "cancel", streamId: (1n << 64n) - 1n }, "02ffffffffffffffffff01"],
];

const RESPONSES: readonly (readonly [TransfersResponse, string])[] = [
  [{ kind: "transfers", transfers: [] }, "0000"],
  [
    { kind: "transfers", transfers: [TRANSFER, { ...TRANSFER, totalBytes: undefined }] },
    `0002${TRANSFER_HEX}818080808080808020ac02${HASH_HEX}800100`,
  ],
  [{ kind: "transfer", transfer: undefined }, "0100"],
  [{ kind: "transfer", transfer: TRANSFER }, `0101${TRANSFER_HEX}`],
  [{ kind: "cancelled", existed: true }, "0201"],
  [{ kind: "cancelled", existed: false }, "0200"],
  [{ kind: "error", error: "decode_failed", text: "no" }, "0300026e6f"],
  [{ kind: "error", error: "engine_not_installed" }, "0301"],
];

Deno.test("bodies of blob.transfers are those made by hand, both ways", () => {
  for (const [request, hex] of REQUESTS) {
    assert.equal(encodeTransfersRequest(request).toHex(), hex);
    assert.deepEqual(decodeTransfersRequest(Uint8Array.fromHex(hex)), request);
  }
  for (const [response, hex] of RESPONSES) {
    assert.equal(encodeTransfersResponse(response).toHex(), hex);
    assert.deepEqual(decodeTransfersResponse(Uint8Array.fromHex(hex)), response);
  }
});

Deno.test("decoders of blob.transfers refuse every cut message, and lists longer than their bytes", () => {
  for (const [, hex] of REQUESTS) {
    const bytes = Uint8Array.fromHex(hex);
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(decodeTransfersRequest(bytes.subarray(0, end)), undefined);
    }
  }
  for (const [, hex] of RESPONSES) {
    const bytes = Uint8Array.fromHex(hex);
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(decodeTransfersResponse(bytes.subarray(0, end)), undefined);
    }
  }
  assert.equal(decodeTransfersResponse(Uint8Array.fromHex("00ffffffff0f")), undefined);
  assert.equal(decodeTransfersRequest(Uint8Array.fromHex("03")), undefined);
  assert.equal(decodeTransfersResponse(Uint8Array.fromHex("04")), undefined);
  assert.equal(decodeTransfersResponse(Uint8Array.fromHex("0302")), undefined);
});

Deno.test("decoders of blob.transfers never throw on hostile bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeTransfersRequest(bytes);
      decodeTransfersResponse(bytes);
    }),
    { numRuns: 2_000 },
  );
});
