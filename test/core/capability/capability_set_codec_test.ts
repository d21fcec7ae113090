import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError, PostcardWriter } from "../../../src/base/mod.ts";
import {
  createCapabilitySet,
  decodeCapabilitySet,
  encodeCapabilitySet,
  encodeCapabilitySetCompact,
  formatCapabilitySet,
} from "../../../src/core/capability/mod.ts";
import { bytesOfText } from "./samples.ts";

const text = fc.string({ unit: "binary", maxLength: 8 });
const tags = fc.array(text.filter((value) => value !== ""), { maxLength: 12 });
const entries = fc.array(fc.tuple(text, text), { maxLength: 6 });

const faultOf = (bytes: Uint8Array) => {
  const decoded = decodeCapabilitySet(bytes);
  return decoded.ok ? undefined : decoded.fault;
};

Deno.test("decodeCapabilitySet() reads both forms back", () => {
  fc.assert(fc.property(tags, entries, (texts, metadata) => {
    const set = createCapabilitySet(texts, metadata);
    for (const bytes of [encodeCapabilitySet(set), encodeCapabilitySetCompact(set)]) {
      const decoded = decodeCapabilitySet(bytes);
      assert.ok(decoded.ok);
      assert.equal(formatCapabilitySet(decoded.set), formatCapabilitySet(set));
    }
  }));
});

Deno.test("decodeCapabilitySet() puts what it reads in order", () => {
  const writer = new PostcardWriter().u8(1).varint(3).text("b").text("a").text("b");
  writer.varint(3).text("z").text("1").text("k").text("old").text("k").text("new");
  const decoded = decodeCapabilitySet(writer.bytes(Uint8Array.of(9, 9)).finish());
  assert.ok(decoded.ok);
  assert.equal(
    formatCapabilitySet(decoded.set),
    '{"tags":["a","b"],"metadata":{"k":"new","z":"1"}}',
  );
  const json = decodeCapabilitySet(bytesOfText('{"x":[1],"tags":["b","a"]} '));
  assert.ok(json.ok);
  assert.equal(formatCapabilitySet(json.set), '{"tags":["a","b"],"metadata":{}}');
});

Deno.test("decodeCapabilitySet() names what is wrong", () => {
  assert.equal(faultOf(new Uint8Array(0)), "unknown_form");
  assert.equal(faultOf(Uint8Array.of(2, 0, 0)), "unknown_form");
  assert.equal(faultOf(bytesOfText(" {}")), "unknown_form");
  assert.equal(faultOf(new Uint8Array(65_537).fill(1)), "too_long");
  for (
    const hex of ["01", "0100", "01010000", "01ffffffffffffffffff01", "010101ff00", "01000161"]
  ) {
    assert.equal(faultOf(Uint8Array.fromHex(hex)), "malformed", hex);
  }
  for (const json of ["{", '{"tags":[""]}', '{"tags":{}}', '{"tags":[],"tags":[]}', "{}x"]) {
    assert.equal(faultOf(bytesOfText(json)), "malformed", json);
  }
});

Deno.test("decodeCapabilitySet() never throws and never makes more than the input holds", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(1, 0x7b), (bytes, form) => {
      const decoded = decodeCapabilitySet(Uint8Array.of(form, ...bytes));
      if (decoded.ok) assert.ok(decoded.set.tags.length <= bytes.length);
    }),
  );
});

Deno.test("encodeCapabilitySetCompact() and encodeCapabilitySet() refuse what nobody would read", () => {
  const isLimit = (error: unknown) => error instanceof NetError && error.code === "limit";
  const set = createCapabilitySet(["x".repeat(65_536)]);
  assert.throws(() => encodeCapabilitySetCompact(set), isLimit);
  assert.throws(() => encodeCapabilitySet(set), isLimit);
});
