/**
 * What somebody with the mesh secret can not do to a pinned node: be taken for it, end its session, or keep
 * what is meant for it (`sealed.md` 3, 4, 6).
 */
import assert from "node:assert/strict";
import { createNoiseKeyPair } from "../../../src/core/crypto/mod.ts";
import type { SealingPolicy } from "../../../src/core/transport/mod.ts";
import { blockOf, type Claim, Rogue, type RogueHandshake, rogueMessage1 } from "./rogue.ts";
import { SealedNet, type SealedNode } from "./sealed_net.ts";

/** A node, and another one that has it pinned. */
function pinned(net: SealedNet): { readonly owner: SealedNode; readonly keeper: SealedNode } {
  const owner = net.node(1);
  const policy: SealingPolicy = { isRequired: true, knownEntityId: owner.entityId };
  const keeper = net.node(2, {
    policyOf: (nodeId) => nodeId === owner.nodeId ? policy : { isRequired: false },
  });
  return { owner, keeper };
}

/** Everything the thief can claim to be the owner with. */
function claims(owner: SealedNode): Record<string, Claim> {
  const { nodeId } = owner;
  const own = createNoiseKeyPair(new Uint8Array(32).fill(66)).publicKey;
  return {
    "compat": { nodeId },
    "the owner's block": { nodeId, block: blockOf(owner) },
    "the owner's block with a Noise key of the thief": {
      nodeId,
      block: { ...blockOf(owner), noisePublicKey: own },
    },
  };
}

/** Tries every claim, from the thief's address and in the owner's name; true when one had an effect. */
async function attack(net: SealedNet, owner: SealedNode, keeper: SealedNode): Promise<void> {
  const thief = new Rogue(net.network, "10.0.0.66");
  for (const [name, claim] of Object.entries(claims(owner))) {
    const tried: RogueHandshake[] = [];
    for (const from of [thief.address, owner.address]) {
      const handshake = rogueMessage1(keeper, claim);
      tried.push(handshake);
      thief.send(handshake.datagram, keeper, from);
    }
    await net.clock.advance(10);
    for (const handshake of tried) {
      if (thief.finish(handshake)) thief.sendCompatEvent(handshake, keeper);
    }
    await net.clock.advance(10);
    const { proven } = keeper;
    assert.deepEqual(proven.filter(({ address }) => address.host === "10.0.0.66"), [], name);
    assert.notDeepEqual(keeper.transport.peer(owner.nodeId)?.address, thief.address, name);
  }
  // The proofs it would have to give have their time.
  await net.clock.advance(6_000);
}

for (const situation of ["live", "idle", "absent"] as const) {
  Deno.test(`a stolen mesh secret does not take over a pinned node whose session is ${situation}`, async () => {
    using net = new SealedNet();
    const { owner, keeper } = pinned(net);
    if (situation !== "absent") await net.dial(owner, keeper);
    if (situation === "live") await net.send(owner, keeper, 3);
    // Long enough that a compat session would be given up to whoever comes.
    if (situation === "idle") await net.clock.advance(40_000);
    const events: bigint[] = [];
    keeper.transport.setEventHandler(({ from }) => events.push(from));
    const changes: boolean[] = [];
    keeper.transport.onPeerChange((_, isConnected) => changes.push(isConnected));
    await attack(net, owner, keeper);
    assert.deepEqual(events, []);
    assert.deepEqual(changes, [], "nobody was told of anything");
    const { counters } = keeper.transport;
    assert.equal(counters.drop_handshake_negotiation_total, 2, "the compat handshakes");
    assert.ok(counters.sessions_unproven_total >= 2);
    const peer = keeper.transport.peer(owner.nodeId);
    if (situation === "absent") {
      assert.equal(peer, undefined);
      assert.deepEqual(keeper.transport.peers(), []);
      await net.dial(owner, keeper);
    } else {
      assert.equal(peer?.state, "connected");
      assert.deepEqual(peer.address, owner.address);
    }
    assert.deepEqual(await net.send(keeper, owner, 3), [0, 1, 2]);
    assert.deepEqual(await net.send(owner, keeper, 3), [0, 1, 2]);
  });
}

