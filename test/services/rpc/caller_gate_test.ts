/** What a node may call, as far as others say. */
import assert from "node:assert/strict";
import { CallerGate } from "../../../src/services/rpc/caller_gate.ts";

Deno.test("CallerGate asks again when something changed, and never remembers a refusal", () => {
  const announcements = { version: 1, tags: ["nrpc:a"], tagsOf: () => announcements.tags };
  const asked: string[] = [];
  let isLetIn = true;
  const gate = new CallerGate({
    announcements,
    mayExecute: (target, tag) => {
      asked.push(`${target} ${tag}`);
      return isLetIn;
    },
  });
  assert.ok(gate.mayCall(1n, "a") && gate.mayCall(1n, "a"));
  assert.deepEqual(asked, ["1 nrpc:a"]);
  assert.ok(gate.mayCall(2n, "a") && gate.mayCall(1n, "a"));
  assert.equal(asked.length, 3);
  isLetIn = false;
  announcements.version = 2;
  assert.ok(!gate.mayCall(1n, "a") && !gate.mayCall(1n, "a"));
  assert.equal(asked.length, 5);
  // A node that says nothing of a service may have it.
  assert.ok(gate.mayCall(1n, "b"));
  assert.equal(asked.length, 5);
});
