import assert from "node:assert/strict";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { requireInterval, requireOneIdentity } from "../../../src/core/transport/option_checks.ts";

Deno.test("requireInterval() refuses zero, what is too short or too long, and what is no number", () => {
  for (const ms of [10, 50, 5_000, 86_400_000]) requireInterval("the heartbeat interval", ms);
  for (const ms of [0, -1, 9, 86_400_001, Infinity, NaN]) {
    assert.throws(() => requireInterval("the heartbeat interval", ms), {
      name: "RangeError",
      message: /the heartbeat interval is .* must be 10 to 86400000/,
    });
  }
});

Deno.test("requireOneIdentity() refuses an identity beside another one's node id", () => {
  const [one, other] = [1, 2].map((n) => createIdentity(new Uint8Array(32).fill(n)));
  assert.ok(one !== undefined && other !== undefined);
  requireOneIdentity(one.nodeId, one.entityId);
  requireOneIdentity(one.nodeId, undefined);
  assert.throws(() => requireOneIdentity(one.nodeId, other.entityId), TypeError);
});
