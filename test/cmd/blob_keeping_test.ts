import assert from "node:assert/strict";
import { type Answers, runInMemory } from "./_harness.ts";

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
  assert.equal(run.stdout, "removed 1 chunk, freed 2.0 KiB\n");
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
  assert.match(run.stdout, /1 chunk would go, 2.0 KiB\n$/);
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

const ADDRESS = `b3:${HASH}`;
const BLOB = {
  address: ADDRESS,
  size: 2048,
  chunks: 1,
  created_at: "2026-01-02T03:04:05.000Z",
  kind: "blob",
  origin: "put",
  pinned: false,
  label: "",
};

Deno.test("blob ls follows pages and stops at a node that never ends", async () => {
  const node: Answers = {
    "blob.list": ({ cursor }) =>
      cursor === undefined
        ? { blobs: [{ ...BLOB, pinned: true, label: "iso" }], next: "2" }
        : { blobs: [{ ...BLOB, kind: "directory", origin: "cached" }], next: "2" },
  };
  const { stdout } = await runInMemory(["blob", "ls"], { node });
  const [heading, first, second, ...rest] = stdout.trimEnd().split("\n");
  assert.match(heading ?? "", /^ADDRESS +SIZE +CHUNKS +CREATED +KIND +LABEL$/);
  assert.match(first ?? "", / 2\.0 KiB +1 +2026-01-02T03:04:05Z +blob, pinned +iso$/);
  assert.match(second ?? "", / directory, cached$/);
  assert.deepEqual(rest, []);
  const json = JSON.parse((await runInMemory(["blob", "ls", "--json"], { node })).stdout);
  assert.equal(json.schema, "net.blob.ls.v1");
  assert.equal(json.blobs.length, 2);
});

Deno.test("blob ls asks for what it is told to, and no more", async () => {
  const node: Answers = {
    "blob.list": { blobs: [BLOB, BLOB, BLOB], next: "2" },
    "blob.chunks": { chunks: [{ hash: HASH, size: 5, first_seen: BLOB.created_at }], next: null },
  };
  const flags = ["--kind", "blob", "--origin", "put", "--label", "a", "--pinned", "--limit", "2"];
  const some = await runInMemory(["blob", "ls", "0a3f", ...flags, "--json"], { node });
  assert.equal(JSON.parse(some.stdout).blobs.length, 2);
  assert.deepEqual(some.calls, [{
    method: "blob.list",
    params: { kind: "blob", origin: "put", label: "a", pinned: true, prefix: "0a3f" },
  }]);
  const chunks = await runInMemory(["blob", "ls", "--chunks"], { node });
  assert.match(chunks.stdout, new RegExp(`\n${HASH} +5 B +2026-01-02T03:04:05Z`));
  for (const bad of [["--limit", "0"], ["--limit", "x"], ["--chunks", "--pinned"]]) {
    const refused = await runInMemory(["blob", "ls", ...bad], { node });
    assert.equal(refused.code, 2, bad.join(" "));
    assert.match(refused.stderr, /^next: /m);
  }
});

Deno.test("blob stat shows what is here, and what peers say of what is not", async () => {
  const here = {
    ...BLOB,
    blob_ref: "aa",
    size: 5000,
    form: "tree",
    encoding: "reed_solomon 10+4",
    depth: 2,
    local: true,
    chunks: 30,
    chunks_missing: 3,
    held: true,
    copies_wanted: 3,
    holders: [{ node: "00000000000000cd", seen_at: "2026-01-01T00:00:00.000Z" }],
  };
  const stat = await runInMemory(["blob", "stat", ADDRESS], { node: { "blob.stat": here } });
  assert.match(stat.stdout, /^size {7}4\.9 KiB \(5000 bytes\)$/m);
  assert.match(stat.stdout, /^form {7}tree, reed_solomon 10\+4, 2 levels$/m);
  assert.match(stat.stdout, /^chunks {5}30, 3 of them not here$/m);
  assert.match(stat.stdout, /^here {7}yes$/m);
  assert.match(stat.stdout, /^held {7}yes: see net blob why$/m);
  assert.match(stat.stdout, /^copies {5}2 known of 3 wanted$/m);
  assert.match(stat.stdout, /^at {9}00000000000000cd, seen /m);
  const there = { ...here, local: false, chunks: null, told_by: "00000000000000ab" };
  const far = await runInMemory(["blob", "stat", ADDRESS], { node: { "blob.stat": there } });
  assert.match(far.stdout, /^here {7}no$/m);
  assert.match(far.stdout, /^told by {4}00000000000000ab$/m);
  const long = { ...here, blob_ref: "b0b1b2b3".repeat(1_024) };
  const cut = await runInMemory(["blob", "stat", ADDRESS], { node: { "blob.stat": long } });
  assert.match(cut.stdout, /^reference {2}(b0b1b2b3){4}… \(4\.0 KiB; all of it with --json\)$/m);
  const whole = ["blob", "stat", ADDRESS, "--json"];
  const json = await runInMemory(whole, { node: { "blob.stat": long } });
  assert.equal(JSON.parse(json.stdout).blob_ref, long.blob_ref);
});

