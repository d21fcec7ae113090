/** Sessions on demand on a simulated network; over sockets, with real announcements: announced_key_test.ts. */
import assert from "node:assert/strict";
import type { NetError } from "../../../src/base/mod.ts";
import { SealingPolicies } from "../../../src/services/sealing_policies.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";
import { AnnouncedKeys, ROUTES_MS } from "./reach_kit.ts";

/** Four nodes in a row that have heard of each other, and what the first one reaches the others with. */
async function chain(kit: MeshKit) {
  const nodes = [kit.node(1), kit.node(2), kit.node(3), kit.node(4)] as const;
  const [a, b, c, d] = nodes;
  await kit.connect(a, b);
  await kit.connect(b, c);
  await kit.connect(c, d);
  await kit.clock.advance(ROUTES_MS);
  const keys = new AnnouncedKeys();
  nodes.forEach((node, index) => keys.announce(node, index + 1));
  return { a, b, c, d, keys, reacher: keys.reacher(kit, a) };
}

const stateOf = (from: KitNode, to: KitNode) => from.transport.peer(to.nodeId)?.state;

/** What a promise fails with. */
async function failureOf(kit: MeshKit, reaching: Promise<void>): Promise<Error> {
  return await kit.settle(reaching.then(() => assert.fail("it did not fail"), (error) => error));
}

Deno.test("Reacher makes a sealed session with a node three hops away, in one round trip", async () => {
  using kit = new MeshKit();
  const { a, b, d, keys, reacher } = await chain(kit);
  assert.equal(stateOf(a, d), undefined);
  assert.ok(reacher.mayReach(d.nodeId));
  const startedAt = kit.clock.now();
  await kit.settle(reacher.reach(d.nodeId));
  // Three hops there and back for the handshake, and as much for the proof.
  assert.ok(kit.clock.now() - startedAt <= 12);
  const peer = a.transport.peer(d.nodeId);
  assert.deepEqual([peer?.state, peer?.isSealed, peer?.isRelayed], ["connected", true, true]);
  assert.deepEqual(peer?.address, b.address);
  assert.deepEqual(keys.required, [d.nodeId]);
  assert.equal(reacher.counters.reach_succeeded_total, 1);
  // There is a session now.
  await reacher.reach(d.nodeId);
  await reacher.reach(a.nodeId);
  assert.equal(reacher.counters.reach_attempted_total, 1);
});

Deno.test("Reacher: all who ask wait for one attempt, which goes on when one of them leaves", async () => {
  using kit = new MeshKit();
  const { a, d, reacher } = await chain(kit);
  const controller = new AbortController();
  const first = reacher.reach(d.nodeId, controller.signal);
  const others = Array.from({ length: 100 }, () => reacher.reach(d.nodeId));
  controller.abort(new Error("left"));
  assert.equal((await failureOf(kit, first)).message, "left");
  await kit.settle(Promise.all(others));
  assert.equal(stateOf(a, d), "connected");
  assert.deepEqual([reacher.counters.reach_attempted_total, reacher.running], [1, 0]);
});

Deno.test("Reacher does not begin without an announced key or a route", async () => {
  using kit = new MeshKit();
  const { d, keys, reacher } = await chain(kit);
  const stranger = kit.node(5);
  assert.match((await failureOf(kit, reacher.reach(stranger.nodeId))).message, /announced no key/);
  keys.announce(stranger, 5);
  assert.match((await failureOf(kit, reacher.reach(stranger.nodeId))).message, /no route/);
  assert.equal(reacher.counters.reach_attempted_total, 0);
  reacher.stop();
  const stopped = await failureOf(kit, reacher.reach(d.nodeId));
  assert.match(stopped.message, /stopping/);
});

