import assert from "node:assert/strict";
import { compositionMethods } from "../../../src/control/node/composition_methods.ts";
import { MethodTable } from "../../../src/control/mod.ts";

function health(
  name: string,
  peers: readonly string[],
  own: { readonly status?: "healthy" | "degraded" | "unhealthy"; readonly isReady?: boolean } = {},
) {
  const { status = "healthy", isReady = true } = own;
  const table = new MethodTable();
  table.register(...compositionMethods({
    health: { snapshot: () => ({ status, isReady }) },
    peers: () => peers.map((state, i) => ({ node_id: `0${i}`, state })),
  }));
  return table.lookup(`composition.${name}_health`)?.call({}, {
    transport: "unix",
    signal: new AbortController().signal,
    progress: () => {},
    send: () => Promise.resolve(),
  });
}

Deno.test("composition.solo_health tells how this node is", () => {
  const solo = (net: string, healthy: boolean) => ({
    deploy_graph: "solo",
    healthy,
    subsystems: { net },
    unsatisfied: [],
  });
  assert.deepEqual(health("solo", []), solo("ok", true));
  assert.deepEqual(health("solo", [], { isReady: false }), solo("degraded", false));
  assert.deepEqual(health("solo", [], { status: "degraded" }), solo("degraded", false));
  assert.deepEqual(health("solo", [], { status: "unhealthy" }), solo("unavailable", false));
});

Deno.test("composition.mesh_health needs two peers, names what is missing, and stays bounded", () => {
  assert.deepEqual(health("mesh", ["connected", "suspected", "unreachable"]), {
    deploy_graph: "mesh",
    healthy: false,
    subsystems: { net: "ok", "net-00": "ok", "net-01": "degraded", "net-02": "unavailable" },
    unsatisfied: [],
  });
  const alone = health("mesh", []) as { readonly subsystems: object };
  assert.deepEqual(Object.keys(alone.subsystems), ["net", "net-missing-1", "net-missing-2"]);
  const full = health("mesh", ["unreachable", "connected", "connected"]);
  assert.equal((full as { readonly healthy: boolean }).healthy, true);
  const peers = [...Array(200).fill("unreachable"), "connected", "connected"];
  const many = health("mesh", peers) as { readonly healthy: boolean; readonly subsystems: object };
  assert.equal(many.healthy, true);
  assert.equal(Object.keys(many.subsystems).length, 65);
});
