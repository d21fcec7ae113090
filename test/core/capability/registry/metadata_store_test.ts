import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  CONTINENTS,
  createNodeMetadata,
  MetadataStore,
  NAT_TYPES,
  NETWORK_TIERS,
  NODE_STATUSES,
  type NodeMetadataOptions,
  type NodeMetadataQuery,
} from "../../../../src/core/capability/mod.ts";

const isCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

const words = <T>(list: readonly T[]) => fc.constantFrom(...list);
const tags = fc.uniqueArray(fc.constantFrom("a", "b", "continent europe"), { maxLength: 3 });
const anyNode: fc.Arbitrary<NodeMetadataOptions> = fc.record({
  nodeId: fc.bigInt({ min: 0n, max: 9n }),
  status: words(NODE_STATUSES),
  tier: words(NETWORK_TIERS),
  natType: words(NAT_TYPES),
  location: fc.record({
    continent: words(CONTINENTS),
    country: fc.constantFrom("de", "nz"),
    region: fc.constantFrom("north", "south"),
  }, { requiredKeys: [] }),
  tags,
}, { requiredKeys: ["nodeId"] });
const anyQuery: fc.Arbitrary<NodeMetadataQuery> = fc.record({
  status: words(NODE_STATUSES),
  tier: words(NETWORK_TIERS),
  natType: words(NAT_TYPES),
  continent: words(CONTINENTS),
  country: fc.constantFrom("de", "nz", "xx"),
  region: fc.constantFrom("north", "south"),
  tags,
  limit: fc.nat(5),
}, { requiredKeys: [] });

Deno.test("find() and stats() say what looking at every node says", () => {
  const change = fc.oneof(
    anyNode.map((node) => ({ node })),
    fc.bigInt({ min: 0n, max: 9n }).map((gone) => ({ gone })),
  );
  fc.assert(fc.property(fc.array(change, { maxLength: 30 }), anyQuery, (changes, query) => {
    const store = new MetadataStore();
    const all = new Map<bigint, ReturnType<typeof createNodeMetadata>>();
    for (const one of changes) {
      if ("gone" in one) assert.equal(store.remove(one.gone), all.delete(one.gone));
      else {
        store.upsert(one.node);
        all.set(one.node.nodeId, createNodeMetadata(one.node));
      }
    }
    const nodes = [...all.values()].sort((left, right) => Number(left.nodeId - right.nodeId));
    const { limit, tags: wanted = [], status, tier, natType, ...place } = query;
    const expected = nodes.filter((node) =>
      (status ?? node.status) === node.status && (tier ?? node.tier) === node.tier &&
      (natType ?? node.natType) === node.natType &&
      Object.entries(place).every(([name, value]) =>
        Object.entries(node.location).some(([own, text]) => own === name && text === value)
      ) &&
      wanted.every((tag) => node.tags.includes(tag))
    ).slice(0, limit);
    assert.deepEqual(store.find(query), expected);
    const stats = store.stats();
    assert.equal(stats.nodes, nodes.length);
    assert.equal(store.size, nodes.length);
    for (const one of NODE_STATUSES) {
      assert.equal(stats.byStatus[one], nodes.filter((node) => node.status === one).length);
    }
    for (const one of NETWORK_TIERS) {
      assert.equal(stats.byTier[one], nodes.filter((node) => node.tier === one).length);
    }
    for (const one of CONTINENTS) {
      const there = nodes.filter(({ location }) => location.continent === one).length;
      assert.equal(stats.byContinent[one], there);
    }
  }));
});

Deno.test("upsert() replaces as a whole, or changes nothing", () => {
  const store = new MetadataStore({ nodesMax: 2, bytesMax: 10_000 });
  const first = store.upsert({ nodeId: 1n, status: "online", tags: ["a"] });
  assert.throws(() => store.upsert({ nodeId: 1n, tags: ["x".repeat(1_025)] }), RangeError);
  assert.throws(() => store.upsert({ nodeId: 1n, status: "offline" }, 0), isCode("conflict"));
  assert.deepEqual(store.find({ status: "online" }).map(({ tags }) => tags), [["a"]]);
  const second = store.upsert({ nodeId: 1n, status: "offline" }, first);
  assert.equal(store.revisionOf(1n), second);
  assert.deepEqual(store.find({ tags: ["a"] }), []);
  store.upsert({ nodeId: 2n }, 0);
  assert.throws(() => store.upsert({ nodeId: 3n }), isCode("limit"));
  const long = {
    nodeId: 2n,
    custom: new Map([["a", "x".repeat(1_000)], ["b", "y".repeat(1_000)]]),
  };
  store.upsert(long);
  const longer = { ...long, addresses: Array(5).fill("z".repeat(1_000)) };
  assert.throws(() => store.upsert(longer), isCode("limit"));
  assert.deepEqual(store.get(2n)?.addresses, []);
  assert.equal(store.counters.drop_full_total, 2);
  // What was taken away leaves its room behind.
  store.remove(2n);
  for (let i = 0; i < 100; i++) {
    store.upsert(long);
    store.remove(2n);
  }
});

Deno.test("createNodeMetadata() refuses what is too long, no word or out of range", () => {
  const wrong: readonly Partial<NodeMetadataOptions>[] = [
    { nodeId: -1n },
    { nodeId: 1n << 64n },
    { name: "é".repeat(513) },
    { tags: Array.from({ length: 257 }, (_, i) => `${i}`) },
    { custom: new Map(Array.from({ length: 257 }, (_, i) => [`${i}`, ""])) },
    { addresses: Array(257).fill("a") },
    { preferredPeers: Array.from({ length: 4_097 }, (_, i) => BigInt(i)) },
    { hopDistances: new Map(Array.from({ length: 4_097 }, (_, i) => [BigInt(i), 1])) },
    { hopDistances: new Map([[1n, 256]]) },
    { location: { latitude: 91 } },
    { location: { longitude: NaN } },
  ];
  for (const options of wrong) {
    assert.throws(() => createNodeMetadata({ nodeId: 1n, ...options }), RangeError);
  }
  const word = JSON.parse('{"status":"sleepy"}');
  assert.throws(() => createNodeMetadata({ nodeId: 1n, ...word }), /must be one of online/);
});

Deno.test("createNodeMetadata() copies what it is given", () => {
  const tags = ["a"];
  const custom = new Map([["k", "v"]]);
  const node = createNodeMetadata({ nodeId: 1n, tags, custom });
  tags.push("b");
  custom.clear();
  assert.deepEqual(node.tags, ["a"]);
  assert.equal(node.custom.get("k"), "v");
});
