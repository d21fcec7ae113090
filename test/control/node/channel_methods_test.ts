import assert from "node:assert/strict";
import { NetError, toHex, utf8 } from "../../../src/base/mod.ts";
import { channelTag, createChannelConfig, offerHash } from "../../../src/channel/mod.ts";
import { CapabilityIndex, createCapabilitySet } from "../../../src/core/capability/mod.ts";
import { channelMethods } from "../../../src/control/node/channel_methods.ts";
import type { ChannelNode as MethodNode } from "../../../src/control/node/channel_view.ts";
import { MethodTable } from "../../../src/control/mod.ts";
import { ChannelKit, type ChannelNode } from "../../services/channels/channel_kit.ts";

type Row = Record<string, unknown>;

/** Calls methods of a node of the kit; what is sent in pieces is kept. */
function methodsOf(kit: ChannelKit, node: ChannelNode) {
  const told: Row[] = [];
  const index = new CapabilityIndex();
  const table = new MethodTable();
  const view = {
    channels: node.channels,
    mesh: {
      transport: node.node.transport,
      dialer: { targets: () => [] },
    },
    capabilities: {
      index,
      originHashOf: (peer: bigint) =>
        kit.nodes.find(({ nodeId }) => nodeId === peer)?.identity.originHash,
    },
  };
  table.register(...channelMethods(view as unknown as MethodNode));
  const call = async (name: string, params: Row = {}, signal = new AbortController().signal) =>
    await table.lookup(name)?.call(params, {
      transport: "unix",
      signal,
      progress: () => {},
      send: (data) => Promise.resolve(void told.push(data as Row)),
    }) as Row;
  return { call, told, index };
}

