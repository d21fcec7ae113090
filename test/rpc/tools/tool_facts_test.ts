import assert from "node:assert/strict";
import fc from "fast-check";
import { createCapabilitySet } from "../../../src/core/capability/mod.ts";
import {
  ANNOUNCED_TEXT_BYTES_MAX,
  ANNOUNCED_TEXTS_BYTES_MAX,
  readAnnouncedTools,
  type ToolDescriptor,
  toolFacts,
  type ToolFactsOptions,
} from "../../../src/rpc/mod.ts";
import { anyTool, tool } from "./samples.ts";

function announce(tools: readonly ToolDescriptor[], options?: ToolFactsOptions) {
  const { tags, metadata } = toolFacts(tools, options);
  return createCapabilitySet(tags, metadata);
}

Deno.test("readAnnouncedTools() gives back what toolFacts() announced", () => {
  const tools = fc.uniqueArray(anyTool, { selector: ({ toolId }) => toolId, maxLength: 4 });
  fc.assert(fc.property(tools, fc.nat(9), (descriptors, firstIndex) => {
    const read = readAnnouncedTools(announce(descriptors, { firstIndex, textBytesMax: 10_000 }));
    assert.equal(read.phantoms, 0);
    const byId = new Map(read.tools.map((found) => [found.descriptor.toolId, found]));
    for (const descriptor of descriptors) {
      const found = byId.get(descriptor.toolId);
      assert.deepEqual(found, {
        // What is empty is not written.
        descriptor: {
          ...descriptor,
          name: descriptor.name || descriptor.toolId,
          description: descriptor.description || undefined,
          pricingTerms: descriptor.pricingTerms || undefined,
          nodeCount: 1,
        },
        omitted: [],
      });
    }
    assert.equal(byId.size, descriptors.length);
  }));
});

Deno.test("toolFacts() writes the tags and keys that the core writes", () => {
  const set = announce([
    tool("alpha", {
      name: "Alpha",
      version: "1.2.3",
      description: "says",
      inputSchema: '{"type":"object"}',
      requires: ["a", "b"],
      estimatedTimeMs: 500,
      isStateless: false,
      isStreaming: true,
      tags: ["x", "y"],
    }),
  ]);
  assert.deepEqual(set.tags, [
    "ai-tool:alpha",
    "nrpc:alpha",
    "nrpc:tool.metadata.fetch",
    "software.tool.0.estimated_time_ms=500",
    "software.tool.0.name=Alpha",
    "software.tool.0.requires=a,b",
    "software.tool.0.stateless=false",
    "software.tool.0.tool_id=alpha",
    "software.tool.0.version=1.2.3",
  ]);
  assert.deepEqual(Object.fromEntries(set.metadata), {
    "tool::alpha::description": "says",
    "tool::alpha::input_schema": '{"type":"object"}',
    "tool::alpha::streaming": "1",
    "tool::alpha::tags": "x,y",
  });
  assert.deepEqual(toolFacts([]), { tags: [], metadata: [] });
});

Deno.test("toolFacts() leaves out a text above the threshold, and says so", () => {
  const schemaOf = (bytes: number) => `{"x":"${"y".repeat(bytes - 8)}"}`;
  const fits = tool("a", { inputSchema: schemaOf(ANNOUNCED_TEXT_BYTES_MAX) });
  assert.deepEqual(readAnnouncedTools(announce([fits])).tools[0]?.omitted, []);
  const large = tool("a", { inputSchema: schemaOf(ANNOUNCED_TEXT_BYTES_MAX + 1), tags: ["t"] });
  const [found] = readAnnouncedTools(announce([large])).tools;
  assert.deepEqual(found?.omitted, ["input_schema"]);
  assert.equal(found?.descriptor.inputSchema, undefined);
  assert.deepEqual(found?.descriptor.tags, ["t"]);
});

Deno.test("toolFacts() never takes more than its share, and tells first what counts most", () => {
  const text = "z".repeat(900);
  const tools = ["a", "b", "c", "d", "e"].map((id) =>
    tool(id, { description: text, inputSchema: `{"x":"${text}"}` })
  );
  const { metadata } = toolFacts(tools);
  const bytes = metadata.filter(([key]) => /(description|schema)$/.test(key))
    .reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  assert.ok(bytes > ANNOUNCED_TEXTS_BYTES_MAX - 1_000 && bytes <= ANNOUNCED_TEXTS_BYTES_MAX);
  const read = readAnnouncedTools(announce(tools)).tools;
  assert.deepEqual(read.map(({ omitted }) => omitted.join()), [
    "input_schema",
    "input_schema",
    "input_schema",
    "input_schema",
    "description,input_schema",
  ]);
  assert.deepEqual(toolFacts([...tools].reverse()), toolFacts(tools));
});

Deno.test("readAnnouncedTools() hides a tool tag whose service is not there", () => {
  const set = createCapabilitySet([
    "ai-tool:phantom",
    "ai-tool:NO NAME",
    "nrpc:NO NAME",
    "ai-tool:real",
    "nrpc:real",
    "nrpc:realer",
    "software.tool.0.tool_id=phantom",
    "software.tool.1.tool_id=row-only",
    "nrpc:row-only",
  ]);
  const { tools, phantoms } = readAnnouncedTools(set);
  assert.deepEqual(tools.map(({ descriptor }) => descriptor.toolId), ["real"]);
  assert.equal(phantoms, 2);
});

Deno.test("readAnnouncedTools() passes over what it cannot read", () => {
  const set = createCapabilitySet([
    "ai-tool:a",
    "nrpc:a",
    "software.tool.0.tool_id=a",
    "software.tool.0.version=",
    "software.tool.0.stateless=perhaps",
    "software.tool.0.estimated_time_ms=-4",
    "software.tool.01.tool_id=a",
    "software.tool.99999999999.tool_id=a",
    "software.tool.2.tool_id=a",
    "software.tool.2.version:2.0.0",
    "software.tool.3.tool_id=a",
  ], [["tool::a::input_schema", "["], ["tool::a::omitted", "x,output_schema"]]);
  const { tools } = readAnnouncedTools(set);
  assert.deepEqual(tools.map(({ descriptor }) => descriptor.version), ["1.0.0", "2.0.0"]);
  assert.equal(tools[0]?.descriptor.inputSchema, undefined);
  assert.deepEqual(tools[0]?.omitted, ["output_schema"]);
});
