/** Tools that programs offer through their node. */
import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import { GatherBudget } from "../../../src/control/node/rpc_items.ts";
import { RpcServings } from "../../../src/control/node/rpc_servings.ts";
import { callTool, type ToolDescriptor, ToolHost } from "../../../src/rpc/mod.ts";
import { MemoryRpc } from "./_memory_rpc.ts";

const COUNT = { tool_id: "count", name: "count", version: "1.0.0", description: "Counts letters" };
const isUsage = (error: unknown) => error instanceof NetError && error.code === "usage";

function setUp() {
  const rpc = new MemoryRpc();
  const announced: string[] = [];
  const tools = new ToolHost({
    rpc,
    announce: (all: readonly ToolDescriptor[]) =>
      void announced.push(all.map(({ toolId }) => toolId).join()),
  });
  const stopSignal = new AbortController().signal;
  // deno-lint-ignore no-explicit-any
  const node: any = { rpc, tools, mesh: MESH, stopSignal };
  const servings = new RpcServings(node, new GatherBudget());
  const leave = new AbortController();
  const told: Record<string, unknown>[] = [];
  const onTold = Promise.withResolvers<void>();
  const context = {
    transport: "unix" as const,
    signal: leave.signal,
    progress: () => {},
    send: (data: object) => {
      told.push(data as Record<string, unknown>);
      if (told.length === 2) onTold.resolve();
      return Promise.resolve();
    },
  };
  const serve = (tool: object, shape: "unary" | "duplex" = "unary") =>
    servings.serve({ service: "count", shape, tool: JSON.stringify(tool) }, context);
  return { rpc, tools, announced, servings, leave, told, called: onTold.promise, serve };
}

const MESH = { transport: { nodeId: 1n } };

Deno.test("nrpc.serve with a descriptor offers a tool, until the program leaves", async () => {
  const { rpc, tools, announced, servings, leave, told, called, serve } = setUp();
  const served = serve(COUNT);
  assert.deepEqual(announced, ["count"]);
  assert.equal(tools.tools.get("count")?.description, "Counts letters");
  const result = callTool(rpc, "count", "abc");
  await called;
  const [{ serving }, { call, body }] = told as [
    { serving: string },
    { call: number; body: string },
  ];
  assert.deepEqual(Uint8Array.fromBase64(body), utf8('"abc"'));
  const answer = { serving, call, items: [utf8("3").toBase64()], more: false, end: true };
  await servings.answer(answer);
  assert.equal(await result, 3);
  leave.abort();
  await served;
  assert.deepEqual(announced, ["count", ""]);
  assert.deepEqual([...tools.tools], []);
});

Deno.test("nrpc.serve refuses a descriptor of something else than what is served", async () => {
  const { announced, serve } = setUp();
  await assert.rejects(serve({ ...COUNT, tool_id: "other" }), isUsage);
  await assert.rejects(serve({ ...COUNT, streaming: true }), isUsage);
  await assert.rejects(serve(COUNT, "duplex"), isUsage);
  await assert.rejects(serve({ tool_id: "count" }), isUsage);
  await assert.rejects(serve({ ...COUNT, input_schema: "no object" }), isUsage);
  await assert.rejects(serve({ ...COUNT, tags: ["a,b"] }), isUsage);
  assert.deepEqual(announced, []);
});
