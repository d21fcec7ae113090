import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import {
  callStreamingTool,
  callTool,
  callToolAsEvents,
  encodeToolEvent,
  fetchToolMetadata,
  HOSTED_TOOLS_MAX,
  RpcError,
  RpcStatusError,
  Status,
  type ToolDescriptor,
  ToolHost,
} from "../../../src/rpc/mod.ts";
import { CALL_ID, MemoryRpc } from "./memory_rpc.ts";
import { collect, tool } from "./samples.ts";

const isCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

const hasStatus = (status: number) => (error: unknown) =>
  error instanceof RpcError && error.status === status;

function setUp(refuses: (tools: readonly ToolDescriptor[]) => boolean = () => false) {
  const rpc = new MemoryRpc();
  const announced: string[] = [];
  const reachable: string[] = [];
  const host = new ToolHost({
    rpc,
    announce: (tools) => {
      reachable.push(rpc.services.join());
      announced.push(tools.map(({ toolId }) => toolId).join());
      if (refuses(tools)) throw new NetError("limit", "no room");
    },
  });
  return { rpc, host, announced, reachable };
}

Deno.test("serve() announces before the tool can be called, and close() takes it back", async () => {
  const { rpc, host, announced, reachable } = setUp();
  const first = host.serve(tool("add"), (input) => Promise.resolve(input));
  assert.equal(reachable[0], "");
  assert.deepEqual(rpc.services, ["add", "tool.metadata.fetch"]);
  const second = host.serve(tool("sub"), () => Promise.resolve(null));
  assert.deepEqual(announced, ["add", "add,sub"]);
  assert.deepEqual(await callTool(rpc, "add", { a: [1] }), { a: [1] });
  await first.close();
  await first.close();
  assert.deepEqual(rpc.services, ["sub", "tool.metadata.fetch"]);
  await second[Symbol.asyncDispose]();
  assert.deepEqual(rpc.services, []);
  assert.deepEqual(announced.slice(2), ["sub", ""]);
  assert.equal(host.tools.size, 0);
});

Deno.test("serve() leaves nothing behind when the announcement has no room", async () => {
  const { rpc, host, announced } = setUp((tools) => tools.length > 1);
  await using _kept = host.serve(tool("kept"), () => Promise.resolve(null));
  assert.throws(() => host.serve(tool("more"), () => Promise.resolve(null)), isCode("limit"));
  assert.deepEqual(rpc.services, ["kept", "tool.metadata.fetch"]);
  assert.deepEqual([...host.tools.keys()], ["kept"]);
  assert.equal(announced.at(-1), "kept");
});

Deno.test("serve() leaves nothing behind when the name is taken", async () => {
  const { rpc, host, announced } = setUp();
  const taken = rpc.serve("taken", () => Promise.reject(new Error("not asked")));
  assert.throws(() => host.serve(tool("taken"), () => Promise.resolve(null)), isCode("conflict"));
  assert.deepEqual(rpc.services, ["taken"]);
  assert.equal(announced.at(-1), "");
  await taken.close();
  rpc.serve("tool.metadata.fetch", () => Promise.reject(new Error("not asked")));
  assert.throws(() => host.serve(tool("a"), () => Promise.resolve(null)), isCode("conflict"));
  assert.deepEqual(rpc.services, ["tool.metadata.fetch"]);
  assert.equal(host.tools.size, 0);
});

Deno.test("serve() refuses twice the same, reserved names, too many and the wrong kind", () => {
  const { host } = setUp();
  const nothing = () => Promise.resolve(null);
  host.serve(tool("t0"), nothing);
  assert.throws(() => host.serve(tool("t0"), nothing), isCode("conflict"));
  assert.throws(() => host.serve(tool("tool.metadata.fetch"), nothing), isCode("conflict"));
  assert.throws(() => host.serve(tool("s", { isStreaming: true }), nothing), RangeError);
  assert.throws(() => host.serveStream(tool("s"), () => events()), RangeError);
  for (let i = 1; i < HOSTED_TOOLS_MAX; i++) host.serve(tool(`t${i}`), nothing);
  assert.throws(() => host.serve(tool("more"), nothing), isCode("limit"));
});

