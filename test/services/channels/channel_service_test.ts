/** Channels between nodes of ours: publishing, groups, losses, new sessions, refusals. */
import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import {
  CHAIN_RATE,
  type ChannelConfig,
  channelTag,
  createChannelConfig,
  createPrefixConfig,
  encodeMembership,
  encodeTokenChain,
  issueToken,
  LEASE_MS,
  offerHash,
  OFFERING_PEERS_MAX,
  requireChannelId,
  SUBPROTOCOL_MEMBERSHIP,
  TOKEN_SCOPES,
} from "../../../src/channel/mod.ts";
import type { PublisherStatus } from "../../../src/services/mod.ts";
import { ChannelKit, type ChannelNode, memoryOf, textsOf } from "./channel_kit.ts";

const event = (text: string) => utf8(text);

/** A publisher and subscribers, connected. */
async function star(subscribers: number, options: Parameters<ChannelKit["node"]>[1] = {}) {
  const kit = new ChannelKit();
  const publisher = await kit.node(1, options);
  const others: ChannelNode[] = [];
  for (let i = 0; i < subscribers; i++) {
    const other = await kit.node(2 + i);
    await kit.connect(other, publisher);
    others.push(other);
  }
  return { kit, publisher, others };
}

Deno.test("ChannelService carries events to a subscriber that names no publisher", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  const subscription = subscriber.channels.subscribe("room/a");
  await publisher.channels.create(createChannelConfig("room/a"));
  await kit.clock.advance(100);
  const report = await publisher.channels.publish("room/a", [event("one"), event("two")]);
  assert.deepEqual([report.attempted, report.delivered, report.errors], [2, 2, []]);
  await kit.clock.advance(100);
  assert.deepEqual(textsOf(subscription), ["one", "two"]);
  subscription.close();
  await kit.clock.advance(100);
  const empty = await publisher.channels.publish("room/a", [event("three")]);
  assert.equal(empty.attempted, 0);
});

Deno.test("ChannelService finds publishers of a prefix, and publishers that come later", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createPrefixConfig("logs/"));
  const subscription = subscriber.channels.subscribe("logs/app/x");
  await kit.clock.advance(100);
  await publisher.channels.publish("logs/app/x", [event("from 1")]);
  const late = await kit.node(9);
  await kit.connect(late, subscriber);
  await late.channels.create(createChannelConfig("logs/app/x"));
  await kit.clock.advance(200);
  await late.channels.publish("logs/app/x", [event("from 9")]);
  await kit.clock.advance(100);
  assert.deepEqual(textsOf(subscription), ["from 1", "from 9"]);
});

Deno.test("ChannelService finds publishers among any number of nodes that are made up", async () => {
  using kit = new ChannelKit();
  const subscriber = await kit.node(2);
  const subscription = subscriber.channels.subscribe("room/a");
  for (let i = 0; i < OFFERING_PEERS_MAX; i++) {
    kit.announceFor(1_000_000n + BigInt(i), [channelTag(offerHash("room/a"))]);
  }
  const publisher = await kit.node(1);
  await publisher.channels.create(createChannelConfig("room/a"));
  await kit.connect(subscriber, publisher);
  await kit.clock.advance(500);
  await publisher.channels.publish("room/a", [event("one")]);
  await kit.clock.advance(100);
  assert.deepEqual(textsOf(subscription), ["one"]);
});

Deno.test("ChannelService opens a channel that somebody publishes on, unless it must not", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  const subscription = subscriber.channels.subscribe("news");
  const publishing = ["first", "second"].map((text) =>
    publisher.channels.publish("news", [event(text)])
  );
  await kit.clock.advance(300);
  await Promise.all(publishing);
  // Who waited for the channel misses nothing of it.
  assert.deepEqual(textsOf(subscription), ["first", "second"]);
  assert.deepEqual(publisher.channels.channels().map(({ isKept }) => isKept), [false]);
  const strict = await kit.node(8, { policies: { unregistered: "deny" } });
  await assert.rejects(
    strict.channels.publish("news", [event("x")]),
    (error: unknown) => error instanceof NetError && error.code === "not_found",
  );
});

Deno.test("ChannelService gives each event of a queue group to one member, this node among them", async () => {
  const { kit, publisher, others } = await star(2);
  using _ = kit;
  await publisher.channels.create(createChannelConfig("jobs"));
  const readers = [publisher, ...others].map(({ channels }) =>
    channels.subscribe("jobs", { queueGroup: "workers" })
  );
  await kit.clock.advance(100);
  const events = Array.from({ length: 9 }, (_, i) => event(`job ${i}`));
  const report = await publisher.channels.publish("jobs", events);
  await kit.clock.advance(100);
  assert.deepEqual([report.attempted, report.delivered], [9, 9]);
  const got = readers.map(textsOf);
  assert.deepEqual(got.map(({ length }) => length), [3, 3, 3]);
  assert.deepEqual(got.flat().sort(), events.map((bytes) => new TextDecoder().decode(bytes)));
});

