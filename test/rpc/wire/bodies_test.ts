import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import {
  FRAME_BYTES,
  FrameHead,
  NO_HEADERS,
  RequestBody,
  requestLength,
  ResponseBody,
  responseLength,
  writeFrameHead,
  writeRequest,
  writeResponse,
} from "../../../src/rpc/mod.ts";
import {
  ChunkBody,
  chunkLength,
  FragmentBody,
  readRequestGrant,
  readStreamGrant,
  writeChunk,
  writeFragmentHead,
  writeRequestGrant,
  writeStreamGrant,
} from "../../../src/rpc/wire/mod.ts";

const EMPTY = new Uint8Array(0);

function encodeRequest(service: string, deadlineMs = 0, body: Uint8Array = EMPTY): Uint8Array {
  const name = utf8(service);
  const bytes = new Uint8Array(requestLength(name, NO_HEADERS, body));
  const end = writeRequest(bytes, 0, name, deadlineMs, 0, NO_HEADERS, body);
  assert.equal(end, bytes.length);
  return bytes;
}

function encodeChunk(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(chunkLength(NO_HEADERS, body));
  assert.equal(writeChunk(bytes, 0, 0xffff_fffe, 7, 0x20, NO_HEADERS, body), bytes.length);
  return bytes;
}

function encodeResponse(status: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(responseLength(NO_HEADERS, body));
  assert.equal(writeResponse(bytes, 0, status, NO_HEADERS, body), bytes.length);
  return bytes;
}

Deno.test("RequestBody reads services of every length, none and 255 bytes too", () => {
  for (const length of [0, 1, 128, 255]) {
    const request = new RequestBody();
    const bytes = encodeRequest("s".repeat(length), 0, Uint8Array.of(9));
    assert.ok(request.read(bytes, 0));
    assert.deepEqual([request.serviceAt, request.serviceLength], [1, length]);
    assert.deepEqual([...request.body], [9]);
  }
});

Deno.test("deadlines keep their microseconds, and are never negative", () => {
  const request = new RequestBody();
  const anyDeadline = fc.integer({ min: 0, max: 18_446_744_073_000 });
  fc.assert(fc.property(anyDeadline, fc.integer({ min: 0, max: 999 }), (ms, us) => {
    const deadlineMs = ms + us / 1_000;
    assert.ok(request.read(encodeRequest("s", deadlineMs), 0));
    assert.ok(Math.abs(request.deadlineMs - deadlineMs) < 0.005);
  }));
  // What the wire holds at most, as another peer may send it.
  const latest = encodeRequest("s");
  latest.fill(0xff, 2, 10);
  assert.ok(request.read(latest, 0));
  assert.equal(request.deadlineMs, (2 ** 64) / 1e6);
  assert.ok(request.read(encodeRequest("s"), 0));
  assert.equal(request.deadlineMs, 0);
});

Deno.test("deadlines are written as whole nanoseconds", () => {
  const bytes = encodeRequest("s", 1_700_000_000_123.456);
  const ns = new DataView(bytes.buffer).getBigUint64(2, true);
  assert.equal(ns, 1_700_000_000_123_456_000n);
});

Deno.test("status and flags keep their sixteen bits", () => {
  const response = new ResponseBody();
  for (const status of [0, 9, 0x0a, 0x7fff, 0x8000, 0xffff]) {
    assert.ok(response.read(encodeResponse(status, Uint8Array.of(1)), 0));
    assert.equal(response.status, status);
  }
  const chunk = new ChunkBody();
  assert.ok(chunk.read(encodeChunk(EMPTY), 0));
  assert.deepEqual([chunk.callLow, chunk.callHigh, chunk.flags], [0xffff_fffe, 7, 0x20]);
});

const READERS = {
  request: {
    reader: () => new RequestBody(),
    bytes: encodeRequest("echo", 5, Uint8Array.of(1, 2)),
  },
  chunk: { reader: () => new ChunkBody(), bytes: encodeChunk(Uint8Array.of(1, 2)) },
  response: { reader: () => new ResponseBody(), bytes: encodeResponse(3, Uint8Array.of(1, 2)) },
};

for (const [kind, { reader, bytes }] of Object.entries(READERS)) {
  Deno.test(`a ${kind} of another length than it says is refused`, () => {
    const read = (frame: Uint8Array) => reader().read(frame, 0);
    assert.ok(read(bytes));
    for (let length = 0; length < bytes.length; length++) {
      assert.ok(!read(bytes.subarray(0, length)), `${length} bytes`);
    }
    assert.ok(!read(Uint8Array.of(...bytes, 0)), "a byte too much");
    // The length of the body stands four bytes in front of it.
    for (const length of [0, 1, 3, 0x7fff_ffff, 0xffff_ffff]) {
      const lying = bytes.slice();
      new DataView(lying.buffer).setUint32(lying.length - 6, length, true);
      assert.ok(!read(lying), `${length}`);
    }
  });
}

Deno.test("grants are read in their length only, and for their call", () => {
  const grant = new Uint8Array(12);
  for (const credits of [0, 1, 0x0102_0304, 0xffff_ffff]) {
    writeStreamGrant(grant, 0, credits);
    assert.equal(readStreamGrant(grant.subarray(0, 4), 0), credits);
    writeRequestGrant(grant, 0, 5, 6, credits);
    assert.equal(readRequestGrant(grant, 0, 5, 6), credits);
    assert.equal(readRequestGrant(grant, 0, 6, 5), undefined);
  }
  for (const length of [0, 3, 5]) {
    assert.equal(readStreamGrant(grant.subarray(0, length), 0), undefined);
  }
  for (const length of [0, 11, 13]) {
    const bytes = new Uint8Array(length);
    assert.equal(readRequestGrant(bytes, 0, 0, 0), undefined);
  }
});

Deno.test("FrameHead keeps all of its bits, and wants 32 bytes", () => {
  const head = new FrameHead();
  const anyWord = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(fc.property(fc.array(anyWord, { minLength: 7, maxLength: 7 }), (words) => {
    const [originLow = 0, originHigh = 0, channelLow = 0, channelHigh = 0] = words;
    const [callLow = 0, callHigh = 0, item = 0] = words.slice(4);
    const route = { originLow, originHigh, channelLow, channelHigh };
    const bytes = new Uint8Array(FRAME_BYTES);
    assert.equal(writeFrameHead(bytes, 0, 0x11, route, callLow, callHigh, item), FRAME_BYTES);
    assert.ok(head.read(bytes));
    assert.deepEqual({ ...head }, { dispatch: 0x11, ...route, callLow, callHigh, item });
  }));
  assert.ok(!head.read(new Uint8Array(FRAME_BYTES - 1)));
});

Deno.test("FragmentBody takes parts that lie within the whole", () => {
  const read = (total: number, offset: number, part: number) => {
    const bytes = new Uint8Array(12 + part);
    writeFragmentHead(bytes, 0, 0x10, total, offset);
    return new FragmentBody().read(bytes, 0);
  };
  assert.ok(read(10, 0, 10) && read(10, 9, 1) && read(0xffff_ffff, 0xffff_fffe, 1));
  assert.ok(!read(10, 9, 2) && !read(10, 10, 1) && !read(10, 0xffff_ffff, 1));
  assert.ok(!read(10, 0, 0), "a part without bytes");
  assert.ok(read(0, 0, 0), "the whole is given up");
  assert.ok(!read(0, 0, 1) && !read(0, 5, 0));
  assert.ok(!new FragmentBody().read(new Uint8Array(11), 0));
});