Deno.test("callTool() tells a bad request from a failed tool", async () => {
  const { rpc, host } = setUp();
  await using _bad = host.serve(tool("bad"), () => Promise.reject(new Error("broke")));
  await assert.rejects(callTool(rpc, "bad", 1), /broke/);
  await assert.rejects(rpc.call("bad", utf8("{")), hasStatus(Status.badRequest));
  await assert.rejects(callTool(rpc, "bad", 1), hasStatus(Status.handlerError));
  await using _picky = host.serve(tool("picky"), () => {
    throw new RpcStatusError(0x8123, "not today");
  });
  await assert.rejects(callTool(rpc, "picky", 1), hasStatus(0x8123));
  rpc.serve("raw", () => utf8("no json"));
  await assert.rejects(callTool(rpc, "raw", 1), isCode("failed"));
  await using _echo = host.serve(tool("echo"), (input) => Promise.resolve(input));
  assert.deepEqual(await collect(callToolAsEvents(rpc, "echo", [1])), [
    { kind: "result", data: [1] },
  ]);
});

Deno.test("callStreamingTool() gives the events up to the last one", async () => {
  const { rpc, host } = setUp();
  const streaming = (toolId: string) => tool(toolId, { isStreaming: true });
  await using _steps = host.serveStream(streaming("steps"), async function* (input) {
    yield { kind: "progress", percent: 50 };
    yield { kind: "delta", data: input };
    yield { kind: "result", data: "done" };
    yield { kind: "delta", data: "after the end" };
  });
  assert.deepEqual(await collect(callStreamingTool(rpc, "steps", { a: 1 })), [
    { kind: "start", toolId: "steps", callId: CALL_ID },
    { kind: "progress", percent: 50 },
    { kind: "delta", data: { a: 1 } },
    { kind: "result", data: "done" },
  ]);
  await using _throws = host.serveStream(streaming("throws"), async function* () {
    yield { kind: "delta", data: 1 };
    throw new Error("in the middle");
  });
  assert.deepEqual((await collect(callStreamingTool(rpc, "throws", null))).at(-1), {
    kind: "error",
    code: "handler_error",
    message: "in the middle",
  });
  await using _silent = host.serveStream(streaming("silent"), () => events());
  const silent = await collect(callStreamingTool(rpc, "silent", null));
  assert.deepEqual(silent.map((event) => event.kind === "error" ? event.code : event.kind), [
    "start",
    "missing_terminal",
  ]);
  const refused = await collect(await rpc.callStream("steps", utf8("?")));
  assert.match(new TextDecoder().decode(refused.at(-1)), /"code":"bad_request"/);
});

Deno.test("callStreamingTool() stops the tool when the caller leaves", async () => {
  const { rpc, host } = setUp();
  let isStopped = false;
  await using _endless = host.serveStream(
    tool("endless", { isStreaming: true }),
    async function* () {
      try {
        for (;;) yield { kind: "delta", data: 0 };
      } finally {
        isStopped = true;
      }
    },
  );
  for await (const event of callStreamingTool(rpc, "endless", null)) {
    if (event.kind === "delta") break;
  }
  assert.ok(isStopped);
});

Deno.test("callStreamingTool() refuses events that it cannot read", async () => {
  const { rpc } = setUp();
  rpc.serveStream("odd", async function* () {
    yield encodeToolEvent({ kind: "progress" });
    yield utf8("{}");
  });
  await assert.rejects(collect(callStreamingTool(rpc, "odd", null)), isCode("failed"));
});

Deno.test("fetchToolMetadata() completes what an announcement left out", async () => {
  const { rpc, host } = setUp();
  const inputSchema = JSON.stringify({ x: "y".repeat(5_000) });
  await using _large = host.serve(tool("large", { inputSchema }), () => Promise.resolve(null));
  const fetched = await fetchToolMetadata(rpc, "large", { target: 1n });
  assert.equal(fetched.inputSchema, inputSchema);
  await assert.rejects(fetchToolMetadata(rpc, "none", { target: 1n }), isCode("not_found"));
});

async function* events() {}