Deno.test("ChannelService hands its own events to its own readers, and to no others twice", async () => {
  const { kit, publisher } = await star(0);
  using _ = kit;
  const first = publisher.channels.subscribe("room/a");
  const second = publisher.channels.subscribe("room/a", { from: [publisher.nodeId] });
  const other = publisher.channels.subscribe("room/b", { from: [77n] });
  const report = await publisher.channels.publish("room/a", [event("x")]);
  await publisher.channels.publish("room/b", [event("y")]);
  assert.deepEqual([report.attempted, report.delivered], [1, 1]);
  assert.deepEqual([textsOf(first), textsOf(second), textsOf(other)], [["x"], ["x"], []]);
});

Deno.test("ChannelService loses nothing of a reliable channel on a bad network, and keeps the order", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a", { isReliable: true }));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  kit.mesh.network.conditions = { lossRate: 0.1, duplicateRate: 0.05, delayMs: 1, jitterMs: 4 };
  const sent: string[] = [];
  const got: string[] = [];
  const reading = (async () => {
    for (;;) {
      const next = await subscription.next();
      if (next === undefined) return;
      got.push(new TextDecoder().decode(next.bytes));
    }
  })();
  for (let i = 0; i < 40; i++) {
    const texts = Array.from({ length: 10 }, (_, n) => `event ${i * 10 + n} ${"x".repeat(400)}`);
    sent.push(...texts);
    const publishing = publisher.channels.publish("room/a", texts.map(event));
    assert.equal((await kit.mesh.settle(publishing)).delivered, 10);
  }
  await kit.until(() => got.length >= sent.length);
  assert.deepEqual(got, sent);
  subscription.close();
  await reading;
});

Deno.test("ChannelService lets a slow reader slow the publisher of a reliable channel down", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a", { isReliable: true }));
  const slow = subscriber.channels.subscribe("room/a");
  const quick = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  const payload = new Uint8Array(1_000);
  const events = Array.from({ length: 200 }, () => payload);
  const publishing = publisher.channels.publish("room/a", events, { onFailure: "collect" });
  await kit.clock.advance(2_000);
  const held = slow.queue.size;
  assert.ok(held < 100, `${held} events are held`);
  let taken = 0;
  const takeAll = () => {
    for (const { queue } of [slow, quick]) while (queue.take() !== undefined) taken += 1;
    return taken === 400;
  };
  assert.ok(await kit.until(takeAll));
  const report = await kit.mesh.settle(publishing);
  assert.deepEqual([report.delivered, report.errors], [200, []]);
});

Deno.test("ChannelService gives a reader that takes nothing up for one publish, and reports it", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a", { isReliable: true }));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  const events = Array.from({ length: 200 }, () => new Uint8Array(1_000));
  const publishing = publisher.channels.publish("room/a", events, { onFailure: "collect" });
  const report = await kit.mesh.settle(publishing);
  assert.deepEqual(report.errors.map(({ peer, code }) => [peer, code]), [
    [subscriber.nodeId, "backpressure"],
  ]);
  assert.ok(subscription.queue.size > 0);
});

Deno.test("ChannelService drops for a slow reader of an unreliable channel, and counts", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a"));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  for (let i = 0; i < 500; i++) {
    await publisher.channels.publish("room/a", Array.from({ length: 10 }, () => event(`${i}`)));
    await kit.clock.advance(2);
  }
  await kit.clock.advance(100);
  const got = textsOf(subscription);
  assert.equal(got.length + subscription.queue.dropped, 5_000);
  assert.equal(got.at(-1), "499");
  assert.ok(subscription.queue.dropped > 0);
  assert.equal(
    subscriber.counters().net_channel_drop_reader_slow_total,
    subscription.queue.dropped,
  );
});

Deno.test("ChannelService subscribes again when the session is a new one", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a", { isReliable: true }));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  await publisher.channels.publish("room/a", [event("before")]);
  await kit.clock.advance(100);
  await kit.clock.advance(6_000);
  await kit.connect(subscriber, publisher);
  await kit.clock.advance(2_000);
  await publisher.channels.publish("room/a", [event("after")]);
  await kit.clock.advance(500);
  assert.deepEqual(textsOf(subscription), ["before", "after"]);
});

