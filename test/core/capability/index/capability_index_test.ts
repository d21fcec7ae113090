import assert from "node:assert/strict";
import fc from "fast-check";
import { createCapabilitySet } from "../../../../src/core/capability/mod.ts";
import { CapabilityIndex, findNodes } from "../../../../src/core/capability/index/mod.ts";
import { anyFilter, anyScope, anyStep, type IndexStep } from "./index_samples.ts";
import { hardwareOf, NaiveIndex, regionOf } from "./naive_index.ts";

const tagged = (...tags: string[]) => ({ capabilities: createCapabilitySet(tags) });

Deno.test("CapabilityIndex answers as walking over all nodes does, whatever happened to it", () => {
  fc.assert(
    fc.property(
      fc.array(anyStep, { maxLength: 120, size: "max" }),
      fc.array(fc.tuple(anyFilter, anyScope, options()), { minLength: 1, maxLength: 8 }),
      (steps, queries) => {
        const [index, naive] = [new CapabilityIndex(), new NaiveIndex()];
        for (const step of steps) apply(step, index, naive);
        assert.equal(index.size, naive.entries.size);
        for (const [filter, scope, more] of queries) {
          const found = findNodes(index, filter, { ...more, scope });
          assert.deepEqual(found.ids(), naive.find(filter, { ...more, scope }));
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("CapabilityIndex is empty again when all nodes went", () => {
  fc.assert(fc.property(fc.array(anyStep, { maxLength: 80, size: "max" }), (steps) => {
    const [index, naive] = [new CapabilityIndex(), new NaiveIndex()];
    for (const step of steps) apply(step, index, naive);
    for (const { nodeId } of naive.entries.values()) index.remove(nodeId);
    assert.deepEqual(index.counters, {
      entries: 0,
      nodes: 0,
      stale: 0,
      terms: 0,
      refused_total: 0,
    });
    const { tables } = index;
    assert.equal(tables.all.size + tables.gpus.size + tables.models.size, 0);
    assert.equal(tables.classes.size + tables.regions.size, 0);
    assert.equal([...tables.dictionary.tagGroups()].length, 0);
    assert.equal(tables.memoryGb.atLeast(-Infinity).length, 0);
  }));
});

Deno.test("CapabilityIndex.get() gives back what was set, entry by entry", () => {
  fc.assert(fc.property(fc.array(anyStep, { maxLength: 60, size: "max" }), (steps) => {
    const [index, naive] = [new CapabilityIndex(), new NaiveIndex()];
    for (const step of steps) apply(step, index, naive);
    assert.equal([...index.values()].length, naive.entries.size);
    for (const entry of naive.entries.values()) {
      const classHash = entry.classHash ?? 0n;
      const got = index.get(entry.nodeId).find((other) => other.classHash === classHash);
      assert.deepEqual(got, {
        nodeId: entry.nodeId,
        classHash,
        capabilities: entry.capabilities,
        state: entry.state ?? "idle",
        region: regionOf(entry),
        hardware: hardwareOf(entry),
        isStale: entry.isStale ?? false,
      });
    }
  }));
});

Deno.test("CapabilityIndex.version moves on every set, mark and removal, and on nothing else", () => {
  const index = new CapabilityIndex();
  const versions = new Set([index.version]);
  index.set(1n, tagged("a"));
  versions.add(index.version);
  index.set(1n, tagged("a"));
  versions.add(index.version);
  index.setStale(1n, true);
  versions.add(index.version);
  index.remove(1n);
  versions.add(index.version);
  assert.equal(versions.size, 5);
  const { version } = index;
  index.remove(1n);
  index.setStale(1n, true);
  findNodes(index, { requireTags: ["a"] }).ids();
  assert.equal(index.version, version);
});

Deno.test("CapabilityIndex.set() refuses what has no room, and forgets what it was to replace", () => {
  const index = new CapabilityIndex({ rowsMax: 2, termsMax: 4 });
  assert.ok(index.set(1n, tagged("a", "b")));
  assert.ok(index.set(2n, tagged("a")));
  assert.ok(!index.set(3n, tagged("a")));
  assert.ok(!index.set(2n, tagged("1", "2", "3")));
  assert.deepEqual(findNodes(index, {}).ids(), [1n]);
  assert.equal(index.counters.refused_total, 2);
});

Deno.test("CapabilityIndex.set() keeps half of its room for what nodes announced", () => {
  const index = new CapabilityIndex({ rowsMax: 6, termsMax: 20 });
  const member = (nodeId: bigint, classHash: bigint, ...tags: string[]) =>
    index.set(nodeId, { ...tagged(...tags), classHash });
  // One node may be in many classes.
  assert.ok(member(1n, 1n, "a") && member(1n, 2n, "b") && member(1n, 3n, "a"));
  assert.ok(!member(1n, 4n, "a"));
  assert.ok(!member(1n, 3n, "1", "2", "3"));
  assert.ok(member(1n, 3n, "1", "2"));
  assert.ok(!member(1n, 2n, "b", "3"));
  index.remove(1n, 3n);
  assert.ok(member(1n, 2n, "b", "3") && member(1n, 3n, "a"));
  for (let id = 2n; id <= 4n; id++) assert.ok(index.set(id, tagged("a", `t${id}`)));
  assert.ok(!index.set(5n, tagged("a")));
  assert.equal(findNodes(index, { requireTags: ["a"] }).ids().length, 4);
});

Deno.test("CapabilityIndex.set() takes in what brings nothing new, however full it is of terms", () => {
  const index = new CapabilityIndex({ rowsMax: 10, termsMax: 4 });
  assert.ok(index.set(1n, tagged("a", "b")) && index.set(2n, tagged("c", "d")));
  assert.ok(index.set(1n, tagged("a", "b")) && index.set(3n, tagged("a", "d")));
  assert.ok(!index.set(4n, tagged("a", "e")));
  assert.deepEqual(findNodes(index, { requireTags: ["a"] }).ids(), [1n, 3n]);
});

Deno.test("IndexMatches leave out nodes that went after the query, and never name another", () => {
  const index = new CapabilityIndex();
  for (let id = 1n; id <= 50n; id++) index.set(id, tagged("a"));
  const found = findNodes(index, { requireTags: ["a"] });
  index.remove(7n);
  index.set(99n, tagged("other"));
  index.set(8n, tagged("other"));
  assert.equal(found.ids().length, 49);
  assert.ok(!found.ids().includes(7n) && !found.ids().includes(99n));
  assert.ok(found.has(8n) && !found.has(7n) && !found.has(99n));
  assert.deepEqual(found.ids(3), [1n, 2n, 3n]);
});

Deno.test("findNodes() finds a tag with either separator, unless it has to be the text", () => {
  const index = new CapabilityIndex();
  index.set(1n, tagged("software.os=linux"));
  index.set(2n, tagged("software.os:linux"));
  index.set(3n, tagged("a:b"));
  const find = (tag: string, rules?: "core") =>
    findNodes(index, { requireTags: [tag] }, { rules }).ids();
  assert.deepEqual(find("software.os:linux"), [1n, 2n]);
  assert.deepEqual(find("software.os:linux", "core"), [2n]);
  assert.deepEqual(find("a=b"), []);
});

Deno.test("findNodes() refuses names it does not know", () => {
  const index = new CapabilityIndex();
  const modality = { requireModalities: ["smell" as "text"] };
  assert.throws(() => findNodes(index, modality), { name: "NetError", code: "usage" });
  const gpuVendor = "voodoo" as "amd";
  assert.throws(() => findNodes(index, { gpuVendor }), { name: "NetError", code: "usage" });
});

function options() {
  return fc.record({
    rules: fc.constantFrom(undefined, "net" as const, "core" as const),
    stale: fc.constantFrom(undefined, "exclude" as const, "only" as const),
  });
}

function apply(step: IndexStep, index: CapabilityIndex, naive: NaiveIndex): void {
  if (step.kind === "set") {
    assert.ok(index.set(step.nodeId, step.facts));
    naive.set(step.nodeId, step.facts);
  } else if (step.kind === "remove") {
    index.remove(step.nodeId, step.classHash);
    naive.remove(step.nodeId, step.classHash);
  } else {
    index.setStale(step.nodeId, step.isStale);
    naive.setStale(step.nodeId, step.isStale);
  }
}
