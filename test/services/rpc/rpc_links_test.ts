/** Links of calls over sessions: opened, refused, ended, opened again. */
import assert from "node:assert/strict";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import { RpcError, Status } from "../../../src/rpc/mod.ts";
import { READY_MAX } from "../../../src/services/rpc/limits.ts";
import { EchoSink } from "./echo_sink.ts";
import { RpcKit } from "./rpc_kit.ts";

const text = (value: string) => new TextEncoder().encode(value);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A random body, the same for the same seed. */
function bodyOf(length: number, seed = 1): Uint8Array {
  const body = new Uint8Array(length);
  for (let at = 0; at < length; at++) body[at] = Math.imul(at + seed, 0x9e3779b1) >>> 24;
  return body;
}

for (const isOurs of [true, false]) {
  const form = isOurs ? "sealed" : "compat";
  Deno.test(`RpcService calls a service of a peer (${form})`, async () => {
    using kit = new RpcKit();
    const [server, client] = [await kit.node(1, { isOurs }), await kit.node(2, { isOurs })];
    await kit.connect(client, server);
    const echo = new EchoSink();
    server.rpc.serverLinks.listen("echo", echo);
    assert.ok(kit.tagsOf(server.nodeId)?.includes("nrpc:echo"));
    const call = (body: string) => client.rpc.client.call(server.nodeId, "echo", text(body));
    assert.equal(textOf(await kit.settled(call("one"))), "one");
    const many = Promise.all(Array.from({ length: 100 }, (_, i) => call(`${i}`)));
    const answers = await kit.settled(many);
    assert.deepEqual(answers.map(textOf), Array.from({ length: 100 }, (_, i) => `${i}`));
    assert.equal(echo.peers.length, 1);
    const [peer] = echo.peers;
    assert.equal(peer?.peer, client.nodeId);
    assert.equal(peer?.packetOriginLow, peer?.provenOriginLow);
    assert.equal(peer?.packetOriginHigh, peer?.provenOriginHigh);
    assert.equal(client.rpcCounters().net_rpc_link_links_ready, 1);
    // Those that were written in one turn left together.
    const { net_rpc_link_packets_sent_total: packets } = client.rpcCounters();
    assert.ok(packets !== undefined && packets <= 8, `${packets} packets for 101 frames`);
  });
}

Deno.test("RpcService carries bodies above one packet, both ways, between nodes of ours", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  server.rpc.serverLinks.listen("echo", new EchoSink());
  const bodies = [8_000, 8_200, 100_000, 3_000_001].map((length) => bodyOf(length));
  const calls = bodies.map((body) => client.rpc.client.call(server.nodeId, "echo", body));
  const answers = await kit.settled(Promise.all(calls));
  for (const [at, answer] of answers.entries()) assert.deepEqual(answer, bodies[at]);
  const counters = server.rpcCounters();
  assert.equal(counters.net_rpc_link_joins_finished_total, 3);
  assert.equal(counters.net_rpc_link_joining_bytes, 0);
});

Deno.test("RpcService refuses long bodies for peers that take none", async () => {
  using kit = new RpcKit();
  const server = await kit.node(1, { isExtended: false });
  const client = await kit.node(2);
  await kit.connect(client, server);
  server.rpc.serverLinks.listen("echo", new EchoSink());
  const call = client.rpc.client.call(server.nodeId, "echo", new Uint8Array(20_000));
  await assert.rejects(kit.settled(call), (error) => {
    assert.ok(error instanceof RpcError && error.kind === "too_large", String(error));
    assert.match(error.message, /too large for this peer/);
    assert.ok(error.next !== undefined);
    return true;
  });
  const small = await kit.settled(client.rpc.client.call(server.nodeId, "echo", text("small")));
  assert.equal(textOf(small), "small");
});

Deno.test("RpcService says at once that a peer does not offer a service", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  const isNotFound = (error: unknown) =>
    error instanceof RpcError && error.status === Status.notFound && error.code === "not_found";
  // More often than a peer may be refused otherwise.
  for (let i = 0; i < 40; i++) {
    const before = kit.clock.now();
    await assert.rejects(
      kit.settled(client.rpc.client.call(server.nodeId, "gone", text(""))),
      isNotFound,
    );
    assert.ok(kit.clock.now() - before < 100);
  }
  const listening = server.rpc.serverLinks.listen("gone", new EchoSink());
  const call = () => client.rpc.client.call(server.nodeId, "gone", text("here"));
  assert.equal(textOf(await kit.settled(call())), "here");
  listening.end();
  assert.ok(!kit.tagsOf(server.nodeId)?.includes("nrpc:gone"));
  await assert.rejects(kit.settled(call()), isNotFound);
  server.rpc.serverLinks.listen("gone", new EchoSink());
  assert.equal(textOf(await kit.settled(call())), "here");
});

