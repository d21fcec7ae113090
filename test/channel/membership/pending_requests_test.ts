import assert from "node:assert/strict";
import { PendingRequests } from "../../../src/channel/mod.ts";

Deno.test("PendingRequests.match() takes an answer once, and from the node asked alone", () => {
  const pending = new PendingRequests<string>();
  pending.add(7n, 1n, "a", 100);
  assert.deepEqual(pending.match(7n, 2n), { kind: "not_asked" });
  assert.deepEqual(pending.match(8n, 1n), { kind: "unknown" });
  assert.deepEqual(pending.match(7n, 1n), { kind: "answer", request: "a" });
  assert.deepEqual(pending.match(7n, 1n), { kind: "unknown" });
});

Deno.test("PendingRequests gives up what nobody answered, and what was asked of a lost node", () => {
  const pending = new PendingRequests<string>();
  pending.add(1n, 1n, "a", 100);
  pending.add(2n, 2n, "b", 200);
  pending.add(3n, 2n, "c", 300);
  assert.deepEqual(pending.expire(99), []);
  assert.deepEqual(pending.expire(100), ["a"]);
  assert.deepEqual(pending.takeOf(2n), ["b", "c"]);
  assert.equal(pending.size, 0);
});
