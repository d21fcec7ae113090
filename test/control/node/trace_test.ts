import assert from "node:assert/strict";
import { idToHex } from "../../../src/base/mod.ts";
import { formatAddress } from "../../../src/core/transport/mod.ts";
import { tracePeer } from "../../../src/control/node/trace.ts";
import { MeshKit } from "../../sim/mesh_kit.ts";
import { callContext, viewOf } from "./_view.ts";

interface Traced {
  readonly hops: readonly Record<string, unknown>[];
  readonly sent: number;
  readonly received: number;
  readonly loss: number | null;
  readonly rtt_ms: Record<string, number> | null;
  readonly [member: string]: unknown;
}

Deno.test("tracePeer() probes a neighbour", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  const context = callContext();
  const id = idToHex(b.nodeId);
  const traced = await kit.settle(tracePeer(viewOf(a), id.slice(0, 5), 1, context)) as Traced;
  assert.deepEqual(traced, {
    node_id: id,
    session: true,
    state: "connected",
    trust: "proven",
    relayed: false,
    relay: null,
    hops: [{ node_id: id, rtt_ms: 1, address: formatAddress(b.address) }],
    sent: 1,
    received: 1,
    loss: 0,
    rtt_ms: { min: 1, avg: 1, p50: 1, max: 1 },
  });
  assert.deepEqual(context.told, [{ probe: 1, rtt_ms: 1 }]);
});

Deno.test("tracePeer() names the relay in between", async () => {
  using kit = new MeshKit();
  const [a, relay, b] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  const traced = await kit.settle(
    tracePeer(viewOf(a), idToHex(b.nodeId), 1, callContext()),
  ) as Traced;
  assert.deepEqual(
    traced.hops.map(({ node_id, address }) => [node_id, address]),
    [[idToHex(relay.nodeId), formatAddress(relay.address)], [idToHex(b.nodeId), null]],
  );
  assert.equal(traced.hops[1]?.rtt_ms, 2);
  assert.deepEqual([traced.relayed, traced.relay], [true, idToHex(relay.nodeId)]);
});

Deno.test("tracePeer() counts what does not come back", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  kit.network.filter = () => false;
  const context = callContext();
  const traced = await kit.settle(tracePeer(viewOf(a), idToHex(b.nodeId), 1, context)) as Traced;
  assert.deepEqual([traced.received, traced.loss, traced.rtt_ms], [0, 1, null]);
  assert.deepEqual(context.told, [{ probe: 1, rtt_ms: null }]);
});

Deno.test("tracePeer() tells what is known of a node that only a route leads to", async () => {
  using kit = new MeshKit();
  const [a, b, c] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, b);
  await kit.connect(b, c);
  await kit.clock.advance(6_000);
  const traced = await tracePeer(viewOf(a), idToHex(c.nodeId), 3, callContext()) as Traced;
  assert.equal(traced.session, false);
  assert.deepEqual([traced.relayed, traced.relay], [true, idToHex(b.nodeId)]);
  assert.deepEqual(
    traced.hops.map(({ node_id, address }) => [node_id, address]),
    [[idToHex(b.nodeId), formatAddress(b.address)], [idToHex(c.nodeId), null]],
  );
  assert.deepEqual([traced.hop_count, traced.sent, traced.loss, traced.rtt_ms], [2, 0, null, null]);
});

Deno.test("tracePeer() makes a session where that is possible, and pings it", async () => {
  using kit = new MeshKit();
  const [a, b, c] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, b);
  await kit.connect(b, c);
  await kit.clock.advance(6_000);
  const view = { ...viewOf(a), nat: { reach: () => kit.connect(a, c, b) } };
  const tracing = tracePeer(view, idToHex(c.nodeId), 1, callContext());
  const traced = await kit.settle(tracing) as Traced;
  assert.deepEqual([traced.session, traced.relayed, traced.received], [true, true, 1]);
});

Deno.test("tracePeer() says why a node can't be traced", async () => {
  using kit = new MeshKit();
  const a = kit.node(1);
  const dialled = {
    nodeId: 0xabn,
    noisePublicKey: new Uint8Array(32),
    addresses: [],
    forms: ["routed" as const],
  };
  const view = viewOf(a, [dialled]);
  await assert.rejects(tracePeer(view, idToHex(0xabn), 1, callContext()), {
    code: "not_found",
    message: /no session with it yet/,
    next: /how dialling it goes/,
  });
  await assert.rejects(tracePeer(view, idToHex(0xcdn), 1, callContext()), {
    code: "not_found",
    message: /no route to it/,
    next: /net node routes/,
  });
  await assert.rejects(tracePeer(view, "oak", 1, callContext()), { code: "usage" });
});
