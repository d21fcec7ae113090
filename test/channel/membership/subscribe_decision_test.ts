import assert from "node:assert/strict";
import {
  AckReason,
  type ChainQuestion,
  type ChannelOptions,
  ChannelRegistry,
  createChannelConfig,
  createPrefixConfig,
  decideSubscribe,
  queueGroupHash,
  requireChannelId,
  type SubscribeFacts,
} from "../../../src/channel/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { idToHex } from "../../../src/base/mod.ts";

const peer = createIdentity(new Uint8Array(32).fill(9));
const root = createIdentity(new Uint8Array(32).fill(1)).entityId;
const CHAIN = new Uint8Array([1]);

/** A peer that passes every test of a channel with these options. */
function setUp(options: ChannelOptions = {}, more: Partial<SubscribeFacts<string>> = {}) {
  const registry = new ChannelRegistry();
  registry.set(createChannelConfig("room/a", options));
  registry.set(createPrefixConfig("own/", { bindsOrigin: true }));
  const asked: ChainQuestion[] = [];
  const facts: SubscribeFacts<string> = {
    isThrottled: false,
    isSubscribed: false,
    channels: 0,
    channelsMax: 10,
    registry,
    unregistered: "warn",
    isVisible: () => true,
    entityId: peer.entityId,
    originHash: peer.originHash,
    hasTokens: true,
    tags: ["gpu", "x"],
    verifyChain: (chain, question) => {
      asked.push(question);
      return chain.length > 0 ? "proven" : undefined;
    },
    ...more,
  };
  const decide = (name = "room/a", chain = CHAIN, queueGroup?: string) =>
    decideSubscribe({ channel: requireChannelId(name), chain, queueGroup }, facts);
  return { decide, asked };
}

const refusalOf = (decision: ReturnType<ReturnType<typeof setUp>["decide"]>) =>
  decision.isAccepted ? "accepted" : `${decision.refusal} ${decision.reason}`;

Deno.test("decideSubscribe() accepts everybody on an open channel", () => {
  const { decide, asked } = setUp({}, { entityId: undefined, tags: undefined });
  assert.equal(refusalOf(decide()), "accepted");
  assert.equal(refusalOf(decide("room/a", new Uint8Array(0), "workers")), "accepted");
  assert.deepEqual(asked, []);
});

Deno.test("decideSubscribe() gives each refusal its reason", () => {
  const none = new Uint8Array(0);
  const rows: readonly [string, ChannelOptions, Partial<SubscribeFacts<string>>, string?][] = [
    ["throttled 3", {}, { isThrottled: true }],
    ["too_many_channels 4", {}, { channels: 10 }],
    ["unregistered 1", {}, { registry: undefined, unregistered: "deny" }],
    ["unknown_channel 2", {}, {}, "room/b"],
    ["subnet 1", {}, { isVisible: () => false }],
    ["origin 1", {}, {}, "own/0000000000000000"],
    ["no_tokens 1", { requiresToken: true }, { hasTokens: false }],
    ["identity 1", { requiresToken: true }, { entityId: undefined }],
    ["tags 1", { subscribeTags: ["gpu", "y"] }, {}],
    ["tags 1", { subscribeTags: ["gpu"] }, { tags: undefined }],
    ["chain 1", { tokenRoots: [root] }, { verifyChain: () => undefined }],
  ];
  for (const [expected, options, facts, name] of rows) {
    assert.equal(refusalOf(setUp(options, facts).decide(name)), expected);
  }
  assert.equal(refusalOf(setUp({ tokenRoots: [root] }).decide("room/a", none)), "chain 1");
  assert.equal(AckReason.Unauthorized, 1);
});

Deno.test("decideSubscribe() tests in the order of the specification", () => {
  // Everything is wrong at once; each test that is mended lets the next one show.
  const options = { requiresToken: true, subscribeTags: ["none"], queueGroups: "deny" } as const;
  const mended: [string, Partial<SubscribeFacts<string>>][] = [
    ["throttled 3", { isThrottled: false }],
    ["too_many_channels 4", { channels: 0 }],
    ["subnet 1", { isVisible: () => true }],
    ["no_tokens 1", { hasTokens: true }],
    ["identity 1", { entityId: peer.entityId }],
    ["queue_group 1", {}],
  ];
  let facts: Partial<SubscribeFacts<string>> = {
    isThrottled: true,
    channels: 10,
    isVisible: () => false,
    hasTokens: false,
    entityId: undefined,
    tags: [],
    verifyChain: () => undefined,
  };
  for (const [expected, mend] of mended) {
    assert.equal(refusalOf(setUp(options, facts).decide("room/a", CHAIN, "g")), expected);
    facts = { ...facts, ...mend };
  }
  assert.equal(refusalOf(setUp(options, facts).decide()), "tags 1");
  assert.equal(refusalOf(setUp(options, { ...facts, tags: ["none"] }).decide()), "chain 1");
});

Deno.test("decideSubscribe() lets who is subscribed renew with all its places taken", () => {
  const { decide } = setUp({}, { channels: 10, isSubscribed: true });
  assert.equal(refusalOf(decide()), "accepted");
});

Deno.test("decideSubscribe() binds a name to the origin of its subscriber", () => {
  const own = `own/${idToHex(peer.originHash)}`;
  assert.equal(refusalOf(setUp().decide(own)), "accepted");
  assert.equal(refusalOf(setUp().decide(`${own}0`)), "origin 1");
  assert.equal(refusalOf(setUp({}, { originHash: undefined }).decide(own)), "origin 1");
});

Deno.test("decideSubscribe() follows the policy for queue groups", () => {
  const denied = setUp({ queueGroups: "deny" });
  assert.equal(refusalOf(denied.decide()), "accepted");
  assert.equal(refusalOf(denied.decide("room/a", CHAIN, "g")), "queue_group 1");
  const bound = setUp({ queueGroups: "token-bound", tokenRoots: [root] });
  assert.equal(refusalOf(bound.decide("room/a", new Uint8Array(0), "g")), "queue_group 1");
  assert.equal(refusalOf(bound.decide("room/a", CHAIN, "g")), "accepted");
  assert.equal(refusalOf(bound.decide()), "accepted");
  assert.deepEqual(bound.asked.map(({ hash }) => hash), [
    queueGroupHash("room/a", "g"),
    requireChannelId("room/a").hash,
  ]);
});

Deno.test("decideSubscribe() asks the chain to prove the presenter before the channel's roots", () => {
  const { decide, asked } = setUp({ tokenRoots: [root] });
  const decision = decide();
  assert.ok(decision.isAccepted);
  assert.equal(decision.standing, "proven");
  assert.deepEqual(asked[0]?.presenter, peer.entityId);
  assert.deepEqual(asked[0]?.roots, [root]);
});

Deno.test("decideSubscribe() without a registry follows the policy for that", () => {
  for (const unregistered of ["warn", "allow"] as const) {
    const decision = setUp({}, { registry: undefined, unregistered }).decide("any/name");
    assert.ok(decision.isAccepted && decision.config === undefined);
  }
});
