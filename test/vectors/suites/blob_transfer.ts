/** Frames and stream ids of the transfer of chunks (`dataforts.md` 12). */
import assert from "node:assert/strict";
import {
  decodeTransferHeader,
  decodeTransferRequest,
  encodeTransferHeader,
  encodeTransferRequest,
  isTransferStreamId,
  transferStreamId,
} from "../../../src/blob/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { booleanOf, bytesOf, integerOf, recordOf, textOf } from "../vector_reader.ts";

/** Suites of this file by path. */
export const BLOB_TRANSFER_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/transfer.json": () => ({
    stream_ids: (vector) =>
      assert.equal(
        transferStreamId(BigInt(textOf(vector, "nonce"))),
        BigInt(textOf(vector, "stream_id")),
      ),
    is_transfer: (vector) =>
      assert.equal(
        isTransferStreamId(BigInt(textOf(vector, "stream_id"))),
        booleanOf(vector, "is_transfer"),
      ),
    header_decode: (vector) => {
      const header = decodeTransferHeader(bytesOf(vector, "hex"));
      const expected = recordOf(vector, "decode");
      assert.equal(header !== undefined, booleanOf(expected, "ok"));
      if (header === undefined) return;
      assert.equal(header.isFound, expected.found);
      assert.equal(header.isFound ? String(header.totalBytes) : null, expected.total_len);
    },
    control_decode: (vector) =>
      assert.equal(
        decodeTransferRequest(bytesOf(vector, "hex"))?.toHex(),
        recordOf(vector, "decode").hash,
      ),
  }),
  "dataforts/transfer_vectors_golden.json": () => ({
    transfer_control: (vector) => {
      const hash = bytesOf(recordOf(vector, "fields"), "hash");
      assert.equal(encodeTransferRequest(hash).toHex(), textOf(vector, "postcard_hex"));
    },
    transfer_header: (vector) => {
      const fields = recordOf(vector, "fields");
      const header = decodeTransferHeader(bytesOf(vector, "postcard_hex"));
      assert.ok(header !== undefined && header.isFound === (fields.kind === "found"));
      if (header.isFound) assert.equal(header.totalBytes, integerOf(fields, "total_len"));
      assert.equal(encodeTransferHeader(header).toHex(), textOf(vector, "postcard_hex"));
    },
  }),
};
