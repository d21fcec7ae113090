import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Artifact,
  createCandidateSource,
  PlacementFilters,
  prepareLegacyPlacement,
} from "../../../../src/core/capability/mod.ts";
import { daemon, scoreOf, setOf } from "./samples.ts";

const GIB = 1n << 30n;
const near = (actual: number | undefined, expected: number) => {
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${actual}`);
};

Deno.test("preparePlacement() puts nodes out that lack a required tag", () => {
  const artifact = daemon(["software.os=linux", "relay-capable"]);
  assert.equal(scoreOf(["software.os=linux"], {}, artifact), undefined);
  assert.equal(scoreOf(["software.os=linux", "relay-capable"], {}, artifact), 1);
  assert.equal(scoreOf(["software.os:linux", "relay-capable"], {}, artifact), 1);
  const optional: Artifact = {
    ...daemon(),
    kind: "daemon",
    required: setOf(),
    optional: setOf(["x"]),
  };
  assert.equal(scoreOf([], {}, optional), 1);
});

Deno.test("preparePlacement() puts nodes out that cannot store a blob", () => {
  const score = (sizeBytes: bigint, ...tags: string[]) =>
    scoreOf(tags.map((tag) => `dataforts${tag}`), {}, { kind: "blob", sizeBytes });
  assert.equal(score(0n), undefined);
  assert.equal(score(0n, ".blob.storage"), 1);
  assert.equal(score(1n, ".blob.storage"), undefined);
  assert.equal(score(1n, ".blob.storage", ".blob.disk_free_gb=1"), 1);
  assert.equal(score(GIB, ".blob.storage", ".blob.disk_free_gb=1"), 1);
  assert.equal(score(GIB + 1n, ".blob.storage", ".blob.disk_free_gb=1"), undefined);
  assert.equal(score(1n, ".blob.storage", ".blob.disk_free_gb=1e9"), undefined);
  assert.equal(score(1n, ".blob.disk_free_gb=1"), undefined);
  const unhealthy = [".blob.storage", ":blob-storage-unhealthy", ".blob.disk_free_gb=9"];
  assert.equal(score(1n, ...unhealthy), undefined);
  assert.equal(
    score(GIB << 70n, ".blob.storage", ".blob.disk_free_gb=18446744073709551615"),
    undefined,
  );
});

Deno.test("V29: preparePlacement() puts nodes out that drain", () => {
  const blob: Artifact = { kind: "blob", sizeBytes: 0n };
  assert.equal(scoreOf([], {}, daemon()), 1);
  assert.equal(scoreOf(["net.draining@1"], {}, daemon()), undefined);
  assert.equal(scoreOf(["dataforts.blob.storage", "net.draining@1"], {}, blob), undefined);
});

Deno.test("preparePlacement() asks for one of the scopes", () => {
  const policy = { scopes: ["scope:tenant:a", "region:eu"] };
  assert.equal(scoreOf(["scope:tenant:a"], policy), 1);
  assert.equal(scoreOf(["scope:region:eu"], policy), 1);
  assert.equal(scoreOf(["scope:tenant:b", "region:eu"], policy), 0);
  assert.equal(scoreOf([], policy), 0);
  assert.equal(scoreOf([], { scopes: [] }), 1);
});

Deno.test("preparePlacement() puts far nodes out, not unmeasured ones", () => {
  const policy = { rttMaxMs: 50 };
  const score = (rtt: number | undefined) => scoreOf([], policy, daemon(), { rttMs: () => rtt });
  assert.deepEqual([50, 50.1, undefined, NaN].map(score), [1, 0, 1, 0]);
  assert.equal(scoreOf([], policy), 1);
  assert.equal(scoreOf([], {}, daemon(), { rttMs: () => 1e9 }), 1);
});

Deno.test("preparePlacement() asks for a chain nearby", () => {
  const wanted = daemon([], { "colocate-with": "ff" });
  const needed = daemon([], { "colocate-with-strict": "ff" });
  const both = daemon([], { "colocate-with": "aa", "colocate-with-strict": "ff" });
  const score = (colocation: "ignore" | "soft" | "strict", artifact: Artifact, ...tags: string[]) =>
    scoreOf(tags, { colocation }, artifact);
  for (const held of ["causal:ff", "causal:ff:9", "causal:ff[1..2]"]) {
    assert.equal(score("strict", needed, held), 1, held);
  }
  for (const other of ["causal:ff0", "causal:f", "ff", "fork-of:ff"]) {
    assert.equal(score("strict", needed, other), 0, other);
  }
  assert.equal(score("ignore", needed), 1);
  assert.equal(score("soft", needed), 0);
  assert.equal(score("soft", wanted), 0.7);
  assert.equal(score("soft", wanted, "causal:ff"), 1);
  assert.equal(score("strict", wanted), 0);
  assert.equal(score("soft", both, "causal:ff"), 0.7);
  assert.equal(score("soft", both, "causal:aa"), 0);
  assert.equal(score("strict", daemon()), 1);
  const optional: Artifact = {
    kind: "daemon",
    required: setOf(),
    optional: setOf([], { "colocate-with": "ff" }),
  };
  assert.equal(score("soft", optional), 0.7);
  const chain: Artifact = { kind: "chain", capabilities: setOf([], { near: "ff" }) };
  const metadataKeys = { colocateWith: "near" };
  assert.equal(scoreOf([], { colocation: "strict", metadataKeys }, chain), 0);
});

Deno.test("preparePlacement() scores resources, one half at the reference", () => {
  near(scoreOf(["hardware.cpu_cores=8"], {}), 0.5);
  near(scoreOf(["hardware.memory_gb=48"], {}), 0.75);
  near(scoreOf(["hardware.gpu.vram_gb=16", "hardware.cpu_cores=24"], {}), (0.5 + 0.75) / 2);
  near(scoreOf(["dataforts.capacity_gb=1000"], { resources: "storage" }), 0.5);
  near(scoreOf(["hardware.storage_gb=3000"], { resources: "storage" }), 0.75);
  const stores = ["dataforts.capacity_gb=1000", "hardware.storage_gb=3000"];
  near(scoreOf(stores, { resources: "storage" }), 0.5);
  near(scoreOf([...stores, "hardware.cpu_cores=24"], { resources: "both" }), (0.5 + 0.75) / 2);
  near(scoreOf(stores, { resources: "both" }), 0.5);
  near(scoreOf(["hardware.cpu_cores=24"], { resources: "both" }), 0.75);
  for (const resources of ["compute", "storage", "both"] as const) {
    assert.equal(scoreOf(["hardware.cpu_cores=many"], { resources }), 1, "no data");
  }
  assert.equal(scoreOf(["hardware.cpu_cores=-8"], {}), 0);
  assert.equal(scoreOf(["hardware.cpu_cores=0"], {}), 0);
  assert.equal(scoreOf(["hardware.cpu_cores=NaN"], {}), 1);
  near(scoreOf(["hardware.cpu_cores=inf"], {}), 1e15 / (1e15 + 8));
  near(
    scoreOf(["hardware.cpu_cores:8", "hardware.cpu_cores=24", "hardware.cpu_cores=x"], {}),
    0.75,
  );
});

Deno.test("preparePlacement() scores those lower that lead much", () => {
  const score = (share: number | undefined, policy = {}) =>
    scoreOf([], policy, daemon(), { leadershipShare: () => share });
  assert.deepEqual([0.3, 0.31, undefined, NaN, Infinity].map((share) => score(share)), [
    1,
    0.4,
    1,
    1,
    1,
  ]);
  assert.equal(score(0.31, { leadershipShareMax: 0.5 }), 1);
  assert.equal(score(0.31, { leadershipPenalty: 0.9 }), 0.9);
  assert.equal(score(0.31, { leadershipPenalty: 7 }), 1);
  assert.equal(score(0.31, { leadershipPenalty: NaN }), 0);
});

Deno.test("preparePlacement() lets a custom filter have the last word", () => {
  const filters = new PlacementFilters();
  const seen: bigint[] = [];
  filters.register("half", (nodeId) => seen.push(nodeId) > 0 ? 0.5 : 0);
  filters.register("none", () => undefined);
  const score = (customFilter: string, tags: readonly string[], artifact = daemon()) =>
    scoreOf(tags, { customFilter }, artifact, { filters });
  near(score("half", ["hardware.cpu_cores=8"]), 0.25);
  assert.deepEqual(seen, [7n]);
  assert.equal(score("half", [], daemon(["x"])), undefined);
  assert.equal(seen.length, 1, "who is out already is not asked about");
  assert.equal(score("none", []), undefined);
  assert.equal(score("nobody registered it", []), undefined);
});

Deno.test("preparePlacement() multiplies axes and stays in 0..1", () => {
  const anyTags = fc.subarray([
    "scope:tenant:a",
    "causal:ff",
    "hardware.cpu_cores=8",
    "hardware.memory_gb=1e300",
    "hardware.gpu",
    "dataforts.capacity_gb=nonsense",
  ]);
  const anyNumber = fc.option(fc.double(), { nil: undefined });
  fc.assert(
    fc.property(anyTags, anyNumber, anyNumber, anyNumber, (tags, rtt, share, penalty) => {
      const filters = new PlacementFilters();
      filters.register("any", () => penalty);
      const policy = {
        scopes: ["tenant:a"],
        rttMaxMs: 5,
        intent: "any_of_local_capabilities",
        colocation: "soft",
        resources: "both",
        leadershipPenalty: penalty,
        customFilter: "any",
      } as const;
      const artifact = daemon([], { "colocate-with": "ff" });
      const knowledge = { filters, rttMs: () => rtt, leadershipShare: () => share };
      const score = scoreOf(tags, policy, artifact, knowledge);
      if (penalty === undefined || Number.isNaN(penalty)) assert.equal(score, undefined);
      else assert.ok(score !== undefined && score >= 0 && score <= 1, `${score}`);
    }),
  );
});

Deno.test("prepareLegacyPlacement() knows yes and no", () => {
  const source = createCandidateSource([
    { nodeId: 1n, capabilities: setOf(["software.os:linux"]) },
    { nodeId: 2n, capabilities: setOf() },
  ]);
  const score = prepareLegacyPlacement(["software.os=linux"], source);
  assert.deepEqual([0, 1, 2].map(score), [1, undefined, undefined]);
  assert.deepEqual([0, 1].map(prepareLegacyPlacement([], source)), [1, 1]);
});
