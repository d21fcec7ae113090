import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { toolMethods } from "../../../src/control/node/tool_methods.ts";
import { localAnnouncement } from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import {
  createToolDescriptor,
  type ToolDescriptor,
  type ToolDescriptorOptions,
  toolFacts,
} from "../../../src/rpc/mod.ts";
import { callContext } from "./_view.ts";

const tool = (toolId: string, more: Partial<ToolDescriptorOptions> = {}) =>
  createToolDescriptor({ toolId, ...more });

function announcement(seed: number, ...tools: readonly ToolDescriptor[]) {
  return localAnnouncement({
    identity: createIdentity(new Uint8Array(32).fill(seed)),
    version: 1n,
    wallMs: 1_767_225_600_000,
    ...toolFacts(tools),
  });
}

const ANNOUNCEMENTS = [
  announcement(1, tool("search", { version: "9.0.0", tags: ["web"] }), tool("ping")),
  announcement(2, tool("search", { version: "10.0.0", inputSchema: '{"type":"object"}' })),
  announcement(3, tool("ping", { inputSchema: `{"x":"${"y".repeat(2_000)}"}` })),
];

function call(name: string, params: object, announcements = ANNOUNCEMENTS) {
  const methods = toolMethods({ capabilities: { values: () => announcements } });
  const method = methods.find((one) => one.name === name);
  assert.ok(method !== undefined);
  return method.call({ ...params }, callContext()) as Record<string, unknown>;
}

const isCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("tool.ls lists by id and version", () => {
  const { tools, next, total } = call("tool.ls", {});
  const rows = tools as readonly { tool_id: string; version: string; node_count: number }[];
  assert.deepEqual(rows.map((row) => [row.tool_id, row.version, row.node_count]), [
    ["ping", "1.0.0", 2],
    ["search", "10.0.0", 1],
    ["search", "9.0.0", 1],
  ]);
  assert.equal(next, null);
  assert.equal(total, 3);
  assert.equal((call("tool.ls", { tags: ["web"] }).tools as unknown[]).length, 1);
  assert.equal((call("tool.ls", { tools: ["none"] }).tools as unknown[]).length, 0);
});

Deno.test("tool.ls goes on where a page ended", () => {
  const many = Array.from({ length: 30 }, (_, seed) =>
    announcement(
      seed + 1,
      ...Array.from({ length: 20 }, (_, i) => tool(`t${seed}.${i}`)),
    ));
  const seen: unknown[] = [];
  let cursor: unknown;
  let pages = 0;
  do {
    const page = call("tool.ls", cursor === undefined ? {} : { cursor }, many);
    seen.push(...page.tools as unknown[]);
    cursor = page.next ?? undefined;
    pages += 1;
  } while (cursor !== undefined);
  assert.equal(seen.length, 600);
  assert.equal(pages, 2);
  assert.throws(() => call("tool.ls", { cursor: "gone 1.0.0" }, many), isCode("conflict"));
});

Deno.test("tool.show tells every version and who offers it", () => {
  const shown = call("tool.show", { tool: "ping" });
  const [version] = shown.versions as readonly Record<string, unknown>[];
  assert.equal((version?.providers as unknown[]).length, 2);
  // Node 1 announced all it has, so it is the one that tells.
  assert.deepEqual(version?.omitted, []);
  assert.equal(version?.node_count, 2);
  assert.throws(() => call("tool.show", { tool: "none" }), isCode("not_found"));
});

Deno.test("tool.export gives the newest version of each, and names what is not whole", () => {
  const { tools } = call("tool.export", { format: "openai" });
  assert.deepEqual(
    (tools as { function: { name: string; strict: boolean } }[]).map((entry) => [
      entry.function.name,
      entry.function.strict,
    ]),
    [["ping", false], ["search", true]],
  );
  const alone = call("tool.export", { format: "mcp", tools: ["ping"] }, ANNOUNCEMENTS.slice(2));
  assert.deepEqual(alone.incomplete, ["ping"]);
  assert.throws(() => call("tool.export", { format: "mcp", tools: ["x"] }), isCode("not_found"));
  assert.throws(() => call("tool.export", { format: "other" }), isCode("usage"));
});
