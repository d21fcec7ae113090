import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import { decodeToolCall, lowerToolCall, TOOL_FORMATS } from "../../../src/rpc/mod.ts";

Deno.test("decodeToolCall() never throws", () => {
  const format = fc.constantFrom(...TOOL_FORMATS);
  fc.assert(fc.property(format, fc.uint8Array({ maxLength: 200 }), (of, bytes) => {
    assert.ok(!decodeToolCall(of, bytes).ok);
  }));
  fc.assert(fc.property(format, fc.json(), (of, text) => void decodeToolCall(of, utf8(text))));
});

Deno.test("lowerToolCall() refuses other shapes", () => {
  const refused = [
    lowerToolCall("openai", { type: "custom", function: { name: "a", arguments: "{}" } }),
    lowerToolCall("openai", { function: { name: "a", arguments: {} } }),
    lowerToolCall("openai", { id: 1, function: { name: "a", arguments: "{}" } }),
    lowerToolCall("anthropic", { type: "text", name: "a", input: {} }),
    lowerToolCall("anthropic", { name: "a", input: [] }),
    lowerToolCall("gemini", { args: {} }),
    lowerToolCall("mcp", { name: "", arguments: {} }),
    lowerToolCall("mcp", { name: "a", arguments: null }),
  ];
  for (const lowered of refused) assert.deepEqual(lowered, { ok: false, fault: "wrong_shape" });
  assert.deepEqual(lowerToolCall("openai", { function: { name: "a", arguments: "{" } }), {
    ok: false,
    fault: "malformed_arguments",
  });
});

Deno.test("lowerToolCall() keeps a model's own spelling, and takes no arguments for none", () => {
  const openai = lowerToolCall("openai", { function: { name: "a", arguments: ' { "b" :1}' } });
  assert.ok(openai.ok);
  assert.equal(openai.call.argumentsJson, ' { "b" :1}');
  const mcp = lowerToolCall("mcp", { name: "a" });
  assert.ok(mcp.ok);
  assert.equal(mcp.call.argumentsJson, "{}");
});
