import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CONTINUE_HEADERS,
  END_HEADERS,
  RequestBody,
  requestLength,
  ResponseBody,
  type RpcHeader,
  textHeader,
  writeRequest,
  writeResponse,
} from "../../../src/rpc/mod.ts";
import { responseLength } from "../../../src/rpc/wire/mod.ts";

function encode(headers: readonly RpcHeader[], body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(responseLength(headers, body));
  assert.equal(writeResponse(bytes, 0, 0, headers, body), bytes.length);
  return bytes;
}

Deno.test("headers of streams are the same bytes as any other header's, and are recognised", () => {
  const body = Uint8Array.of(1, 2);
  for (const known of [CONTINUE_HEADERS, END_HEADERS]) {
    const spelled = known.map(({ name, value }) => ({ name, value }));
    assert.deepEqual(encode(known, body), encode(spelled, body));
    const response = new ResponseBody();
    assert.ok(response.read(encode(spelled, body), 0));
    assert.equal(response.headers, known);
    assert.deepEqual([...response.body], [1, 2]);
  }
});

Deno.test("headers beside that of a stream are read as they are", () => {
  const headers = [...CONTINUE_HEADERS, textHeader("mine", "x")];
  const response = new ResponseBody();
  assert.ok(response.read(encode(headers, new Uint8Array(0)), 0));
  assert.deepEqual(response.headers.map(({ name }) => name), ["nrpc-streaming", "mine"]);
});

Deno.test("writeRequest() writes the deadline in nanoseconds, exact to the microsecond", () => {
  const service = Uint8Array.of(0x61);
  const empty = new Uint8Array(0);
  fc.assert(fc.property(fc.nat(2 ** 41), fc.nat(999), (ms, us) => {
    const bytes = new Uint8Array(requestLength(service, [], empty));
    writeRequest(bytes, 0, service, ms + us / 1000, 0, [], empty);
    const ns = new DataView(bytes.buffer).getBigUint64(2, true);
    assert.equal(ns, BigInt(ms) * 1_000_000n + BigInt(us) * 1_000n);
    const request = new RequestBody();
    assert.ok(request.read(bytes, 0));
    assert.ok(Math.abs(request.deadlineMs - (ms + us / 1000)) < 0.001);
  }));
});
