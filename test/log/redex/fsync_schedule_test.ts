import assert from "node:assert/strict";
import type { FsyncPolicy } from "../../../src/log/mod.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { simErrors } from "../../sim/sim_inode.ts";
import { bytes, createDiskKit, isRedexError, numbered, pass } from "./redex_kit.ts";

/** A channel on disk with a policy; `synced` are the syncs of payload files so far. */
async function openWith(fsync: FsyncPolicy) {
  const disk = new SimDisk();
  let synced = 0;
  let isFailing = false;
  disk.fault = ({ kind, path }) => {
    if (kind !== "sync") return undefined;
    if (isFailing) return { error: simErrors.io() };
    if (path.endsWith("/dat")) synced += 1;
    return undefined;
  };
  const kit = createDiskKit({ disk });
  const file = await kit.redex.open("a", { isPersistent: true, fsync });
  synced = 0;
  return {
    kit,
    disk,
    file,
    synced: () => synced,
    fail: (yes: boolean) => void (isFailing = yes),
  };
}

Deno.test("never: nothing is synced before it is asked for, or the file is closed", async () => {
  const { kit, file, synced } = await openWith({ kind: "never" });
  await using _ = kit;
  for (let i = 0; i < 1_000; i++) file.append(bytes("x"));
  await kit.clock.advance(3_600_000);
  assert.equal(synced(), 0);
  assert.equal(file.persistedSeq, 0n);
  await file.sync();
  assert.equal(synced(), 1);
  assert.equal(file.persistedSeq, 1_000n);
  file.append(bytes("y"));
  await file.close();
  assert.equal(synced(), 2);
  assert.equal(file.persistedSeq, 1_001n);
});

Deno.test("every n: a sync begins with the n-th record, whatever calls brought them", async () => {
  const { kit, file, synced } = await openWith({ kind: "every-n", records: 10 });
  await using _ = kit;
  for (let i = 0; i < 9; i++) file.append(bytes("x"));
  await kit.clock.advance(60_000);
  assert.equal(synced(), 0);
  file.append(bytes("x"));
  assert.equal(file.persistedSeq, 0n, "it runs in the background");
  await pass(kit, 0);
  assert.equal(synced(), 1);
  assert.equal(file.persistedSeq, 10n);
  file.appendBatch(numbered(25));
  await pass(kit, 0);
  assert.equal(file.persistedSeq, 35n);
  assert.equal(synced(), 2);
});

Deno.test("every n: what comes during a sync is counted for the next one", async () => {
  const { kit, file, synced } = await openWith({ kind: "every-n", records: 10 });
  await using _ = kit;
  file.appendBatch(numbered(10));
  file.appendBatch(numbered(10));
  await pass(kit, 0);
  assert.equal(file.persistedSeq, 20n);
  assert.ok(synced() <= 2);
});

Deno.test("interval: a sync comes so long after the first record that is not on the device", async () => {
  const { kit, file, synced } = await openWith({ kind: "interval", ms: 50 });
  await using _ = kit;
  await pass(kit, 1_000);
  assert.equal(synced(), 0, "nothing was appended");
  file.append(bytes("a"));
  await pass(kit, 30);
  file.append(bytes("b"));
  await pass(kit, 19);
  assert.equal(synced(), 0);
  await pass(kit, 1);
  assert.equal(file.persistedSeq, 2n);
  assert.equal(synced(), 1);
  await kit.clock.advance(10_000);
  assert.equal(synced(), 1, "with nothing new it rests");
  file.append(bytes("c"));
  await pass(kit, 50);
  assert.equal(file.persistedSeq, 3n);
});

Deno.test("interval or bytes: whichever comes first, and 28 bytes of a record count", async () => {
  const { kit, file, synced } = await openWith({
    kind: "interval-or-bytes",
    ms: 100,
    bytes: 2 * (28 + 50),
  });
  await using _ = kit;
  file.append(bytes("x".repeat(50)));
  await pass(kit, 99);
  assert.equal(synced(), 0);
  await pass(kit, 1);
  assert.equal(synced(), 1);
  file.append(bytes("x".repeat(50)));
  file.append(bytes("x".repeat(49)));
  await pass(kit, 0);
  assert.equal(synced(), 1);
  file.append(bytes(""));
  await pass(kit, 0);
  assert.equal(synced(), 2);
  assert.equal(file.persistedSeq, 4n);
});

for (
  const policy of [
    { kind: "interval-or-bytes", ms: 0, bytes: 30 },
    { kind: "interval-or-bytes", ms: 40, bytes: 0 },
  ] as const
) {
  const what = policy.ms === 0 ? "bytes alone" : "the interval alone";
  Deno.test(`interval or bytes: ${what}, when the other is 0`, async () => {
    const { kit, file, synced } = await openWith(policy);
    await using _ = kit;
    file.append(bytes("abc"));
    await pass(kit, 1);
    assert.equal(synced(), policy.ms === 0 ? 1 : 0);
    await pass(kit, 1_000);
    assert.equal(synced(), 1);
  });
}

Deno.test("a sync that fails in the background is counted, logged, and seen until one succeeds", async () => {
  const { kit, file, fail } = await openWith({ kind: "interval", ms: 50 });
  await using _ = kit;
  file.append(bytes("a"));
  fail(true);
  await pass(kit, 50);
  assert.deepEqual(kit.errors, ["log_sync_failed"]);
  assert.equal(kit.count("sync_failures_total"), 1);
  assert.match(file.stat().failure ?? "", /a sync failed/);
  assert.equal(file.persistedSeq, 0n);
  await assert.rejects(file.sync(), isRedexError("io"), "whoever asks hears of it");
  fail(false);
  await file.sync();
  assert.equal(file.stat().failure, undefined);
  assert.equal(file.persistedSeq, 1n);
});

Deno.test("an interval tries again after a failure, and the log goes on", async () => {
  const { kit, disk, file, fail } = await openWith({ kind: "interval", ms: 50 });
  await using _ = kit;
  file.append(bytes("a"));
  fail(true);
  await pass(kit, 120);
  assert.equal(kit.count("sync_failures_total"), 2);
  fail(false);
  await pass(kit, 50);
  assert.equal(file.persistedSeq, 1n);
  assert.equal(file.stat().failure, undefined);
  assert.equal(file.append(bytes("b")), 1n);
  await kit.redex.close();
  // What the failed sync had lost was written again: the machine may crash now.
  const after = createDiskKit({ disk: disk.afterCrash(() => 0.5) });
  await using _after = after;
  const again = await after.redex.open("a", { isPersistent: true });
  assert.equal(again.nextSeq, 2n);
});

Deno.test("thousands of writers that wait share a few syncs", async () => {
  const { kit, file, synced } = await openWith({ kind: "never" });
  await using _ = kit;
  const firsts = await Promise.all(
    Array.from({ length: 5_000 }, (_, i) => file.appendDurable([bytes(String(i))])),
  );
  assert.deepEqual(firsts, Array.from({ length: 5_000 }, (_, i) => BigInt(i)));
  assert.equal(file.persistedSeq, 5_000n);
  assert.ok(synced() <= 2, `${synced()} syncs`);
});

Deno.test("a durable append that is not on the device is refused, and no other is acknowledged", async () => {
  const { kit, file, fail } = await openWith({ kind: "never" });
  await using _ = kit;
  fail(true);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 10 }, () => file.appendDurable([bytes("x")])),
  );
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
  assert.equal(file.persistedSeq, 0n);
  await assert.rejects(file.appendDurable([]), isRedexError("io"));
  fail(false);
  await file.sync();
  assert.equal(await file.appendDurable([bytes("y")]), 10n);
});
