/** Whether the limits on the way of an announcement fit each other. */
import assert from "node:assert/strict";
import { ANNOUNCE_REPEAT_MS, ORIGINS_MAX } from "../../../src/core/capability/limits.ts";
import {
  DEFAULT_TRAFFIC_RATES,
  TrafficKind,
} from "../../../src/core/transport/peers/rate_limits.ts";

/** An announcement of 20 usual tags. */
const BYTES = 1_200;

Deno.test("as many nodes as are remembered can be heard of through one neighbour", () => {
  const perSecond = ORIGINS_MAX / (ANNOUNCE_REPEAT_MS / 1_000);
  const { perPeer, total } = DEFAULT_TRAFFIC_RATES;
  const own = perPeer[TrafficKind.Announcement];
  assert.ok(own.packetsPerSecond >= perSecond && own.bytesPerSecond >= perSecond * BYTES);
  // Each comes from more neighbours than one.
  const all = total[TrafficKind.Announcement];
  assert.ok(all.packetsPerSecond >= 16 * perSecond && all.bytesPerSecond >= 16 * perSecond * BYTES);
});
