/** Calls between whole nodes over real sockets: restarts of either side, a relay in between, long bodies. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { pause } from "../../../src/base/mod.ts";
import { type Layer, loadNodeConfig } from "../../../src/config/mod.ts";
import { createNode, type Node } from "../../../src/node.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { RpcError, Status } from "../../../src/rpc/mod.ts";
import { until } from "../capabilities/capability_kit.ts";
import { EchoSink } from "./echo_sink.ts";

const text = (value: string) => new TextEncoder().encode(value);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

class Nodes implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly #nodes: Node[] = [];

  constructor() {
    Deno.writeFileSync(`${this.#folder}/psk`, new Uint8Array(32).fill(9));
  }

  /** Starts a node; with a name it keeps its identity and port over restarts. */
  async start(flags: Layer = {}, name?: string): Promise<Node> {
    const config = loadNodeConfig({
      flags: {
        udp: "127.0.0.1:0",
        ...(name === undefined ? { amnesia: true } : { dataDir: `${this.#folder}/${name}` }),
        pskFile: `${this.#folder}/psk`,
        heartbeat: "200ms",
        sessionTimeout: "1s",
        ...flags,
      },
      env: {},
      cwd: "/",
    });
    const node = createNode(config, { log: silentLog });
    this.#nodes.push(node);
    await node.start();
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes.toReversed()) await node.stop("test is over");
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** How `--peer` names a node that is reached at another one's address. */
function peerAt(node: Node, through = node): string {
  const { identity, noise } = node.keys;
  const id = identity.nodeId.toString(16).padStart(16, "0");
  return `${through.mesh.addressTexts()[0]}#${id}#${noise.publicKey.toHex()}`;
}

const idOf = (node: Node) => node.keys.identity.nodeId;

async function connected(from: Node, to: Node): Promise<void> {
  await until("a session", () => from.mesh.transport.connectedPeers().includes(idOf(to)));
}

/** Calls until there is an answer: while a session comes back, calls fail with typed errors. */
async function callUntilAnswered(from: Node, to: bigint, body: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      return textOf(await from.rpc.call("echo", text(body), { target: to, timeoutMs: 1_000 }));
    } catch (error) {
      assert.ok(error instanceof RpcError, String(error));
      await pause(50);
    }
  }
  return assert.fail("there was never an answer");
}

Deno.test("RpcService finds a service of another node, and calls it by name", async () => {
  await using nodes = new Nodes();
  const server = await nodes.start();
  const caller = await nodes.start({ peer: [peerAt(server)] });
  await connected(caller, server);
  server.rpc.serverLinks.listen("echo", new EchoSink());
  await until("the offer is known", () => caller.rpc.findServiceNodes("echo").length === 1);
  assert.deepEqual(caller.rpc.findServiceNodes("echo"), [idOf(server)]);
  assert.equal(textOf(await caller.rpc.call("echo", text("by name"))), "by name");
  await assert.rejects(
    caller.rpc.call("nothing", text("")),
    (error: unknown) => error instanceof RpcError && error.kind === "no_route",
  );
  await assert.rejects(
    caller.rpc.call("nothing", text(""), { target: idOf(server) }),
    (error: unknown) => error instanceof RpcError && error.status === Status.notFound,
  );
});

Deno.test("RpcService carries a body of 64 MiB, and small calls beside it", async () => {
  await using nodes = new Nodes();
  const server = await nodes.start();
  const caller = await nodes.start({ peer: [peerAt(server)] });
  await connected(caller, server);
  server.rpc.serverLinks.listen("echo", new EchoSink());
  const target = idOf(server);
  const body = new Uint8Array(64 * 1024 * 1024);
  for (let at = 0; at < body.length; at += 4_096) body[at] = at >>> 12;
  await caller.rpc.call("echo", text("open"), { target });
  let isDone = false;
  const long = caller.rpc.call("echo", body, { target, timeoutMs: 60_000 });
  const done = long.then(() => isDone = true);
  let beside = 0;
  while (!isDone && beside < 5) {
    await pause(1);
    await caller.rpc.call("echo", text("beside"), { target });
    if (!isDone) beside += 1;
  }
  assert.equal(beside, 5, "small calls are not behind the long one");
  assert.ok(Buffer.compare(await long, body) === 0);
  await done;
  await assert.rejects(
    caller.rpc.call("echo", new Uint8Array(body.length + 1), { target }),
    (error: unknown) => error instanceof RpcError && error.kind === "too_large",
  );
});

