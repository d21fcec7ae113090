import assert from "node:assert/strict";
import fc from "fast-check";
import { ConductTable } from "../../../../src/core/transport/peers/conduct.ts";
import { checkCounters } from "../../../../src/core/transport/mod.ts";
import { fanOut } from "../../../../src/core/transport/routing/fan_out.ts";
import { PINGWAVE_FAN_OUT } from "../../../../src/core/transport/mesh_limits.ts";
import type { Peer } from "../../../../src/core/transport/peers/peers.ts";
import {
  decodePingwave,
  encodePingwave,
  PINGWAVE_BYTES,
  type PingwaveFields,
} from "../../../../src/core/transport/wire/pingwave.ts";
import { Pingwaves } from "../../../../src/core/transport/routing/pingwaves.ts";
import { RateLimits } from "../../../../src/core/transport/peers/rate_limits.ts";
import { Routing } from "../../../../src/core/transport/routing/routing.ts";
import { addressOf, createSessionKit, TIMEOUT_MS } from "../session_kit.ts";

const SELF = 0x1234_5678_9abc_def0n;
const FAR = 0x7777_0000_0001n;

/** A node with so many neighbours, which have the ids 2, 3, … */
function create(count = 3) {
  const kit = createSessionKit();
  const { clock, counters, peers, context, sent } = kit;
  const conduct = new ConductTable(TIMEOUT_MS);
  const routing = new Routing({ peers, clock, conduct, flood: () => {} }, {
    nodeId: SELF,
    sessionTimeoutMs: TIMEOUT_MS,
  });
  const rates = new RateLimits(clock.now());
  const pingwaves = new Pingwaves(
    { clock, counters, sender: context.sender, routing, rates, conduct },
    SELF,
  );
  const template = kit.connect(2n);
  const neighbours: Peer[] = [];
  for (let i = 0; i < count; i++) {
    const nodeId = BigInt(2 + i);
    const address = addressOf(2 + i);
    const peer = peers.getOrCreate(nodeId, address, clock.now()) ?? assert.fail();
    // One session stands for all: these neighbours are only sent pingwaves.
    peer.session = template.session;
    peer.state = "connected";
    peers.setRoute(peer, { address, relayTo: undefined }, true);
    routing.onSession(peer);
    neighbours.push(peer);
  }
  const receive = (bytes: Uint8Array, from: Peer | undefined) => {
    sent.length = 0;
    counters.rx_datagrams_total += 1;
    counters.rx_pingwaves_total += 1;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    pingwaves.receive(bytes, view, 0, from, clock.now());
    return sent.map(({ host, port }) =>
      neighbours.findIndex(({ address }) => address.host === host && address.port === port)
    );
  };
  const hop = (nodeId: bigint) =>
    routing.nextHop(Number(nodeId & 0xffffffffn), Number(nodeId >> 32n), clock.now())?.nodeId;
  return { ...kit, routing, pingwaves, conduct, neighbours, receive, hop };
}

function pingwave(fields: Partial<PingwaveFields> = {}) {
  return encodePingwave({
    originId: FAR,
    sequence: 1n,
    ttl: 3,
    hopCount: 1,
    timestampUs: 0n,
    ...fields,
  });
}

Deno.test("Pingwaves.receive() passes on one hop further, to all but where it came from", () => {
  const { receive, neighbours, counters, hop } = create();
  const bytes = pingwave({ load: 3 });
  assert.deepEqual(receive(bytes, neighbours[0]), [1, 2]);
  const passed = decodePingwave(bytes);
  assert.deepEqual([passed?.ttl, passed?.hopCount, passed?.load], [2, 2, 3]);
  assert.equal(hop(FAR), neighbours[0]?.nodeId);
  assert.equal(counters.pingwaves_forwarded_total, 2);
});

Deno.test("Pingwaves.receive() passes a time-to-live of 1 on, and 0 not", () => {
  const { receive, neighbours, hop } = create();
  const last = pingwave({ ttl: 1 });
  assert.deepEqual(receive(last, neighbours[0]), [1, 2]);
  assert.equal(decodePingwave(last)?.ttl, 0);
  const spent = pingwave({ ttl: 0, sequence: 2n, originId: 9n });
  assert.deepEqual(receive(spent, neighbours[0]), []);
  assert.equal(hop(9n), neighbours[0]?.nodeId, "it is learned from all the same");
});

