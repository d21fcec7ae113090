/** Handshakes whose packets overtake each other. */
import assert from "node:assert/strict";
import { SealedNet } from "./sealed_net.ts";

/** "RT" of a routed handshake. */
const ROUTED_FIRST_BYTE = 0x52;

Deno.test("a proof that overtakes the answer to a handshake does not end the session", async () => {
  using net = new SealedNet();
  const [left, right] = [net.node(1), net.node(2)];
  let delayed = 0;
  net.network.filter = (bytes, from, to) => {
    if (from !== right.address || bytes[0] !== ROUTED_FIRST_BYTE) return true;
    const copy = bytes.slice();
    delayed += 1;
    net.clock.after(40, () => net.network.deliver(copy, from, to));
    return false;
  };
  await net.dial(left, right);
  assert.equal(delayed, 1);
  assert.ok(left.transport.counters.drop_unknown_session_total > 0, "the proof came first");
  assert.equal(left.transport.counters.resets_sent_total, 0);
  assert.equal(right.transport.counters.resets_received_total, 0);
  assert.equal(right.transport.peer(left.nodeId)?.state, "connected");
  assert.deepEqual(await net.send(left, right, 3), [0, 1, 2]);
});
