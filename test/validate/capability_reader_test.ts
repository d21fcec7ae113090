import { deepStrictEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import {
  gradeCapabilities,
  readAdvertised,
  readCapabilities,
  readConsumed,
} from "../../src/validate/mod.ts";

const METHODS = ["health.check", "health.liveness", "storage.put"];

const FORMS: Readonly<Record<string, unknown>> = {
  methods: { methods: METHODS, capabilities: ["other"] },
  provided_capabilities: {
    provided_capabilities: [
      { type: "health", methods: ["check", "liveness"] },
      { type: "storage", methods: ["put", 7] },
      "noise",
    ],
    capabilities: ["other"],
  },
  capabilities: { capabilities: METHODS },
  method_info: { method_info: METHODS.map((name) => ({ name })) },
  semantic_mappings: {
    semantic_mappings: { health: { check: {}, liveness: {} }, storage: { put: {} } },
  },
  array: METHODS,
};

Deno.test("V12: readCapabilities() reads the same set from all six forms", () => {
  for (const [form, result] of Object.entries(FORMS)) {
    deepStrictEqual(readCapabilities(result), { form, methods: METHODS, isCut: false });
  }
});

Deno.test("readCapabilities() never throws and stays bounded", () => {
  for (const value of [null, 1, "x", {}, { methods: 7 }, { methods: [1, 2] }, [1]]) {
    equal(readCapabilities(value), undefined);
  }
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    ok((readCapabilities(value)?.methods.length ?? 0) <= 4096);
    ok(
      (readCapabilities({ methods: value, provided_capabilities: value })?.methods.length ?? 0) <
        5e3,
    );
  }));
  equal(
    readCapabilities(Array.from({ length: 10_000 }, (_, i) => `a.b${i}`))?.methods.length,
    4096,
  );
});

Deno.test("gradeCapabilities() gives levels 0 to 3", () => {
  const list = { primal: "net", version: "1", methods: METHODS };
  const facts = {
    list,
    reading: readCapabilities(list),
    identity: { primal: "net", version: "1" },
    notCallable: [],
    isAlive: true,
    hasTriad: true,
  };
  const level = (changes: Partial<Parameters<typeof gradeCapabilities>[0]>) =>
    gradeCapabilities({ ...facts, ...changes }).level;
  equal(level({}), 2);
  equal(level({ reading: undefined }), 0);
  equal(level({ reading: { form: "methods", methods: [], isCut: false } }), 0);
  equal(level({ isAlive: false }), 0);
  equal(level({ hasTriad: false }), 1);
  equal(level({ identity: undefined }), 1);
  equal(level({ identity: { primal: "net", version: "2" } }), 1);
  equal(level({ notCallable: ["a.b"] }), 1);
  equal(level({ reading: { form: "methods", methods: ["Plain"], isCut: false } }), 1);
  equal(level({ reading: readCapabilities(METHODS) }), 1);
  const full = {
    ...list,
    provided_capabilities: [],
    consumed_capabilities: [],
    cost_estimates: {},
    operation_dependencies: {},
  };
  equal(level({ list: full }), 3);
});

Deno.test("readAdvertised() joins all forms, readConsumed() what is needed of others", () => {
  const list = {
    methods: ["a.b", "c.d"],
    provided_capabilities: [{ type: "storage", methods: ["put"] }, { type: 3, methods: ["x"] }],
    capabilities: ["crypto.keys", "a.b"],
    consumed_capabilities: ["crypto", { type: "storage" }, { name: "mesh.send" }, 7, "crypto"],
  };
  deepStrictEqual(readAdvertised(list), ["a.b", "c.d", "storage.put", "crypto.keys"]);
  deepStrictEqual(readConsumed(list), ["crypto", "storage", "mesh.send"]);
  deepStrictEqual([readAdvertised(7), readConsumed({ consumed_capabilities: {} })], [[], []]);
});

Deno.test("readCapabilities() makes no more out of a list than is in it", () => {
  // One long group name before each of many methods would be megabytes of names.
  const type = "x".repeat(100_000);
  const methods = Array.from({ length: 10_000 }, (_, index) => `m${index}`);
  equal(readCapabilities({ provided_capabilities: [{ type, methods }] })?.methods.length, 0);
  const mappings = Object.fromEntries(methods.map((name) => [name, {}]));
  equal(readCapabilities({ semantic_mappings: { [type]: mappings } })?.methods.length, 0);
  const many = readCapabilities({ semantic_mappings: { storage: mappings } });
  deepStrictEqual([many?.methods.length, many?.isCut], [4096, true]);
});
