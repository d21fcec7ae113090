/** The traversal service on real sockets, with real announcements. */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/base/mod.ts";
import { formatAddress } from "../../../src/core/transport/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { NatService } from "../../../src/services/mod.ts";
import { type CapableNode, startCapableNode, until } from "../capabilities/capability_kit.ts";

async function serve(node: CapableNode): Promise<NatService & AsyncDisposable> {
  const { mesh, capabilities } = node;
  const service = new NatService({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics: createMetricRegistry(),
    mesh,
    capabilities,
  });
  await service.start();
  return Object.assign(service, { [Symbol.asyncDispose]: () => service.stop() });
}

Deno.test("NatService: class and address reach peers, which connect directly with them", async () => {
  await using hub = await startCapableNode();
  await using spoke = await startCapableNode({ join: hub });
  await using other = await startCapableNode({ join: hub });
  await using hubNat = await serve(hub);
  await using spokeNat = await serve(spoke);
  await using otherNat = await serve(other);
  await until("sessions", () => hub.mesh.transport.connectedPeers().length === 2);

  // The hub alone has two peers to ask; the spokes hear of it.
  await until("the hub knows its class", () => hubNat.classification === "open");
  const address = formatAddress(hub.mesh.transport.localAddress);
  await until("told", () => spokeNat.announced(hub.nodeId).natClass === "open");
  assert.equal(spoke.capabilities.get(hub.nodeId)?.reflexAddress, address);
  assert.equal(spokeNat.classification, "unknown");

  // The spoke states its address, and the other one dials it.
  spokeNat.setReflexOverride(spoke.mesh.transport.localAddress, "operator");
  await until("told", () => otherNat.announced(spoke.nodeId).natClass === "open");
  const report = await otherNat.connectDirect(spoke.nodeId, {
    noisePublicKey: spoke.keys.noise.publicKey,
  });
  assert.deepEqual(report.attempts.map(({ kind, outcome }) => [kind, outcome]), [
    ["direct", "connected"],
  ]);
  assert.equal(report.outcome, "direct");
  // Both have two peers now.
  await until("classified", () => otherNat.classification === "open");
});
