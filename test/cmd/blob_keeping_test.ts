import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const HASH = "0123456789abcdef".repeat(4);
const REPORT = {
  dry_run: false,
  disk_pressure: false,
  retention_ms: 86_400_000,
  scanned: 10,
  candidates: [{ hash: HASH, size: 2_048, first_seen: "2026-01-02T03:04:05.000Z" }],
  candidate_count: 1,
  candidate_bytes: 2_048,
  removed: 1,
  freed_bytes: 2_048,
  kept: { pinned: 0, referenced: 7, staged: 0, replica: 0, stripe: 0, in_use: 0, fresh: 2 },
  holds_ended: 0,
};

Deno.test("blob gc says what went and what is too young", async () => {
  const run = await runInMemory(["blob", "gc"], { node: { "blob.gc": REPORT } });
  assert.equal(run.code, 0);
  assert.equal(run.stdout, "removed 1 chunks, freed 2.0 KiB\n");
  assert.match(run.stderr, /2 chunks are too young to go: see --retention and --disk-pressure/);
  assert.deepEqual(run.calls[0]?.params, { dry_run: false, disk_pressure: false });
  const json = await runInMemory(["blob", "gc", "--json"], { node: { "blob.gc": REPORT } });
  assert.deepEqual(JSON.parse(json.stdout), { schema: "net.blob.gc.v1", ...REPORT });
});

Deno.test("blob gc --dry-run lists what would go", async () => {
  const node = { "blob.gc": { ...REPORT, dry_run: true, removed: 0 } };
  const flags = ["--dry-run", "--disk-pressure", "--retention", "1h"];
  const run = await runInMemory(["blob", "gc", ...flags], { node });
  assert.match(run.stdout, new RegExp(`${HASH} +2.0 KiB +2026-01-02T03:04:05Z`));
  assert.match(run.stdout, /1 chunks would go, 2.0 KiB\n$/);
  assert.deepEqual(run.calls[0]?.params, {
    dry_run: true,
    disk_pressure: true,
    retention_ms: 3_600_000,
  });
});

Deno.test("blob gc refuses a retention that is none", async () => {
  const run = await runInMemory(["blob", "gc", "--retention", "soon"], { node: {} });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /next: write for example --retention 24h/);
  assert.equal(run.calls.length, 0);
});
