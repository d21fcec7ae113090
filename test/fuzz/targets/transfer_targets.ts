/** Questions and answers of the service `blob.transfers`: bodies of calls from other nodes. */
import assert from "node:assert/strict";
import {
  decodeTransfersRequest,
  decodeTransfersResponse,
  encodeTransfersRequest,
  encodeTransfersResponse,
  type WireTransfer,
} from "../../../src/blob/mod.ts";
import type { CreateTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(47);

const transfer = (totalBytes: bigint | undefined): WireTransfer => ({
  streamId: 0x2000_0000_0000_0001n,
  holder: 1n << 63n,
  expectedHash: random.bytes(32),
  bytesReceived: 8_000n,
  totalBytes,
});

/** The targets. */
export const TRANSFER_TARGETS: Readonly<Record<string, CreateTarget>> = {
  blob_transfers_request: () => ({
    corpus: [
      encodeTransfersRequest({ kind: "list" }),
      encodeTransfersRequest({ kind: "get", streamId: 5n }),
      encodeTransfersRequest({ kind: "cancel", streamId: (1n << 64n) - 1n }),
    ],
    feed: (bytes) => {
      const request = decodeTransfersRequest(bytes);
      if (request === undefined) return undefined;
      assert.deepEqual(decodeTransfersRequest(encodeTransfersRequest(request)), request);
      return request;
    },
  }),
  blob_transfers_response: () => ({
    corpus: [
      encodeTransfersResponse({
        kind: "transfers",
        transfers: [transfer(undefined), transfer(4_194_304n)],
      }),
      encodeTransfersResponse({ kind: "transfer", transfer: transfer(1n) }),
      encodeTransfersResponse({ kind: "transfer", transfer: undefined }),
      encodeTransfersResponse({ kind: "cancelled", existed: true }),
      encodeTransfersResponse({ kind: "error", error: "decode_failed", text: "why" }),
      encodeTransfersResponse({ kind: "error", error: "engine_not_installed" }),
    ],
    feed: (bytes) => {
      const response = decodeTransfersResponse(bytes);
      if (response === undefined) return undefined;
      assert.deepEqual(decodeTransfersResponse(encodeTransfersResponse(response)), response);
      return response;
    },
  }),
};
