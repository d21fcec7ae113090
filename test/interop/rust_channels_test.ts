/** Channels between us and the live Rust core, in both directions. */
import assert from "node:assert/strict";
import { idToHex, joinHalves, utf8 } from "../../src/base/mod.ts";
import {
  AckReason,
  createChannelConfig,
  createPrefixConfig,
  encodeToken,
  encodeTokenChain,
  requireChannelId,
} from "../../src/channel/mod.ts";
import {
  PacketHeader,
  PacketReject,
  readHeader,
  validatePacket,
} from "../../src/core/transport/wire/header.ts";
import { ROUTING_HEADER_BYTES } from "../../src/core/transport/wire/routing_header.ts";
import type { PublisherStatus } from "../../src/services/mod.ts";
import { isFolder, readVectorFile, vectorFolder } from "../vectors/folder.ts";
import {
  booleanOf,
  listOf,
  objectOf,
  parseVectors,
  textOf,
  type VectorObject,
} from "../vectors/vector_reader.ts";
import {
  buildChain,
  buildGoodChain,
  buildMalformed,
  CHAIN_CHANNEL,
  CHAIN_OWNER,
  CHAIN_PRESENTER_SEED,
} from "../vectors/suites/_token_chains.ts";
import { type ChannelingNode, nextTexts, startChannelNode } from "./channel_node.ts";
import type { ChannelOperations } from "./channel_peer_process.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { everyNth, startLossyProxy } from "./lossy_proxy.ts";
import { askToSubscribe } from "./membership_asking.ts";
import { dialNode, eventually, startMeshNode, untilConnected } from "./mesh_node.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";
import { PSK } from "../services/capabilities/capability_kit.ts";

type Peer = LineProcess<ChannelOperations>;

/** "R" of "RT". */
const ROUTED_FIRST_BYTE = 0x52;

const startPeer = (): Peer =>
  startLineProcess<ChannelOperations>(new URL("./channel_peer_process.ts", import.meta.url), {
    name: "Rust channels",
  });

async function startRust(peer: Peer, seed?: Uint8Array): Promise<RustNodeInfo> {
  const times = { heartbeatIntervalMs: 200, sessionTimeoutMs: 2_000 };
  const rust = await peer.call("create", { psk: PSK, seed, ...times });
  await peer.call("start", { node: rust.node });
  return rust;
}

/** Waits until the core has taken in what a node of ours announced; then it knows who that is. */
async function untilKnown(peer: Peer, rust: RustNodeInfo, nodeId: bigint): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const found = await peer.call("findNodes", { node: rust.node, tag: "net.sealed@1" });
    if (found.includes(nodeId)) return;
    assert.ok(performance.now() < deadlineMs, "the core does not know us");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Texts of the events the core received. */
