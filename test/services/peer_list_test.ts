import assert from "node:assert/strict";
import { idToHex } from "../../src/base/mod.ts";
import { describePeers, describeSessions, type PeerListSource } from "../../src/services/mod.ts";
import { type KitNode, MeshKit } from "../sim/mesh_kit.ts";

function sourceOf({ transport }: KitNode): PeerListSource {
  return { transport, dialer: { targets: () => [] } };
}

Deno.test("describePeers() tells of sessions and of what is dialled, by id", async () => {
  using kit = new MeshKit();
  const [a, b, c, relay] = [
    kit.node(1),
    kit.node(2),
    kit.node(3, { isSealing: false }),
    kit.node(4),
  ];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  await kit.connect(a, c);
  const target = (nodeId: bigint, port: number) => ({
    nodeId,
    noisePublicKey: new Uint8Array(32),
    addresses: [{ host: "10.0.0.9", port }],
    forms: ["routed" as const],
  });
  const rows = describePeers({
    transport: a.transport,
    dialer: {
      targets: () => [
        { target: target(b.nodeId, 1), isConnected: true, failures: 0 },
        { target: target(1n, 2), isConnected: false, failures: 3 },
        { target: target(2n, 3), isConnected: false, failures: 0 },
      ],
    },
  });
  const ids = rows.map((row) => row.node_id);
  assert.deepEqual(ids, [...ids].sort());
  assert.equal(rows.length, 5);
  const of = (nodeId: bigint) => rows.find((row) => row.node_id === idToHex(nodeId));
  assert.deepEqual([of(1n)?.state, of(1n)?.address, of(1n)?.trust], [
    "unreachable",
    "10.0.0.9:2",
    null,
  ]);
  assert.equal(of(2n)?.state, "connecting");
  assert.deepEqual([of(b.nodeId)?.trust, of(b.nodeId)?.relayed], ["proven", true]);
  assert.deepEqual([of(c.nodeId)?.trust, of(c.nodeId)?.relayed], ["unproven", false]);
  for (const row of rows) assert.equal(row.loss, null);
  assert.equal(of(1n)?.conduct, null);
  const conduct = of(relay.nodeId)?.conduct;
  assert.deepEqual([conduct?.score, conduct?.floods, conduct?.malformed], [100, 0, 0]);
});

Deno.test("describePeers() shows the share of packets sent again", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  b.transport.openReceiveStream(a.nodeId, 5n, { onEvent: () => {}, onEnd: () => {} });
  const stream = a.transport.openSendStream(b.nodeId, 5n);
  let isFirst = true;
  kit.network.filter = (_, from) => {
    const isLost = isFirst && from.host === a.address.host;
    if (isLost) isFirst = false;
    return !isLost;
  };
  for (let i = 0; i < 4; i++) assert.ok(stream.trySend(Uint8Array.of(i)));
  await kit.settle(stream.close());
  const [row] = describePeers(sourceOf(a));
  const [info] = a.transport.streams(b.nodeId);
  const resent = info?.send?.resent ?? 0;
  assert.ok(resent >= 1);
  assert.equal(row?.loss, Math.round(resent / (4 + resent) * 1e4) / 1e4);
  assert.equal(row?.streams, 1);
});

Deno.test("describeSessions() counts sessions by kind and peers by state", async () => {
  using kit = new MeshKit();
  const [a, b, c] = [kit.node(1), kit.node(2), kit.node(3, { isSealing: false })];
  await kit.connect(a, b);
  await kit.connect(a, c);
  const up = describeSessions(sourceOf(a));
  assert.deepEqual([up.sealed, up.compat, up.relayed], [1, 1, 0]);
  assert.deepEqual([up.healthy, up.suspected, up.failed, up.failures_total], [2, 0, 0, 0]);
  kit.network.filter = (_, from) => from.host !== b.address.host;
  await kit.clock.advance(70_000);
  const doubted = describeSessions(sourceOf(a));
  assert.deepEqual([doubted.healthy, doubted.suspected, doubted.failed], [1, 1, 0]);
  await kit.clock.advance(30_000);
  const failed = describeSessions(sourceOf(a));
  assert.deepEqual([failed.sealed, failed.failed, failed.failures_total], [0, 1, 1]);
  kit.network.filter = undefined;
  await kit.clock.advance(10_000);
  assert.equal(describeSessions(sourceOf(a)).recoveries_total, 1);
});
