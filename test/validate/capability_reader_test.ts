import { deepStrictEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { gradeCapabilities, readCapabilities, validateIpc } from "../../src/validate/mod.ts";
import { goodScript, startFakeMember } from "./fake_member.ts";

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

Deno.test("validateIpc() tries what is listed without executing anything", async () => {
  const list = {
    primal: "fake",
    version: "1.0",
    methods: ["health.liveness", "health.drain", "disk.wipe", "gone.away", "blob.list"],
    method_info: [{ name: "blob.list", read_only: false }],
  };
  const params = new Map<string, unknown>();
  const good = goodScript({
    "capabilities.list": `{"jsonrpc":"2.0","result":${JSON.stringify(list)},"id":@}`,
    ...Object.fromEntries(
      ["health.drain", "disk.wipe", "blob.list"].map((name) => [
        name,
        '{"jsonrpc":"2.0","error":{"code":-32602,"message":"bad params"},"id":@}',
      ]),
    ),
  });
  await using member = await startFakeMember((exchange) => {
    params.set(exchange.method ?? "", exchange.params);
    return good(exchange);
  });
  const report = await validateIpc(member.path, { capabilities: true, deadlineMs: 3000 });
  deepStrictEqual(report.capabilities?.notCallable, ["gone.away"]);
  deepStrictEqual(report.capabilities?.unverified, []);
  equal(report.capabilities?.level, 1);
  for (const method of ["health.drain", "disk.wipe", "blob.list", "gone.away"]) {
    equal(params.get(method), "probe", method);
  }
  deepStrictEqual(params.get("health.liveness"), {});
});

Deno.test("validateIpc() leaves methods unverified where parameters are looked at first", async () => {
  const list = { primal: "fake", version: "1.0", methods: ["health.check", "disk.wipe"] };
  const good = goodScript({
    "capabilities.list": `{"jsonrpc":"2.0","result":${JSON.stringify(list)},"id":@}`,
  });
  await using member = await startFakeMember((exchange) =>
    typeof exchange.params === "string"
      ? `{"jsonrpc":"2.0","error":{"code":-32602,"message":"params"},"id":${exchange.id}}`
      : good(exchange)
  );
  const report = await validateIpc(member.path, { capabilities: true, deadlineMs: 3000 });
  deepStrictEqual(report.capabilities?.unverified, ["disk.wipe"]);
  ok(!member.asked.includes("disk.wipe"));
  equal(report.capabilities?.level, 2);
});

Deno.test("validateIpc() calls nothing unknown where bad parameters are not refused", async () => {
  const methods = ["health.check", "disk.wipe", "gone.away"];
  const list = { primal: "fake", version: "1.0", methods };
  const good = goodScript({
    "capabilities.list": `{"jsonrpc":"2.0","result":${JSON.stringify(list)},"id":@}`,
    "health.liveness": '{"jsonrpc":"2.0","result":{"status":"healthy"},"id":@}',
  });
  await using member = await startFakeMember(good);
  const report = await validateIpc(member.path, { capabilities: true, deadlineMs: 3000 });
  deepStrictEqual(report.capabilities?.unverified, ["disk.wipe", "gone.away"]);
  ok(!member.asked.includes("disk.wipe"));
});
