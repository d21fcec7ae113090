import assert from "node:assert/strict";
import {
  ACK_TIMEOUT_MS,
  AckReason,
  Attachment,
  REFUSED_PAUSES_MS,
  RENEW_MS,
  THROTTLED_PAUSE_MS,
} from "../../../src/channel/mod.ts";

Deno.test("Attachment asks at once, then again every minute", () => {
  const attachment = new Attachment(0);
  assert.ok(attachment.isDue(0));
  attachment.onAsked();
  assert.ok(!attachment.isDue(10_000));
  attachment.onAck(true, AckReason.Ok, 10);
  assert.equal(attachment.state, "active");
  assert.equal(attachment.askAt, 10 + RENEW_MS);
});

Deno.test("Attachment waits longer after each refusal", () => {
  const attachment = new Attachment(0);
  for (const pauseMs of [...REFUSED_PAUSES_MS, RENEW_MS]) {
    attachment.onAsked();
    attachment.onAck(false, AckReason.Unauthorized, 0);
    assert.equal(attachment.askAt, pauseMs);
  }
  assert.deepEqual([attachment.state, attachment.reason], ["refused", AckReason.Unauthorized]);
  attachment.askSoon(5);
  assert.ok(attachment.isDue(5));
});

Deno.test("Attachment stays active when its renewal meets the throttle or no answer", () => {
  const attachment = new Attachment(0);
  attachment.onAsked();
  attachment.onAck(true, AckReason.Ok, 0);
  attachment.onAsked();
  attachment.onAck(false, AckReason.RateLimited, 0);
  assert.deepEqual([attachment.state, attachment.askAt], ["active", THROTTLED_PAUSE_MS]);
  attachment.onAsked();
  attachment.onUnanswered(0);
  assert.deepEqual([attachment.state, attachment.askAt], ["active", ACK_TIMEOUT_MS]);
  attachment.onAsked();
  attachment.onUnanswered(0);
  assert.equal(attachment.askAt, 2 * ACK_TIMEOUT_MS);
});

Deno.test("Attachment begins anew when the session is lost", () => {
  const attachment = new Attachment(0);
  attachment.onAsked();
  attachment.onAck(true, AckReason.Ok, 0);
  attachment.onAsked();
  attachment.onLost(7);
  assert.deepEqual([attachment.state, attachment.askAt], ["asking", 7]);
});
