import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareUtf8,
  createCapabilitySet,
  formatCapabilitySet,
} from "../../../src/core/capability/mod.ts";
import { bytesOfText } from "./samples.ts";

const text = fc.string({ unit: "binary", maxLength: 6 });

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

Deno.test("compareUtf8() orders as the encoded bytes are ordered", () => {
  fc.assert(fc.property(text, text, (left, right) => {
    const expected = compareBytes(bytesOfText(left), bytesOfText(right));
    assert.equal(Math.sign(compareUtf8(left, right)), Math.sign(expected));
  }));
  assert.ok(compareUtf8("\uffee", "\u{1d11e}") < 0);
  assert.ok(compareUtf8("\ud7ff", "\ue000") < 0);
});

Deno.test("createCapabilitySet() does not depend on order and repetition", () => {
  const tag = text.filter((value) => value !== "");
  fc.assert(fc.property(fc.array(tag), fc.dictionary(text, text), (tags, metadata) => {
    const entries = Object.entries(metadata);
    const set = createCapabilitySet(tags, entries);
    const other = createCapabilitySet([...tags, ...tags].reverse(), entries.reverse());
    assert.equal(formatCapabilitySet(set), formatCapabilitySet(other));
    assert.deepEqual(JSON.parse(formatCapabilitySet(set)).tags, set.tags);
  }));
});

Deno.test("createCapabilitySet() keeps both separators and orders integer-like keys as texts", () => {
  const set = createCapabilitySet(["hardware.a=1", "hardware.a:1"], [["2", "b"], ["10", "a"]]);
  assert.equal(
    formatCapabilitySet(set),
    '{"tags":["hardware.a:1","hardware.a=1"],"metadata":{"10":"a","2":"b"}}',
  );
});

Deno.test("createCapabilitySet() refuses empty tags and half pairs", () => {
  assert.throws(() => createCapabilitySet(["a", ""]), RangeError);
  assert.throws(() => createCapabilitySet(["\ud834"]), RangeError);
  assert.throws(() => createCapabilitySet([], [["a", "\udd1e"]]), RangeError);
});