Deno.test("ChannelService survives that only one side believes the other lost", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a"));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  // Nothing of the subscriber reaches the publisher for long enough.
  kit.mesh.network.filter = (_, from) => from.host !== subscriber.node.address.host;
  await kit.clock.advance(120_000);
  assert.equal(publisher.channels.publisher.subscribers.roster.size, 0);
  kit.mesh.network.filter = undefined;
  await kit.clock.advance(70_000);
  await publisher.channels.publish("room/a", [event("again")]);
  await kit.clock.advance(200);
  assert.deepEqual(textsOf(subscription), ["again"]);
});

Deno.test("ChannelService keeps a silent subscription over hours", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a", { isReliable: true }));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  const own = publisher.channels.subscribe("room/a");
  await publisher.channels.publish("room/a", [event("first")]);
  await kit.clock.advance(1_200_000);
  await publisher.channels.publish("room/a", [event("second")]);
  await kit.clock.advance(200);
  assert.deepEqual(textsOf(subscription), ["first", "second"]);
  assert.deepEqual(textsOf(own), ["first", "second"]);
  assert.equal(publisher.counters().net_channel_members_lapsed_total, 0);
});

Deno.test("ChannelService forgets a subscriber of its kind that no longer says so", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a"));
  subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  assert.equal(publisher.channels.publisher.subscribers.roster.size, 1);
  await subscriber.channels.stop();
  kit.mesh.network.filter = (bytes) => bytes.length < 100;
  await kit.clock.advance(LEASE_MS + 10_000);
  assert.equal(publisher.channels.publisher.subscribers.roster.size, 0);
});

Deno.test("ChannelService lets in by token, and puts out when the token is taken back", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  const owner = publisher.identity;
  const id = requireChannelId("gated/x");
  const chain = encodeTokenChain([issueToken(owner, {
    subject: subscriber.identity.entityId,
    scope: TOKEN_SCOPES.subscribe,
    channelHash: id.hash,
    ttlSeconds: 3_600,
  }, {
    nowSeconds: kit.clock.wallMs() / 1_000,
    random: (length) => new Uint8Array(length),
  })]);
  await publisher.channels.create(createChannelConfig("gated/x", { tokenRoots: [owner.entityId] }));
  const statuses: PublisherStatus[] = [];
  const without = subscriber.channels.subscribe("gated/x", { from: [publisher.nodeId] });
  without.onStatus.on((status) => statuses.push(status));
  await kit.clock.advance(100);
  assert.deepEqual(statuses.map(({ state, reason }) => [state, reason]), [["refused", 1]]);
  without.close();
  const subscription = subscriber.channels.subscribe("gated/x", { chain });
  await kit.clock.advance(100);
  await publisher.channels.publish("gated/x", [event("secret")]);
  await kit.clock.advance(100);
  assert.deepEqual(textsOf(subscription), ["secret"]);
  subscription.onStatus.on((status) => statuses.push(status));
  statuses.length = 0;
  publisher.revocations.revoke(owner.entityId);
  const report = await publisher.channels.publish("gated/x", [event("more")]);
  assert.equal(report.attempted, 0);
  assert.equal(publisher.counters().net_channel_members_fallen_total, 1);
  await kit.clock.advance(100);
  assert.deepEqual(textsOf(subscription), []);
  // Whoever was put out hears so at once, and not only when it renews.
  await kit.clock.advance(1_000);
  assert.deepEqual(statuses.map(({ state, reason }) => [state, reason])[0], ["refused", 1]);
});

Deno.test("ChannelService puts out on a quiet channel as well", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  const owner = publisher.identity;
  const chain = encodeTokenChain([issueToken(owner, {
    subject: subscriber.identity.entityId,
    scope: TOKEN_SCOPES.subscribe,
    channelHash: requireChannelId("gated/x").hash,
    ttlSeconds: 20,
  }, {
    nowSeconds: kit.clock.wallMs() / 1_000,
    random: (length) => new Uint8Array(length),
  })]);
  await publisher.channels.create(createChannelConfig("gated/x", { tokenRoots: [owner.entityId] }));
  const statuses: PublisherStatus[] = [];
  const subscription = subscriber.channels.subscribe("gated/x", { chain });
  subscription.onStatus.on((status) => statuses.push(status));
  await kit.clock.advance(100);
  await publisher.channels.publish("gated/x", [event("secret")]);
  await kit.clock.advance(15_000);
  assert.equal(publisher.counters().net_channel_subscribers, 1);
  await kit.clock.advance(12_000);
  assert.equal(publisher.counters().net_channel_subscribers, 0, "its token has expired");
  assert.deepEqual(statuses.map(({ state }) => state).slice(0, 2), ["active", "refused"]);
});

