import assert from "node:assert/strict";
import fc from "fast-check";
import {
  concatBytes,
  equalBytes,
  equalBytesConstantTime,
  fromHex,
  idToHex,
  parseId,
  toHex,
  utf8,
} from "../../src/base/mod.ts";

const ids = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

Deno.test("concatBytes() joins in order into a new array", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }), (parts) => {
    const joined = concatBytes(...parts);
    assert.deepEqual([...joined], parts.flatMap((part) => [...part]));
    joined.fill(0xff);
    assert.ok(parts.every((part) => part.buffer !== joined.buffer));
  }));
});

Deno.test("equalBytes() and equalBytesConstantTime() compare content", () => {
  const bytes = fc.uint8Array({ maxLength: 4, max: 1 });
  fc.assert(fc.property(bytes, bytes, (left, right) => {
    const isEqual = toHex(left) === toHex(right);
    assert.equal(equalBytes(left, right), isEqual);
    assert.equal(equalBytesConstantTime(left, right), isEqual);
    assert.ok(equalBytes(left, left.slice()) && equalBytesConstantTime(left, left.slice()));
  }));
});

Deno.test("equalBytesConstantTime() sees a difference anywhere", () => {
  const cases = fc.uint8Array({ minLength: 1, maxLength: 64 }).chain((bytes) =>
    fc.tuple(fc.constant(bytes), fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
  );
  fc.assert(fc.property(cases, ([bytes, at, flip]) => {
    const other = bytes.with(at, (bytes[at] ?? 0) ^ flip);
    assert.ok(!equalBytesConstantTime(bytes, other));
    assert.ok(!equalBytes(bytes, other));
  }));
});

Deno.test("fromHex() gives back what toHex() wrote, in either case", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const text = toHex(bytes);
    assert.match(text, /^[0-9a-f]*$/);
    assert.deepEqual(fromHex(text), bytes);
    assert.deepEqual(fromHex(text.toUpperCase(), bytes.length), bytes);
    assert.equal(fromHex(text, bytes.length + 1), undefined);
  }));
});

Deno.test("fromHex() refuses what is not hex without throwing", () => {
  for (const text of ["0", "abc", "0g", "0x00", " 00", "00\n", "é0", "+1"]) {
    assert.equal(fromHex(text), undefined, JSON.stringify(text));
  }
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(fromHex(text) !== undefined, /^([0-9a-f]{2})*$/i.test(text) && !/\n/.test(text));
  }));
});

Deno.test("parseId() reads idToHex(), 0x and decimal", () => {
  fc.assert(fc.property(ids, (id) => {
    const hex = idToHex(id);
    assert.equal(hex.length, 16);
    assert.equal(parseId(hex), id);
    assert.equal(parseId(`0x${hex.toUpperCase()}`), id);
    // 16 decimal digits look like hex, and are read as that.
    const decimal = id.toString();
    assert.equal(parseId(decimal), decimal.length === 16 ? BigInt(`0x${decimal}`) : id);
  }));
});

Deno.test("parseId() refuses what is no 64-bit id", () => {
  const wrong = [
    "",
    "-1",
    "0x1",
    "18446744073709551616",
    "1".repeat(21),
    "abc",
    "1.0",
    "1e3",
    " 1",
  ];
  for (const text of wrong) assert.equal(parseId(text), undefined, text);
  assert.equal(parseId("18446744073709551615"), (1n << 64n) - 1n);
  fc.assert(fc.property(fc.string(), (text) => {
    const id = parseId(text);
    assert.ok(id === undefined || (id >= 0n && id < 1n << 64n));
  }));
});

Deno.test("utf8() encodes", () => {
  assert.deepEqual(utf8("aé€"), Uint8Array.of(0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac));
});