/** Bodies of every length around that of a packet, there and back. */
async function callAroundPacket(caller: Node, server: Node): Promise<void> {
  const target = idOf(server);
  const calls = Array.from({ length: 260 }, async (_, index) => {
    const length = 7_900 + index;
    const body = new Uint8Array(length).fill(length);
    const echoed = await caller.rpc.call("echo", body, { target });
    assert.ok(Buffer.compare(echoed, body) === 0, `${length} bytes`);
  });
  await Promise.all(calls);
}

Deno.test("RpcService carries every length around that of a packet, also through a relay", async () => {
  await using nodes = new Nodes();
  const relay = await nodes.start({ nat: "off" });
  const server = await nodes.start({ peer: [peerAt(relay)], nat: "off" });
  await connected(server, relay);
  const caller = await nodes.start({
    peer: [peerAt(relay), peerAt(server, relay)],
    nat: "off",
  });
  await connected(caller, server);
  for (const node of [relay, server]) node.rpc.serve("echo", (body) => body);
  assert.equal(caller.mesh.transport.peer(idOf(server))?.isRelayed, true);
  await callAroundPacket(caller, relay);
  await callAroundPacket(caller, server);
});

Deno.test("RpcService answers with 64 MiB, and says so when it is one byte more", async () => {
  await using nodes = new Nodes();
  const server = await nodes.start();
  const caller = await nodes.start({ peer: [peerAt(server)] });
  await connected(caller, server);
  server.rpc.serve("give", (body) => new Uint8Array(Number(textOf(body))).fill(7));
  server.rpc.serveStream("pour", (body) => [new Uint8Array(Number(textOf(body))).fill(7)]);
  const target = idOf(server);
  const max = 64 * 1_048_576;
  const answer = await caller.rpc.call("give", text(`${max}`), { target });
  assert.deepEqual([answer.length, answer[0], answer.at(-1)], [max, 7, 7]);
  const tooLarge = { kind: "server_error", status: Status.internal, message: /body too large/ };
  await assert.rejects(caller.rpc.call("give", text(`${max + 1}`), { target }), tooLarge);
  const items = await caller.rpc.callStream("pour", text(`${max + 1}`), { target });
  await assert.rejects(items.read(), tooLarge);
});

Deno.test("RpcService calls a node behind a relay", async () => {
  await using nodes = new Nodes();
  const relay = await nodes.start({ nat: "off" });
  const server = await nodes.start({ peer: [peerAt(relay)], nat: "off" });
  await connected(server, relay);
  const caller = await nodes.start({
    peer: [peerAt(relay), peerAt(server, relay)],
    nat: "off",
  });
  await connected(caller, server);
  assert.equal(caller.mesh.transport.peer(idOf(server))?.isRelayed, true);
  const echo = new EchoSink();
  server.rpc.serverLinks.listen("echo", echo);
  const target = idOf(server);
  assert.equal(textOf(await caller.rpc.call("echo", text("relayed"), { target })), "relayed");
  assert.equal(echo.peers[0]?.isRelayed, true);
  const body = new Uint8Array(300_000).fill(7);
  assert.deepEqual(await caller.rpc.call("echo", body, { target }), body);
});

Deno.test("RpcService answers again after a restart of the server, and of the caller", async () => {
  await using nodes = new Nodes();
  const first = await nodes.start({}, "server");
  const target = idOf(first);
  first.rpc.serverLinks.listen("echo", new EchoSink());
  const caller = await nodes.start({ peer: [peerAt(first)] }, "caller");
  await connected(caller, first);
  assert.equal(await callUntilAnswered(caller, target, "one"), "one");
  await first.stop("it restarts");
  const second = await nodes.start({}, "server");
  assert.equal(idOf(second), target);
  second.rpc.serverLinks.listen("echo", new EchoSink());
  assert.equal(await callUntilAnswered(caller, target, "two"), "two");
  await caller.stop("it restarts");
  const again = await nodes.start({ peer: [peerAt(second)] }, "caller");
  assert.equal(await callUntilAnswered(again, target, "three"), "three");
});

Deno.test("RpcService fails the calls of a server that stops at once", async () => {
  await using nodes = new Nodes();
  const server = await nodes.start();
  const caller = await nodes.start({ peer: [peerAt(server)] });
  await connected(caller, server);
  const echo = new EchoSink();
  echo.isSilent = true;
  server.rpc.serverLinks.listen("echo", echo);
  const call = caller.rpc.call("echo", text(""), { target: idOf(server), timeoutMs: 60_000 });
  await until("it is there", () => echo.requests === 1);
  const startedAt = performance.now();
  await Promise.all([
    assert.rejects(
      call,
      (error: unknown) => error instanceof RpcError && error.kind === "transport",
    ),
    server.stop("it stops"),
  ]);
  assert.ok(performance.now() - startedAt < 1_900, `${performance.now() - startedAt} ms`);
});