Deno.test("a stolen mesh secret does not point the route of a pinned node elsewhere", async () => {
  using net = new SealedNet();
  const { owner, keeper } = pinned(net);
  await net.dial(owner, keeper);
  const thief = new Rogue(net.network, "10.0.0.66");
  // Pingwaves and handshakes in the owner's name, from the thief and from a member it controls.
  const member = net.node(3);
  await net.dial(member, keeper);
  const pingwave = new Uint8Array(72);
  const view = new DataView(pingwave.buffer);
  for (let sequence = 1n; sequence < 20n; sequence++) {
    view.setBigUint64(0, owner.nodeId, true);
    view.setBigUint64(32, sequence + 1_000_000n, true);
    pingwave[40] = 3;
    thief.send(pingwave, keeper);
    thief.send(pingwave, keeper, member.address);
    await net.clock.advance(300);
  }
  const toThief: number[] = [];
  net.network.filter = (bytes, from, to) => {
    const isElsewhere = to.host === thief.address.host || to.host === member.address.host;
    // Pingwaves and heartbeats go to every peer.
    if (from.host === keeper.address.host && isElsewhere && bytes.length > 84) {
      toThief.push(bytes.length);
    }
    return true;
  };
  assert.deepEqual(await net.send(keeper, owner, 5), [0, 1, 2, 3, 4]);
  assert.deepEqual(toThief, []);
  assert.deepEqual(keeper.transport.peer(owner.nodeId)?.address, owner.address);
});

Deno.test("a handshake in a peer's name does not take its address away", async () => {
  using net = new SealedNet();
  const { owner, keeper } = pinned(net);
  await net.dial(owner, keeper);
  const thief = new Rogue(net.network, "10.0.0.66");
  thief.send(rogueMessage1(keeper, { nodeId: 77n }).datagram, keeper, owner.address);
  await net.clock.advance(10);
  // What the owner passes on from there is still taken from the owner.
  const behind = net.node(3);
  await net.dial(behind, owner);
  const found = keeper.transport.discoveredNodes().find(({ nodeId }) => nodeId === behind.nodeId);
  assert.equal(found?.via, owner.nodeId);
});

Deno.test("a block that is malformed ends the attempt, and none becomes a compat session", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const rogue = new Rogue(net.network, "10.0.0.66");
  const good = rogueBlock(a);
  const smallOrder = new Uint8Array(32);
  smallOrder[0] = 1;
  const bad: Record<string, Uint8Array> = {
    "cut": good.subarray(0, 67),
    "version 0": changed(good, 2, 0),
    "unknown flag": changed(good, 3, 2),
    "another entity": changed(good, 10, (good[10] ?? 0) ^ 1),
    "entity id of small order": replaced(good, 4, smallOrder),
    "Noise key of low order": replaced(good, 36, new Uint8Array(32)),
    "our own entity": replaced(good, 4, b.entityId),
  };
  for (const [name, block] of Object.entries(bad)) {
    const payload = new Uint8Array(8 + block.length);
    new DataView(payload.buffer).setBigUint64(0, a.nodeId, true);
    payload.set(block, 8);
    const handshake = rogueMessage1(b, { nodeId: a.nodeId, payload });
    rogue.send(handshake.datagram, b);
    await net.clock.advance(10);
    assert.ok(!rogue.finish(handshake), name);
  }
  const { counters } = b.transport;
  assert.equal(counters.drop_handshake_negotiation_total, Object.keys(bad).length);
  assert.deepEqual(b.transport.peers(), []);
  assert.deepEqual(rogue.received, []);
});

function rogueBlock(of: SealedNode): Uint8Array {
  return Uint8Array.of(0x4e, 0x58, 1, 0, ...of.entityId, ...of.publicKey);
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  return replaced(bytes, at, Uint8Array.of(value));
}

function replaced(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.set(part, at);
  return copy;
}
