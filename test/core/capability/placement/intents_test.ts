import assert from "node:assert/strict";
import { createIntentRegistry, IntentRegistry } from "../../../../src/core/capability/mod.ts";
import { daemon, scoreOf } from "./samples.ts";

const suits = (intent: string, ...tags: string[]) => {
  const policy = { intent: "strict", resources: "storage" } as const;
  return scoreOf(tags, policy, daemon([], { intent })) === 1;
};

Deno.test("createIntentRegistry() knows six kinds of work", () => {
  assert.deepEqual(createIntentRegistry().names, [
    "ml-training",
    "inference",
    "embedding-cache",
    "tool-call",
    "cpu-bound",
    "sensor-telemetry",
  ]);
  assert.ok(suits("ml-training", "hardware.gpu", "hardware.gpu.vram_gb=24"));
  assert.ok(!suits("ml-training", "hardware.gpu", "hardware.gpu.vram_gb=23.9"));
  assert.ok(!suits("ml-training", "hardware.gpu.vram_gb=24"));
  assert.ok(suits("inference", "hardware.gpu", "software.model=llama"));
  assert.ok(suits("inference", "hardware.gpu", "software.model"));
  assert.ok(suits("inference", "hardware.gpu", "software.model.0.id=llama"));
  assert.ok(!suits("inference", "hardware.gpu", "software.models=llama"));
  assert.ok(!suits("inference", "software.model=llama"));
  assert.ok(suits("embedding-cache", "hardware.memory_gb=16"));
  assert.ok(!suits("embedding-cache", "hardware.memory_gb=15"));
  assert.ok(suits("tool-call", "ai-tool:search"));
  assert.ok(!suits("tool-call", "nrpc:search"));
  assert.ok(suits("cpu-bound", "hardware.cpu_cores:4"));
  assert.ok(!suits("cpu-bound", "hardware.cpu_cores=3"));
  assert.ok(suits("sensor-telemetry", "devices.camera=2"));
  assert.ok(!suits("sensor-telemetry", "devices"));
});

Deno.test("preparePlacement() lets artifacts pass whose intent nobody knows", () => {
  assert.ok(suits("of a newer program"));
  const policy = { intent: "strict" } as const;
  assert.equal(scoreOf([], policy), 1);
  assert.equal(scoreOf([], policy, { kind: "blob", sizeBytes: 0n }), undefined);
  assert.equal(scoreOf([], { intent: "disabled" }, daemon([], { intent: "cpu-bound" })), 1);
});

Deno.test("preparePlacement() takes nodes that suit some intent", () => {
  const policy = { intent: "any_of_local_capabilities" } as const;
  assert.equal(scoreOf([], policy), 0);
  assert.equal(scoreOf(["ai-tool:x"], policy), 1);
  assert.equal(scoreOf([], policy, daemon(), { intents: new IntentRegistry() }), 1);
});

Deno.test("IntentRegistry.register() replaces, and is bounded", () => {
  const intents = new IntentRegistry();
  intents.register("a", []);
  intents.register("a", [
    { kind: "axis_value", key: { axis: "software", key: "os" }, value: "linux" },
    { kind: "axis_at_most", key: { axis: "hardware", key: "cpu_cores" }, threshold: 8 },
  ]);
  const score = (...tags: string[]) =>
    scoreOf(tags, { intent: "strict", resources: "storage" }, daemon([], { intent: "a" }), {
      intents,
    });
  assert.equal(score("software.os:linux", "hardware.cpu_cores=8"), 1);
  assert.equal(score("software.os:linux", "hardware.cpu_cores=9"), 0);
  assert.equal(score("software.os", "hardware.cpu_cores=8"), 0);
  for (let n = 1; n < 1_024; n++) intents.register(`n${n}`, []);
  assert.throws(() => intents.register("one more", []), RangeError);
  intents.register("a", []);
  assert.equal(score(), 1);
});
