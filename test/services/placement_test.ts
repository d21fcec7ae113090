import assert from "node:assert/strict";
import {
  type Announcement,
  type Artifact,
  CapabilityIndex,
  createCapabilitySet,
} from "../../src/core/capability/mod.ts";
import { createMetricRegistry } from "../../src/observe/mod.ts";
import { PlacementService } from "../../src/services/mod.ts";
import { identityOf, sample } from "../core/capability/samples.ts";

const OWN = identityOf(1).nodeId;
const chain: Artifact = { kind: "chain", capabilities: createCapabilitySet([]) };

async function createService() {
  const index = new CapabilityIndex();
  const own: Announcement = sample();
  const metrics = createMetricRegistry();
  const rtts = new Map<bigint, number>([[2n, 5], [3n, 1]]);
  for (const nodeId of [OWN, 2n, 3n]) index.set(nodeId, { capabilities: createCapabilitySet([]) });
  const service = new PlacementService({
    metrics,
    capabilities: { index, own },
    rttMs: (nodeId) => rtts.get(nodeId),
  });
  await service.start();
  return { service, index, metrics };
}

Deno.test("PlacementService.place() prefers what is near, itself most of all", async () => {
  const { service, index } = await createService();
  assert.equal(service.place(chain)?.nodeId, OWN);
  assert.deepEqual(service.rank(chain).map(({ nodeId }) => nodeId), [OWN, 3n, 2n]);
  index.set(2n, { capabilities: createCapabilitySet(["ai-tool:x"]) });
  const tool: Artifact = {
    kind: "chain",
    capabilities: createCapabilitySet([], [["intent", "tool-call"]]),
  };
  assert.equal(service.place(tool, { intent: "strict" })?.nodeId, 2n);
  assert.equal(service.place(tool, { intent: "strict", rttMaxMs: 4 }), undefined);
  await service.stop();
});

Deno.test("PlacementService exports the calls of each filter", async () => {
  const { service, metrics } = await createService();
  assert.deepEqual(metrics.snapshot(), {});
  service.filters.register('my "filter"', (nodeId) => nodeId !== OWN);
  assert.ok(!service.filters.register('my "filter"', () => 1));
  const policy = { customFilter: 'my "filter"' };
  assert.equal(service.place(chain, policy)?.nodeId, 3n);
  const label = '{filter="my \\"filter\\""}';
  assert.deepEqual(metrics.snapshot(), {
    [`net_placement_filter_calls_total${label}`]: 3,
    [`net_placement_filter_failed_total${label}`]: 0,
    [`net_placement_filter_refused_total${label}`]: 1,
  });
});