async function received(peer: Peer, rust: RustNodeInfo, count: number): Promise<string[]> {
  const deadlineMs = performance.now() + 20_000;
  const texts: string[] = [];
  while (texts.length < count && performance.now() < deadlineMs) {
    const events = await peer.call("poll", { node: rust.node, limit: 4_096 });
    texts.push(...events.map(({ bytes }) => new TextDecoder().decode(bytes)));
    if (texts.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return texts;
}

const numbered = (count: number, word = "event") =>
  Array.from({ length: count }, (_, i) => `${word} ${i}`);

/** Waits for what the publisher says first. */
function firstStatus(subscription: ReturnType<ChannelingNode["channels"]["subscribe"]>) {
  return new Promise<PublisherStatus>((resolve) => void subscription.onStatus.on(resolve));
}

rustPeerTest("we subscribe at the core, once and in a group, and unsubscribe", async (t) => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await using ours = await startChannelNode();
  await ours.connect(rust);
  for (const [name, isReliable] of [["room/a", false], ["room/b", true]] as const) {
    await t.step(`${isReliable ? "reliable" : "unreliable"} events arrive`, async () => {
      await peer.call("registerChannel", { node: rust.node, name, isReliable });
      const subscription = ours.channels.subscribe(name, { from: [rust.nodeId] });
      assert.equal((await firstStatus(subscription)).state, "active");
      const texts = numbered(50);
      for (const text of texts) {
        const event = utf8(text);
        const report = await peer.call("publish", { node: rust.node, name, event, isReliable });
        assert.deepEqual(report, { attempted: 1, delivered: 1, errors: [] });
      }
      assert.deepEqual(await nextTexts(subscription, 50), texts);
      subscription.close();
      const deadlineMs = performance.now() + 5_000;
      for (;;) {
        const event = utf8("nobody");
        const report = await peer.call("publish", { node: rust.node, name, event, isReliable });
        assert.ok(typeof report === "object");
        if (report.attempted === 0) break;
        assert.ok(performance.now() < deadlineMs, "the core still sends to us");
      }
    });
  }
  await t.step("subscribing again goes on where the stream was left", async () => {
    const subscription = ours.channels.subscribe("room/b", { from: [rust.nodeId] });
    assert.equal((await firstStatus(subscription)).state, "active");
    const event = utf8("again");
    await peer.call("publish", { node: rust.node, name: "room/b", event, isReliable: true });
    assert.deepEqual(await nextTexts(subscription, 1), ["again"]);
    subscription.close();
  });
  await t.step("a channel the core does not know", async () => {
    const subscription = ours.channels.subscribe("nowhere", { from: [rust.nodeId] });
    const { state, reason } = await firstStatus(subscription);
    assert.deepEqual([state, reason], ["refused", AckReason.UnknownChannel]);
    subscription.close();
  });
});

rustPeerTest("members of a queue group share the core's events", async () => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await peer.call("registerChannel", { node: rust.node, name: "jobs" });
  await using first = await startChannelNode();
  await using second = await startChannelNode();
  const nodes = [first, second];
  for (const node of nodes) await node.connect(rust);
  const subscriptions = nodes.map(({ channels }) =>
    channels.subscribe("jobs", { from: [rust.nodeId], queueGroup: "workers" })
  );
  const statuses = await Promise.all(subscriptions.map(firstStatus));
  assert.deepEqual(statuses.map(({ state }) => state), ["active", "active"]);
  const texts = numbered(20, "job");
  for (const text of texts) {
    await peer.call("publish", { node: rust.node, name: "jobs", event: utf8(text) });
  }
  const got = await Promise.all(subscriptions.map((subscription) => nextTexts(subscription, 10)));
  assert.deepEqual(got.map(({ length }) => length), [10, 10]);
  assert.deepEqual(got.flat().sort(), texts.sort());
});

rustPeerTest("the core subscribes at ours, and unsubscribes", async (t) => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await using ours = await startChannelNode();
  await ours.connect(rust);
  const publisher = ours.nodeId;
  for (const [name, isReliable] of [["room/a", false], ["room/b", true]] as const) {
    await t.step(`${isReliable ? "reliable" : "unreliable"} events arrive`, async () => {
      await ours.channels.create(createChannelConfig(name, { isReliable, priority: 3 }));
      assert.equal(await peer.call("subscribe", { node: rust.node, publisher, name }), true);
      const texts = numbered(300);
      for (let at = 0; at < texts.length; at += 10) {
        const events = texts.slice(at, at + 10).map(utf8);
        const report = await ours.channels.publish(name, events);
        assert.deepEqual([report.delivered, report.errors], [10, []]);
      }
      assert.deepEqual((await received(peer, rust, 300)).sort(), [...texts].sort());
      assert.equal(await peer.call("unsubscribe", { node: rust.node, publisher, name }), true);
      assert.equal((await ours.channels.publish(name, [utf8("x")])).attempted, 0);
      // Once more: the stream goes on with its numbers.
      assert.equal(await peer.call("subscribe", { node: rust.node, publisher, name }), true);
      await ours.channels.publish(name, [utf8("again")]);
      assert.deepEqual(await received(peer, rust, 1), ["again"]);
    });
  }
  await t.step("a channel we do not know, and one that is bound to its subscriber", async () => {
    const ask = (name: string) => peer.call("subscribe", { node: rust.node, publisher, name });
    assert.equal(await ask("nowhere"), "channel: unknown channel");
    await ours.channels.create(createPrefixConfig("own/", { bindsOrigin: true }));
    // The core announces nothing by itself; until it does nobody knows who it is.
    const origin = ours.capable.capabilities.originHashOf(rust.nodeId);
    assert.equal(origin, undefined);
    assert.equal(await ask("own/0000000000000000"), "channel: unauthorized");
    await peer.call("announce", { node: rust.node, capabilities: { tags: ["x"] } });
    const known = () => ours.capable.capabilities.originHashOf(rust.nodeId);
    await eventually("it announced itself", () => known() !== undefined);
    assert.equal(await ask(`own/${idToHex(known() ?? 0n)}`), true);
    assert.equal(await ask("own/0000000000000000"), "channel: unauthorized");
  });
});

