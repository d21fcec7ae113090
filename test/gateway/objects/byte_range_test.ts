import assert from "node:assert/strict";
import fc from "fast-check";
import { parseByteRange } from "../../../src/gateway/objects/byte_range.ts";

function read(header: string | null, size = 10): string {
  const range = parseByteRange(header, size);
  return range.kind === "part" ? `${range.start}..${range.end}` : range.kind;
}

Deno.test("parseByteRange() reads the three forms, clamped to the object", () => {
  assert.equal(read("bytes=0-0"), "0..1");
  assert.equal(read("bytes=2-4"), "2..5");
  assert.equal(read("bytes=2-400"), "2..10");
  assert.equal(read("bytes=9-"), "9..10");
  assert.equal(read("bytes=-3"), "7..10");
  assert.equal(read("bytes=-30"), "0..10");
  assert.equal(read("Bytes = 2 - 4"), "2..5");
  assert.equal(read("bytes=0-99999999999999999999999999"), "0..10");
});

Deno.test("parseByteRange() tells what there is not", () => {
  for (
    const header of [
      "bytes=10-",
      "bytes=10-11",
      "bytes=-0",
      "bytes=4-2",
      "bytes=",
      "bytes=a-b",
      "bytes=-",
      "bytes=1",
      "bytes=99999999999999999999-",
      "bytes=--1",
      "bytes=0x1-2",
      "bytes=1.5-2",
    ]
  ) assert.equal(read(header), "unsatisfiable", header);
  assert.equal(read("bytes=0-", 0), "unsatisfiable");
  assert.equal(read("bytes=-1", 0), "unsatisfiable");
});

Deno.test("parseByteRange() ignores several ranges and other units", () => {
  for (const header of [null, "", "items=0-1", "bytes=0-1,3-4", "bytes 0-1"]) {
    assert.equal(read(header), "whole", String(header));
  }
});

Deno.test("parseByteRange() gives parts that lie in the object, whatever comes", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.tuple(fc.string(), fc.nat(), fc.nat()).map(([s, a, b]) => `bytes=${a}-${b}${s}`),
    fc.nat().map((n) => `bytes=-${n}`),
  );
  fc.assert(fc.property(text, fc.nat({ max: 1_000 }), (header, size) => {
    const range = parseByteRange(header, size);
    return range.kind !== "part" ||
      (0 <= range.start && range.start < range.end && range.end <= size);
  }));
});
