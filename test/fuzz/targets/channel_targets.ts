/** Decoders of the channel plane: membership. */
import assert from "node:assert/strict";
import {
  decodeMembership,
  encodeMembership,
  type MembershipMessage,
  requireChannelId,
} from "../../../src/channel/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(11);
const CORPUS = 24;

function drawMessage(): MembershipMessage {
  const channel = requireChannelId(`room/${random.below(1_000)}`);
  const nonce = random.u64();
  switch (random.below(4)) {
    case 0:
      return {
        kind: "subscribe",
        nonce,
        channel,
        chain: random.bytes(random.below(2) * (1 + 169 * (1 + random.below(3)))),
        queueGroup: random.below(2) === 0 ? undefined : `workers-${random.below(9)}`,
      };
    case 1:
      return { kind: "unsubscribe", nonce, channel };
    case 2:
      return { kind: "ack", nonce, isAccepted: random.below(2) === 0, reason: random.below(6) };
    default:
      return {
        kind: "offer",
        hashes: Array.from({ length: random.below(5) }, () => random.u64()),
      };
  }
}

function membershipTarget(): FuzzTarget {
  return {
    corpus: Array.from({ length: CORPUS }, () => encodeMembership(drawMessage())),
    feed: (bytes) => {
      const decoded = decodeMembership(bytes);
      if (!decoded.ok) return undefined;
      // Left-out fields have a longer form, which is a fixed point.
      const canonical = encodeMembership(decoded.message);
      const again = decodeMembership(canonical);
      assert.ok(again.ok);
      assertSame(encodeMembership(again.message), canonical);
      return decoded.message;
    },
    growth: { factor: 32, base: 2_048 },
  };
}

/** The table of this area. */
export const CHANNEL_TARGETS: Readonly<Record<string, CreateTarget>> = {
  membership: membershipTarget,
};
