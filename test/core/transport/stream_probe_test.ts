/** How a stream gets an acknowledgement again that was lost, from a peer that takes copies in silence. */
import assert from "node:assert/strict";
import { PACKET_OVERHEAD_BYTES, RESENDS_MAX } from "../../../src/core/transport/limits.ts";
import { SendStreamHandle } from "../../../src/core/transport/streams/send_stream.ts";
import { createSessionKit } from "./session_kit.ts";

const TICK_MS = 25;
const EVENT = new Uint8Array(12);
const PACKET_BYTES = PACKET_OVERHEAD_BYTES + 4 + EVENT.length;

Deno.test("SessionStreams.tick() lets a sender that waits for credit send one packet more behind an overdue one", async () => {
  const { session, handle, send, kit } = startStream();
  while (handle.trySend(EVENT));
  assert.equal(send.nextSequence, 5, "the window is full");
  const woken = handle.ready();
  session.streams.tick(kit.clock.now() + 60);
  await woken;
  assert.ok(handle.trySend(EVENT));
  assert.ok(!handle.trySend(EVENT), "one and no more");
  // The receiver has everything: what it says about the new packet settles the old ones.
  assert.ok(send.onGrant(6 * PACKET_BYTES, 6, kit.clock.now() + 61));
  assert.equal(send.unackedCount, 0);
  assert.equal(send.creditBytes, 500);
});

Deno.test("SessionStreams.tick() sends a packet without events behind the last one of a stream that closes", async () => {
  const { session, handle, send, kit } = startStream();
  assert.ok(handle.trySend(EVENT));
  const closed = handle.close();
  session.streams.tick(kit.clock.now() + 60);
  assert.equal(send.nextSequence, 2);
  assert.ok(send.onGrant(PACKET_BYTES + PACKET_OVERHEAD_BYTES, 2, kit.clock.now() + 61));
  handle.wake();
  await closed;
});

Deno.test("SessionStreams.tick() probes where nobody waits only late, and no more often than it resends", () => {
  const { session, stream, handle, send, kit } = startStream(65_536);
  for (let i = 0; i < 32; i++) assert.ok(handle.trySend(EVENT));
  for (let ms = 0; stream.ended === undefined; ms += TICK_MS) {
    assert.ok(ms < 20_000);
    session.streams.tick(kit.clock.now() + ms);
    if (ms < 300) assert.equal(send.nextSequence, 32);
  }
  assert.equal(stream.ended, "reset");
  assert.equal(send.nextSequence, 32 + RESENDS_MAX - 2);
});

function startStream(windowBytes = 500) {
  const kit = createSessionKit();
  const { session } = kit.connect(1n);
  assert.ok(session !== undefined);
  const stream = session.streams.touch(7, 0);
  const send = session.streams.sender.open(stream, { windowBytes });
  const handle = Object.assign(new SendStreamHandle(1n, session.streams, stream, send), {
    wake: () => stream.wake(),
  });
  return { kit, session, stream, send, handle };
}
