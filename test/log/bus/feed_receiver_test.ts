import assert from "node:assert/strict";
import type { ReceiveStreamHandle } from "../../../src/core/transport/mod.ts";
import {
  createFeedCounters,
  createMemoryAdapter,
  FeedMarks,
  feedStreams,
} from "../../../src/log/mod.ts";
import { FeedReceiver } from "../../../src/log/bus/adapters/mesh/feed_receiver.ts";
import { silentLog } from "../../../src/observe/mod.ts";

Deno.test("a stream that ends after another took its place does not end that one", () => {
  const receiver = new FeedReceiver({
    link: {
      nodeId: 1n,
      connectedPeers: () => [2n],
      openReceiveStream: () => () => {},
      openSendStream: () => {
        throw new Error("not used");
      },
    },
    streams: feedStreams("default"),
    inner: createMemoryAdapter(),
    log: silentLog,
    sums: { counters: createFeedCounters(), marks: new FeedMarks(), heldBytes: 0 },
  }, 2n);
  const handle = (): ReceiveStreamHandle => ({
    isReliable: true,
    packetOriginLow: 0,
    packetOriginHigh: 0,
    hold: () => {},
    end: () => {},
  });
  const [before, after] = [receiver.accept(), receiver.accept()];
  before.attach?.(handle());
  after.attach?.(handle());
  before.handler.onEnd("replaced");
  assert.equal(receiver.isListening, true);
  after.handler.onEnd("peer_lost");
  assert.equal(receiver.isListening, false);
});