Deno.test("RpcService has no way to nodes without a session", async () => {
  using kit = new RpcKit();
  const client = await kit.node(2);
  await assert.rejects(
    kit.settled(client.rpc.client.call(77n, "echo", text(""))),
    (error: unknown) => error instanceof RpcError && error.kind === "no_route",
  );
});

Deno.test("RpcService calls services of its own node, long bodies too", async () => {
  using kit = new RpcKit();
  const node = await kit.node(1);
  const call = (body: Uint8Array) => node.rpc.client.call(node.nodeId, "echo", body);
  await assert.rejects(
    kit.settled(call(text("early"))),
    (error: unknown) => error instanceof RpcError && error.status === Status.notFound,
  );
  node.rpc.serverLinks.listen("echo", new EchoSink());
  assert.equal(textOf(await kit.settled(call(text("self")))), "self");
  const body = bodyOf(5_000_000);
  assert.deepEqual(await kit.settled(call(body)), body);
});

Deno.test("RpcService opens a link anew when the session was replaced", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  const echo = new EchoSink();
  server.rpc.serverLinks.listen("echo", echo);
  const call = (body: string) => client.rpc.client.call(server.nodeId, "echo", text(body));
  assert.equal(textOf(await kit.settled(call("a"))), "a");
  echo.isSilent = true;
  const lost = call("lost");
  await kit.clock.advance(20);
  await kit.connect(client, server);
  await assert.rejects(
    kit.settled(lost, 5_000),
    (error: unknown) => error instanceof RpcError && error.kind === "transport",
  );
  echo.isSilent = false;
  assert.equal(textOf(await kit.settled(call("b"))), "b");
  assert.deepEqual(echo.ends, ["replaced"]);
});

Deno.test("RpcService gives calls up when a peer is silent, within two session timeouts", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  const echo = new EchoSink();
  echo.isSilent = true;
  server.rpc.serverLinks.listen("echo", echo);
  const call = client.rpc.client.call(server.nodeId, "echo", text(""), { timeoutMs: 600_000 });
  call.catch(() => {});
  await kit.clock.advance(1_000);
  assert.equal(echo.requests, 1);
  kit.mesh.network.filter = () => false;
  const before = kit.clock.now();
  await assert.rejects(
    kit.settled(call, 120_000),
    (error: unknown) => error instanceof RpcError && error.kind === "transport",
  );
  assert.ok(kit.clock.now() - before < 60_000, `${kit.clock.now() - before} ms`);
  await kit.until(() => echo.ends.length > 0, 60_000);
  assert.deepEqual(echo.ends, ["peer_lost"]);
});

Deno.test("RpcService tells a peer who asks when that is refused as unknown", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1, { isOurs: false }), await kit.node(2)];
  await kit.connect(client, server);
  server.rpc.serverLinks.listen("echo", new EchoSink());
  kit.hideIdentity(client.nodeId);
  const call = client.rpc.client.call(server.nodeId, "echo", text("who"));
  call.catch(() => {});
  await kit.clock.advance(15);
  assert.deepEqual(client.announcedTo, [server.nodeId, server.nodeId]);
  kit.showIdentity(client.nodeId);
  assert.equal(textOf(await kit.settled(call)), "who");
});

Deno.test("RpcService calls through loss, delay and reordering", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  server.rpc.serverLinks.listen("echo", new EchoSink());
  kit.mesh.network.conditions = { lossRate: 0.05, duplicateRate: 0.02, delayMs: 50, jitterMs: 40 };
  const bodies = Array.from({ length: 200 }, (_, i) => bodyOf(i % 20 === 0 ? 60_000 : 64, i));
  const calls = bodies.map((body) => client.rpc.client.call(server.nodeId, "echo", body));
  const answers = await kit.settled(Promise.all(calls), 60_000);
  for (const [at, answer] of answers.entries()) assert.deepEqual(answer, bodies[at]);
});

Deno.test("RpcService that stops opens no more links, and leaves no timer of those it was opening", async () => {
  for (const isOurs of [true, false]) {
    using kit = new RpcKit();
    const [server, client] = [await kit.node(1, { isOurs }), await kit.node(2)];
    await kit.connect(client, server);
    kit.mesh.network.conditions = { lossRate: 1, duplicateRate: 0, delayMs: 5, jitterMs: 0 };
    const call = client.rpc.call("echo", new Uint8Array(0), { target: server.nodeId });
    const failed = assert.rejects(call, { kind: "cancelled" });
    // A peer's announcement is waited for, then its answer to the subscription.
    await kit.clock.advance(1);
    assert.equal(client.rpcCounters().net_rpc_link_links_opening, 1);
    await kit.settled(client.rpc.stop());
    await failed;
    await kit.clock.advance(1);
    const { net_rpc_link_links_opening: opening, net_rpc_link_links_ready: ready } = client
      .rpcCounters();
    assert.deepEqual([opening, ready], [0, 0]);
  }
});

