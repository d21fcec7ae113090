import assert from "node:assert/strict";
import fc from "fast-check";
import { createCapabilitySet } from "../../../src/core/capability/mod.ts";
import { listTools, type ToolDescriptor, toolFacts } from "../../../src/rpc/mod.ts";
import { tool } from "./samples.ts";

const setOf = (...tools: readonly ToolDescriptor[]) => {
  const { tags, metadata } = toolFacts(tools);
  return createCapabilitySet(tags, metadata);
};
const large = tool("a", { description: "tells all", inputSchema: `{"x":"${"y".repeat(2000)}"}` });

Deno.test("listTools() groups by id and version, sorted", () => {
  const listed = listTools([
    [9n, setOf(tool("b"), tool("a", { version: "2.0.0" }))],
    [3n, setOf(tool("a"), tool("b"))],
    [5n, setOf(tool("a"))],
    [6n, createCapabilitySet(["ai-tool:phantom"])],
  ]);
  assert.deepEqual(
    listed.map(({ descriptor: { toolId, version, nodeCount }, providers }) => [
      toolId,
      version,
      nodeCount,
      providers,
    ]),
    [["a", "1.0.0", 2, [3n, 5n]], ["a", "2.0.0", 1, [9n]], ["b", "1.0.0", 2, [3n, 9n]]],
  );
});

Deno.test("listTools() does not depend on the order of the nodes", () => {
  const nodes = [
    [1n, setOf(large)],
    [2n, setOf(tool("a", { description: "two" }))],
    [3n, setOf(tool("a", { description: "three" }))],
    [4n, setOf(tool("b"))],
  ] as const;
  const expected = listTools(nodes);
  // Whoever announced everything tells; among those the lowest id.
  assert.equal(expected[0]?.descriptor.description, "two");
  fc.assert(fc.property(
    fc.shuffledSubarray([...nodes], { minLength: nodes.length }),
    (shuffled) => assert.deepEqual(listTools(shuffled), expected),
  ));
});

Deno.test("listTools() returns a tool whose schema nobody could announce", () => {
  const [listed] = listTools([[1n, setOf(large)]]);
  assert.equal(listed?.descriptor.description, "tells all");
  assert.deepEqual(listed?.omitted, ["input_schema"]);
});

Deno.test("listTools() filters by id and by any tag", () => {
  const nodes = [[1n, setOf(tool("a", { tags: ["x"] }), tool("b", { tags: ["y", "z"] }))]] as const;
  const ids = (filter: Parameters<typeof listTools>[1]) =>
    listTools(nodes, filter).map(({ descriptor }) => descriptor.toolId).join();
  assert.equal(ids({}), "a,b");
  assert.equal(ids({ tags: ["z", "q"] }), "b");
  assert.equal(ids({ tags: ["x", "y"] }), "a,b");
  assert.equal(ids({ toolIds: ["a"] }), "a");
  assert.equal(ids({ toolIds: ["a"], tags: ["y"] }), "");
  assert.equal(ids({ toolIds: [], tags: [] }), "a,b");
});
