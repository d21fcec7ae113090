import assert from "node:assert/strict";
import { createCapabilitySet, ingestCapabilities } from "../../../src/core/capability/mod.ts";

const ingested = (tags: string[], metadata: [string, string][] = []) =>
  ingestCapabilities(createCapabilitySet(tags, metadata));

Deno.test("ingestCapabilities() gives back the set itself when there is nothing to leave out", () => {
  const set = createCapabilitySet(
    ["ai-tool:x", "causal:00ff", "gpu", "heat:00ff=0.50", "nrpc:x"],
    [["rack", "7"], ["__proto__", "y"]],
  );
  assert.equal(ingestCapabilities(set), set);
});

Deno.test("ingestCapabilities() leaves out what would steer work here", () => {
  const { metadata } = ingested([], [["intent", "a"], ["owner", "b"], ["priority", "9"], [
    "k",
    "v",
  ]]);
  assert.deepEqual([...metadata], [["k", "v"]]);
});

Deno.test("ingestCapabilities() believes heat of chains that are held, and of so many blobs", () => {
  const blobs = Array.from({ length: 70 }, (_, i) => `heat:blob:${i}=0.10`);
  const { tags } = ingested(["causal:AA:7", "heat:aa=0.5", "heat:bb=0.5", ...blobs]);
  assert.equal(tags.filter((tag) => tag.startsWith("heat:blob:")).length, 64);
  assert.ok(tags.includes("heat:aa=0.5") && !tags.includes("heat:bb=0.5"));
});

Deno.test("ingestCapabilities() knows no tools that the node does not serve", () => {
  const { tags } = ingested(["ai-tool:served", "ai-tool:phantom", "ai-tool:", "nrpc:served"]);
  assert.deepEqual(tags, ["ai-tool:served", "nrpc:served"]);
});