async function pair() {
  const kit = new ChannelKit();
  const alice = await kit.node(1);
  const bob = await kit.node(2);
  await kit.connect(bob, alice);
  return { kit, alice, bob, asAlice: methodsOf(kit, alice), asBob: methodsOf(kit, bob) };
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("channel.create, ls and rm run channels and tell of their rules", async () => {
  const { kit, alice, asAlice: { call } } = await pair();
  using _ = kit;
  const root = toHex(alice.identity.entityId);
  const made = await call("channel.create", {
    name: "lab/x",
    roots: [root],
    reliable: true,
    rate: 10,
  });
  assert.deepEqual([made.wire_hash, made.require_token, made.roots, made.rate], [
    "2ee8",
    true,
    [root],
    10,
  ]);
  await call("channel.create", { name: "logs/", prefix: true, queue_groups: "deny" });
  await alice.channels.create(createChannelConfig("n52512"));
  const { channels } = await call("channel.ls") as { channels: Row[] };
  assert.deepEqual(channels.map(({ name, prefix, kept }) => [name, prefix, kept]), [
    ["lab/x", false, true],
    ["logs/", true, true],
    ["n52512", false, true],
  ]);
  const shared = await call("channel.ls", { wire_hash: "2ee8" }) as { channels: Row[] };
  assert.deepEqual(
    shared.channels.map(({ name, shares_wire_hash_with: others }) => [name, others]),
    channels.filter(({ wire_hash }) => wire_hash === "2ee8")
      .map(({ name, shares_wire_hash_with: others }) => [name, others]),
  );
  assert.deepEqual(await call("channel.rm", { name: "logs/" }), { removed: "logs/" });
  await assert.rejects(call("channel.rm", { name: "logs/" }), hasCode("not_found"));
  await assert.rejects(call("channel.create", { name: "Upper" }), hasCode("usage"));
  await assert.rejects(call("channel.create", { name: "a", roots: ["00"] }), hasCode("usage"));
});

Deno.test("channel.subscribe sends events and what publishers say, until so many came", async () => {
  const { kit, alice, asAlice, asBob } = await pair();
  using _ = kit;
  await asAlice.call("channel.create", { name: "room/a" });
  const subscribing = asBob.call("channel.subscribe", { channel: "room/a", count: 3 });
  await kit.clock.advance(200);
  const events = ["one", "two"];
  const report = await asAlice.call("channel.publish", { channel: "room/a", events });
  assert.deepEqual([report.events, report.attempted, report.delivered, report.failed], [
    2,
    2,
    2,
    0,
  ]);
  await alice.channels.publish("room/a", [new Uint8Array([0xff]), utf8("four")]);
  await kit.clock.advance(200);
  assert.deepEqual(await subscribing, { channel: "room/a", received: 3, dropped: 0 });
  const got = asBob.told.flatMap(({ events }) => (events ?? []) as Row[]);
  assert.deepEqual(got.map(({ text, base64 }) => text ?? base64), ["one", "two", "/w=="]);
  const publisher = alice.nodeId.toString(16).padStart(16, "0");
  const origin = alice.identity.originHash.toString(16).padStart(16, "0");
  assert.deepEqual([got[0]?.publisher, got[0]?.origin, got[0]?.sequence], [publisher, origin, 0]);
  const statuses = asBob.told.flatMap(({ status }) => status === undefined ? [] : [status as Row]);
  assert.deepEqual(statuses.map(({ state }) => state), ["active"]);
});

Deno.test("channel.subscribe names nodes that offer the channel and are no peers", async () => {
  const { kit, alice, asBob } = await pair();
  using _ = kit;
  const facts = (name: string) => ({
    capabilities: createCapabilitySet([channelTag(offerHash(name))], []),
  });
  asBob.index.set(0xabn, facts("logs/"));
  asBob.index.set(0xacn, facts("logs/app"));
  asBob.index.set(0xadn, facts("logs/other"));
  asBob.index.set(alice.nodeId, facts("logs/app"));
  const controller = new AbortController();
  const waiting = asBob.call("channel.subscribe", { channel: "logs/app" }, controller.signal);
  await kit.clock.advance(100);
  const outOfReach = asBob.told.find(({ waiting }) => waiting === true)?.out_of_reach as string[];
  assert.deepEqual(outOfReach.toSorted(), ["00000000000000ab", "00000000000000ac"]);
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

Deno.test("channel.subscribe fails when the publisher that was named refuses", async () => {
  const { kit, alice, asBob: { call } } = await pair();
  using _ = kit;
  const from = [alice.nodeId.toString(16).padStart(16, "0")];
  const unknown = call("channel.subscribe", { channel: "nowhere", from });
  unknown.catch(() => {});
  await kit.clock.advance(5_000);
  await assert.rejects(unknown, hasCode("not_found"));
  await alice.channels.create(createChannelConfig("vault", { requiresToken: true }));
  const gated = call("channel.subscribe", { channel: "vault", from });
  gated.catch(() => {});
  await kit.clock.advance(5_000);
  await assert.rejects(gated, hasCode("not_allowed"));
  const absent = call("channel.subscribe", { channel: "vault", from: ["00000000000000ff"] });
  await assert.rejects(absent, hasCode("unreachable"));
});

Deno.test("channel.subscribe ends with its caller, and with the node", async () => {
  const { kit, bob, asBob: { call } } = await pair();
  using _ = kit;
  const controller = new AbortController();
  const left = call("channel.subscribe", { channel: "room/a" }, controller.signal);
  left.catch(() => {});
  await kit.clock.advance(10);
  assert.equal(bob.channels.subscriber.readers, 1);
  controller.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  assert.equal(bob.channels.subscriber.readers, 0);
  const stopped = call("channel.subscribe", { channel: "room/a" });
  await kit.clock.advance(10);
  await bob.channels.stop();
  assert.deepEqual(await stopped, { channel: "room/a", received: 0, dropped: 0 });
});

Deno.test("channel.publish takes text and base64, a chain, and tells of its refusals", async () => {
  const { kit, alice, asAlice: { call } } = await pair();
  using _ = kit;
  const subscription = alice.channels.subscribe("room/a");
  const publish = (params: Row) => call("channel.publish", { channel: "room/a", ...params });
  const first = publish({ events: ["/wA="], encoding: "base64" });
  await kit.clock.advance(500);
  await first;
  assert.deepEqual(subscription.queue.take()?.bytes, new Uint8Array([0xff, 0]));
  await assert.rejects(publish({ events: ["?"], encoding: "base64" }), hasCode("usage"));
  await assert.rejects(publish({ events: ["x".repeat(8_105)] }), hasCode("limit"));
  await assert.rejects(publish({ events: ["x"], chain: "zz" }), hasCode("usage"));
  await alice.channels.create(createChannelConfig("vault", { requiresToken: true }));
  await assert.rejects(
    call("channel.publish", { channel: "vault", events: ["x"] }),
    hasCode("not_allowed"),
  );
});

Deno.test("channel.stats shows both sides, and fails for what is not known", async () => {
  const { kit, bob, asAlice, asBob } = await pair();
  using _ = kit;
  await asAlice.call("channel.create", { name: "room/a" });
  bob.channels.subscribe("room/a", { queueGroup: "g" });
  await kit.clock.advance(200);
  await asAlice.call("channel.publish", { channel: "room/a", events: ["abc"] });
  await kit.clock.advance(200);
  const alices = await asAlice.call("channel.stats", { channel: "room/a" });
  const [published] = alices.published as Row[];
  assert.deepEqual([published?.events, published?.bytes, published?.deliveries], [1, 3, 1]);
  assert.deepEqual((published?.subscribers as Row[]).map(({ group }) => group), ["g"]);
  const bobs = await asBob.call("channel.stats");
  const [subscribed] = bobs.subscribed as Row[];
  assert.deepEqual([subscribed?.channel, subscribed?.readers, subscribed?.waiting], [
    "room/a",
    1,
    1,
  ]);
  assert.deepEqual((subscribed?.publishers as Row[]).map(({ state }) => state), ["active"]);
  await assert.rejects(asBob.call("channel.stats", { channel: "other" }), hasCode("not_found"));
});
