import assert from "node:assert/strict";
import { createMetricRegistry } from "../../src/observe/mod.ts";
import { registerAuthRejections } from "../../src/services/auth_rejections.ts";

Deno.test("net_subprotocol_peer_auth_rejections adds up what every plane refused", () => {
  const metrics = createMetricRegistry();
  const channels = { peer_auth_rejections_total: 0 };
  const nat = { peer_auth_rejections_total: 0 };
  const calls = { forgedDropped: 0 };
  let hasStarted = false;
  registerAuthRejections(metrics, {
    channels: { counters: () => channels },
    nat: { counters: () => nat },
    rpc: {
      get hasStarted() {
        return hasStarted;
      },
      client: { counters: calls },
    },
  });
  const total = () => metrics.snapshot().net_subprotocol_peer_auth_rejections;
  assert.equal(total(), 0);
  channels.peer_auth_rejections_total = 1;
  nat.peer_auth_rejections_total = 2;
  calls.forgedDropped = 4;
  assert.equal(total(), 2);
  hasStarted = true;
  assert.equal(total(), 7);
});
