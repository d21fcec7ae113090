import assert from "node:assert/strict";
import { createNativeTarget } from "../../../../src/core/transport/socket/_linux_sockaddr.ts";
import { TargetTable } from "../../../../src/core/transport/socket/_linux_targets.ts";
import { addressOf } from "../session_kit.ts";

Deno.test("TargetTable.find() makes the target of an address once", () => {
  const table = new TargetTable(false);
  const to = addressOf(1);
  const target = table.find(to) ?? assert.fail();
  assert.deepEqual(target, createNativeTarget(to, false));
  assert.equal(table.find(to), target);
  assert.equal(table.size, 1);
});

Deno.test("TargetTable.find() remembers a bounded number, and who is sent to again and again", () => {
  const table = new TargetTable(false);
  const busy = addressOf(0);
  const target = table.find(busy);
  const idle = Array.from({ length: 10_000 }, (_, number) => addressOf(number + 1));
  const first = table.find(idle[0] ?? assert.fail());
  for (const to of idle) {
    assert.ok(table.find(to) !== undefined);
    assert.equal(table.find(busy), target);
    assert.ok(table.size <= 1_025, `${table.size}`);
  }
  const again = table.find(idle[0] ?? assert.fail());
  assert.notEqual(again, first, "it was forgotten");
  assert.deepEqual(again, first);
});

Deno.test("TargetTable.find() knows no target the socket cannot reach, and keeps none", () => {
  const table = new TargetTable(false);
  assert.equal(table.find({ host: "::1", port: 1 }), undefined);
  assert.equal(table.size, 0);
});
