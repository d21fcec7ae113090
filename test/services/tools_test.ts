/** Tools of whole nodes, over real sockets on loopback. */
import assert from "node:assert/strict";
import { NetError, type NetNode, startNode } from "../../src/mod.ts";
import { createToolDescriptor } from "../../src/rpc/mod.ts";

async function withPair(test: (alice: NetNode, bob: NetNode) => Promise<void>): Promise<void> {
  const options = { listen: "127.0.0.1:0", traversal: false };
  await using alice = await startNode(options);
  await using bob = await startNode({ ...options, join: alice.ticket() });
  await test(alice, bob);
}

/** Tags of tools and services; those that every node has are about blobs. */
const tagsOf = (node: NetNode) =>
  node.find().find(({ isSelf }) => isSelf)?.tags.filter((tag) =>
    /^(ai-tool|nrpc):/.test(tag) && !/^nrpc:(net\.)?(blob|dataforts)\./.test(tag)
  );

Deno.test("a tool comes and goes whole: tags, services and descriptors", () =>
  withPair(async (alice, bob) => {
    assert.deepEqual(tagsOf(alice), []);
    const first = alice.serveTool({ toolId: "ping" }, () => "pong");
    const second = alice.serveTool({ toolId: "echo" }, (input) => input);
    assert.deepEqual(tagsOf(alice), [
      "ai-tool:echo",
      "ai-tool:ping",
      "nrpc:echo",
      "nrpc:ping",
      "nrpc:tool.metadata.fetch",
      "nrpc:tool.watch",
    ]);
    await bob.whenServed("echo");
    assert.equal(await bob.callTool("ping", {}), "pong");
    await first.close();
    assert.deepEqual(tagsOf(alice)?.includes("nrpc:ping"), false);
    assert.equal(await bob.callTool("echo", "still here"), "still here");
    await second.close();
    assert.deepEqual(tagsOf(alice), []);
    assert.throws(
      () => alice.serveTool({ toolId: "tool.watch" }, () => null),
      (error) => error instanceof NetError && error.code === "conflict",
    );
  }));

Deno.test("a tool that cannot be served leaves nothing behind", () =>
  withPair((alice) => {
    alice.serve("taken", () => "");
    assert.throws(
      () => alice.serveTool({ toolId: "taken" }, () => null),
      (error) => error instanceof NetError && error.code === "conflict",
    );
    assert.deepEqual(tagsOf(alice), ["nrpc:taken"]);
    return Promise.resolve();
  }));

Deno.test("describe() fetches the schema that an announcement had no room for", () =>
  withPair(async (alice, bob) => {
    const inputSchema = JSON.stringify({ type: "object", description: "x".repeat(20_000) });
    alice.serveTool({ toolId: "wide", inputSchema }, () => null);
    await bob.whenServed("wide");
    assert.deepEqual(bob.tools()[0]?.omitted, ["input_schema"]);
    const whole = await bob.core.tools.describe("wide", { target: alice.id });
    assert.equal(whole.inputSchema, inputSchema);
  }));

Deno.test("callStream() gives events as they come, and leaving it ends the tool", () =>
  withPair(async (alice, bob) => {
    const descriptor = createToolDescriptor({ toolId: "count", isStreaming: true });
    const ended = Promise.withResolvers<void>();
    alice.core.tools.serveStream(descriptor, async function* (last) {
      try {
        for (let n = 1; n <= Number(last); n++) yield { kind: "delta", data: n };
        yield { kind: "result", data: "done" };
      } finally {
        ended.resolve();
      }
    });
    await bob.whenServed("count");
    const kinds = [];
    for await (const event of bob.core.tools.callStream("count", 2)) kinds.push(event.kind);
    assert.deepEqual(kinds, ["start", "delta", "delta", "result"]);
    for await (const event of bob.core.tools.callStream("count", 1_000_000)) {
      if (event.kind === "delta") break;
    }
    await ended.promise;
  }));

Deno.test("follow() tells what another node hears of tools", () =>
  withPair(async (alice, bob) => {
    alice.serveTool({ toolId: "first" }, () => null);
    await bob.whenServed("tool.watch");
    const changes = bob.core.tools.follow({ target: alice.id });
    const next = async () => {
      const { value } = await changes.next();
      assert.ok(value !== undefined && value.kind !== "resync");
      return `${value.kind} ${value.descriptor.toolId}`;
    };
    assert.equal(await next(), "added first");
    const second = alice.serveTool({ toolId: "second" }, () => null);
    assert.equal(await next(), "added second");
    await second.close();
    assert.equal(await next(), "removed second");
    await changes.return();
  }));
