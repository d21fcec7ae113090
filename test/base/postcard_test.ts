import assert from "node:assert/strict";
import fc from "fast-check";
import { PostcardReader, PostcardWriter } from "../../src/base/postcard.ts";

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

Deno.test("PostcardWriter round-trips through PostcardReader", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 0xffffffff }),
    u64,
    fc.string({ unit: "binary" }),
    fc.uint8Array({ maxLength: 300 }),
    (byte, small, large, text, bytes) => {
      const encoded = new PostcardWriter(1).u8(byte).varint(small).varint(large).text(text)
        .byteVector(bytes).finish();
      const reader = new PostcardReader(encoded);
      assert.equal(reader.u8(), byte);
      assert.equal(reader.u32(), small);
      assert.equal(reader.u64(), large);
      assert.equal(reader.text(), text);
      assert.deepEqual(new Uint8Array(reader.byteVector()), new Uint8Array(bytes));
      assert.equal(reader.failure, undefined);
      assert.equal(reader.remaining, 0);
    },
  ));
});

Deno.test("PostcardReader never throws and never reads past hostile bytes", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom("u8", "u32", "u64", "text", "vector", "count"), { maxLength: 20 }),
    (bytes, calls) => {
      const reader = new PostcardReader(bytes);
      for (const call of calls) {
        if (call === "u8") reader.u8();
        else if (call === "u32") reader.u32();
        else if (call === "u64") reader.u64();
        else if (call === "text") reader.text();
        else if (call === "vector") reader.byteVector();
        else assert.ok(reader.count(3) * 3 <= bytes.length);
        assert.ok(reader.remaining >= 0 && reader.remaining <= bytes.length);
      }
    },
  ));
});

Deno.test("PostcardReader reads a part of its bytes as if it were all of them", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 12, maxLength: 12 }),
    fc.array(
      fc.constantFrom(
        "u8" as const,
        "u32" as const,
        "u64" as const,
        "text" as const,
        "byteVector" as const,
      ),
      { maxLength: 20 },
    ),
    (part, rest, calls) => {
      const whole = new PostcardReader(part);
      const inside = new PostcardReader(rest).reset(
        new Uint8Array([...rest, ...part, ...rest]),
        rest.length,
        rest.length + part.length,
      );
      for (const call of calls) {
        assert.deepEqual(inside[call](), whole[call]());
        assert.equal(inside.failure, whole.failure);
        assert.equal(inside.remaining, whole.remaining);
      }
    },
  ));
});

Deno.test("PostcardReader refuses varints that overflow their type", () => {
  const read32 = (hex: string) => {
    const reader = new PostcardReader(Uint8Array.fromHex(hex));
    return [reader.u32(), reader.failure];
  };
  assert.deepEqual(read32("ffffffff0f"), [0xffffffff, undefined]);
  assert.deepEqual(read32("ffffffff10"), [0, "postcard_varint"]);
  assert.deepEqual(read32("ffffffff8000"), [0, "postcard_varint"]);
  assert.deepEqual(read32("8000"), [0, undefined]);
  const read64 = (hex: string) => {
    const reader = new PostcardReader(Uint8Array.fromHex(hex));
    return [reader.u64(), reader.failure];
  };
  assert.deepEqual(read64("ffffffffffffffffff01"), [(1n << 64n) - 1n, undefined]);
  assert.deepEqual(read64("ffffffffffffffffff02"), [0n, "postcard_varint"]);
  assert.deepEqual(read64("ff"), [0n, "postcard_eof"]);
});

Deno.test("PostcardReader.text() reports bytes that are no UTF-8", () => {
  const reader = new PostcardReader(Uint8Array.of(1, 0xff, 9));
  assert.equal(reader.text(), "");
  assert.equal(reader.failure, "postcard_utf8");
  assert.equal(reader.u8(), 0);
});

Deno.test("PostcardWriter.varint() refuses what does not fit", () => {
  for (const value of [-1, 0.5, NaN, 2 ** 53, -1n, 1n << 64n]) {
    assert.throws(() => new PostcardWriter().varint(value), RangeError);
  }
});

