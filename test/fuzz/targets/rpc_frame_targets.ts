/** Decoders of nRPC frames: heads, requests, chunks, responses, headers, grants, fragments. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  CONTINUE_HEADERS,
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  NO_HEADERS,
  RequestBody,
  requestLength,
  ResponseBody,
  responseLength,
  type RpcHeader,
  textHeader,
  writeFragmentHead,
  writeFrameHead,
  writeRequest,
  writeResponse,
} from "../../../src/rpc/mod.ts";
import {
  ChunkBody,
  chunkLength,
  FragmentBody,
  headersLength,
  readHeaders,
  readRequestGrant,
  readStreamGrant,
  writeChunk,
  writeHeaders,
  writeRequestGrant,
  writeStreamGrant,
} from "../../../src/rpc/wire/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const HEADERS: readonly RpcHeader[] = [
  textHeader("nrpc-stream-window-initial", "16"),
  { name: "é", value: new Uint8Array(0) },
  { name: "n".repeat(64), value: new Uint8Array(300).fill(3) },
];
const BODY = Uint8Array.of(1, 2, 3, 4, 5);
const EMPTY = new Uint8Array(0);
/** A header of five bytes is an object with a name and a value. */
const HEADER_GROWTH = { factor: 64, base: 2_048 };

function encodedHeaders(headers: readonly RpcHeader[]): Uint8Array {
  const bytes = new Uint8Array(headersLength(headers));
  assert.equal(writeHeaders(bytes, 0, headers), bytes.length);
  return bytes;
}

function encodedRequest(service: Uint8Array, request: Partial<RequestBody>): Uint8Array {
  const { deadlineMs = 0, flags = 0, headers = NO_HEADERS, body = EMPTY } = request;
  const bytes = new Uint8Array(requestLength(service, headers, body));
  assert.equal(
    writeRequest(bytes, 0, service, deadlineMs, flags, headers, body),
    bytes.length,
  );
  return bytes;
}

function encodedChunk({ callLow = 0, callHigh = 0, flags = 0, ...rest }: Partial<ChunkBody>) {
  const { headers = NO_HEADERS, body = EMPTY } = rest;
  const bytes = new Uint8Array(chunkLength(headers, body));
  assert.equal(writeChunk(bytes, 0, callLow, callHigh, flags, headers, body), bytes.length);
  return bytes;
}

function encodedResponse(status: number, headers: readonly RpcHeader[], body: Uint8Array) {
  const bytes = new Uint8Array(responseLength(headers, body));
  assert.equal(writeResponse(bytes, 0, status, headers, body), bytes.length);
  return bytes;
}

function requestTarget(): FuzzTarget {
  const request = new RequestBody();
  return {
    corpus: [
      encodedRequest(utf8("echo"), { body: BODY }),
      encodedRequest(utf8("s".repeat(255)), { headers: HEADERS, deadlineMs: 1.7e12, flags: 0x12 }),
      encodedRequest(EMPTY, {}),
    ],
    growth: HEADER_GROWTH,
    feed: (bytes) => {
      if (!request.read(bytes, 0)) return undefined;
      const { serviceAt, serviceLength, headers, body } = request;
      const service = bytes.slice(serviceAt, serviceAt + serviceLength);
      assert.equal(service.length, serviceLength);
      const again = encodedRequest(service, request);
      // A deadline is kept to the microsecond; all else to the byte.
      const deadlineAt = 1 + serviceLength;
      again.set(bytes.subarray(deadlineAt, deadlineAt + 8), deadlineAt);
      assertSame(again, bytes);
      assert.ok(request.deadlineMs >= 0 && Number.isFinite(request.deadlineMs));
      return { headers, body: body.slice() };
    },
  };
}

function chunkTarget(): FuzzTarget {
  const chunk = new ChunkBody();
  return {
    corpus: [
      encodedChunk({ callLow: 1, callHigh: 2, flags: 0x20, body: BODY }),
      encodedChunk({ headers: HEADERS }),
    ],
    growth: HEADER_GROWTH,
    feed: (bytes) => {
      if (!chunk.read(bytes, 0)) return undefined;
      assertSame(encodedChunk(chunk), bytes);
      return { headers: chunk.headers, body: chunk.body.slice() };
    },
  };
}

function responseTarget(): FuzzTarget {
  const response = new ResponseBody();
  return {
    corpus: [
      encodedResponse(0, CONTINUE_HEADERS, BODY),
      encodedResponse(0x8001, HEADERS, EMPTY),
      encodedResponse(6, NO_HEADERS, BODY),
    ],
    growth: HEADER_GROWTH,
    feed: (bytes) => {
      if (!response.read(bytes, 0)) return undefined;
      const { status, headers, body } = response;
      assertSame(encodedResponse(status, headers, body), bytes);
      return { headers, body: body.slice() };
    },
  };
}

function headersTarget(): FuzzTarget {
  return {
    corpus: [
      encodedHeaders(HEADERS),
      encodedHeaders(Array.from({ length: 32 }, () => textHeader("a", "b"))),
    ],
    growth: HEADER_GROWTH,
    feed: (bytes) => {
      const read = readHeaders(bytes, 0);
      if (read === undefined) return undefined;
      assertSame(encodedHeaders(read.headers), bytes.subarray(0, read.end));
      return read.headers;
    },
  };
}

/** Heads, and the bodies that have no length of their own. */
function headTarget(): FuzzTarget {
  const head = new FrameHead();
  const fragment = new FragmentBody();
  const route = { originLow: 1, originHigh: 2, channelLow: 3, channelHigh: 4 };
  const frame = (dispatch: number, bodyBytes: number) => {
    const bytes = new Uint8Array(FRAME_BYTES + bodyBytes);
    writeFrameHead(bytes, 0, dispatch, route, 5, 6, 7);
    return bytes;
  };
  const streamGrant = frame(Dispatch.streamGrant, 4);
  writeStreamGrant(streamGrant, FRAME_BYTES, 0xffff_ffff);
  const requestGrant = frame(Dispatch.requestGrant, 12);
  writeRequestGrant(requestGrant, FRAME_BYTES, 5, 6, 9);
  const part = frame(Dispatch.fragment, 12 + 3);
  writeFragmentHead(part, FRAME_BYTES, Dispatch.request, 100, 97);
  return {
    corpus: [streamGrant, requestGrant, part, frame(Dispatch.cancel, 0)],
    feed: (bytes) => {
      if (!head.read(bytes)) return undefined;
      const { dispatch, callLow, callHigh, item } = head;
      const again = bytes.slice();
      writeFrameHead(again, 0, dispatch, head, callLow, callHigh, item);
      // Three bytes are reserved, and not looked at.
      again.set(bytes.subarray(1, 4), 1);
      assertSame(again, bytes);
      const credits = [
        readStreamGrant(bytes, FRAME_BYTES),
        readRequestGrant(bytes, FRAME_BYTES, callLow, callHigh),
      ];
      for (const count of credits) {
        assert.ok(count === undefined || (count >= 0 && count <= 0xffff_ffff));
      }
      if (fragment.read(bytes, FRAME_BYTES)) {
        const { total, offset, partAt } = fragment;
        assert.ok(offset + bytes.length - partAt <= total);
      }
      return { ...head };
    },
  };
}

/** The table of this area. */
export const RPC_FRAME_TARGETS: Readonly<Record<string, CreateTarget>> = {
  rpc_request: requestTarget,
  rpc_chunk: chunkTarget,
  rpc_response: responseTarget,
  rpc_headers: headersTarget,
  rpc_head: headTarget,
};
