import assert from "node:assert/strict";
import { idToHex } from "../../../src/base/mod.ts";
import { describeRoutes, listRoutes, relayOf } from "../../../src/control/node/routes.ts";
import { MeshKit } from "../../sim/mesh_kit.ts";
import { viewOf } from "./_view.ts";

Deno.test("listRoutes() tells of neighbours and of what lies behind them", async () => {
  using kit = new MeshKit();
  const [a, b, c] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, b);
  await kit.connect(b, c);
  await kit.clock.advance(6_000);
  const routes = listRoutes(viewOf(a));
  assert.deepEqual(
    routes.map(({ destination, via, hops }) => ({ destination, via, hops })),
    [{ destination: b.nodeId, via: b.nodeId, hops: 1 }, {
      destination: c.nodeId,
      via: b.nodeId,
      hops: 2,
    }]
      .sort((x, y) => x.destination < y.destination ? -1 : 1),
  );
  const [near, far] = [b, c].map((node) => routes.find((one) => one.destination === node.nodeId));
  assert.ok(near !== undefined && far !== undefined && near.metric < far.metric);
  const { routes: shown } = describeRoutes(viewOf(a)) as { routes: Record<string, unknown>[] };
  const row = shown.find((one) => one.destination === idToHex(c.nodeId));
  assert.deepEqual(Object.keys(row ?? {}), [
    "destination",
    "via",
    "hops",
    "metric",
    "protected",
    "suspected",
    "age_ms",
  ]);
  assert.equal(row?.via, idToHex(b.nodeId));
});

Deno.test("relayOf() names the peer whose address a relayed one is reached at", async () => {
  using kit = new MeshKit();
  const [a, relay, b] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  assert.equal(relayOf(viewOf(a), b.nodeId), relay.nodeId);
  assert.equal(relayOf(viewOf(b), a.nodeId), relay.nodeId);
  assert.equal(relayOf(viewOf(a), relay.nodeId), undefined);
  assert.equal(relayOf(viewOf(a), 99n), undefined);
});
