import assert from "node:assert/strict";
import { createSessionKit } from "../session_kit.ts";

/** A session, and subprotocol and sequence of each packet it sends. */
function createWatched() {
  const kit = createSessionKit();
  const session = kit.connect(5n).session ?? assert.fail();
  const { sender } = kit.context;
  const sent: [subprotocol: number, sequence: number][] = [];
  const finish = sender.finish.bind(sender);
  sender.finish = (...packet) => {
    sent.push([packet[3], packet[6]]);
    finish(...packet);
  };
  return { ...kit, session, sent };
}

Deno.test("each subprotocol counts its messages of a session from 0", () => {
  const { session, sent } = createWatched();
  const message = new Uint8Array(3);
  for (const subprotocol of [7, 8, 7, 9, 7, 8]) session.sendMessage(subprotocol, 1, 0, message);
  session.sendFramed(8, 1, 0, message, 1);
  session.sendMessage(9, 1, 0, message, false, 70);
  session.sendMessage(9, 1, 0, message);
  assert.deepEqual(sent, [
    [7, 0],
    [8, 0],
    [7, 1],
    [9, 0],
    [7, 2],
    [8, 1],
    [8, 2],
    [9, 70],
    [9, 1],
  ]);
});

Deno.test("a session that ended leaves a fresh replay window for the next one", () => {
  const { session, connect } = createWatched();
  assert.ok(session.replay.accept(3, 0));
  const window = session.replay;
  session.end();
  const next = connect(6n).session ?? assert.fail();
  assert.equal(next.replay, window);
  assert.ok(next.replay.accept(3, 0));
});