Deno.test("PostcardReader reads options, variants, flags, lists and floats as they were written", () => {
  const any = fc.record({
    option: fc.option(u64, { nil: undefined }),
    flag: fc.boolean(),
    list: fc.array(fc.nat(0xffff_ffff), { maxLength: 9 }),
    float: fc.float(),
  });
  fc.assert(fc.property(any, ({ option, flag, list, float }) => {
    const writer = new PostcardWriter();
    writer.option(option, (value) => writer.varint(value)).flag(flag).f32(float);
    const bytes = writer.list(list, (item) => writer.varint(item)).finish();
    const reader = new PostcardReader(bytes);
    assert.equal(reader.option(() => reader.u64()), option);
    assert.equal(reader.flag(), flag);
    assert.ok(Object.is(reader.f32(), float));
    assert.deepEqual(reader.list(1, () => reader.u32()), list);
    assert.equal(reader.failure, undefined);
    assert.equal(reader.remaining, 0);
  }));
});

Deno.test("PostcardReader refuses variants, options and flags that there are not", () => {
  const failureOf = (read: (reader: PostcardReader) => unknown, ...bytes: number[]) => {
    const reader = new PostcardReader(Uint8Array.from(bytes));
    read(reader);
    return reader.failure;
  };
  assert.equal(failureOf((reader) => reader.variant(3), 2), undefined);
  assert.equal(failureOf((reader) => reader.variant(3), 3), "postcard_enum");
  assert.equal(failureOf((reader) => reader.option(() => reader.u8()), 2, 1), "postcard_enum");
  assert.equal(failureOf((reader) => reader.flag(), 2), "postcard_enum");
  assert.equal(failureOf((reader) => reader.f32(), 1, 2, 3), "postcard_eof");
  assert.equal(failureOf((reader) => reader.list(4, () => reader.u8()), 2, 1, 1), "postcard_eof");
});

Deno.test("PostcardWriter.text() and PostcardReader.text() agree with UTF-8 at every length", () => {
  const encoder = new TextEncoder();
  for (const letter of ["a", "\x7f", "\x80", "é", "\u{1d11e}"]) {
    for (const length of [0, 1, 2, 63, 64, 126, 127, 128, 129, 300]) {
      const text = "x".repeat(Math.max(0, length - 1)) + (length === 0 ? "" : letter);
      const expected = new PostcardWriter().byteVector(encoder.encode(text)).finish();
      assert.deepEqual(new PostcardWriter(1).text(text).finish(), expected);
      assert.equal(new PostcardReader(expected).text(), text);
    }
  }
});

Deno.test("PostcardWriter.varint() writes numbers as it writes bigints", () => {
  for (
    const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1]
  ) {
    const bytes = new PostcardWriter(1).varint(value).finish();
    assert.deepEqual(bytes, new PostcardWriter(1).varint(BigInt(value)).finish());
  }
});

Deno.test("PostcardReader.count() refuses what cannot be there, however long its varint", () => {
  const count = (hex: string) => {
    const reader = new PostcardReader(Uint8Array.fromHex(hex));
    return [reader.count(1), reader.failure];
  };
  assert.deepEqual(count("02aabb"), [2, undefined]);
  assert.deepEqual(count("8200aabb"), [2, undefined]);
  assert.deepEqual(count("03aabb"), [0, "postcard_eof"]);
  assert.deepEqual(count("ffffffffffffffffff01aa"), [0, "postcard_eof"]);
  assert.deepEqual(count(""), [0, "postcard_eof"]);
});

Deno.test("halves() of reader and writer are the two sides of a 64-bit varint", () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
    const bytes = new PostcardWriter(1).varint(value).finish();
    const [low, high] = [Number(value & 0xffffffffn), Number(value >> 32n)];
    assert.deepEqual(new PostcardWriter(1).halves(low, high).finish(), bytes);
    const reader = new PostcardReader(new Uint8Array(0)).reset(bytes);
    reader.halves();
    assert.deepEqual([reader.low, reader.high, reader.remaining], [low, high, 0]);
    assert.equal(reader.reset(bytes).u64(), value);
  }));
  const spent = new PostcardReader(new Uint8Array(0));
  spent.halves();
  assert.deepEqual([spent.failure, spent.low, spent.high], ["postcard_eof", 0, 0]);
  assert.equal(spent.reset(Uint8Array.of(5)).u32(), 5);
  assert.equal(spent.failure, undefined);
});
