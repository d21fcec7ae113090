import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  type CapabilityDiff,
  decodeDiff,
  type DiffOp,
  encodeDiff,
} from "../../../../src/core/capability/mod.ts";
import { bytesOfText, textOfBytes } from "../samples.ts";
import { anyOp } from "./op_samples.ts";

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const isLimit = (error: unknown) =>
  error instanceof NetError && error.code === "limit" && error.next !== undefined;

const diffOf = (ops: readonly DiffOp[]): CapabilityDiff => (
  { nodeId: 1n, baseVersion: 2n, newVersion: 3n, ops, timestampNs: 4n }
);

const faultOf = (text: string) => {
  const decoded = decodeDiff(bytesOfText(text));
  return decoded.ok ? undefined : decoded.fault;
};

Deno.test("decodeDiff() reads what encodeDiff() writes", () => {
  fc.assert(
    fc.property(fc.tuple(u64, u64, u64, u64), fc.array(anyOp, { maxLength: 6 }), (ids, ops) => {
      const [nodeId, baseVersion, newVersion, timestampNs] = ids;
      const diff: CapabilityDiff = { nodeId, baseVersion, newVersion, ops, timestampNs };
      const decoded = decodeDiff(encodeDiff(diff));
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.diff, diff);
    }),
  );
});

Deno.test("encodeDiff() writes the reference's names", () => {
  const text = textOfBytes(encodeDiff(diffOf([
    { kind: "add_tag", tag: "a" },
    { kind: "update_model", modelId: "m", tokensPerSec: undefined, loaded: true },
    { kind: "update_max_concurrent", maxConcurrentRequests: 7 },
    { kind: "remove_runtime", name: "deno" },
  ])));
  assert.equal(
    text,
    '{"node_id":1,"base_version":2,"new_version":3,"ops":[{"AddTag":"a"},' +
      '{"UpdateModel":{"model_id":"m","tokens_per_sec":null,"loaded":true}},' +
      '{"UpdateMaxConcurrent":7},{"RemoveRuntime":"deno"}],"timestamp_ns":4}',
  );
});

Deno.test("decodeDiff() takes a model and hardware as the reference writes them", () => {
  const model = '{"AddModel":{"model_id":"m","family":"f","parameters_b_x10":700,' +
    '"context_length":8,"quantization":null,"modalities":["Text","ToolUse"],"tokens_per_sec":5,' +
    '"loaded":false}}';
  const hardware = '{"UpdateHardware":{"cpu_cores":1,"cpu_threads":2,"memory_gb":3,"gpu":' +
    '{"vendor":"Amd","model":"x","vram_gb":4,"compute_units":0,"tensor_cores":0,' +
    '"fp16_tflops_x10":0},"additional_gpus":[],"storage_gb":5,"network_gbps":6,"accelerators":[]}}';
  const text = '{"node_id":1,"base_version":2,"new_version":3,"ops":[' +
    `${model},${hardware}],"timestamp_ns":4}`;
  const decoded = decodeDiff(bytesOfText(text));
  assert.ok(decoded.ok);
  assert.equal(textOfBytes(encodeDiff(decoded.diff)), text);
  const [first, second] = decoded.diff.ops;
  assert.ok(first?.kind === "add_model" && second?.kind === "update_hardware");
  assert.deepEqual(first.model.modalities, ["text", "tool_use"]);
  assert.equal(second.hardware.gpu?.vendor, "amd");
});

Deno.test("encodeDiff() refuses a diff beyond the limits instead of sending an empty one", () => {
  const tags = (count: number, length: number) =>
    Array.from({ length: count }, (): DiffOp => ({ kind: "add_tag", tag: "x".repeat(length) }));
  assert.ok(decodeDiff(encodeDiff(diffOf(tags(1024, 1)))).ok);
  assert.throws(() => encodeDiff(diffOf(tags(1025, 1))), isLimit);
  assert.throws(() => encodeDiff(diffOf(tags(1, 65_536))), isLimit);
  assert.throws(() => encodeDiff({ ...diffOf([]), nodeId: 1n << 64n }), RangeError);
});

Deno.test("decodeDiff() names what is wrong", () => {
  const wrap = (ops: string) =>
    `{"node_id":1,"base_version":2,"new_version":3,"ops":${ops},"timestamp_ns":4}`;
  assert.equal(faultOf(wrap("[]")), undefined);
  assert.equal(faultOf(`${wrap("[]")}${" ".repeat(65_536)}`), "too_long");
  assert.equal(faultOf(wrap(`[${Array(1025).fill('{"AddTag":"a"}').join(",")}]`)), "too_many_ops");
  assert.equal(faultOf("{}"), "missing_member");
  const malformed = [
    "",
    "[]",
    `${wrap("[]")}x`,
    wrap("{}"),
    wrap('["AddTag"]'),
    wrap("[null]"),
    wrap("[{}]"),
    wrap('[{"AddTag":"a","RemoveTag":"b"}]'),
    wrap('[{"AddTag":7}]'),
    wrap('[{"AddTag":"\\ud834"}]'),
    wrap('[{"Unknown":7}]'),
    wrap('[{"__proto__":7}]'),
    wrap('[{"UpdateMemory":-1}]'),
    wrap('[{"UpdateMemory":0.5}]'),
    wrap('[{"UpdateMemory":9007199254740992}]'),
    wrap('[{"AddModel":{"model_id":"m"}}]'),
    wrap("[]").replace('"node_id":1', '"node_id":1,"node_id":1'),
    wrap("[]").replace('"node_id":1', '"node_id":18446744073709551616'),
  ];
  for (const text of malformed) assert.equal(faultOf(text), "malformed", text);
});

Deno.test("decodeDiff() never throws", () => {
  const piece = fc.constantFrom("{", "}", "[", "]", '"ops":', '"AddTag":', '"a"', ",", "1", "null");
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (parts) => {
    decodeDiff(bytesOfText(parts.join("")));
  }));
});