Deno.test("RpcService carries many of the longest bodies at once, on a bad network and to its own node", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  const lengthOf = (body: Uint8Array) => new TextEncoder().encode(String(body.length));
  for (const name of ["one", "two"]) server.rpc.serve(name, lengthOf);
  const body = new Uint8Array(60 * 1_048_576);
  const target = server.nodeId;
  const callAll = async (from: typeof client, calls: number) => {
    const options = { target, timeoutMs: 3_600_000 };
    const made = Array.from(
      { length: calls },
      (_, at) => from.rpc.call(at % 2 === 0 ? "one" : "two", body, options),
    );
    for (const answer of await kit.settled(Promise.all(made), options.timeoutMs)) {
      assert.deepEqual(answer, lengthOf(body));
    }
  };
  // Packets of a body that has left come again while others begin.
  kit.mesh.network.conditions = { lossRate: 0.02, duplicateRate: 0, delayMs: 20, jitterMs: 20 };
  await callAll(client, 6);
  await callAll(server, 4);
  assert.equal(server.rpcCounters().net_rpc_link_joining_bytes, 0);
});

Deno.test("RpcService calls again soon after a blackout in which streams were given up", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  const echo = new EchoSink();
  server.rpc.serverLinks.listen("echo", echo);
  const call = (body: string, timeoutMs = 1_000) =>
    client.rpc.client.call(server.nodeId, "echo", text(body), { timeoutMs });
  assert.equal(textOf(await kit.settled(call("before"))), "before");
  kit.mesh.network.filter = () => false;
  const lost = call("lost", 15_000);
  await assert.rejects(
    kit.settled(lost),
    (error: unknown) =>
      error instanceof RpcError && (error.kind === "transport" || error.kind === "timeout"),
  );
  await kit.clock.advance(2_000);
  kit.mesh.network.filter = undefined;
  const backAt = kit.clock.now();
  let answer: string | undefined;
  while (answer === undefined && kit.clock.now() - backAt < 20_000) {
    const tried = kit.settled(call("after")).then(textOf, (error) => {
      assert.ok(error instanceof RpcError, String(error));
      return undefined;
    });
    answer = await tried;
    await kit.clock.advance(100);
  }
  assert.equal(answer, "after");
  assert.ok(kit.clock.now() - backAt < 2_500, `${kit.clock.now() - backAt} ms`);
  // The one that was given up may have come late, once, and no other twice.
  assert.ok(echo.requests <= 4, `${echo.requests} requests`);
});

Deno.test("RpcService keeps so many links, and opens one anew that made room", async () => {
  using kit = new RpcKit();
  const [server, client] = [await kit.node(1), await kit.node(2)];
  await kit.connect(client, server);
  const count = READY_MAX + 6;
  const names = Array.from({ length: count }, (_, i) => `s${i}`);
  for (const name of names) server.rpc.serverLinks.listen(name, new EchoSink());
  const call = (name: string) => client.rpc.client.call(server.nodeId, name, text(name));
  for (let at = 0; at < count; at += 100) {
    const some = names.slice(at, at + 100);
    assert.deepEqual((await kit.settled(Promise.all(some.map(call)))).map(textOf), some);
  }
  assert.equal(client.rpcCounters().net_rpc_link_links_ready, READY_MAX);
  assert.equal(textOf(await kit.settled(call("s0"))), "s0");
  assert.equal(client.rpcCounters().net_rpc_link_links_ready, READY_MAX);
  assert.equal(server.rpcCounters().net_rpc_link_callers, count);
});

Deno.test("RpcService answers an origin that no session proves only through its subscription", async () => {
  using kit = new RpcKit();
  const [server, client, other] = [await kit.node(1), await kit.node(2), await kit.node(3)];
  await kit.connect(client, server);
  await kit.connect(other, server);
  const echo = new EchoSink();
  server.rpc.serverLinks.listen("echo", echo);
  // Both are ready; then one sends a request that says it is the other's.
  for (const node of [client, other]) {
    await kit.settled(node.rpc.client.call(server.nodeId, "echo", text("")));
  }
  const [, peer] = echo.peers;
  assert.equal(peer?.peer, other.nodeId);
  const origin = client.identity.originHash;
  const link = peer.replies(lowHalf(origin), highHalf(origin));
  assert.equal(link?.peer, client.nodeId, "who subscribed as that origin");
  assert.equal(peer.replies(1, 2), undefined, "nobody did");
  const own = other.identity.originHash;
  assert.equal(peer.replies(lowHalf(own), highHalf(own))?.peer, other.nodeId);
});
