import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CapabilityIndex,
  choosePlacement,
  createCandidateSource,
  createCapabilitySet,
  createIndexSource,
  createIntentRegistry,
  numberOfText,
  placeInIndex,
  PlacementFilters,
  type PlacementPolicy,
  type PlacementRequest,
  preparePlacement,
  rankInIndex,
  TAG_AXES,
} from "../../../../src/core/capability/mod.ts";
import { daemon, setOf } from "./samples.ts";

const anyAxis = fc.constantFrom(...TAG_AXES);
const anyName = fc.constantFrom(
  "gpu",
  "gpu.vram_gb",
  "cpu_cores",
  "memory_gb",
  "model",
  "model.0.id",
);
const anyKey = fc.record({ axis: anyAxis, key: anyName });
const anyValue = fc.constantFrom("0", "4", "16", "24", "64", "x", "", "NaN", "inf", "-1");
const anyTag = fc.oneof(
  fc.tuple(anyKey, fc.constantFrom("=", ":"), anyValue)
    .map(([{ axis, key }, separator, value]) => `${axis}.${key}${separator}${value}`),
  anyKey.map(({ axis, key }) => `${axis}.${key}`),
  fc.constantFrom("scope:tenant:a", "scope:tenant:b", "scope:global", "ai-tool:x", "ai-tool:", "x"),
  fc.constantFrom("causal:ff", "causal:ff:9", "causal:ff[1..2]", "causal:f", "relay-capable"),
);
const anySets = fc.array(fc.array(anyTag, { maxLength: 10 }), { minLength: 1, maxLength: 12 });
const anyPrefix = fc.oneof(
  fc.constantFrom(
    "hardware.",
    "software.model.",
    "ai-tool:",
    "causal:ff[",
    "scope:t",
    "scope:",
    "x",
  ),
  fc.constantFrom("hardware.gpu=", "hardware.gpu:", "hardware.gpu", "hardware", "r", "causal:"),
);

function sourcesOf(tags: readonly string[][]) {
  const index = new CapabilityIndex();
  const candidates = tags.map((list, at) => ({
    nodeId: BigInt(at + 1),
    capabilities: createCapabilitySet(list),
  }));
  for (const { nodeId, capabilities } of candidates) index.set(nodeId, { capabilities });
  return {
    index,
    candidates,
    list: createCandidateSource(candidates),
    live: createIndexSource(index),
  };
}

Deno.test("createIndexSource() answers as a list of candidates does", () => {
  fc.assert(
    fc.property(anySets, anyTag, anyKey, anyPrefix, (tags, tag, key, prefix) => {
      const { list, live } = sourcesOf(tags);
      const isSmall = (value: string) => numberOfText(value) <= 16;
      for (const slot of live.slotsWith([])) {
        const at = Number(live.nodeIdOf(slot)) - 1;
        assert.equal(live.tagTest(tag)(slot), list.tagTest(tag)(at), tag);
        assert.equal(live.keyTest(key)(slot), list.keyTest(key)(at));
        assert.equal(live.valueTest(key, isSmall)(slot), list.valueTest(key, isSmall)(at));
        assert.equal(live.tagPrefixTest(prefix)(slot), list.tagPrefixTest(prefix)(at), prefix);
        assert.equal(live.numberOf(key)(slot), list.numberOf(key)(at));
      }
    }),
    { numRuns: 500 },
  );
});

const anyPolicy: fc.Arbitrary<PlacementPolicy> = fc.record({
  scopes: fc.subarray(["tenant:a", "scope:tenant:b"]),
  intent: fc.constantFrom("disabled", "strict", "any_of_local_capabilities"),
  colocation: fc.constantFrom("ignore", "soft", "strict"),
  resources: fc.constantFrom("compute", "storage", "both"),
  rttMaxMs: fc.constantFrom(undefined, 2),
});

Deno.test("placeInIndex() chooses whom scoring one by one would have chosen", () => {
  const intents = createIntentRegistry();
  const knowledge = {
    intents,
    filters: new PlacementFilters(),
    rttMs: (nodeId: bigint) => Number(nodeId % 4n),
  };
  fc.assert(
    fc.property(
      anySets,
      anyPolicy,
      fc.array(anyTag, { maxLength: 1 }),
      fc.constantFrom(...intents.names, "unknown"),
      (tags, policy, required, intent) => {
        const { list, live, candidates } = sourcesOf(tags);
        const artifact = daemon(required, { intent, "colocate-with": "ff" });
        const request: PlacementRequest = { policy, artifact, knowledge, tieBreak: knowledge };
        const score = preparePlacement(policy, artifact, { source: list, knowledge });
        const expected = choosePlacement(candidates.keys(), score, list, knowledge);
        for (let time = 0; time < 2; time++) {
          assert.deepEqual(placeInIndex(live, request), expected);
          assert.deepEqual(rankInIndex(live, request)[0], expected);
        }
      },
    ),
    { numRuns: 500 },
  );
});

const chain = { kind: "chain", capabilities: setOf() } as const;
const request: PlacementRequest = {
  policy: {},
  artifact: chain,
  knowledge: { intents: createIntentRegistry(), filters: new PlacementFilters() },
};

Deno.test("placeInIndex() notices when the index changes", () => {
  const { index, live } = sourcesOf([["hardware.cpu_cores=8"], ["hardware.cpu_cores=24"]]);
  assert.deepEqual(placeInIndex(live, request), { nodeId: 2n, score: 0.75 });
  index.set(2n, { capabilities: setOf(["hardware.cpu_cores=2"]) });
  assert.deepEqual(placeInIndex(live, request), { nodeId: 1n, score: 0.5 });
  index.remove(1n);
  assert.deepEqual(placeInIndex(live, request), { nodeId: 2n, score: 0.2 });
  index.remove(2n);
  assert.equal(placeInIndex(live, request), undefined);
});

Deno.test("placeInIndex() leaves out who was not heard since a restart", () => {
  const { index, live } = sourcesOf([["hardware.cpu_cores=8"], ["hardware.cpu_cores=24"]]);
  index.setStale(2n, true);
  assert.equal(placeInIndex(live, request)?.nodeId, 1n);
  index.setStale(2n, false);
  assert.equal(placeInIndex(live, request)?.nodeId, 2n);
});

Deno.test("placeInIndex() reads many candidates as it reads few", () => {
  const index = new CapabilityIndex();
  for (let n = 0; n < 2_000; n++) {
    const capabilities = setOf([`hardware.memory_gb=${n % 700}`, `hardware.memory_gb:x`]);
    index.set(BigInt(n + 1), { capabilities });
  }
  const source = createIndexSource(index);
  const memoryOf = source.numberOf({ axis: "hardware", key: "memory_gb" });
  for (const slot of source.slotsWith([])) {
    assert.equal(memoryOf(slot), (Number(source.nodeIdOf(slot)) - 1) % 700);
  }
  assert.equal(placeInIndex(source, request)?.nodeId, 700n);
});

Deno.test("rankInIndex() lists a node of several classes once, with its best entry", () => {
  const index = new CapabilityIndex();
  index.set(1n, { capabilities: setOf(["hardware.cpu_cores=8"]) });
  index.set(1n, { capabilities: setOf(["hardware.cpu_cores=24"]), classHash: 5n });
  index.set(2n, { capabilities: setOf(["hardware.cpu_cores=12"]) });
  assert.deepEqual(rankInIndex(createIndexSource(index), request), [
    { nodeId: 1n, score: 0.75 },
    { nodeId: 2n, score: 0.6 },
  ]);
});
