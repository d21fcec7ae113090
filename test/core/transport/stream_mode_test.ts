/** The first packet of a stream decides whether it is reliable (`wire.md` 7.1), also where a reader waits. */
import assert from "node:assert/strict";
import { TestMesh } from "./mesh_kit.ts";

Deno.test("openReceiveStream() takes an unreliable stream with losses for what it is", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(0, 1);
  const [source, target] = [mesh.node(0), mesh.node(1)];
  let arrived = 0;
  target.transport.openReceiveStream(source.nodeId, 5n, {
    onEvent: () => void arrived++,
    onEnd: () => {},
  });
  const stream = source.transport.openSendStream(target.nodeId, 5n, {
    isReliable: false,
    windowBytes: 0,
  });
  mesh.network.conditions = { lossRate: 0.2, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
  for (let i = 0; i < 400; i++) {
    assert.ok(stream.trySend(new Uint8Array(10)));
    await mesh.clock.advance(1);
  }
  // All that the network let through; a reliable stream refuses what lies too far behind a gap.
  assert.ok(arrived > 280 && arrived < 360, `${arrived} arrived`);
  assert.equal(target.transport.counters.drop_out_of_horizon_total, 0);
});
