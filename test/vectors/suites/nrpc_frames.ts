/** Frames of calls, byte by byte: read, and written again from what was read. */
import assert from "node:assert/strict";
import { highHalf, idToHex, joinHalves, lowHalf, utf8 } from "../../../src/base/mod.ts";
import { deriveChannelHash } from "../../../src/core/crypto/mod.ts";
import {
  ChunkBody,
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  replyChannelName,
  RequestBody,
  requestChannelName,
  ResponseBody,
  writeFrameHead,
  writeResponse,
} from "../../../src/rpc/mod.ts";
import {
  chunkLength,
  readRequestGrant,
  readStreamGrant,
  requestLength,
  responseLength,
  writeChunk,
  writeRequest,
  writeRequestGrant,
  writeStreamGrant,
} from "../../../src/rpc/wire/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { textsOf } from "./_hex_texts.ts";

/** Suites of this file by vector file. */
export const NRPC_FRAME_SUITES: Readonly<Record<string, VectorSuite>> = {
  "nrpc/frames.json": (document) => {
    const file = objectOf(document, "the file");
    return {
      cases: checkFrame,
      captured_from_core: { cases: textsOf(file, "captured_from_core"), check: checkFrame },
      constants: { cases: [recordOf(file, "constants")], check: checkConstants },
    };
  },
};

/** Reads a frame, and writes it again from what was read. */
function checkFrame(vector: VectorObject): void {
  const bytes = bytesOf(vector, "hex");
  const head = new FrameHead();
  assert.ok(head.read(bytes));
  const again = new Uint8Array(bytes.length);
  const { dispatch, callLow, callHigh, item } = head;
  assert.equal(item, 0);
  const at = writeFrameHead(again, 0, dispatch, head, callLow, callHigh, 0);
  assert.equal(writeBody(again, at, bytes, head, vector), bytes.length);
  assert.deepEqual(again, bytes);
  if (has(vector, "dispatch")) assert.equal(dispatch, numberOf(vector, "dispatch"));
}

function writeBody(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  { dispatch, callLow, callHigh }: FrameHead,
  vector: VectorObject,
): number {
  switch (dispatch) {
    case Dispatch.request: {
      const request = new RequestBody();
      assert.ok(request.read(bytes, FRAME_BYTES));
      const { serviceAt, serviceLength, deadlineMs, flags, headers, body } = request;
      const service = bytes.subarray(serviceAt, serviceAt + serviceLength);
      if (has(vector, "flags")) assert.equal(flags, numberOf(vector, "flags"));
      if (has(vector, "service")) assert.deepEqual(service, utf8(textOf(vector, "service")));
      assert.equal(requestLength(service, headers, body), bytes.length - at);
      const end = writeRequest(target, at, service, deadlineMs, flags, headers, body);
      // Deadlines are Unix nanoseconds; here they are milliseconds, exact to a microsecond.
      const deadlineAt = serviceAt + serviceLength;
      const exact = new DataView(bytes.buffer).getBigUint64(deadlineAt, true);
      const ours = new DataView(target.buffer).getBigUint64(deadlineAt, true);
      assert.ok(exact - ours < 1_000n && ours - exact < 1_000n);
      target.set(bytes.subarray(deadlineAt, deadlineAt + 8), deadlineAt);
      return end;
    }
    case Dispatch.response: {
      const response = new ResponseBody();
      assert.ok(response.read(bytes, FRAME_BYTES));
      const { status, headers, body } = response;
      if (has(vector, "status")) assert.equal(status, numberOf(vector, "status"));
      assert.equal(responseLength(headers, body), bytes.length - at);
      return writeResponse(target, at, status, headers, body);
    }
    case Dispatch.requestChunk: {
      const chunk = new ChunkBody();
      assert.ok(chunk.read(bytes, FRAME_BYTES));
      assert.deepEqual([chunk.callLow, chunk.callHigh], [callLow, callHigh]);
      assert.equal(chunkLength(chunk.headers, chunk.body), bytes.length - at);
      return writeChunk(target, at, callLow, callHigh, chunk.flags, chunk.headers, chunk.body);
    }
    case Dispatch.streamGrant:
      return writeStreamGrant(target, at, readStreamGrant(bytes, FRAME_BYTES) ?? NaN);
    case Dispatch.requestGrant: {
      const credits = readRequestGrant(bytes, FRAME_BYTES, callLow, callHigh) ?? NaN;
      return writeRequestGrant(target, at, callLow, callHigh, credits);
    }
    default:
      assert.equal(dispatch, Dispatch.cancel);
      return at;
  }
}

function checkConstants(vector: VectorObject): void {
  const origin = BigInt(`0x${textOf(vector, "origin_hash_hex")}`);
  assert.equal(requestChannelName("echo"), textOf(vector, "request_channel"));
  assert.equal(replyChannelName("echo", origin), textOf(vector, "reply_channel"));
  for (const kind of ["request", "reply"]) {
    const hash = deriveChannelHash(textOf(vector, `${kind}_channel`));
    assert.equal(idToHex(hash), textOf(vector, `${kind}_route_hex`));
    assert.equal(joinHalves(lowHalf(hash), highHalf(hash)), hash);
  }
}
