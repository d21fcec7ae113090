import assert from "node:assert/strict";
import { ConductTable, Misconduct } from "../../../../src/core/transport/peers/conduct.ts";

const LATE = 1_000;

Deno.test("ConductTable.score() follows how regularly heartbeats come", () => {
  const table = new ConductTable(LATE);
  assert.equal(table.score(3), 100);
  for (let i = 0; i < 40; i++) table.onHeartbeat(3, 10);
  assert.equal(table.score(3), 100);
  for (let i = 0; i < 20; i++) table.onHeartbeat(3, LATE + 1);
  assert.ok(table.score(3) < 70 && !table.isPoor(3));
  for (let i = 0; i < 60; i++) table.onHeartbeat(3, LATE + 1);
  assert.ok(table.isPoor(3));
  for (let i = 0; i < 200; i++) table.onHeartbeat(3, 10);
  assert.ok(table.score(3) > 90, "what is long ago is forgiven");
  assert.equal(table.score(4), 100, "others are not concerned");
});

Deno.test("ConductTable.score() says little after a few heartbeats", () => {
  const table = new ConductTable(LATE);
  table.onHeartbeat(0, LATE + 1);
  assert.equal(table.describe(0).score, 94);
});

Deno.test("ConductTable trusts only what was authentic", () => {
  const table = new ConductTable(LATE);
  for (let i = 0; i < 1_000; i++) {
    for (const kind of [Misconduct.Flood, Misconduct.Loop, Misconduct.Malformed]) {
      table.note(1, kind);
    }
  }
  table.note(1, Misconduct.SpentTtl);
  // Anybody can send such packets under another's address.
  assert.equal(table.score(1), 100);
  assert.deepEqual(table.describe(1), {
    score: 100,
    heartbeatsInTime: 0,
    heartbeatsLate: 0,
    floods: 1_000,
    spentTtls: 1,
    loops: 1_000,
    malformed: 1_000,
  });
  for (let i = 0; i < 7; i++) table.note(1, Misconduct.MalformedAuthentic);
  assert.ok(table.isPoor(1));
  assert.equal(table.describe(1).malformed, 1_007);
});

Deno.test("ConductTable.reset() clears a slot for its next owner, and strangers have none", () => {
  const table = new ConductTable(LATE);
  for (const slot of [70, 71]) {
    table.note(slot, Misconduct.MalformedAuthentic);
    table.onHeartbeat(slot, 1);
  }
  table.note(-1, Misconduct.Flood);
  table.onHeartbeat(-1, 1);
  table.reset(70);
  assert.equal(table.describe(70).malformed + table.describe(70).heartbeatsInTime, 0);
  assert.equal(table.describe(71).malformed + table.describe(71).heartbeatsInTime, 2);
  assert.equal(table.score(70), 100);
});
