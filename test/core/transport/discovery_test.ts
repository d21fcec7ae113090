import assert from "node:assert/strict";
import fc from "fast-check";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import { Discovery } from "../../../src/core/transport/discovery.ts";
import { DISCOVERED_MAX, PINGWAVES_SEEN_MAX } from "../../../src/core/transport/limits.ts";
import {
  decodePingwave,
  encodePingwave,
  type PingwaveFields,
} from "../../../src/core/transport/pingwave.ts";
import { createSessionKit, TIMEOUT_MS } from "./session_kit.ts";

const SELF = 1n;
const FAR = 99n;

/** A node with direct peers 2, 3 and 4. */
function create() {
  const kit = createSessionKit();
  const { peers, counters, clock } = kit;
  const discovery = new Discovery({ peers, counters, clock }, {
    nodeId: SELF,
    sessionTimeoutMs: TIMEOUT_MS,
  });
  const [a, b, c] = [kit.connect(2n), kit.connect(3n), kit.connect(4n)] as const;
  const hop = (nodeId: bigint) => discovery.nextHop(lowHalf(nodeId), highHalf(nodeId))?.nodeId;
  return { ...kit, discovery, a, b, c, hop };
}

let sequences = 0n;

function pingwave(fields: Partial<PingwaveFields> = {}): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(encodePingwave({
    originId: FAR,
    sequence: ++sequences,
    ttl: 3,
    timestampUs: 0n,
    ...fields,
  }));
}

const ids = (list: readonly { readonly nodeId: bigint }[]) => list.map(({ nodeId }) => nodeId);

Deno.test("receive() passes a pingwave on to every other peer, changed as the rules say", () => {
  const { counters, discovery, a } = create();
  const bytes = pingwave({ ttl: 3, hopCount: 1, load: 7, toolsBitmap: 9, customFlags: 11 });
  bytes.fill(0xee, 8, 32);
  const before = decodePingwave(bytes);
  assert.deepEqual(ids(discovery.receive(bytes, a)), [3n, 4n]);
  assert.deepEqual(decodePingwave(bytes), { ...before, ttl: 2, hopCount: 2 });
  assert.equal(counters.pingwaves_accepted_total, 1);
  assert.equal(counters.pingwaves_forwarded_total, 2);
});

Deno.test("receive() forwards ttl 1 as 0, and ttl 0 not at all", () => {
  const { discovery, a, hop } = create();
  const last = pingwave({ ttl: 1 });
  assert.equal(discovery.receive(last, a).length, 2);
  assert.equal(decodePingwave(last)?.ttl, 0);
  const spent = pingwave({ ttl: 0, originId: 50n });
  const copy = spent.slice();
  assert.deepEqual(discovery.receive(spent, a), []);
  assert.deepEqual(spent, copy);
  // It is learned from all the same.
  assert.equal(hop(50n), 2n);
});

Deno.test("receive() drops own, far travelled and invalid pingwaves", () => {
  const { counters, discovery, a } = create();
  const bad = [
    pingwave({ originId: SELF }),
    pingwave().with(41, 16),
    pingwave().with(41, 255),
    pingwave().with(63, 4),
  ];
  for (const bytes of bad) assert.deepEqual(discovery.receive(bytes, a), []);
  assert.equal(counters.drop_pingwave_invalid_total, bad.length);
  assert.deepEqual(discovery.nodes(), []);
  assert.equal(discovery.receive(pingwave({ hopCount: 15, health: 3 }), a).length, 2);
});

Deno.test("receive() takes nothing from an address that no peer owns", () => {
  const { counters, discovery, a } = create();
  const bytes = pingwave();
  assert.deepEqual(discovery.receive(bytes, undefined), []);
  assert.equal(counters.drop_pingwave_unowned_total, 1);
  // The dropped copy does not count as seen.
  assert.equal(discovery.receive(bytes, a).length, 2);
});

Deno.test("receive() takes a pingwave once, whoever brings it", () => {
  const { counters, discovery, a, b } = create();
  const bytes = pingwave({ sequence: 10n });
  discovery.receive(bytes.slice(), a);
  assert.deepEqual(discovery.receive(bytes.slice(), b), []);
  assert.deepEqual(discovery.receive(bytes.slice(), a), []);
  assert.equal(counters.drop_pingwave_seen_total, 2);
  // A lower sequence that was never seen is new; so is another tail of the origin's id.
  assert.equal(discovery.receive(pingwave({ sequence: 9n }), a).length, 2);
  const tail = bytes.slice();
  tail[20] = 1;
  assert.equal(discovery.receive(tail, a).length, 2);
});

Deno.test("receive() remembers many pingwaves, and forgets the oldest", () => {
  const { counters, discovery, a } = create();
  const first = pingwave({ sequence: 1n << 40n, ttl: 0 });
  discovery.receive(first.slice(), a);
  const fill = (count: number, base: bigint) => {
    for (let i = 0; i < count; i++) {
      discovery.receive(pingwave({ sequence: base + BigInt(i), ttl: 0 }), a);
    }
  };
  fill(PINGWAVES_SEEN_MAX, 1n << 41n);
  discovery.receive(first.slice(), a);
  assert.equal(counters.drop_pingwave_seen_total, 1);
  fill(PINGWAVES_SEEN_MAX, 1n << 42n);
  discovery.receive(first.slice(), a);
  assert.equal(counters.drop_pingwave_seen_total, 1);
});

