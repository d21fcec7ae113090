/** Modules of handlers: what they may export, and calls answered by one in a real worker. */
import assert from "node:assert/strict";
import { readHandlers, toBytes } from "../../cmd/rpc_module_handlers.ts";
import { loadModule } from "../../cmd/rpc_module.ts";
import { MODULE_WORKER_NAME } from "../../cmd/rpc_module_protocol.ts";
import { ProgramServing } from "../../cmd/rpc_serving.ts";
import * as v from "valibot";
import { NetError, systemRandom, utf8 } from "../../src/base/mod.ts";
import { startTrace } from "../../src/core/capability/mod.ts";
import {
  createTypedClient,
  defineService,
  RpcError,
  serverStream,
  unary,
} from "../../src/rpc/mod.ts";
import { makeRpcNode } from "../control/node/_rpc_node.ts";

const text = (body: Uint8Array | undefined) => new TextDecoder().decode(body);
const RPC = new URL("../../src/rpc/mod.ts", import.meta.url).href;
const Search = defineService("acme.search", {
  find: unary(v.object({ text: v.string() }), v.array(v.string())),
  who: unary(v.null(), v.string()),
  watch: serverStream(v.number(), v.number()),
});
const MAIN = new URL("../../main.ts", import.meta.url).href;
const startWorker = () => new Worker(MAIN, { type: "module", name: MODULE_WORKER_NAME });
const moduleOf = (source: string) => `data:application/typescript,${encodeURIComponent(source)}`;

const HANDLERS = `
const decoder = new TextDecoder();
class Refusal extends Error {
  status = 0x8123;
  body = new TextEncoder().encode("why");
}
export default {
  upper: (body: Uint8Array) => decoder.decode(body).toUpperCase(),
  who: (_: Uint8Array, call: any) =>
    ({ caller: call.caller, tenant: call.headers.get("tenant"), deadline: call.deadlineMs }),
  async *count(body: Uint8Array) {
    for (let i = 1; i <= Number(decoder.decode(body)); i++) yield String(i);
  },
  join: {
    shape: "client_stream",
    handler: async (items: AsyncIterable<Uint8Array>) => {
      let all = "";
      for await (const item of items) all += decoder.decode(item);
      return all;
    },
  },
  echo: {
    shape: "duplex",
    async *handler(items: AsyncIterable<Uint8Array>) {
      for await (const item of items) yield item;
    },
  },
  refuse: () => { throw new Refusal("not you"); },
  breaks: () => { throw new TypeError("cannot"); },
  waits: (_: Uint8Array, call: any) =>
    new Promise((_, reject) => call.signal.addEventListener("abort", () => {
      console.assert(call.signal.aborted);
      reject(call.signal.reason);
    })),
};
`;

/** Serves a module until `body` has run. */
async function serving(
  source: string,
  body: (rpc: ReturnType<typeof makeRpcNode>["rpc"], outcomes: string[]) => Promise<void>,
): Promise<void> {
  const { rpc, caller } = makeRpcNode();
  const module = await loadModule(moduleOf(source), startWorker);
  const controller = new AbortController();
  const outcomes: string[] = [];
  const servings = module.services.map((params) =>
    new ProgramServing(params, {
      node: caller(),
      handler: (call) => module.answer(call),
      now: () => 0,
      onRecord: ({ outcome }) => outcomes.push(outcome),
    }, controller.signal)
  );
  const ended = Promise.allSettled(servings.map((serving) => serving.ended));
  await Promise.all(servings.map((serving) => serving.ready));
  try {
    await body(rpc, outcomes);
  } finally {
    controller.abort(new NetError("failed", "over"));
    await ended;
    await Promise.all(servings.map((serving) => serving.idle()));
    module.close();
  }
}

const failure = async (promise: Promise<unknown>): Promise<RpcError> => {
  const error = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof RpcError, String(error));
  return error;
};

Deno.test("a module answers calls of every shape from its worker", async () => {
  await serving(HANDLERS, async (rpc) => {
    assert.equal(text(await rpc.call("upper", utf8("hi"))), "HI");
    const headers = [{ name: "Tenant", value: utf8("acme") }];
    const who = await rpc.call("who", utf8(""), { headers, timeoutMs: 99 });
    assert.deepEqual(JSON.parse(text(who)), {
      caller: "0000000000000abc",
      tenant: "acme",
      deadline: 99,
    });
    const items: string[] = [];
    for await (const item of await rpc.callStream("count", utf8("3"))) items.push(text(item));
    assert.deepEqual(items, ["1", "2", "3"]);
    const join = await rpc.callClientStream("join");
    for (const item of ["a", "b"]) await join.send(utf8(item));
    assert.equal(text(await join.finish(utf8("c"))), "abc");
    const echo = await rpc.callDuplex("echo");
    await echo.requests.send(utf8("one"));
    assert.equal(text(await echo.responses.read()), "one");
    await echo.requests.finish();
    assert.equal(await echo.responses.read(), undefined);
  });
});

