import { deepStrictEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { LineBuffer } from "../../src/control/line_buffer.ts";

/** Feeds the pieces and returns lines, the rest, and whether a line was too long. */
function cut(pieces: readonly Uint8Array[], lineBytesMax: number) {
  const buffer = new LineBuffer(lineBytesMax);
  const lines: string[] = [];
  const decode = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  for (const piece of pieces) {
    for (let offset = 0; offset < piece.length;) {
      const space = buffer.space();
      ok(space.length > 0);
      const part = piece.subarray(offset, offset + space.length);
      space.set(part);
      buffer.commit(part.length);
      offset += part.length;
      for (let line = buffer.next(); line !== undefined; line = buffer.next()) {
        if (line.length > lineBytesMax) return { lines, isTooLong: true, rest: "" };
        lines.push(decode(line));
      }
      if (buffer.isOversized) return { lines, isTooLong: true, rest: "" };
    }
  }
  return { lines, isTooLong: false, rest: decode(buffer.takeRest()) };
}

const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

Deno.test("LineBuffer cuts at newlines and drops a carriage return", () => {
  deepStrictEqual(cut([latin1("a\r\nb\n\nc\rd\ne")], 100), {
    lines: ["a", "b", "", "c\rd"],
    isTooLong: false,
    rest: "e",
  });
});

Deno.test("LineBuffer gives the same lines however the bytes are split", () => {
  fc.assert(fc.property(
    fc.array(
      fc.string({ maxLength: 3000 }).map((text) => text.replace(/[\n\r\u0100-\u{10ffff}]/gu, "x")),
    ),
    fc.array(fc.integer({ min: 1, max: 4000 })),
    (lines, sizes) => {
      const bytes = latin1(lines.map((line) => `${line}\n`).join(""));
      const pieces: Uint8Array[] = [];
      let offset = 0;
      for (const size of sizes) pieces.push(bytes.subarray(offset, offset += size));
      pieces.push(bytes.subarray(offset));
      deepStrictEqual(cut(pieces, 3000).lines, lines);
    },
  ));
});

Deno.test("LineBuffer allows a line of exactly the limit and none longer", () => {
  for (const limit of [10, 2048, 5000, 70_000]) {
    const line = "x".repeat(limit);
    deepStrictEqual(cut([latin1(`${line}\r\n`)], limit).lines, [line]);
    equal(cut([latin1(`${line}x`)], limit).isTooLong, true);
    equal(cut([latin1(`${line}x\n`)], limit).isTooLong, true);
    equal(cut([latin1(line)], limit).rest, line);
  }
});

Deno.test("LineBuffer returns to its small size after a long line", () => {
  const buffer = new LineBuffer(1 << 20);
  for (let left = 500_000; left > 0;) {
    const space = buffer.space();
    space.fill(0x78);
    buffer.commit(Math.min(space.length, left));
    left -= space.length;
  }
  buffer.space()[0] = 0x0a;
  buffer.commit(1);
  equal(buffer.next()?.length, 500_000);
  equal(buffer.space().length, 2048);
});