Deno.test("ChannelService throttles a peer that is refused too often, on open channels too", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a"));
  let nonce = 1n;
  const ask = (name: string) => {
    const bytes = encodeMembership({
      kind: "subscribe",
      nonce: nonce++,
      channel: requireChannelId(name),
      chain: new Uint8Array(0),
      queueGroup: undefined,
    });
    const stream = BigInt(SUBPROTOCOL_MEMBERSHIP);
    subscriber.node.transport.sendMessage(publisher.nodeId, SUBPROTOCOL_MEMBERSHIP, stream, bytes);
  };
  for (let i = 0; i < 16; i++) ask("nowhere");
  await kit.clock.advance(50);
  ask("room/a");
  await kit.clock.advance(50);
  const counters = publisher.counters();
  assert.equal(counters.net_channel_subscribe_refused_unknown_channel_total, 16);
  assert.equal(counters.net_channel_subscribe_refused_throttled_total, 1);
  assert.equal(publisher.channels.publisher.subscribers.roster.size, 0);
  await kit.clock.advance(30_000);
  ask("room/a");
  await kit.clock.advance(50);
  assert.equal(publisher.channels.publisher.subscribers.roster.size, 1);
});

Deno.test("ChannelService verifies so many chains of a peer, and the same one once", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  const gated = requireChannelId("gated/x");
  const roots = [publisher.identity.entityId];
  await publisher.channels.create(createChannelConfig("gated/x", { tokenRoots: roots }));
  await publisher.channels.create(createChannelConfig("room/a"));
  const good = encodeTokenChain([issueToken(publisher.identity, {
    subject: subscriber.identity.entityId,
    scope: TOKEN_SCOPES.subscribe,
    channelHash: gated.hash,
    ttlSeconds: 3_600,
  }, {
    nowSeconds: kit.clock.wallMs() / 1_000,
    random: (length) => new Uint8Array(length),
  })]);
  const forged = good.with(good.length - 1, (good.at(-1) ?? 0) ^ 1);
  const { subscribers } = publisher.channels.publisher;
  const ask = (name: string, chain: Uint8Array) => {
    const channel = requireChannelId(name);
    const message = {
      kind: "subscribe",
      nonce: 1n,
      channel,
      chain,
      queueGroup: undefined,
    } as const;
    subscribers.onSubscribe(subscriber.nodeId, message);
  };
  // One that is let in elsewhere clears the count of refusals, so that alone stops nobody.
  for (let i = 0; i < CHAIN_RATE.burst + 100; i++) {
    ask("gated/x", forged);
    if (i % 8 === 0) ask("room/a", new Uint8Array(0));
  }
  const { refused } = subscribers.counters;
  assert.deepEqual([refused.chain, refused.chain_rate], [CHAIN_RATE.burst, 100]);
  await kit.clock.advance(1_000);
  for (let i = 0; i < 100; i++) ask("gated/x", good);
  assert.equal(refused.chain_rate, 100);
  assert.ok(subscribers.roster.get("gated/x")?.byPeer.has(subscriber.nodeId));
  publisher.revocations.revoke(publisher.identity.entityId);
  ask("gated/x", good);
  assert.equal(refused.chain, CHAIN_RATE.burst + 1);
});

Deno.test("ChannelService counts answers of nodes that were not asked, and messages that are none", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  const other = await kit.node(9);
  await kit.connect(other, subscriber);
  kit.mesh.network.filter = (_, from, to) =>
    from.host !== publisher.node.address.host || to.host !== subscriber.node.address.host;
  subscriber.channels.subscribe("room/a", { from: [publisher.nodeId] });
  await kit.clock.advance(50);
  // The first nonce of the subscriber's source.
  const nonce = (BigInt(2) << 32n) | 1n;
  const send = (bytes: Uint8Array) =>
    other.node.transport.sendMessage(subscriber.nodeId, SUBPROTOCOL_MEMBERSHIP, 0x0a00n, bytes);
  send(encodeMembership({ kind: "ack", nonce, isAccepted: true, reason: 0 }));
  send(encodeMembership({ kind: "ack", nonce: 99n, isAccepted: true, reason: 0 }));
  send(new Uint8Array([9]));
  await kit.clock.advance(50);
  const counters = subscriber.counters();
  assert.equal(counters.net_channel_peer_auth_rejections_total, 1);
  assert.equal(counters.net_channel_drop_ack_unknown_total, 1);
  assert.equal(counters.net_channel_drop_membership_unknown_kind_total, 1);
  assert.equal(counters.net_channel_acks_accepted_total, 0);
  kit.mesh.network.filter = undefined;
});