Deno.test("Pingwaves.receive() drops what is invalid, its own, or from no neighbour", () => {
  const { receive, neighbours, counters, conduct, peers, routing } = create();
  const badHealth = pingwave();
  badHealth[63] = 4;
  const tooFar = pingwave();
  tooFar[41] = 16;
  for (const bytes of [badHealth, tooFar, pingwave({ originId: SELF })]) {
    assert.deepEqual(receive(bytes, neighbours[0]), []);
  }
  assert.equal(counters.drop_pingwave_invalid_total, 3);
  assert.equal(conduct.describe(neighbours[0]?.slot ?? 0).malformed, 2, "its own is no fault");
  assert.deepEqual(receive(pingwave(), undefined), []);
  const relayed = neighbours[1] ?? assert.fail();
  const relayTo = { low: relayed.low, high: relayed.high };
  peers.setRoute(relayed, { address: addressOf(99), relayTo }, false);
  assert.deepEqual(receive(pingwave(), relayed), []);
  assert.equal(counters.drop_pingwave_unowned_total, 2);
  assert.equal(routing.nodes.size, 0);
  assert.deepEqual(receive(pingwave({ hopCount: 15, health: 3 }), neighbours[0]), [2]);
});

Deno.test("Pingwaves.receive() passes a pingwave on once, but learns from copies", () => {
  const { receive, neighbours, counters, routing, hop } = create();
  const [first, second] = neighbours as [Peer, Peer];
  receive(pingwave({ hopCount: 5 }), first);
  assert.deepEqual(receive(pingwave({ hopCount: 2 }), second), []);
  assert.equal(counters.drop_pingwave_seen_total, 1);
  assert.equal(hop(FAR), second.nodeId, "the copy came a shorter way");
  assert.equal(routing.sizes().edges, 2, "from each of the two to the origin");
  assert.deepEqual(receive(pingwave({ sequence: 0n, hopCount: 0 }), first), []);
  assert.equal(counters.drop_pingwave_stale_total, 1);
  assert.equal(hop(FAR), second.nodeId);
});

Deno.test("Pingwaves.receive() passes nothing on towards the origin (split horizon)", () => {
  const { receive, neighbours } = create();
  receive(pingwave({ hopCount: 1 }), neighbours[1]);
  assert.deepEqual(receive(pingwave({ sequence: 2n, hopCount: 5 }), neighbours[0]), [2]);
  // A neighbour is its own next hop.
  assert.deepEqual(receive(pingwave({ originId: 4n }), neighbours[0]), [1]);
});

Deno.test("Pingwaves.receive() limits what one neighbour may have passed on", () => {
  const { receive, neighbours, counters, conduct } = create();
  for (let i = 0; i < 4_100; i++) receive(pingwave({ sequence: BigInt(1 + i) }), neighbours[0]);
  assert.equal(counters.drop_pingwave_rate_total, 100);
  assert.equal(conduct.describe(neighbours[0]?.slot ?? 0).floods, 100);
  assert.equal(receive(pingwave({ sequence: 9_999n }), neighbours[1]).length, 1);
  assert.deepEqual(checkCounters(counters), []);
});

Deno.test("Pingwaves.receive() reaches every one of many neighbours within a route's lifetime", () => {
  const { receive, neighbours, counters } = create(180);
  const heard = new Map<number, number>();
  const [from] = neighbours;
  // 18 heartbeat intervals is what a route lives.
  for (let i = 1; i <= 18; i++) {
    const reached = receive(pingwave({ sequence: BigInt(i) }), from);
    assert.ok(
      reached.length <= fanOut(180, PINGWAVE_FAN_OUT) &&
        reached.length >= fanOut(180, PINGWAVE_FAN_OUT) - 2,
    );
    for (const place of reached) heard.set(place, (heard.get(place) ?? 0) + 1);
  }
  assert.equal(heard.size, 179);
  assert.equal(counters.pingwaves_fan_out_limited_total, 18);
});

Deno.test("Pingwaves sends one sequence per round to every neighbour, and newcomers theirs", async () => {
  const { pingwaves, neighbours, sent, clock } = create(300);
  pingwaves.beginRound();
  sent.length = 0;
  for (const peer of neighbours) pingwaves.sendRound(peer);
  assert.equal(sent.length, 300);
  sent.length = 0;
  const newcomer = neighbours[250] ?? assert.fail();
  pingwaves.announceTo(newcomer);
  await clock.advance(60);
  const times = sent.filter((to) => to === newcomer.address).length;
  assert.ok(times >= 2, "both rounds");
  assert.ok(sent.length <= 2 * (fanOut(300, PINGWAVE_FAN_OUT) + 1), "but not all others again");
  pingwaves.stop();
});

Deno.test("Pingwaves.receive() survives any bytes, and its counters add up", () => {
  const { receive, neighbours, counters } = create();
  const bytes = fc.uint8Array({ minLength: PINGWAVE_BYTES, maxLength: PINGWAVE_BYTES });
  fc.assert(fc.property(fc.array(fc.tuple(bytes, fc.nat(3))), (list) => {
    for (const [content, from] of list) receive(content.slice(), neighbours[from]);
    assert.deepEqual(checkCounters(counters), []);
  }));
});
