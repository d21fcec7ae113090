import assert from "node:assert/strict";
import fc from "fast-check";
import { classifyDatagram, DatagramClass } from "../../../../src/core/transport/wire/classify.ts";

function classify(start: string, length: number, at = 0): number {
  const bytes = new Uint8Array(at + length);
  bytes.set(Uint8Array.fromHex(start).subarray(0, length), at);
  return classifyDatagram(new DataView(bytes.buffer), at, length);
}

Deno.test("classifyDatagram() follows the order of the rules", () => {
  const cases: readonly (readonly [string, number, number])[] = [
    ["5048", 14, DatagramClass.KeepAlive],
    ["5048", 13, DatagramClass.Unknown],
    ["5048", 15, DatagramClass.Unknown],
    ["0000", 72, DatagramClass.Pingwave],
    ["5048", 72, DatagramClass.Pingwave],
    ["4852", 72, DatagramClass.Pingwave],
    ["5254", 72, DatagramClass.Pingwave],
    ["454e", 72, DatagramClass.Direct],
    ["0000", 71, DatagramClass.Unknown],
    ["0000", 73, DatagramClass.Unknown],
    ["4852", 2, DatagramClass.RouteHop],
    ["4852", 14, DatagramClass.RouteHop],
    ["4852", 200, DatagramClass.RouteHop],
    ["5254", 86, DatagramClass.Routed],
    ["5254", 85, DatagramClass.Unknown],
    ["454e", 2, DatagramClass.Direct],
    ["454e", 14, DatagramClass.Direct],
    ["454e", 8192, DatagramClass.Direct],
    ["4e45", 84, DatagramClass.Unknown],
    ["45", 1, DatagramClass.Unknown],
    ["", 0, DatagramClass.Unknown],
  ];
  for (const [start, length, expected] of cases) {
    assert.equal(classify(start, length), expected, `${start} with ${length} bytes`);
    assert.equal(classify(start, length, 33), expected, `${start} at an offset`);
  }
});

Deno.test("classifyDatagram() takes any bytes without throwing", () => {
  const known = new Set<number>(Object.values(DatagramClass));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    assert.ok(known.has(classifyDatagram(view, 0, bytes.length)));
  }));
});