Deno.test("ChannelService enforces the channel's rate with one second's burst", async () => {
  const { kit, publisher } = await star(0);
  using _ = kit;
  await publisher.channels.create(createChannelConfig("room/a", { ratePerSecond: 10 }));
  const many = Array.from({ length: 25 }, () => event("x"));
  const report = await publisher.channels.publish("room/a", many);
  assert.deepEqual([report.events, report.refused], [10, 15]);
  await assert.rejects(
    publisher.channels.publish("room/a", [event("x")]),
    (error: unknown) =>
      error instanceof NetError && error.code === "limit" && error.data?.retry_after_ms === 100,
  );
  await kit.clock.advance(100);
  assert.equal((await publisher.channels.publish("room/a", [event("x")])).events, 1);
  assert.equal(publisher.counters().net_channel_events_refused_rate_total, 16);
});

Deno.test("ChannelService sees subnets again at every publish", async () => {
  let isVisible = true;
  const { kit, publisher, others: [subscriber] } = await star(1, { isVisible: () => isVisible });
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a", { visibility: "subnet-local" }));
  subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  assert.equal((await publisher.channels.publish("room/a", [event("x")])).attempted, 1);
  isVisible = false;
  assert.equal((await publisher.channels.publish("room/a", [event("x")])).attempted, 0);
  assert.equal(publisher.channels.publisher.subscribers.roster.size, 0);
});

Deno.test("ChannelService lets subscribers ask again when the rules change", async () => {
  const { kit, publisher, others: [subscriber] } = await star(1);
  using _ = kit;
  assert.ok(subscriber);
  await publisher.channels.create(createChannelConfig("room/a"));
  const subscription = subscriber.channels.subscribe("room/a");
  await kit.clock.advance(100);
  await publisher.channels.publish("room/a", [event("plain")]);
  await kit.clock.advance(100);
  await publisher.channels.create(createChannelConfig("room/a", { isReliable: true }));
  await kit.clock.advance(2_000);
  await publisher.channels.publish("room/a", [event("reliable")]);
  await kit.clock.advance(100);
  assert.deepEqual(textsOf(subscription), ["plain", "reliable"]);
  await publisher.channels.create(createChannelConfig("room/a", { subscribeTags: ["gpu"] }));
  await kit.clock.advance(2_000);
  assert.equal((await publisher.channels.publish("room/a", [event("x")])).attempted, 0);
  assert.ok(await publisher.channels.remove("room/a"));
  assert.ok(!await publisher.channels.remove("room/a"));
});

Deno.test("ChannelService keeps channels over a restart, and refuses two groups of one channel", async () => {
  using kit = new ChannelKit();
  const configs: ChannelConfig[] = [];
  const first = await kit.node(1, { memory: memoryOf(configs) });
  await first.channels.create(createChannelConfig("room/a", { priority: 5 }));
  await first.channels.create(createPrefixConfig("logs/"));
  await first.channels.remove("logs/");
  await first.channels.stop();
  const second = await kit.node(2, { memory: memoryOf(configs) });
  assert.deepEqual(
    second.channels.channels().map(({ config: { name, priority }, isKept }) => [
      name,
      priority,
      isKept,
    ]),
    [["room/a", 5, true]],
  );
  second.channels.subscribe("x", { queueGroup: "g" });
  assert.throws(
    () => second.channels.subscribe("x"),
    (error: unknown) => error instanceof NetError && error.code === "conflict",
  );
  assert.throws(() => second.channels.subscribe("x", { queueGroup: "" }), NetError);
});

Deno.test("ChannelService names both ends of a chat on one channel", async () => {
  const { kit, publisher: alice, others: [bob] } = await star(1);
  using _ = kit;
  assert.ok(bob);
  for (const { channels } of [alice, bob]) {
    await channels.create(createChannelConfig("chat", { isReliable: true }));
  }
  const heardByAlice = alice.channels.subscribe("chat");
  const heardByBob = bob.channels.subscribe("chat");
  await kit.clock.advance(200);
  await alice.channels.publish("chat", [event("hi bob")]);
  await bob.channels.publish("chat", [event("hi alice")]);
  await kit.clock.advance(200);
  assert.deepEqual(textsOf(heardByAlice).sort(), ["hi alice", "hi bob"]);
  assert.deepEqual(textsOf(heardByBob).sort(), ["hi alice", "hi bob"]);
});