Deno.test("a module's errors keep their status and body, and its cancelled calls see a signal", async () => {
  await serving(HANDLERS, async (rpc, outcomes) => {
    const refused = await failure(rpc.call("refuse", utf8("")));
    assert.deepEqual([refused.status, refused.message, text(refused.body)], [
      0x8123,
      "not you",
      "why",
    ]);
    const broken = await failure(rpc.call("breaks", utf8("")));
    assert.equal(broken.status, 6);
    assert.match(broken.message, /cannot/);
    const controller = new AbortController();
    const waiting = rpc.call("waits", utf8(""), { signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    assert.equal((await failure(waiting)).kind, "cancelled");
    while (outcomes.length < 3) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(outcomes, ["error", "error", "cancelled"]);
  });
});

Deno.test("a module that fails as a whole ends its calls and says so", async () => {
  const source = `export default {
    dies: () => { setTimeout(() => { throw new Error("out of the blue"); }, 0); return new Promise(() => {}); },
  };`;
  const { rpc, caller } = makeRpcNode();
  const module = await loadModule(moduleOf(source), startWorker);
  const controller = new AbortController();
  const serving = new ProgramServing({ service: "dies", shape: "unary" }, {
    node: caller(),
    handler: (call) => module.answer(call),
    now: () => 0,
    onRecord: () => {},
  }, controller.signal);
  await serving.ready;
  assert.match((await failure(rpc.call("dies", utf8("")))).message, /out of the blue/);
  const error = await module.failed;
  assert.match(error.message, /The module failed: .*out of the blue/);
  controller.abort(error);
  await assert.rejects(serving.ended);
  module.close();
});

Deno.test("loadModule() says why a module can't be served", async () => {
  const cases = [
    ["export default 3;", /its default export must be an object/],
    ["export const a = 1;", /its default export must be an object/],
    ["export default {};", /it has 0 services/],
    ["export default { a: 1 };", /"a" must be a function/],
    ['export default { a: { shape: "round", handler: () => 1 } };', /"a" must be a function/],
    ["export default {", /Cannot load module/],
    ["throw new Error('at load');", /at load/],
  ] as const;
  for (const [source, message] of cases) {
    await assert.rejects(loadModule(moduleOf(source), startWorker), (error) => {
      assert.ok(error instanceof NetError);
      assert.equal(error.code, "usage", source);
      assert.match(error.message, message);
      return true;
    });
  }
  const absent = new URL("./no_such_module.ts", import.meta.url).href;
  await assert.rejects(loadModule(absent, startWorker), /Module not found/);
});

Deno.test("readHandlers() takes a generator function for a stream", async () => {
  const handlers = await readHandlers({ default: { a: () => 1, *b() {}, async *c() {} } });
  assert.deepEqual([...handlers.values()].map(({ params }) => [params.service, params.shape]), [
    ["a", "unary"],
    ["b", "server_stream"],
    ["c", "server_stream"],
  ]);
});

Deno.test("a module may export a function that serves, typed services too", async () => {
  const source = `
import { defineService, serverStream, serveTyped, unary } from ${JSON.stringify(RPC)};
import * as v from "npm:valibot@1.5.0";
const Search = defineService("acme.search", {
  find: unary(v.object({ text: v.string() }), v.array(v.string())),
  who: unary(v.null(), v.string()),
  watch: serverStream(v.number(), v.number()),
});
export default async (rpc: any) => {
  await Promise.resolve();
  serveTyped(rpc, Search, {
    find: ({ text }) => [text, text.toUpperCase()],
    who: (_, call) => [call.caller.toString(16), call.trace?.traceId, call.headers[0]?.name].join(),
    watch: function* (n) { for (let i = 0; i < n; i++) yield i; },
  }, { runningMax: 7 });
};`;
  await serving(source, async (rpc) => {
    assert.equal(rpc.services.get("acme.search.find")?.options.runningMax, 7);
    const search = createTypedClient(Search, rpc);
    assert.deepEqual(await search.find({ text: "whale" }), ["whale", "WHALE"]);
    const trace = startTrace(systemRandom, { kind: "always" });
    const headers = [{ name: "tenant", value: utf8("acme") }];
    assert.equal(await search.who(null, { trace, headers }), `abc,${trace.traceId},tenant`);
    assert.deepEqual(await Array.fromAsync(await search.watch(3)), [0, 1, 2]);
    const wrong = await failure(rpc.call("acme.search.find", utf8("{")));
    assert.equal(wrong.status, 0x8000);
  });
});

Deno.test("toBytes() takes bytes, text, and what becomes JSON", () => {
  assert.deepEqual(toBytes(new Uint8Array([1])), new Uint8Array([1]));
  assert.deepEqual(toBytes("é"), utf8("é"));
  assert.deepEqual(toBytes({ a: [1, null] }), utf8('{"a":[1,null]}'));
  assert.equal(toBytes(undefined).length, 0);
});
