/** Peers that move to another address with their session (`sealed.md` 5). */
import assert from "node:assert/strict";
import { PATH_CHALLENGES } from "../../../src/core/transport/limits.ts";
import type { SocketAddress } from "../../../src/core/transport/mod.ts";
import { SealedNet, type SealedNode } from "./sealed_net.ts";

async function sealedPair(net: SealedNet): Promise<[SealedNode, SealedNode]> {
  const [a, b] = [net.node(1), net.node(2)];
  await net.dial(a, b);
  return [a, b];
}

const addressOf = (of: SealedNode, seenBy: SealedNode) => seenBy.transport.peer(of.nodeId)?.address;

Deno.test("a session follows its peer to a new address, whichever side moves", async () => {
  for (const mover of ["initiator", "responder"] as const) {
    using net = new SealedNet();
    const [a, b] = await sealedPair(net);
    const [moving, staying] = mover === "initiator" ? [a, b] : [b, a];
    const changes: boolean[] = [];
    const moves: SocketAddress[] = [];
    staying.transport.onPeerChange((_, isConnected) => changes.push(isConnected));
    staying.transport.onPeerMoved((_, address) => moves.push(address));
    const stream = moving.transport.openSendStream(staying.nodeId, 500n);
    const arrived: number[] = [];
    staying.transport.setEventHandler(({ payload }) => arrived.push(payload[0] ?? -1));
    assert.ok(stream.trySend(Uint8Array.of(1)));
    await net.clock.advance(100);
    moving.socket.move("10.0.7.7", 777);
    assert.ok(stream.trySend(Uint8Array.of(2)));
    await net.clock.advance(2_000);
    assert.deepEqual(addressOf(moving, staying), { host: "10.0.7.7", port: 777 });
    assert.deepEqual(moves, [{ host: "10.0.7.7", port: 777 }]);
    assert.deepEqual(changes, [], "the planes above are told of no loss");
    assert.deepEqual(arrived, [1, 2]);
    // The same stream, and the other direction.
    assert.ok(stream.trySend(Uint8Array.of(3)));
    await net.clock.advance(100);
    assert.deepEqual(arrived, [1, 2, 3]);
    assert.deepEqual(await net.send(staying, moving, 3), [0, 1, 2]);
    assert.equal(staying.transport.counters.paths_moved_total, 1);
    // It owns its new address: pingwaves from there count.
    const before = staying.transport.counters.pingwaves_accepted_total;
    await net.clock.advance(6_000);
    assert.ok(staying.transport.counters.pingwaves_accepted_total > before);
    assert.equal(staying.transport.peer(moving.nodeId)?.state, "connected");
  }
});

Deno.test("replies go to the old address until the new one has answered", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  const old = a.address;
  a.socket.move("10.0.7.7", 777);
  const toNew: number[] = [];
  let toOld = 0;
  net.network.filter = (bytes, from, to) => {
    if (from.host !== b.address.host) return true;
    if (to.host === old.host) toOld += 1;
    else toNew.push(bytes[8] ?? -1);
    // The challenge is lost, so there is no response.
    return false;
  };
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  await net.clock.advance(100);
  assert.deepEqual(addressOf(a, b), old);
  b.transport.sendMessage(a.nodeId, 0x4444, 1n, new Uint8Array(10));
  assert.equal(toOld, 1);
  // Nothing but challenges goes to the new one: subprotocol 0x2200.
  await net.clock.advance(2_000);
  assert.ok(toNew.length > 0 && toNew.every((low) => low === 0x00));
  assert.ok(toNew.length <= PATH_CHALLENGES);
  assert.equal(b.transport.counters.paths_failed_total, 1);
  net.network.filter = undefined;
  await net.clock.advance(6_000);
  assert.deepEqual(addressOf(a, b), a.address, "the next heartbeat begins anew");
});

Deno.test("a path check survives loss", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  a.socket.move("10.0.7.7", 777);
  net.network.conditions = { lossRate: 0.3, duplicateRate: 0.1, delayMs: 20, jitterMs: 30 };
  const isThere = () => addressOf(a, b)?.host === "10.0.7.7";
  assert.ok(await net.clock.advanceUntil(isThere, 20_000));
});

Deno.test("what is sent to a new address stays below three times what came from there", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  const spoofed = { host: "10.0.7.7", port: 777 };
  let [received, sent] = [0, 0];
  net.network.filter = (bytes, from, to) => {
    if (to.host === spoofed.host) {
      sent += bytes.length;
      assert.ok(sent <= 3 * received, `${sent} bytes sent for ${received}`);
      return false;
    }
    if (from.host === a.address.host) {
      // A member of the mesh pretends to be where somebody else is.
      received += bytes.length;
      net.network.filter = undefined;
      net.network.inject(bytes, spoofed, to);
      net.network.filter = filter;
      return false;
    }
    return true;
  };
  const filter = net.network.filter;
  for (let i = 0; i < 50; i++) {
    a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(0));
    await net.clock.advance(100);
  }
  assert.ok(sent > 0);
  assert.deepEqual(addressOf(a, b), a.address);
});

