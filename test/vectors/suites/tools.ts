/** Tools: events, the providers' formats, their models' calls. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  decodeToolCall,
  decodeToolEvent,
  encodeToolEvent,
  formatTool,
  isTerminal,
  readToolDescriptor,
  TOOL_FORMATS,
  type ToolFormat,
} from "../../../src/rpc/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { booleanOf, has, objectOf, recordOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const TOOL_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/tool_events.json": () => ({ cases: checkEvent }),
  "capability/tool_formats.json": () => ({
    descriptors: checkFormats,
    lower_openai_cases: (vector) => checkCall("openai", vector),
    lower_anthropic_cases: (vector) => checkCall("anthropic", vector),
    lower_gemini_cases: (vector) => checkCall("gemini", vector),
    lower_mcp_cases: (vector) => checkCall("mcp", vector),
    error_cases: checkRefused,
  }),
};

function checkEvent(vector: VectorObject): void {
  const wire = recordOf(vector, "wire");
  const decoded = decodeToolEvent(bytesOf(wire));
  assert.ok(decoded.ok);
  assert.equal(isTerminal(decoded.event), booleanOf(vector, "is_terminal"));
  assert.deepEqual(parsed(encodeToolEvent(decoded.event)), plain(wire));
}

function checkFormats(vector: VectorObject): void {
  const { input_schema_object: input, output_schema_object: output, ...rest } = recordOf(
    vector,
    "input",
  );
  const schemaText = (schema: unknown) => schema === null ? null : JSON.stringify(schema);
  const value = { ...rest, input_schema: schemaText(input), output_schema: schemaText(output) };
  const decoded = readToolDescriptor(parsed(bytesOf(value)));
  assert.ok(decoded.ok);
  for (const format of TOOL_FORMATS) {
    const expected = recordOf(vector, `lowered_${format}`);
    assert.deepEqual(plain(formatTool(decoded.descriptor, format)), plain(expected), format);
  }
}

function checkCall(format: ToolFormat, vector: VectorObject): void {
  const expected = recordOf(vector, "expected_spec");
  const lowered = decodeToolCall(format, bytesOf(recordOf(vector, "reply_json")));
  assert.ok(lowered.ok);
  const { toolId, argumentsJson, providerCallId } = lowered.call;
  assert.equal(toolId, textOf(expected, "name"));
  if (has(expected, "arguments_json")) {
    assert.equal(argumentsJson, textOf(expected, "arguments_json"));
  } else assert.deepEqual(JSON.parse(argumentsJson), plain(recordOf(expected, "arguments_parsed")));
  assert.equal(providerCallId ?? null, expected.provider_call_id);
}

function checkRefused(vector: VectorObject): void {
  const format = TOOL_FORMATS.find((name) => name === textOf(vector, "provider"));
  assert.ok(format !== undefined);
  assert.ok(!decodeToolCall(format, bytesOf(recordOf(vector, "reply_json"))).ok);
}

function bytesOf(value: VectorObject): Uint8Array {
  return utf8(JSON.stringify(value));
}

function parsed(bytes: Uint8Array) {
  return objectOf(JSON.parse(new TextDecoder().decode(bytes)), "value") as Record<string, never>;
}

/** Without what the objects inherit. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
