/** RETRY: what a node does with more first messages than it has time for (`sealed.md` 5). */
import assert from "node:assert/strict";
import {
  HANDSHAKES_PER_SOURCE_PER_SECOND,
  RETRIED_HANDSHAKES_PER_SECOND,
  RETRIES_PER_ADDRESS_PER_SECOND,
  RETRIES_PER_SECOND,
} from "../../../src/core/transport/limits.ts";
import { AddressQuota } from "../../../src/core/transport/handshake/address_quota.ts";
import { blockOf, nodeIdBytes, Rogue, rogueMessage1 } from "./rogue.ts";
import { SealedNet } from "./sealed_net.ts";

/** First messages that fail, as many as it takes to use up what one host may ask of a node. */
function flood(net: SealedNet, to: ReturnType<SealedNet["node"]>, host: string, ports = 100): void {
  const { datagram } = rogueMessage1(to, { nodeId: 77n, block: blockOf(to) });
  datagram[datagram.length - 1] = 0;
  for (let port = 0; port < ports; port++) {
    net.network.inject(datagram, { host, port: 20_000 + port }, to.address);
  }
}

Deno.test("an honest initiator gets in by token while its own host floods", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  flood(net, b, a.address.host);
  const dialled = a.transport.dial(net.target(b), 2_000);
  await net.clock.advance(100);
  await dialled;
  assert.ok(b.transport.peer(a.nodeId)?.isSealed);
  assert.equal(a.transport.counters.retries_followed_total, 1);
  assert.equal(b.transport.counters.handshakes_retried_total, 1);
  assert.deepEqual(await net.send(a, b, 3), [0, 1, 2]);
});

Deno.test("a flood never uses up the share of those with a token, nor costs more than its own", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const until = net.clock.now() + 3_000;
  while (net.clock.now() < until) {
    flood(net, b, a.address.host, 1_000);
    await net.clock.advance(100);
  }
  const { counters } = b.transport;
  // The first second's worth and three more.
  assert.ok(counters.drop_handshake_refused_total <= 4 * HANDSHAKES_PER_SOURCE_PER_SECOND);
  assert.ok(counters.retries_sent_total <= 4 * RETRIES_PER_SECOND);
  flood(net, b, a.address.host, 1_000);
  const dialled = a.transport.dial(net.target(b), 2_000);
  await net.clock.advance(100);
  await dialled;
});

Deno.test("a RETRY is smaller than a quarter of what it answers, and rare for one address", async () => {
  using net = new SealedNet();
  const b = net.node(2);
  const rogue = new Rogue(net.network, "10.0.0.66");
  flood(net, b, rogue.address.host);
  await net.clock.advance(10);
  const { datagram } = rogueMessage1(b, { nodeId: 77n, block: blockOf(b) });
  for (let i = 0; i < 50; i++) rogue.send(datagram, b);
  await net.clock.advance(10);
  assert.equal(rogue.received.length, RETRIES_PER_ADDRESS_PER_SECOND);
  for (const bytes of rogue.received) assert.equal(bytes.length, 43);
  assert.ok(43 * 4 < datagram.length);
});

Deno.test("first messages that do not offer sealing are only dropped", async () => {
  using net = new SealedNet();
  const b = net.node(2);
  const rogue = new Rogue(net.network, "10.0.0.66");
  flood(net, b, rogue.address.host);
  await net.clock.advance(10);
  rogue.send(rogueMessage1(b, { nodeId: 77n }).datagram, b);
  await net.clock.advance(10);
  assert.deepEqual(rogue.received, []);
  assert.ok(b.transport.counters.drop_handshake_rate_total > 0);
});

Deno.test("a token is good for one address and one first message", async () => {
  using net = new SealedNet();
  const b = net.node(2);
  const rogue = new Rogue(net.network, "10.0.0.66");
  const other = new Rogue(net.network, "10.0.0.67");
  const first = rogueMessage1(b, { nodeId: 77n, block: blockOf(b) }).datagram;
  flood(net, b, rogue.address.host);
  await net.clock.advance(10);
  rogue.send(first, b);
  await net.clock.advance(10);
  const retry = rogue.received[0] ?? assert.fail("no RETRY came");
  const behindToken = (datagram: Uint8Array) =>
    Uint8Array.of(0x4e, 0x53, 2, ...retry.subarray(11), ...datagram);
  const second = rogueMessage1(b, { nodeId: 77n, block: blockOf(b) }).datagram;
  const { counters } = b.transport;
  rogue.send(behindToken(second), b);
  other.send(behindToken(first), b);
  await net.clock.advance(10);
  assert.equal(counters.drop_token_total, 2);
  assert.equal(counters.handshakes_retried_total, 0);
  rogue.send(behindToken(first), b);
  await net.clock.advance(10);
  assert.equal(counters.handshakes_retried_total, 1);
  // What it carries must be a routed handshake packet to this very node that nobody relayed.
  const relayed = first.slice();
  relayed[3] = 1;
  const elsewhere = first.slice();
  elsewhere[10] = (elsewhere[10] ?? 0) ^ 1;
  await net.clock.advance(1_000);
  const noHandshake = first.slice();
  noHandshake[18 + 3] = 0;
  for (const bad of [relayed, elsewhere, noHandshake]) rogue.send(behindToken(bad), b);
  await net.clock.advance(10);
  assert.equal(counters.drop_sealed_datagram_total, 3);
});

