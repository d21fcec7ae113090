/** Sessions that take the place of others: restarts, renewal, crossing connects, doubles (`sealed.md` 1, 5). */
import assert from "node:assert/strict";
import {
  CLONE_SHOWN_MS,
  CLONE_TURNS_MAX,
  SEALED_RENEW_MS,
} from "../../../src/core/transport/limits.ts";
import { CloneWatch } from "../../../src/core/transport/session/clones.ts";
import { createTransportCounters } from "../../../src/core/transport/counters.ts";
import { Dialer, type StreamEnd } from "../../../src/core/transport/mod.ts";
import { Peer } from "../../../src/core/transport/peers/peers.ts";
import { type Log, silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SealedNet, type SealedNode } from "./sealed_net.ts";

/** Says how streams of a node from and to another end. */
function watchStreams(of: SealedNode, peer: SealedNode) {
  const ends: StreamEnd[] = [];
  const receive = { onEvent: () => {}, onEnd: (reason: StreamEnd) => void ends.push(reason) };
  of.transport.openReceiveStream(peer.nodeId, 900n, receive);
  const stream = of.transport.openSendStream(peer.nodeId, 901n);
  return { ends, stream };
}

Deno.test("streams of a session that its peer replaced end with `session replaced`", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  await net.dial(a, b);
  const { ends, stream } = watchStreams(b, a);
  // The peer restarted: it knows nothing of the session and makes a new one.
  net.crash(a);
  await net.dial(net.node(1), b);
  assert.deepEqual(ends, ["replaced"]);
  assert.throws(() => stream.trySend(new Uint8Array(1)), {
    code: "unreachable",
    message: /session replaced/,
  });
});

Deno.test("a session hours old is renewed, and both sides use the new one", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const dialer = new Dialer({ transport: a.transport, clock: net.clock, log: silentLog });
  dialer.add({ ...net.target(b), forms: ["routed"] });
  await net.clock.advance(3 * SEALED_RENEW_MS + 60_000);
  for (const [node, peer] of [[a, b], [b, a]] as const) {
    const info = node.transport.peer(peer.nodeId);
    assert.equal(info?.state, "connected");
    assert.ok(info.isSealed && info.sessionAgeMs < SEALED_RENEW_MS);
    assert.equal(node.transport.counters.sessions_proven_total, 4);
    assert.equal(node.transport.counters.peers_failed_total, 0);
    assert.equal(node.transport.sessionCount, 1, "the old ones are gone");
  }
  assert.deepEqual(await net.send(a, b, 3), [0, 1, 2]);
  assert.deepEqual(await net.send(b, a, 3), [0, 1, 2]);
  dialer.stop();
});

Deno.test("crossing connects succeed on both sides and settle on the one of the lower entity", async () => {
  for (const delayMs of [0, 1, 20]) {
    using net = new SealedNet();
    const [a, b] = [net.node(1), net.node(2)];
    const dials = [a.transport.dial(net.target(b), 2_000)];
    await net.clock.advance(delayMs);
    dials.push(b.transport.dial(net.target(a), 2_000));
    await net.clock.advance(6_000);
    // Neither call fails: the losing handshake ends without an error.
    await Promise.all(dials);
    const [left, right] = [a.transport.peer(b.nodeId), b.transport.peer(a.nodeId)];
    assert.ok(left?.isSealed && right?.isSealed);
    assert.notEqual(left.initiator, right.initiator);
    const isLeftLower = a.entityId.toHex() < b.entityId.toHex();
    assert.equal(a.transport.counters.handshakes_completed_total, 2);
    assert.equal(left.initiator, isLeftLower);
    assert.deepEqual(await net.send(a, b, 3), [0, 1, 2]);
    assert.deepEqual(await net.send(b, a, 3), [0, 1, 2]);
  }
});

Deno.test("crossing connects at 30 % loss settle on one session", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    using net = new SealedNet(seed);
    const [a, b] = [net.node(1), net.node(2)];
    net.network.conditions = { lossRate: 0.3, duplicateRate: 0.1, delayMs: 10, jitterMs: 20 };
    const pairs = [[a, b], [b, a]] as const;
    const dialers = pairs.map(([from, to]) => {
      const dialer = new Dialer({ transport: from.transport, clock: net.clock, log: silentLog });
      dialer.add({ ...net.target(to), forms: ["routed"] });
      return dialer;
    });
    const isUp = () => pairs.every(([from, to]) => from.transport.peer(to.nodeId)?.isSealed);
    assert.ok(await net.clock.advanceUntil(isUp, 30_000), `seed ${seed}`);
    net.network.conditions = { lossRate: 0, duplicateRate: 0, delayMs: 10, jitterMs: 0 };
    await net.clock.advance(15_000);
    assert.deepEqual(await net.send(a, b, 3), [0, 1, 2], `seed ${seed}`);
    assert.deepEqual(await net.send(b, a, 3), [0, 1, 2], `seed ${seed}`);
    for (const dialer of dialers) dialer.stop();
  }
});

