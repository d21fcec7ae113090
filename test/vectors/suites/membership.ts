/** Messages of channel membership. */
import assert from "node:assert/strict";
import {
  decodeMembership,
  encodeMembership,
  type MembershipMessage,
  requireChannelId,
} from "../../../src/channel/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, has, integerOf, objectOf, textOf, type VectorObject } from "../vector_reader.ts";

const REASONS: readonly [RegExp, boolean, number][] = [
  [/accepted/, true, 0],
  [/unauthorized/, false, 1],
  [/unknown/, false, 2],
  [/rate limited/, false, 3],
  [/too many/, false, 4],
];

/** Suites of this file by vector file. */
export const MEMBERSHIP_SUITES: Readonly<Record<string, VectorSuite>> = {
  "identity/membership_messages.json": (document) => {
    const captured = objectOf(objectOf(document, "the file").captured_from_core, "captured");
    return { cases: (vector) => checkMessage(vector, captured) };
  },
};

function checkMessage(vector: VectorObject, captured: VectorObject): void {
  const bytes = bytesOf(vector, "hex");
  const message = expectedMessage(vector);
  assert.deepEqual(decodeMembership(bytes), { ok: true, message });
  assert.deepEqual(encodeMembership(message), bytes);
  // The one that was captured belongs to no list.
  const seen = bytesOf(captured, "hex");
  const decoded = decodeMembership(seen);
  assert.ok(decoded.ok && decoded.message.kind === "subscribe");
  assert.equal(decoded.message.channel.name, "room/c");
  assert.equal(decoded.message.chain.length, 170);
  assert.deepEqual(encodeMembership(decoded.message), seen);
}

function expectedMessage(vector: VectorObject): MembershipMessage {
  const name = textOf(vector, "name");
  const nonce = integerOf(vector, "nonce");
  const reason = REASONS.find(([pattern]) => pattern.test(name));
  if (name.startsWith("ack")) {
    assert.ok(reason, name);
    return { kind: "ack", nonce, isAccepted: reason[1], reason: reason[2] };
  }
  const channel = requireChannelId(textOf(vector, "channel"));
  if (name === "unsubscribe") return { kind: "unsubscribe", nonce, channel };
  const queueGroup = has(vector, "queue_group") ? textOf(vector, "queue_group") : undefined;
  return { kind: "subscribe", nonce, channel, chain: new Uint8Array(0), queueGroup };
}