rustPeerTest(
  "on a network that loses ours repeats for the core, and the core's are not waited for",
  async () => {
    await using peer = startPeer();
    const rust = await startRust(peer);
    await peer.call("registerChannel", { node: rust.node, name: "room/a", isReliable: true });
    await using ours = await startChannelNode();
    await ours.channels.create(createChannelConfig("room/b", { isReliable: true }));
    using proxy = startLossyProxy(rust.address);
    await ours.connect({ ...rust, address: proxy.address });
    const subscription = ours.channels.subscribe("room/a", { from: [rust.nodeId] });
    await firstStatus(subscription);
    const asked = { node: rust.node, publisher: ours.nodeId, name: "room/b" };
    assert.equal(await peer.call("subscribe", asked), true);
    proxy.lose(everyNth(9));
    const texts = numbered(100);
    for (const text of texts) {
      const event = utf8(text);
      await peer.call("publish", { node: rust.node, name: "room/a", event, isReliable: true });
      assert.equal((await ours.channels.publish("room/b", [event])).delivered, 1);
    }
    // The core flags its packets as reliable, and repeats none of them.
    const came = await nextTexts(subscription, 75);
    assert.deepEqual(came, texts.filter((text) => came.includes(text)));
    assert.equal(ours.capable.mesh.transport.counters.streams_reset_total, 0);
    // Of ours all arrive; the core hands copies on as well.
    const got = new Set<string>();
    const deadlineMs = performance.now() + 20_000;
    while (got.size < 100 && performance.now() < deadlineMs) {
      for (const text of await received(peer, rust, 1)) got.add(text);
    }
    assert.deepEqual([...got].sort(), [...texts].sort());
  },
);

rustPeerTest("the core binds reply channels to our origin", async () => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await peer.call("serveEcho", { node: rust.node, service: "echo" });
  await using ours = await startChannelNode();
  await ours.connect(rust);
  await untilKnown(peer, rust, ours.nodeId);
  const { originHash } = ours.keys.identity;
  const ask = async (origin: bigint) => {
    const name = `echo.replies.${idToHex(origin)}`;
    const subscription = ours.channels.subscribe(name, { from: [rust.nodeId] });
    const { state, reason } = await firstStatus(subscription);
    subscription.close();
    return state === "active" ? 0 : reason;
  };
  assert.equal(await ask(originHash), AckReason.Ok);
  assert.equal(await ask(originHash ^ 1n), AckReason.Unauthorized);
});

