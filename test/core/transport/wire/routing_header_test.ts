import assert from "node:assert/strict";
import fc from "fast-check";
import {
  forwardRoutingHeader,
  readRoutingHeader,
  ROUTING_HEADER_BYTES,
  RoutingHeader,
  writeRoutingHeader,
} from "../../../../src/core/transport/wire/routing_header.ts";

const u8 = fc.nat(0xff);
const u32 = fc.nat(0xffff_ffff);
const headers = fc.record({
  ttl: u8,
  hopCount: u8,
  flags: fc.nat(0x0f),
  reserved: u8,
  source: u32,
  destinationLow: u32,
  destinationHigh: u32,
}).map((fields) => Object.assign(new RoutingHeader(), fields));

Deno.test("readRoutingHeader() gives back what writeRoutingHeader() wrote, at any offset", () => {
  fc.assert(fc.property(headers, fc.nat(30), (header, at) => {
    const view = new DataView(new ArrayBuffer(at + ROUTING_HEADER_BYTES));
    writeRoutingHeader(view, at, header);
    assert.equal(view.getUint8(at), 0x52);
    assert.equal(view.getUint8(at + 1), 0x54);
    const read = new RoutingHeader();
    readRoutingHeader(view, at, read);
    assert.deepEqual(read, header);
  }));
});

Deno.test("readRoutingHeader() masks the high nibble of the flags", () => {
  const bytes = Uint8Array.fromHex("52540103fe5aefbeaddeb0da964c15cb64db");
  const read = new RoutingHeader();
  readRoutingHeader(new DataView(bytes.buffer), 0, read);
  assert.equal(read.flags, 0x0e);
  assert.equal(read.reserved, 0x5a);
});

Deno.test("forwardRoutingHeader() changes three bytes and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 120, maxLength: 120 }), fc.nat(40), (bytes, at) => {
      const before = bytes.slice();
      const isForwarded = forwardRoutingHeader(bytes, at);
      const ttl = before[at + 2] ?? 0;
      assert.equal(isForwarded, ttl > 0);
      const expected = before.slice();
      if (ttl > 0) {
        expected[at + 2] = ttl - 1;
        expected[at + 3] = Math.min((before[at + 3] ?? 0) + 1, 255);
        expected[at + 4] = (before[at + 4] ?? 0) & 0x0f;
      }
      assert.deepEqual(bytes, expected);
    }),
  );
});
