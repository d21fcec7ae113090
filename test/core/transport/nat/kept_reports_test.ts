import assert from "node:assert/strict";
import { KeptReports } from "../../../../src/core/transport/nat/kept_reports.ts";
import { REPORTS_MAX } from "../../../../src/core/transport/nat/limits.ts";
import type { PathReport } from "../../../../src/core/transport/nat/types.ts";

function about(peer: bigint): PathReport {
  return {
    peer,
    outcome: "none",
    ownClass: "cone",
    peerClass: "cone",
    action: "punch",
    attempts: [],
  };
}

Deno.test("KeptReports keeps the last report of each peer, of so many peers", () => {
  const kept = new KeptReports();
  for (let i = 1; i <= REPORTS_MAX; i++) kept.keep(about(BigInt(i)), i);
  const again = about(1n);
  kept.keep(again, 1_000);
  assert.deepEqual(kept.get(1n), { report: again, atMs: 1_000 });
  // The peer that was sought longest ago makes room.
  kept.keep(about(0n), 1_001);
  assert.equal(kept.get(2n), undefined);
  assert.equal(kept.get(1n)?.atMs, 1_000);
  assert.equal(kept.get(3n)?.atMs, 3);
});