rustPeerTest("publishes of both say the same in their headers", async () => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await peer.call("registerChannel", { node: rust.node, name: "room/a" });
  await using ours = await startChannelNode();
  await ours.channels.create(createChannelConfig("room/a"));
  const headers: PacketHeader[] = [];
  using proxy = startLossyProxy(rust.address);
  proxy.lose((_, datagram) => {
    const header = eventHeader(datagram);
    if (header !== undefined) headers.push(header);
    return false;
  });
  await ours.connect({ ...rust, address: proxy.address });
  await peer.call("announce", { node: rust.node, capabilities: { tags: ["x"] } });
  const subscription = ours.channels.subscribe("room/a", { from: [rust.nodeId] });
  await firstStatus(subscription);
  await peer.call("publish", { node: rust.node, name: "room/a", event: utf8("theirs") });
  assert.deepEqual(await nextTexts(subscription, 1), ["theirs"]);
  const asked = { node: rust.node, publisher: ours.nodeId, name: "room/a" };
  assert.equal(await peer.call("subscribe", asked), true);
  await ours.channels.publish("room/a", [utf8("ours")]);
  assert.deepEqual(await received(peer, rust, 1), ["ours"]);
  const id = requireChannelId("room/a");
  const { capabilities } = ours.capable;
  await eventually("it announced", () => capabilities.originHashOf(rust.nodeId) !== undefined);
  const origins = [capabilities.originHashOf(rust.nodeId), ours.keys.identity.originHash];
  assert.deepEqual(
    headers.map((header) => ({
      stream: joinHalves(header.streamLow, header.streamHigh),
      hash: header.channelHash,
      origin: joinHalves(header.originLow, header.originHigh),
      flags: header.flags,
    })),
    origins.map((origin) => ({ stream: id.streamId, hash: id.wireHash, origin, flags: 0 })),
  );
});

const CASES = readCases();

rustPeerTest("the core and we accept and refuse the same chains", async (t) => {
  if (CASES === undefined) return console.log("ignored: there are no vectors");
  await using peer = startPeer();
  const rust = await startRust(peer);
  const tokenRoots = [CHAIN_OWNER.entityId];
  await peer.call("registerChannel", { node: rust.node, name: CHAIN_CHANNEL, tokenRoots });
  await using ours = await startChannelNode();
  await ours.channels.create(createChannelConfig(CHAIN_CHANNEL, { tokenRoots }));
  await using presenter = startMeshNode({ psk: PSK, seed: CHAIN_PRESENTER_SEED });
  await dialNode(presenter, rust, "routed");
  const { host, port } = ours.capable.mesh.transport.localAddress;
  const { nodeId, keys } = ours;
  const address = `${host}:${port}`;
  await dialNode(presenter, { nodeId, address, publicKey: keys.noise.publicKey }, "routed");
  await untilConnected(presenter, rust.nodeId, nodeId);
  presenter.announce(rust.nodeId, ["net.sealed@1"]);
  await untilKnown(peer, rust, presenter.nodeId);
  const ask = async (publisher: bigint, chain: Uint8Array) => {
    const asking = { name: CHAIN_CHANNEL, chain };
    const reason = await askToSubscribe(presenter.transport, publisher, asking);
    // One that is accepted clears the count of those that were not.
    const good = { name: CHAIN_CHANNEL, chain: buildGoodChain(now()) };
    assert.equal(await askToSubscribe(presenter.transport, publisher, good), AckReason.Ok);
    return reason;
  };
  for (const { vector, isMalformed } of CASES) {
    await t.step(textOf(vector, "name"), async () => {
      const chain = isMalformed
        ? buildMalformed(vector, now())
        : encodeTokenChain(buildChain(vector, now()));
      const expected = booleanOf(vector, "accepted") ? AckReason.Ok : AckReason.Unauthorized;
      assert.equal(await ask(rust.nodeId, chain), expected, "the core");
      assert.equal(await ask(nodeId, chain), expected, "we");
    });
  }
});