Deno.test("streams of the session that lost a crossing do not end as replaced", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const [lower, higher] = a.entityId.toHex() < b.entityId.toHex() ? [a, b] : [b, a];
  const ends: StreamEnd[] = [];
  // The higher one's session comes true first; the lower one's takes over within the crossing time.
  const first = higher.transport.dial(net.target(lower), 2_000);
  await net.clock.advance(50);
  await first;
  higher.transport.openReceiveStream(lower.nodeId, 900n, {
    onEvent: () => {},
    onEnd: (reason) => void ends.push(reason),
  });
  const second = lower.transport.dial(net.target(higher), 2_000);
  await net.clock.advance(1_000);
  await second;
  assert.equal(lower.transport.peer(higher.nodeId)?.initiator, true);
  assert.deepEqual(ends, ["peer_lost"]);
});

Deno.test("a node that comes back at another address within the crossing time is heard at once", async () => {
  for (const conditions of [{}, { jitterMs: 60 }]) {
    for (const isLowerDead of [true, false]) {
      using net = new SealedNet();
      net.network.conditions = { ...net.network.conditions, ...conditions };
      const both = [net.node(1), net.node(2)];
      const isFirstLower = (both[0]?.entityId.toHex() ?? "") < (both[1]?.entityId.toHex() ?? "");
      const number = isFirstLower === isLowerDead ? 1 : 2;
      const dead = both[number - 1] as SealedNode;
      const left = both[2 - number] as SealedNode;
      // The one that stays had begun, so that a dial of the other is from the other side.
      const begun = left.transport.dial(net.target(dead), 2_000);
      await net.clock.advance(500);
      await begun;
      const { ends } = watchStreams(left, dead);
      net.crash(dead);
      const back = net.node(number, { host: "10.9.9.9" });
      const again = back.transport.dial(net.target(left), 2_000);
      await net.clock.advance(500);
      await again;
      assert.deepEqual(ends, ["replaced"], `the lower one restarted: ${isLowerDead}`);
      assert.equal(left.transport.peer(back.nodeId)?.initiator, false);
      assert.deepEqual(await net.send(left, back, 3), [0, 1, 2]);
      assert.deepEqual(await net.send(back, left, 3), [0, 1, 2]);
    }
  }
});

Deno.test("an identity in use at two addresses in turn is reported, once a minute", async () => {
  using net = new SealedNet();
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (event) => void warnings.push(event) };
  const b = net.node(2, { log });
  const twins = [net.node(1, { host: "10.0.1.1" }), net.node(1, { host: "10.0.1.2" })];
  const meet = async () => {
    for (const twin of twins) {
      const dialled = twin.transport.dial(net.target(b), 2_000);
      await net.clock.advance(1_000);
      await dialled;
    }
  };
  const nodeId = twins[0]?.nodeId ?? 0n;
  const hasDouble = () => b.transport.peer(nodeId)?.hasDouble;
  // One after the other, and each once back to where it had been.
  await meet();
  await meet();
  assert.equal(hasDouble(), false);
  await meet();
  assert.equal(hasDouble(), true);
  assert.equal(b.transport.counters.clones_reported_total, 1);
  for (let i = 0; i < 5; i++) await meet();
  assert.deepEqual(warnings.filter((event) => event === "identity_cloned"), ["identity_cloned"]);
  assert.ok(b.transport.counters.clones_reported_total > 5);
});

Deno.test("CloneWatch.note() does not take a node that moves, or moves back now and then, for two", async () => {
  const clock = new ManualClock();
  const counters = createTransportCounters();
  const watch = new CloneWatch({ clock, counters, log: silentLog });
  const peer = new Peer(1n, { host: "10.0.0.1", port: 1 }, clock.now());
  const proveFrom = (port: number) => watch.note(peer, { host: "10.0.0.1", port });
  // Ever new addresses, the same one again and again, two of them every half a minute.
  for (let port = 1; port < 20; port++) proveFrom(port);
  for (let i = 0; i < 20; i++) proveFrom(20);
  for (let i = 0; i < 20; i++) {
    proveFrom(20 + i % 2);
    await clock.advance(30_000);
  }
  assert.equal(counters.clones_reported_total, 0);
  assert.equal(peer.clonedAt, undefined);
  // Two in turn: the first two say nothing yet.
  await clock.advance(120_000);
  for (let i = 0; i < CLONE_TURNS_MAX + 2; i++) proveFrom(30 + i % 2);
  assert.equal(counters.clones_reported_total, 0);
  proveFrom(30 + CLONE_TURNS_MAX % 2);
  assert.equal(counters.clones_reported_total, 1);
  assert.ok(peer.info(clock.now()).hasDouble);
  await clock.advance(CLONE_SHOWN_MS);
  assert.ok(!peer.info(clock.now()).hasDouble);
});
