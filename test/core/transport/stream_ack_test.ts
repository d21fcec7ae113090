/** How a stream acknowledges again what repaired a loss. */
import assert from "node:assert/strict";
import { createSessionKit } from "./session_kit.ts";

Deno.test("SessionStreams.tick() acknowledges once more what closed a gap or came twice", async () => {
  const kit = createSessionKit();
  const { session } = kit.connect(1n);
  assert.ok(session !== undefined);
  const receive = (sequence: number) =>
    session.streams.receive(7, 0, true, sequence, 0, 0, 0, kit.clock.now());
  /** Acknowledgements sent at once and at the two ticks that follow. */
  const acknowledged = async (sequence: number) => {
    const counts: number[] = [];
    for (const act of [() => receive(sequence), () => tick(), () => tick()]) {
      const before = kit.sent.length;
      act();
      await kit.clock.advance(2);
      counts.push(kit.sent.length - before);
    }
    return counts;
  };
  const tick = () => void session.streams.tick(kit.clock.now());
  assert.deepEqual(await acknowledged(0), [1, 0, 0], "in order: one grant");
  assert.deepEqual(await acknowledged(2), [2, 2, 2], "a gap: grant and NACK each time");
  assert.deepEqual(await acknowledged(1), [1, 1, 0], "closed");
  assert.deepEqual(await acknowledged(1), [1, 1, 0], "a copy");
  assert.deepEqual(await acknowledged(3), [1, 0, 0], "in order again");
});