rustPeerTest("the core presents its tokens to us, and is refused as it refuses", async (t) => {
  if (CASES === undefined) return console.log("ignored: there are no vectors");
  await using peer = startPeer();
  const rust = await startRust(peer, CHAIN_PRESENTER_SEED);
  await using ours = await startChannelNode();
  const tokenRoots = [CHAIN_OWNER.entityId];
  await ours.channels.create(createChannelConfig(CHAIN_CHANNEL, { tokenRoots }));
  await ours.connect(rust);
  await peer.call("announce", { node: rust.node, capabilities: { tags: ["presenter"] } });
  const { capabilities } = ours.capable;
  await eventually("it announced", () => capabilities.entityOf(rust.nodeId) !== undefined);
  const ask = (token?: Uint8Array) =>
    peer.call("subscribe", { node: rust.node, publisher: ours.nodeId, name: CHAIN_CHANNEL, token });
  assert.equal(await ask(), "channel: unauthorized");
  for (const { vector, isMalformed } of CASES) {
    if (isMalformed || listOf(vector, "links").length !== 1) continue;
    await t.step(textOf(vector, "name"), async () => {
      const [token] = buildChain(vector, now());
      assert.ok(token);
      const answer = await ask(encodeToken(token));
      // What it can see itself it does not even send.
      if (booleanOf(vector, "accepted")) assert.equal(answer, true);
      else assert.match(String(answer), /unauthorized|token/);
      await ask(buildGoodChain(now()).subarray(1));
    });
  }
  await t.step("what the chain let in gets events, until it is taken back", async () => {
    assert.equal(await ask(buildGoodChain(now()).subarray(1)), true);
    await ours.channels.create(
      createChannelConfig(CHAIN_CHANNEL, {
        tokenRoots: [CHAIN_OWNER.entityId, ours.keys.identity.entityId],
      }),
    );
    assert.equal(await ask(buildGoodChain(now()).subarray(1)), true);
    assert.equal((await ours.channels.publish(CHAIN_CHANNEL, [utf8("secret")])).delivered, 1);
    assert.deepEqual(await received(peer, rust, 1), ["secret"]);
    ours.revocations.revoke(CHAIN_OWNER.entityId);
    assert.equal((await ours.channels.publish(CHAIN_CHANNEL, [utf8("more")])).attempted, 0);
  });
});

rustPeerTest("both throttle after sixteen refusals, on open channels too", async () => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await peer.call("registerChannel", { node: rust.node, name: "room/a" });
  await using ours = await startChannelNode();
  await ours.channels.create(createChannelConfig("room/a"));
  await ours.connect(rust);
  const asRust = (name: string) =>
    peer.call("subscribe", { node: rust.node, publisher: ours.nodeId, name });
  for (let i = 0; i < 16; i++) assert.equal(await asRust("nowhere"), "channel: unknown channel");
  assert.equal(await asRust("room/a"), "channel: rate limited");
  await using asking = startMeshNode({ psk: PSK });
  await dialNode(asking, rust, "routed");
  await untilConnected(asking, rust.nodeId);
  const asUs = (name: string) => askToSubscribe(asking.transport, rust.nodeId, { name });
  for (let i = 0; i < 16; i++) assert.equal(await asUs("nowhere"), AckReason.UnknownChannel);
  assert.equal(await asUs("room/a"), AckReason.RateLimited);
});

interface ChainCase {
  readonly vector: VectorObject;
  readonly isMalformed: boolean;
}

/** Cases of the vectors; `undefined` without them. */
function readCases(): ChainCase[] | undefined {
  const folder = vectorFolder();
  const text = isFolder(folder)
    ? readVectorFile(folder, "identity/token_chain_verdicts.json")
    : undefined;
  if (text === undefined) return undefined;
  const document = objectOf(parseVectors(text), "the file");
  return [false, true].flatMap((isMalformed) =>
    listOf(document, isMalformed ? "malformed" : "cases").map((vector, index) => ({
      vector: objectOf(vector, String(index)),
      isMalformed,
    }))
  );
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** The header of an event packet; `undefined` for anything else. */
function eventHeader(datagram: Uint8Array): PacketHeader | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const at = datagram[0] === ROUTED_FIRST_BYTE ? ROUTING_HEADER_BYTES : 0;
  if (validatePacket(view, at, datagram.length - at) !== PacketReject.None) return undefined;
  const header = new PacketHeader();
  readHeader(view, at, header);
  const isOther = header.subprotocol !== 0 || (header.flags & 0x30) !== 0;
  return isOther ? undefined : header;
}