Deno.test("blob rm, pin and unpin hand the target over", async () => {
  const removed = { removed: true, what: "blob", freed_bytes: 5 };
  const rm = await runInMemory(["blob", "rm", ADDRESS, "--force", "--json"], {
    node: { "blob.remove": removed },
  });
  assert.deepEqual(JSON.parse(rm.stdout), { schema: "net.blob.rm.v1", ...removed });
  assert.deepEqual(rm.calls[0]?.params, { target: ADDRESS, force: true });
  for (const verb of ["pin", "unpin"]) {
    const answer = { target: ADDRESS, what: "blob", pinned: verb === "pin" };
    const run = await runInMemory(["blob", verb, ADDRESS], { node: { [`blob.${verb}`]: answer } });
    assert.equal(run.stdout, `${verb}ned blob ${ADDRESS}\n`);
    assert.deepEqual(run.calls, [{ method: `blob.${verb}`, params: { target: ADDRESS } }]);
  }
});

Deno.test("blob why names every reason", async () => {
  const until = "2026-02-03T04:05:06.000Z";
  const answer = {
    target: ADDRESS,
    blob: {
      ...BLOB,
      chunks: 3,
      chunks_present: 2,
      label: "iso",
      pinned: true,
      holds: [{ owner: "view:a", reason: "event", until: null }],
    },
    chunk: {
      hash: HASH,
      size: 100,
      first_seen: BLOB.created_at,
      last_seen: BLOB.created_at,
      pinned: false,
      refcount: 1,
      reasons: ["pinned", "referenced", "stripe", "in_use", "fresh"],
      referenced_by: [{ address: ADDRESS, pinned: true }],
      holds: [{ owner: "staging:x", reason: "staging", until }],
      stripes: [{ address: ADDRESS, stripe: 4, data_chunks: 10, chunks: 14, present: 10 }],
      fresh_until: until,
    },
  };
  const { stdout } = await runInMemory(["blob", "why", ADDRESS], { node: { "blob.why": answer } });
  assert.deepEqual(stdout.trimEnd().split("\n"), [
    `blob ${ADDRESS} "iso": 3 chunks, 2 of them here`,
    "  pinned",
    "  was put here: stays until it is removed",
    "  held by view:a (event) until it is released",
    `chunk ${HASH}: 100 B, first seen 2026-01-02T03:04:05Z`,
    "  pinned with a blob that refers to it",
    `  referenced by ${ADDRESS}`,
    "  held by staging:x (staging) until 2026-02-03T04:05:06Z",
    `  in stripe 4 of ${ADDRESS}: 10 of 14 chunks here, 10 are enough`,
    "  its stripe can bear no more loss",
    "  in use at this moment",
    "  young until 2026-02-03T04:05:06Z",
  ]);
  const loose = { ...answer.chunk, reasons: [], referenced_by: [], holds: [], stripes: [] };
  const free = await runInMemory(["blob", "why", HASH], {
    node: { "blob.why": { ...answer, blob: null, chunk: loose } },
  });
  assert.match(free.stdout, /\n {2}nothing keeps it: the next collection takes it\n$/);
});

Deno.test("blob path shows the way to a byte", async () => {
  const place = {
    manifest_path: ["aa", "bb"],
    leaf_kind: "erasure_leaf",
    stripe_index: 0,
    stripe_encoding: "reed_solomon 4+2",
    chunk_hash: HASH,
    chunk_size: 100,
    chunk_role: "data 1",
    sub_offset: 7,
  };
  const node = { "blob.path": place };
  const run = await runInMemory(["blob", "path", ADDRESS, "--offset", "107"], { node });
  assert.deepEqual(run.calls[0]?.params, { target: ADDRESS, offset: 107 });
  assert.match(run.stdout, /^node 2 +bb$/m);
  assert.match(run.stdout, /^stripe +0, reed_solomon 4\+2$/m);
  assert.match(run.stdout, /^byte +7 of the chunk$/m);
  const bad = await runInMemory(["blob", "path", ADDRESS, "--offset", "-1"], { node });
  assert.equal(bad.code, 2);
});
