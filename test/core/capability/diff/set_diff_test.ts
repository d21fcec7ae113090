import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createCapabilitySet,
  diffCapabilities,
  isUnchanged,
  meaningOfTag,
} from "../../../../src/core/capability/mod.ts";

const tag = fc.constantFrom(
  "a",
  "b",
  "hardware.x=1",
  "hardware.x:1",
  "scope:global",
  "nat:open",
  "nat=open",
);
const entries = fc.array(
  fc.tuple(fc.constantFrom("k", "l", "10", "2", "é"), fc.constantFrom("", "v")),
);
const anySet = fc.tuple(fc.array(tag), entries).map(([tags, metadata]) =>
  createCapabilitySet(tags, metadata)
);

Deno.test("diffCapabilities() tells exactly what leads from one set to the other", () => {
  fc.assert(fc.property(anySet, anySet, (previous, current) => {
    const diff = diffCapabilities(previous, current);
    const removed = new Set(diff.removed_tags);
    const tags = [...previous.tags.filter((text) => !removed.has(text)), ...diff.added_tags];
    assert.deepEqual(
      new Set(tags.map(meaningOfTag)),
      new Set(current.tags.map(meaningOfTag)),
    );
    const metadata = new Map(previous.metadata);
    for (const change of diff.metadata_changes) {
      if (change.kind === "removed") metadata.delete(change.key);
      else metadata.set(change.key, change.kind === "added" ? change.value : change.new_value);
    }
    assert.deepEqual(createCapabilitySet([], metadata).metadata, current.metadata);
  }));
});

Deno.test("diffCapabilities() does not see separators, repetition and order", () => {
  const left = createCapabilitySet(["hardware.x=1", "a"], [["k", "v"]]);
  const right = createCapabilitySet(["a", "hardware.x:1", "hardware.x=1"], [["k", "v"]]);
  assert.ok(isUnchanged(diffCapabilities(left, right)));
  assert.ok(isUnchanged(diffCapabilities(right, left)));
});

Deno.test("diffCapabilities() lists metadata in the order of keys", () => {
  const keys = (left: readonly string[], right: readonly string[]) =>
    diffCapabilities(
      createCapabilitySet([], left.map((key) => [key, "1"])),
      createCapabilitySet([], right.map((key) => [key, "2"])),
    ).metadata_changes.map(({ kind, key }) => `${kind} ${key}`);
  assert.deepEqual(keys(["b", "2"], ["b", "10"]), ["added 10", "removed 2", "updated b"]);
});