Deno.test("a captured packet sent first from elsewhere does not move the peer", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  const thief = { host: "10.0.6.6", port: 666 };
  const stolen: Uint8Array[] = [];
  // The thief is faster, and passes on what it gets to the peer, which answers to where that came from.
  net.network.filter = (bytes, from, to) => {
    if (from.host === a.address.host && to.host === b.address.host) {
      net.network.filter = undefined;
      net.network.inject(bytes, thief, to);
      net.network.filter = filter;
    }
    if (to.host === thief.host) {
      stolen.push(bytes.slice());
      net.network.filter = undefined;
      net.network.inject(bytes, b.address, a.address);
      net.network.filter = filter;
      return false;
    }
    return true;
  };
  const filter = net.network.filter;
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  await net.clock.advance(10_000);
  assert.ok(stolen.length > 0, "it was challenged");
  // The thief forwards, so it may be taken for the peer while it does; it cannot keep that up by itself.
  net.network.filter = undefined;
  await net.clock.advance(12_000);
  assert.deepEqual(addressOf(a, b), a.address);
  assert.deepEqual(await net.send(b, a, 3), [0, 1, 2]);
});

Deno.test("a captured packet replayed later from elsewhere changes nothing", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  const captured: Uint8Array[] = [];
  net.network.filter = (bytes, from) => {
    if (from.host === a.address.host) captured.push(bytes.slice());
    return true;
  };
  await net.send(a, b, 5);
  net.network.filter = undefined;
  for (const bytes of captured) {
    net.network.inject(bytes, { host: "10.0.6.6", port: 666 }, b.address);
  }
  await net.clock.advance(2_000);
  assert.equal(b.transport.counters.path_challenges_sent_total, 0);
  assert.deepEqual(addressOf(a, b), a.address);
});

Deno.test("a response from another address than the challenged one is worth nothing", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  const victim = { host: "10.0.7.7", port: 777 };
  let isFirst = true;
  net.network.filter = (bytes, from, to) => {
    if (from.host === a.address.host && isFirst) {
      isFirst = false;
      net.network.inject(bytes, victim, to);
      return false;
    }
    // Somebody who sees the victim's traffic hands the challenge to the peer, which answers in good faith.
    if (to.host === victim.host) net.network.inject(bytes, b.address, a.address);
    return true;
  };
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  await net.clock.advance(3_000);
  assert.ok(b.transport.counters.drop_sealed_message_total > 0, "a response came and was refused");
  assert.deepEqual(addressOf(a, b), a.address);
});

Deno.test("a peer that sends from two addresses in turn moves once a second at most", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  for (let i = 0; i < 100; i++) {
    a.socket.move(i % 2 === 0 ? "10.0.7.7" : "10.0.7.8", 777);
    a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
    await net.clock.advance(50);
  }
  const { paths_moved_total } = b.transport.counters;
  assert.ok(
    paths_moved_total >= 3 && paths_moved_total <= 6,
    `it moved ${paths_moved_total} times`,
  );
  assert.deepEqual(await net.send(a, b, 3), [0, 1, 2]);
});

Deno.test("compat sessions do not move", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1, { isSealing: false }), net.node(2, { isSealing: false })];
  await net.dial(a, b);
  const old = a.address;
  a.socket.move("10.0.7.7", 777);
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  await net.clock.advance(3_000);
  assert.equal(b.transport.counters.path_challenges_sent_total, 0);
  assert.deepEqual(addressOf(a, b), old);
});

Deno.test("what relays bring moves nobody, with or without its routing header", async () => {
  using net = new SealedNet();
  const [a, relay, b] = [net.node(1), net.node(2), net.node(3)];
  await net.dial(a, relay);
  await net.dial(b, relay);
  await net.dial(a, b, relay);
  net.network.filter = (bytes, from, to) => {
    // The relay strips the header, as if the peer were where it is.
    if (from.host !== relay.address.host || to.host !== b.address.host) return true;
    if (bytes[0] !== 0x52) return true;
    net.network.inject(bytes.subarray(18), from, to);
    return false;
  };
  assert.deepEqual(await net.send(a, b, 3), [0, 1, 2]);
  assert.equal(b.transport.counters.path_challenges_sent_total, 0);
  assert.ok(b.transport.peer(a.nodeId)?.isRelayed);
});

Deno.test("nobody moves to where another peer is and speaks", async () => {
  using net = new SealedNet();
  const [a, b, c] = [net.node(1), net.node(2), net.node(3)];
  await net.dial(a, b);
  await net.dial(c, b);
  net.network.filter = (bytes, from, to) => {
    if (from.host !== a.address.host || to.host !== b.address.host) return true;
    net.network.inject(bytes, c.address, to);
    return false;
  };
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  await net.clock.advance(1_000);
  assert.equal(b.transport.counters.drop_path_owned_total, 1);
  assert.deepEqual(addressOf(a, b), a.address);
  assert.deepEqual(addressOf(c, b), c.address);
});

Deno.test("a packet overtaken by later ones does not bring its old address back", async () => {
  using net = new SealedNet();
  const [a, b] = await sealedPair(net);
  const old = a.address;
  let late: Uint8Array | undefined;
  net.network.filter = (bytes, from) => {
    if (from.host !== old.host || late !== undefined) return true;
    late = bytes.slice();
    return false;
  };
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  a.socket.move("10.0.7.7", 777);
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(10));
  await net.clock.advance(1_000);
  assert.deepEqual(addressOf(a, b), a.address);
  const { counters } = b.transport;
  const challenges = counters.path_challenges_sent_total;
  net.network.inject(late ?? assert.fail(), old, b.address);
  await net.clock.advance(1_000);
  assert.equal(counters.path_challenges_sent_total, challenges);
  assert.equal(counters.drop_replay_total, 0, "it was authentic");
});