Deno.test("an attempt follows a RETRY twice at most, and none that is not its own", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  let first: Uint8Array | undefined;
  const repeated: Uint8Array[] = [];
  net.network.filter = (bytes, from) => {
    if (from.host !== a.address.host) return true;
    if (bytes[0] === 0x52) first = bytes.slice();
    else repeated.push(bytes.slice());
    return false;
  };
  const dialled = a.transport.dial(net.target(b), 1_000);
  const ephemeral = first?.slice(18 + 68, 18 + 68 + 8) ?? assert.fail();
  const retry = (start: Uint8Array, token: number) =>
    Uint8Array.of(0x4e, 0x53, 1, ...start, ...new Uint8Array(32).fill(token));
  net.network.inject(retry(new Uint8Array(8), 1), b.address, a.address);
  net.network.inject(retry(ephemeral, 1), { host: "10.0.0.66", port: 1 }, a.address);
  for (let i = 2; i < 7; i++) net.network.inject(retry(ephemeral, i), b.address, a.address);
  await Promise.all([assert.rejects(dialled, { code: "timeout" }), net.clock.advance(1_000)]);
  assert.deepEqual(repeated.map((bytes) => bytes[3]), [2, 3]);
  for (const bytes of repeated) assert.deepEqual(bytes.subarray(35), first);
  assert.equal(a.transport.counters.drop_sealed_datagram_total, 5);
  // When the attempt is over, so is its right to be repeated.
  net.network.inject(retry(ephemeral, 9), b.address, a.address);
  await net.clock.advance(10);
  assert.equal(repeated.length, 2);
});

Deno.test("this node's own attempts go on while somebody floods it", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const dialled = a.transport.dial(net.target(b), 2_000);
  // From the host that is dialled, and in its name.
  const { datagram } = rogueMessage1(a, { nodeId: b.nodeId, block: blockOf(b) });
  datagram[datagram.length - 1] = 0;
  for (let port = 0; port < 1_000; port++) {
    net.network.inject(datagram, { host: b.address.host, port: 20_000 + port }, a.address);
  }
  await net.clock.advance(100);
  await dialled;
});

Deno.test("handshakes that a peer relays have a share of their own", async () => {
  using net = new SealedNet();
  const [a, relay, b] = [net.node(1), net.node(2), net.node(3)];
  await net.dial(a, relay);
  await net.dial(relay, b);
  flood(net, b, relay.address.host);
  const dialled = a.transport.dial(net.target(b, relay), 2_000);
  await net.clock.advance(100);
  await dialled;
  assert.ok(b.transport.peer(a.nodeId)?.isRelayed);
});

Deno.test("many initiators that join at once all get in", async () => {
  using net = new SealedNet();
  const hub = net.node(250);
  const host = "10.0.9.9";
  const nodes = Array.from({ length: 60 }, (_, i) => {
    const node = net.node(i + 1);
    node.socket.move(host, 5_000 + i);
    return node;
  });
  const dials = nodes.map((node) => node.transport.dial(net.target(hub), 2_000));
  await net.clock.advance(1_000);
  await Promise.all(dials);
  assert.equal(hub.transport.connectedPeers().length, 60);
  assert.ok(hub.transport.counters.handshakes_retried_total <= RETRIED_HANDSHAKES_PER_SECOND);
  assert.equal(
    hub.transport.counters.handshakes_retried_total,
    60 - HANDSHAKES_PER_SOURCE_PER_SECOND,
  );
});

Deno.test("a peer of a lost session is told so while strangers flood with packets of none", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  await net.dial(a, b);
  net.crash(b);
  const again = net.node(2);
  const stray = new Uint8Array(84);
  stray.set([0x45, 0x4e, 1, 0x20]);
  stray[24] = 1;
  for (let port = 0; port < 3_000; port++) {
    net.network.inject(stray, { host: "10.0.0.66", port: port % 1_000 }, again.address);
  }
  await net.clock.advance(5);
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(1));
  await net.clock.advance(10);
  assert.equal(a.transport.counters.resets_received_total, 1);
  assert.ok(again.transport.counters.resets_sent_total <= 1_001);
});

Deno.test("AddressQuota.take() counts each address for itself, and begins anew each second", () => {
  const quota = new AddressQuota(3, 1);
  const [one, other] = [{ host: "10.0.0.1", port: 1 }, { host: "10.0.0.1", port: 2 }];
  const taken = (address: typeof one, now: number) =>
    Array.from({ length: 5 }, () => quota.take(address, now)).filter(Boolean).length;
  assert.equal(taken(one, 0), 3);
  assert.equal(taken(one, 999), 0);
  assert.equal(taken(other, 999), 3);
  assert.equal(taken(one, 1_000), 3);
});

Deno.test("AddressQuota lets few addresses suffer from a thousand busy ones", () => {
  const quota = new AddressQuota(1, 12_345);
  for (let port = 0; port < 1_000; port++) quota.take({ host: "127.0.0.1", port }, 0);
  let refused = 0;
  for (let port = 30_000; port < 31_000; port++) {
    if (!quota.take({ host: "127.0.0.1", port }, 0)) refused += 1;
  }
  assert.ok(refused < 10, `${refused} of 1,000 were refused`);
});

Deno.test("a first message too short for its token is refused, not a fault", async () => {
  using net = new SealedNet();
  const b = net.node(2);
  const rogue = new Rogue(net.network, "10.0.0.66");
  const { datagram } = rogueMessage1(b, { nodeId: 77n, payload: nodeIdBytes(77n) });
  // Its header says that 3 bytes of the message are valid.
  new DataView(datagram.buffer).setUint16(18 + 64, 3, true);
  rogue.send(Uint8Array.of(0x4e, 0x53, 2, ...new Uint8Array(32), ...datagram), b);
  await net.clock.advance(10);
  assert.equal(b.transport.counters.rx_failures_total, 0);
  assert.equal(b.transport.counters.drop_token_total, 1);
});