Deno.test("receive() sends nothing back towards the origin (split horizon)", () => {
  const { discovery, a, b, c } = create();
  // The way to the far node leads through b: what a brings of it does not go there.
  discovery.receive(pingwave({ hopCount: 0 }), b);
  assert.deepEqual(ids(discovery.receive(pingwave({ hopCount: 5 }), a)), [4n]);
  // A direct peer is its own next hop.
  assert.deepEqual(ids(discovery.receive(pingwave({ originId: c.nodeId }), a)), [3n]);
});

Deno.test("receive() passes on only to connected peers at their own address", () => {
  const { discovery, peers, a, b, c } = create();
  b.state = "failed";
  peers.setRoute(c, { address: a.route.address, relayTo: { low: c.low, high: c.high } }, false);
  const bytes = pingwave();
  const copy = bytes.slice();
  assert.deepEqual(discovery.receive(bytes, a), []);
  assert.deepEqual(bytes, copy);
});

Deno.test("nextHop() prefers a direct session, then the way that was learned", () => {
  const { discovery, a, b, c, hop } = create();
  discovery.receive(pingwave(), b);
  discovery.receive(pingwave({ originId: a.nodeId, hopCount: 0 }), b);
  assert.equal(hop(FAR), b.nodeId);
  assert.equal(hop(a.nodeId), a.nodeId);
  assert.equal(hop(12_345n), undefined);
  a.state = "failed";
  assert.equal(hop(a.nodeId), b.nodeId);
  c.route = { address: c.route.address, relayTo: { low: c.low, high: c.high } };
  assert.equal(hop(c.nodeId), undefined);
  b.state = "failed";
  assert.equal(hop(FAR), undefined);
});

Deno.test("a way is replaced by a strictly shorter one, or when it is broken", () => {
  const { discovery, a, b, c, hop } = create();
  discovery.receive(pingwave({ hopCount: 3 }), a);
  discovery.receive(pingwave({ hopCount: 3 }), b);
  assert.equal(hop(FAR), a.nodeId);
  discovery.receive(pingwave({ hopCount: 2 }), b);
  assert.equal(hop(FAR), b.nodeId);
  discovery.receive(pingwave({ hopCount: 9 }), c);
  assert.equal(hop(FAR), b.nodeId);
  b.state = "failed";
  discovery.receive(pingwave({ hopCount: 9 }), c);
  assert.equal(hop(FAR), c.nodeId);
  assert.equal(discovery.nodes()[0]?.hops, 9);
});

Deno.test("ways end with their age, any pingwave of the node renews them", async () => {
  const { clock, discovery, a, b, hop } = create();
  discovery.receive(pingwave({ hopCount: 1 }), a);
  await clock.advance(3 * TIMEOUT_MS);
  discovery.receive(pingwave({ hopCount: 5 }), b);
  await clock.advance(3 * TIMEOUT_MS);
  discovery.sweep();
  assert.equal(hop(FAR), a.nodeId);
  await clock.advance(1);
  assert.equal(hop(FAR), undefined);
  discovery.sweep();
  assert.deepEqual(discovery.nodes(), []);
});

Deno.test("forgetVia() and withdraw() remove what goes through one peer", () => {
  const { discovery, a, b, hop } = create();
  for (const originId of [50n, 51n]) discovery.receive(pingwave({ originId }), a);
  discovery.receive(pingwave({ originId: 52n }), b);
  discovery.withdraw(lowHalf(50n), highHalf(50n), b);
  assert.equal(hop(50n), a.nodeId);
  discovery.withdraw(lowHalf(50n), highHalf(50n), a);
  assert.equal(hop(50n), undefined);
  discovery.forgetVia(a);
  assert.deepEqual(ids(discovery.nodes()), [52n]);
});

Deno.test("receive() keeps a bounded number of nodes and counts the rest", () => {
  const { counters, discovery, a, hop } = create();
  for (let i = 0; i < DISCOVERED_MAX; i++) {
    discovery.receive(pingwave({ originId: 1_000n + BigInt(i), ttl: 0 }), a);
  }
  assert.deepEqual(discovery.receive(pingwave({ originId: 10n }), a), []);
  assert.equal(counters.drop_pingwave_limit_total, 1);
  assert.equal(discovery.nodes().length, DISCOVERED_MAX);
  assert.equal(hop(10n), undefined);
  assert.equal(discovery.receive(pingwave({ originId: 1_000n }), a).length, 2);
});

Deno.test("receive() takes any 72 bytes, each with one outcome", () => {
  const { counters, discovery, a } = create();
  let count = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 72, maxLength: 72 }), fc.boolean(), (bytes, is) => {
      discovery.receive(bytes, is ? a : undefined);
      count += 1;
      const outcomes = counters.pingwaves_accepted_total + counters.drop_pingwave_invalid_total +
        counters.drop_pingwave_unowned_total + counters.drop_pingwave_seen_total +
        counters.drop_pingwave_limit_total;
      assert.equal(outcomes, count);
    }),
  );
});

Deno.test("createPingwave() counts from 1, with three hops to go", () => {
  const { clock, discovery } = create();
  const [first, second] = [discovery.createPingwave(), discovery.createPingwave()].map((bytes) =>
    decodePingwave(bytes)
  );
  assert.equal(first?.originId, SELF);
  assert.deepEqual([first?.sequence, second?.sequence], [1n, 2n]);
  assert.deepEqual([first?.ttl, first?.hopCount, first?.health], [3, 0, 0]);
  assert.equal(first?.timestampUs, BigInt(clock.wallMs()) * 1000n);
});
