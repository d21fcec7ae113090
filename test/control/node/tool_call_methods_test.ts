import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { toolCallMethods } from "../../../src/control/node/tool_call_methods.ts";
import {
  type CallOptions,
  createToolDescriptor,
  type JsonValue,
  type ListedTool,
  type ToolEvent,
} from "../../../src/rpc/mod.ts";
import { callContext } from "./_view.ts";

const OWN = 1n;
const isCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

function listed(version: string, isStreaming: boolean, ...providers: bigint[]): ListedTool {
  return {
    descriptor: createToolDescriptor({ toolId: "add", version, isStreaming }),
    omitted: [],
    providers,
  };
}

function setUp(tools: readonly ListedTool[], events: readonly ToolEvent[] = []) {
  const calls: { input: JsonValue; options: CallOptions }[] = [];
  const sent: unknown[] = [];
  const node = {
    mesh: { transport: { nodeId: OWN }, dialer: { targets: () => [] } },
    tools: {
      list: () => tools,
      call: (_tool: string, input: JsonValue, options: CallOptions) => {
        calls.push({ input, options });
        return Promise.resolve(6);
      },
      callStream: async function* () {
        yield* events;
      },
    },
  };
  // deno-lint-ignore no-explicit-any
  const [method] = toolCallMethods(node as any);
  const call = (params: object) =>
    Promise.resolve(
      method?.call({ tool: "add", ...params }, {
        ...callContext(),
        send: (data: unknown) => Promise.resolve(void sent.push(data)),
      }),
    );
  return { call, calls, sent };
}

Deno.test("tool.call hands arguments on as JSON and gives the result", async () => {
  const { call, calls } = setUp([listed("1.0.0", false, OWN)]);
  assert.deepEqual(await call({ input: "[1,2,3]", node: "self", timeout_ms: 50 }), {
    tool: "add",
    output: 6,
  });
  assert.deepEqual(calls[0]?.input, [1, 2, 3]);
  assert.equal(calls[0]?.options.target, OWN);
  assert.equal(calls[0]?.options.timeoutMs, 50);
  await call({});
  assert.deepEqual(calls[1]?.input, {});
  await assert.rejects(call({ input: "{" }), isCode("usage"));
});

Deno.test("tool.call refuses tools that nobody, or the named node, offers", async () => {
  await assert.rejects(setUp([]).call({}), isCode("not_found"));
  const { call } = setUp([listed("1.0.0", false, 2n)]);
  await assert.rejects(call({ node: "self" }), isCode("not_found"));
});

Deno.test("tool.call tells the events of the newest version, which streams", async () => {
  const tools = [listed("9.0.0", false, OWN), listed("10.0.0", true, OWN)];
  const { call, sent } = setUp(tools, [
    { kind: "start", toolId: "add", callId: 1n },
    { kind: "progress", percent: 50 },
    { kind: "delta", data: "half" },
    { kind: "result", data: "done" },
  ]);
  assert.deepEqual(await call({}), { tool: "add", output: "done" });
  assert.deepEqual(sent, [
    { event: { type: "start", tool_id: "add" } },
    { event: { type: "progress", pct: 50, message: null } },
    { event: { type: "delta", data: "half" } },
  ]);
  const failing = setUp(tools, [{ kind: "error", code: "broke", message: "in the middle" }]);
  await assert.rejects(failing.call({}), /broke.*in the middle/);
});
