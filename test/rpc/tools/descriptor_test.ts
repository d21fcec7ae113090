import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import {
  createToolDescriptor,
  decodeToolDescriptor,
  encodeToolDescriptor,
  isToolId,
  TOOL_DESCRIPTOR_BYTES_MAX,
  toolDescriptorJson,
} from "../../../src/rpc/mod.ts";
import { anyTool, tool } from "./samples.ts";

const decodeText = (text: string) => decodeToolDescriptor(utf8(text));

Deno.test("encodeToolDescriptor() and decodeToolDescriptor() are each other's reverse", () => {
  fc.assert(fc.property(anyTool, (descriptor) => {
    const decoded = decodeToolDescriptor(encodeToolDescriptor(descriptor));
    assert.deepEqual(decoded, { ok: true, descriptor });
  }));
});

Deno.test("decodeToolDescriptor() never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.ok(!decodeToolDescriptor(bytes).ok);
  }));
  fc.assert(fc.property(fc.json(), (text) => void decodeText(text)));
});

Deno.test("toolDescriptorJson() names the members as the wire does, in its order", () => {
  const json = toolDescriptorJson(tool("ping", { pricingTerms: "free" }));
  assert.deepEqual(Object.keys(json), [
    "tool_id",
    "name",
    "version",
    "description",
    "input_schema",
    "output_schema",
    "requires",
    "estimated_time_ms",
    "stateless",
    "streaming",
    "tags",
    "pricing_terms",
    "node_count",
  ]);
  assert.equal(json.description, null);
  assert.ok(!("pricing_terms" in toolDescriptorJson(tool("ping"))));
});

Deno.test("decodeToolDescriptor() says what is wrong", () => {
  const head = '"tool_id":"a","name":"A","version":"1"';
  const faults: readonly (readonly [string, string])[] = [
    ["[]", "malformed"],
    ["{}", "missing_member"],
    ['{"tool_id":"a","name":"A"}', "missing_member"],
    [`{${head},"tags":"x"}`, "malformed"],
    [`{${head},"description":3}`, "malformed"],
    [`{${head},"stateless":1}`, "malformed"],
    ['{"tool_id":"A B","name":"A","version":"1"}', "out_of_bounds"],
    [`{${head},"estimated_time_ms":-1}`, "out_of_bounds"],
    [`{${head},"estimated_time_ms":4294967296}`, "out_of_bounds"],
    [`{${head},"input_schema":"[]"}`, "out_of_bounds"],
    [`{${head},"input_schema":"{"}`, "out_of_bounds"],
    [`{${head},"name":"\\ud800"}`, "out_of_bounds"],
    [`{${head},"tags":[${'"x",'.repeat(64)}"x"]}`, "out_of_bounds"],
    [`{${head},"x":${"[".repeat(127)}${"]".repeat(127)}}`, "malformed"],
  ];
  for (const [text, fault] of faults) {
    assert.deepEqual(decodeText(text), { ok: false, fault }, text.slice(0, 80));
  }
  const long = new Uint8Array(TOOL_DESCRIPTOR_BYTES_MAX + 1);
  assert.deepEqual(decodeToolDescriptor(long), { ok: false, fault: "too_long" });
  assert.ok(decodeText(`{${head},"__proto__":{"tags":["x"]},"unknown":1}`).ok);
});

Deno.test("createToolDescriptor() refuses what cannot be announced", () => {
  const refused = [
    { toolId: "" },
    { toolId: "Upper" },
    { toolId: "a".repeat(231) },
    { toolId: "a", version: "" },
    { toolId: "a", version: "1".repeat(65) },
    { toolId: "a", tags: ["x,y"] },
    { toolId: "a", requires: [""] },
    { toolId: "a", inputSchema: "no JSON" },
    { toolId: "a", description: "é".repeat(8_193) },
    { toolId: "a", estimatedTimeMs: 0.5 },
  ];
  for (const options of refused) assert.throws(() => createToolDescriptor(options), RangeError);
});

Deno.test("isToolId() leaves room for the channels of a service", () => {
  for (const text of ["a", "web_search", "a.b/c-d", "..a", "a".repeat(230)]) {
    assert.ok(isToolId(text));
  }
  for (const text of ["", "A", "a b", "/a", "a/", "a//b", "a/../b", ".", "é"]) {
    assert.ok(!isToolId(text), text);
  }
});

Deno.test("encodeToolDescriptor() refuses what nobody would read", () => {
  const schema = JSON.stringify({ x: '"'.repeat(80_000) });
  const descriptor = {
    ...tool("a"),
    // Eight bytes each once they are JSON inside of JSON.
    inputSchema: schema,
    outputSchema: JSON.stringify({ x: "\\".repeat(2 ** 20) }),
  };
  assert.throws(
    () => encodeToolDescriptor(descriptor),
    (error) => error instanceof NetError && error.code === "limit",
  );
});

Deno.test("decodeToolDescriptor() refuses a count of minus nothing, which JSON can't give back", () => {
  const text = new TextDecoder().decode(encodeToolDescriptor(tool("a")));
  const changed = text.replace('"estimated_time_ms":0', '"estimated_time_ms":-0');
  assert.notEqual(changed, text);
  assert.ok(!decodeText(changed).ok);
});
