/** Credit of what was lost on an unreliable stream comes back (`wire.md` 7.3 counts only what arrived). */
import assert from "node:assert/strict";
import { STREAM_WINDOW_BYTES } from "../../../src/core/transport/limits.ts";
import { SendState } from "../../../src/core/transport/streams/send_state.ts";
import { TestMesh } from "./mesh_kit.ts";

const PACKET_BYTES = 100;

Deno.test("trySend() on an unreliable stream outlives the loss of more than a window", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(0, 1);
  const [source, target] = [mesh.node(0), mesh.node(1)];
  let arrived = 0;
  target.transport.openReceiveStream(source.nodeId, 5n, {
    onEvent: () => void arrived++,
    onEnd: () => {},
  });
  mesh.network.conditions = { lossRate: 0.2, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
  const stream = source.transport.openSendStream(target.nodeId, 5n, { isReliable: false });
  const event = new Uint8Array(1_000);
  const wanted = 20 * STREAM_WINDOW_BYTES / event.length;
  for (const isPatient of [true, false]) {
    let sent = 0;
    const sending = (async () => {
      while (isPatient && sent < wanted) {
        if (stream.trySend(event)) sent += 1;
        else await stream.ready();
      }
    })();
    await mesh.until(
      () => {
        while (!isPatient && sent < wanted && stream.trySend(event)) sent += 1;
        return sent >= wanted;
      },
      "everything is sent",
      60_000,
    );
    await sending;
  }
  await mesh.clock.advance(50);
  assert.ok(arrived > wanted && arrived < 2 * wanted, `${arrived} of ${2 * wanted} arrived`);
  mesh.checkSums();
});

Deno.test("SendState settles what was sent before a probe once that is acknowledged", () => {
  const state = new SendState({ windowBytes: 500, isReliable: false, release: () => {} });
  const send = (now: number) => state.record(0, 16, 1, now);
  for (let i = 0; i < 5; i++) send(0);
  assert.ok(!state.canSend(16));
  assert.ok(!state.onStarved(100), "a grant may still come");
  assert.ok(state.onStarved(300));
  assert.ok(state.canSend(16));
  send(300);
  assert.ok(!state.canSend(16), "one and no more");
  // A reader that holds everything grants nothing, and no credit is made up.
  assert.ok(state.onStarved(600));
  send(600);
  assert.ok(!state.canSend(16));
  // Two of the first five got through, and the last probe.
  assert.ok(state.onGrant(3 * PACKET_BYTES, 0, 601));
  assert.equal(state.creditBytes, 500);
  send(601);
  assert.equal(state.creditBytes, 400);
  assert.ok(state.onGrant(4 * PACKET_BYTES, 0, 602));
  assert.equal(state.creditBytes, 500);
  assert.ok(!state.onStarved(10_000), "nothing is missing");
});