Deno.test("Reacher holds off from a node that does not answer, ever longer, until it says something", async () => {
  using kit = new MeshKit();
  const { a, d, keys, reacher } = await chain(kit);
  const { clock } = kit;
  kit.network.filter = (_, from, to) => from.host !== d.address.host && to.host !== d.address.host;
  for (const holdOffMs of [1_000, 2_000, 4_000]) {
    const silent = await failureOf(kit, reacher.reach(d.nodeId));
    assert.match(silent.message, /does not answer/);
    assert.equal(reacher.mayReach(d.nodeId), false);
    await assert.rejects(reacher.reach(d.nodeId), { message: /a moment ago/ });
    await clock.advance(holdOffMs / 2);
    assert.equal(reacher.mayReach(d.nodeId), false);
    await clock.advance(holdOffMs / 2);
    assert.ok(reacher.mayReach(d.nodeId));
  }
  await failureOf(kit, reacher.reach(d.nodeId));
  kit.network.filter = undefined;
  assert.equal(reacher.mayReach(d.nodeId), false);
  keys.announce(d, 4);
  assert.ok(reacher.mayReach(d.nodeId));
  await kit.settle(reacher.reach(d.nodeId));
  assert.equal(stateOf(a, d), "connected");
  assert.deepEqual(reacher.counters, {
    reach_attempted_total: 5,
    reach_succeeded_total: 1,
    reach_failed_total: 4,
    reach_limited_total: 0,
    reach_held_off_total: 3,
  });
});

Deno.test("Reacher makes no session with a key that is not the node's", async () => {
  using kit = new MeshKit();
  const { a, c, d, keys, reacher } = await chain(kit);
  // The key of another member, and one that nobody has.
  for (const noisePublicKey of [c.publicKey, new Uint8Array(32).fill(9)]) {
    keys.announce(d, 4, { noisePublicKey });
    assert.match((await failureOf(kit, reacher.reach(d.nodeId))).message, /does not answer/);
    assert.equal(stateOf(a, d), undefined);
  }
  keys.announce(d, 4);
  await kit.settle(reacher.reach(d.nodeId));
  assert.equal(stateOf(a, d), "connected");
});

Deno.test("Reacher makes no session that is not sealed, and none with another entity", async () => {
  using kit = new MeshKit();
  const policies = new SealingPolicies();
  const a = kit.node(1, { policies });
  const [b, compat, other] = [kit.node(2), kit.node(3, { isSealing: false }), kit.node(4)];
  for (const node of [a, compat, other]) await kit.connect(node, b);
  await kit.clock.advance(ROUTES_MS);
  const keys = new AnnouncedKeys();
  const reacher = keys.reacher(kit, a, policies);
  // It holds the key, but does not seal; and the other one's entity is not the one that announced.
  keys.announce(compat, 3);
  keys.announce(other, 5);
  for (const node of [compat, other]) {
    const refused = await failureOf(kit, reacher.reach(node.nodeId));
    assert.match(refused.message, /not who its announcement says/);
    assert.equal((refused.cause as NetError).code, "handshake_refused");
    assert.equal(stateOf(a, node), undefined);
  }
  keys.announce(other, 4);
  await kit.settle(reacher.reach(other.nodeId));
  assert.equal(a.transport.peer(other.nodeId)?.isSealed, true);
});

Deno.test("Reacher tries again through another neighbour when the first one does not pass on", async () => {
  using kit = new MeshKit();
  const [a, b, c, d] = [kit.node(1), kit.node(2), kit.node(3), kit.node(4)];
  await kit.connect(a, b);
  await kit.connect(a, c);
  await kit.connect(b, d);
  await kit.connect(c, d);
  await kit.clock.advance(ROUTES_MS);
  const keys = new AnnouncedKeys();
  keys.announce(d, 4);
  const reacher = keys.reacher(kit, a);
  const hop = a.transport.nextHop(d.nodeId);
  assert.ok(hop !== undefined);
  const reaching = reacher.reach(d.nodeId);
  // Message 1 is lost with the neighbour, which takes leave.
  (hop.nodeId === b.nodeId ? b : c).transport.stop();
  await kit.settle(reaching);
  assert.notDeepEqual(a.transport.peer(d.nodeId)?.address, hop.address);
});

Deno.test("Reacher begins so many attempts at a time, and in a second", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  const others: KitNode[] = [];
  for (let number = 3; number < 100; number++) others.push(kit.node(number));
  const keys = new AnnouncedKeys();
  for (const [index, other] of others.entries()) {
    keys.announce(other, index + 3);
    a.transport.noteAnnouncement(other.nodeId, b.nodeId, 1);
  }
  const reacher = keys.reacher(kit, a);
  const failures = others.map((other) => reacher.reach(other.nodeId).catch((error) => error.code));
  assert.equal(reacher.running, 64);
  assert.equal(reacher.counters.reach_limited_total, others.length - 64);
  const codes = await kit.settle(Promise.all(failures));
  assert.equal(codes.filter((code) => code === "limit").length, others.length - 64);
  assert.equal(codes.filter((code) => code === "unreachable").length, 64);
  assert.equal(reacher.running, 0);
});
