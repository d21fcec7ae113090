import assert from "node:assert/strict";
import * as v from "valibot";
import {
  defineService,
  NetError,
  type NetNode,
  RpcError,
  RpcStatusError,
  serverStream,
  startNode,
  toText,
  unary,
} from "../../src/mod.ts";

async function withPair(test: (alice: NetNode, bob: NetNode) => Promise<void>): Promise<void> {
  const options = { listen: "127.0.0.1:0", traversal: false };
  await using alice = await startNode(options);
  await using bob = await startNode({ ...options, join: alice.ticket() });
  await test(alice, bob);
}

const isKind = (kind: RpcError["kind"], status?: number) => (error: unknown) =>
  error instanceof RpcError && error.kind === kind && error.status === status;

Deno.test("serve() and call() carry bytes and texts, also to the node itself", () =>
  withPair(async (alice, bob) => {
    await using served = alice.serve("double", (body) => new Uint8Array([...body, ...body]));
    alice.serve("greet", (body, { caller }) => `hello ${toText(body)} of ${caller === bob.id}`);
    assert.equal(served.service, "double");
    assert.deepEqual(await bob.whenServed("double"), [alice.id]);
    assert.deepEqual(
      await bob.call("double", new Uint8Array([1, 2])),
      new Uint8Array([1, 2, 1, 2]),
    );
    assert.equal(toText(await bob.call("greet", "bob", { target: alice.id })), "hello bob of true");
    assert.equal(toText(await alice.call("greet", "me")), "hello me of false");
    assert.deepEqual(await bob.call("double"), new Uint8Array(0));
    assert.throws(() => alice.serve("double", () => ""), isKind("serve_failed"));
  }));

Deno.test("call() fails with what the handler chose, and with what is missing", () =>
  withPair(async (alice, bob) => {
    alice.serve("picky", () => {
      throw new RpcStatusError(0x8123, "not today");
    });
    await bob.whenServed("picky");
    await assert.rejects(bob.call("picky"), isKind("server_error", 0x8123));
    await assert.rejects(bob.call("nobody"), isKind("no_route"));
    await assert.rejects(
      bob.whenServed("nobody", { timeoutMs: 1 }),
      (error) => error instanceof NetError && error.code === "timeout",
    );
  }));

Deno.test("serve() and client() speak by one declaration", () =>
  withPair(async (alice, bob) => {
    const Counter = defineService("counter", {
      add: unary(v.object({ to: v.number(), more: v.number() }), v.number()),
      up_to: serverStream(v.number(), v.object({ n: v.number() })),
    });
    await using served = alice.serve(Counter, {
      add: ({ to, more }) => to + more,
      up_to: async function* (last) {
        for (let n = 1; n <= last; n++) yield { n };
      },
    });
    assert.equal(served.handles.length, 2);
    await bob.whenServed("counter.add");
    await bob.whenServed("counter.up_to");
    const counter = bob.client(Counter, { target: alice.id });
    assert.equal(await counter.add({ to: 40, more: 2 }), 42);
    const seen = [];
    for await (const { n } of await counter.up_to(3)) seen.push(n);
    assert.deepEqual(seen, [1, 2, 3]);
  }));

Deno.test("rpc streams both ways", () =>
  withPair(async (alice, bob) => {
    alice.rpc.serveDuplex("upper", async function* (items) {
      for await (const item of items) yield new TextEncoder().encode(toText(item).toUpperCase());
    });
    await bob.whenServed("upper");
    await using call = await bob.rpc.callDuplex("upper");
    for (const word of ["a", "b"]) await call.requests.send(new TextEncoder().encode(word));
    await call.requests.finish();
    const words = [];
    for await (const body of call.responses) words.push(toText(body));
    assert.deepEqual(words, ["A", "B"]);
  }));

Deno.test("close() ends calls that run on both sides", () =>
  withPair(async (alice, bob) => {
    const begun = Promise.withResolvers<AbortSignal>();
    alice.serve("forever", (_body, { signal }) => {
      begun.resolve(signal);
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    });
    await bob.whenServed("forever");
    const call = bob.call("forever");
    const failed = assert.rejects(call, (error) => error instanceof NetError);
    const signal = await begun.promise;
    await bob.close();
    await failed;
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    await assert.rejects(
      bob.call("forever"),
      (error) => error instanceof NetError && error.code === "not_running",
    );
  }));

Deno.test("tools are served, listed, called and taken back", () =>
  withPair(async (alice, bob) => {
    const tool = alice.serveTool({ toolId: "add", description: "Adds numbers" }, (input) => {
      const numbers = v.parse(v.array(v.number()), input);
      return numbers.reduce((sum, number) => sum + number, 0);
    });
    await bob.whenServed("add");
    assert.deepEqual(bob.tools().map(({ descriptor }) => descriptor.toolId), ["add"]);
    assert.equal(await bob.callTool("add", [1, 2, 3]), 6);
    await assert.rejects(bob.callTool("add", "no list"), isKind("server_error", 0x8001));
    await tool.close();
    assert.deepEqual(alice.tools(), []);
  }));
