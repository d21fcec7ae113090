import assert from "node:assert/strict";
import fc from "fast-check";
import {
  applyDiff,
  applyOps,
  CapabilityBuilder,
  createCapabilitySet,
  type DiffFault,
  type DiffOp,
  readModels,
  readTools,
} from "../../../../src/core/capability/mod.ts";
import { anyOp } from "./op_samples.ts";
import { anySet } from "./samples.ts";

const base = new CapabilityBuilder()
  .addTag("x")
  .setModels([{ modelId: "a" }, { modelId: "b", loaded: true, tokensPerSec: 5 }])
  .setTools([{ toolId: "t", description: "d" }, { toolId: "u" }])
  .setSoftware({ runtimes: [["deno", "2"]] })
  .setMetadata("k", "v")
  .build();

function faultOf(op: DiffOp, isStrict = true): DiffFault | undefined {
  const applied = applyOps(base, [op], isStrict);
  return applied.ok ? undefined : applied.fault;
}

Deno.test("applyDiff() demands the version it was made for, and a later one after it", () => {
  const diff = { nodeId: 1n, baseVersion: 5n, newVersion: 6n, ops: [], timestampNs: 0n };
  const options = { currentVersion: 5n, isStrict: true };
  assert.deepEqual(applyDiff(base, diff, options), { ok: true, set: base });
  assert.deepEqual(applyDiff(base, diff, { ...options, currentVersion: 7n }), {
    ok: false,
    fault: { kind: "version_mismatch", expected: 5n, actual: 7n },
  });
  for (const newVersion of [5n, 4n]) {
    const applied = applyDiff(base, { ...diff, newVersion }, { ...options, isStrict: false });
    assert.ok(!applied.ok && applied.fault.kind === "not_applicable");
  }
});

Deno.test("applyOps() names a missing target when strict, and passes it over otherwise", () => {
  const cases: readonly (readonly [DiffOp, DiffFault])[] = [
    [{ kind: "remove_tag", tag: "y" }, { kind: "tag_not_found", tag: "y" }],
    [{ kind: "remove_model", modelId: "c" }, { kind: "model_not_found", modelId: "c" }],
    [
      { kind: "update_model", modelId: "c", tokensPerSec: 1, loaded: undefined },
      { kind: "model_not_found", modelId: "c" },
    ],
    [{ kind: "remove_tool", toolId: "c" }, { kind: "tool_not_found", toolId: "c" }],
    [{ kind: "remove_runtime", name: "c" }, { kind: "runtime_not_found", name: "c" }],
    [{ kind: "remove_framework", name: "deno" }, { kind: "framework_not_found", name: "deno" }],
    [{ kind: "unset_field", path: "metadata.c" }, {
      kind: "invalid_field_path",
      path: "metadata.c",
    }],
    [{ kind: "set_field", path: "tags", value: "" }, { kind: "invalid_field_path", path: "tags" }],
  ];
  for (const [op, fault] of cases) {
    assert.deepEqual(faultOf(op), fault);
    assert.deepEqual(applyOps(base, [op], false), { ok: true, set: base });
  }
});

Deno.test("applyOps() does not write what would not read back", () => {
  const tool = readTools(base)[0];
  const model = readModels(base)[0];
  assert.ok(tool !== undefined && model !== undefined);
  const ops: readonly DiffOp[] = [
    { kind: "add_tag", tag: "" },
    { kind: "add_tag", tag: "\ud834" },
    { kind: "add_model", model: { ...model, modelId: "" } },
    { kind: "add_model", model: { ...model, contextLength: -1 } },
    { kind: "update_model", modelId: "a", tokensPerSec: 0.5, loaded: true },
    { kind: "add_tool", tool: { ...tool, requires: ["a,b"] } },
    { kind: "add_tool", tool: { ...tool, tags: [""] } },
    { kind: "update_memory", memoryGb: NaN },
    { kind: "add_runtime", name: "a.b", version: "1" },
    { kind: "add_framework", name: "a", version: "" },
    { kind: "set_field", path: "metadata.k", value: "\ud834" },
  ];
  for (const op of ops) {
    assert.equal(faultOf(op)?.kind, "not_applicable", JSON.stringify(op));
    assert.deepEqual(applyOps(base, [op], false), { ok: true, set: base });
  }
});

Deno.test("applyOps() changes rows and leaves the rest of them as it is", () => {
  const foreign = createCapabilitySet([
    "software.model.3.id:b",
    "software.model.3.future=1",
    "software.model.1.id=a",
    "software.model.x.id=c",
  ]);
  const apply = (op: DiffOp) => {
    const applied = applyOps(foreign, [op], true);
    assert.ok(applied.ok);
    return applied.set.tags;
  };
  assert.deepEqual(apply({ kind: "remove_model", modelId: "a" }), [
    "software.model.0.future=1",
    "software.model.0.id:b",
    "software.model.x.id=c",
  ]);
  assert.deepEqual(
    apply({ kind: "update_model", modelId: "b", tokensPerSec: 7, loaded: undefined }),
    [
      "software.model.1.id=a",
      "software.model.3.future=1",
      "software.model.3.id:b",
      "software.model.3.tokens_per_sec=7",
      "software.model.x.id=c",
    ],
  );
  const [model] = readModels(createCapabilitySet(["software.model.0.id=b"]));
  assert.ok(model !== undefined);
  assert.deepEqual(apply({ kind: "add_model", model }), [
    "software.model.0.id=a",
    "software.model.1.id=b",
    "software.model.x.id=c",
  ]);
});

Deno.test("applyOps() takes a tool's metadata along", () => {
  const applied = applyOps(base, [{ kind: "remove_tool", toolId: "t" }], true);
  assert.ok(applied.ok);
  assert.deepEqual([...applied.set.metadata], [["k", "v"]]);
  assert.deepEqual(readTools(applied.set).map(({ toolId }) => toolId), ["u"]);
});

Deno.test("applyOps() never throws and leaves the set it was given", () => {
  fc.assert(fc.property(anySet, fc.array(anyOp, { maxLength: 8 }), fc.boolean(), (set, ops, is) => {
    const before = structuredClone({ tags: set.tags, metadata: [...set.metadata] });
    const applied = applyOps(set, ops, is);
    assert.deepEqual({ tags: set.tags, metadata: [...set.metadata] }, before);
    if (!is) assert.ok(applied.ok);
  }));
});
