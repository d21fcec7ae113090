import assert from "node:assert/strict";
import { SimDisk } from "../../sim/sim_disk.ts";
import { simErrors } from "../../sim/sim_inode.ts";
import {
  bytes,
  createDiskKit,
  drained,
  FOLDER,
  isRedexError,
  numbered,
  pass,
  type RedexKit,
  text,
} from "./redex_kit.ts";

const PERSISTENT = { isPersistent: true } as const;
const FAILURES = {
  "no space": { error: simErrors.noSpace, kind: "no_space" },
  "an input/output error": { error: simErrors.io, kind: "io" },
  "a read-only file system": { error: simErrors.readOnly, kind: "io" },
  "a permission": { error: simErrors.denied, kind: "io" },
} as const;

async function openKit(): Promise<{ kit: RedexKit; disk: SimDisk }> {
  const disk = new SimDisk();
  return { kit: await Promise.resolve(createDiskKit({ disk })), disk };
}

for (const [what, { error, kind }] of Object.entries(FAILURES)) {
  for (const fileName of ["dat", "idx", "ts"]) {
    Deno.test(`${what} in the middle of ${fileName}: all or nothing, and the log goes on`, async () => {
      const { kit, disk } = await openKit();
      await using _ = kit;
      const file = await kit.redex.open("a", PERSISTENT);
      file.appendBatch(numbered(3));
      using tail = file.tail({ from: 0n });
      const sizes = disk.paths.map((path) => disk.sizeOf(path));
      for (const keep of [0, 1, 5]) {
        disk.fault = (operation) =>
          operation.kind === "write" && operation.path.endsWith(`/${fileName}`)
            ? { error: error(), keep }
            : undefined;
        assert.throws(() => file.append(bytes("lost")), isRedexError(kind));
        assert.throws(() => file.appendBatch(numbered(4)), isRedexError(kind));
        assert.throws(() => file.appendBatchIfNext(3n, numbered(4)), isRedexError(kind));
        await assert.rejects(file.appendDurable(numbered(2)), isRedexError(kind));
        assert.equal(file.nextSeq, 3n);
        assert.equal(file.stat().events, 3);
        assert.deepEqual(disk.paths.map((path) => disk.sizeOf(path)), sizes);
      }
      assert.deepEqual(drained(tail), ["0=0", "1=1", "2=2"], "readers saw nothing of it");
      assert.equal(kit.count("append_failures_total"), 12);
      disk.fault = undefined;
      assert.equal(file.append(bytes("back")), 3n);
      assert.deepEqual(drained(tail), ["3=back"]);
      await file.close();
      const again = await kit.redex.open("a", PERSISTENT);
      assert.deepEqual(again.readRange(0n, 9n).map(({ payload }) => text(payload)), [
        "0",
        "1",
        "2",
        "back",
      ]);
    });
  }
}

Deno.test("what cannot be taken back ends the appends until the channel is opened again", async () => {
  const { kit, disk } = await openKit();
  await using _ = kit;
  const file = await kit.redex.open("a", PERSISTENT);
  file.appendBatch(numbered(2));
  using tail = file.tail({ from: 0n });
  disk.fault = ({ kind, path }) =>
    kind === "truncate" || (kind === "write" && path.endsWith("/ts"))
      ? { error: simErrors.io(), keep: 3 }
      : undefined;
  assert.throws(() => file.append(bytes("x")), isRedexError("io"));
  disk.fault = undefined;
  assert.throws(() => file.append(bytes("x")), isRedexError("io"));
  assert.match(file.stat().failure ?? "", /could not be taken back/);
  assert.deepEqual(drained(tail), ["0=0", "1=1"], "reading goes on");
  await file.close().catch(() => {});
  const again = await kit.redex.open("a", PERSISTENT);
  const seq = again.append(bytes("y"));
  assert.equal(text(again.read(seq)?.payload), "y");
  assert.equal(text(again.read(1n)?.payload), "1");
  assert.equal(again.stat().failure, undefined);
});

Deno.test("a read that fails rejects the take, and the tail stays where it is", async () => {
  const { kit, disk } = await openKit();
  await using _ = kit;
  const file = await kit.redex.open("a", PERSISTENT);
  file.appendBatch(numbered(2));
  await file.close();
  const again = await kit.redex.open("a", PERSISTENT);
  using tail = again.tail({ from: 0n });
  disk.fault = ({ kind }) => kind === "read" ? { error: simErrors.io() } : undefined;
  await assert.rejects(tail.take(1), isRedexError("io"));
  assert.throws(() => again.read(0n), isRedexError("io"));
  disk.fault = undefined;
  assert.equal(tail.position, 0n);
  assert.deepEqual(drained(tail), ["0=0", "1=1"]);
});

Deno.test("retention that fails is counted and logged, and runs again", async () => {
  const { kit, disk } = await openKit();
  await using _ = kit;
  const file = await kit.redex.open("a", {
    ...PERSISTENT,
    retention: { eventsMax: 2 },
    sweepMs: 100,
  });
  file.appendBatch(numbered(10));
  disk.fault = ({ kind, path }) =>
    kind === "open" && path.startsWith(FOLDER) ? { error: simErrors.noSpace() } : undefined;
  await pass(kit, 250);
  assert.equal(kit.count("sweep_failures_total"), 2);
  assert.deepEqual(kit.errors, ["log_sweep_failed", "log_sweep_failed"]);
  assert.equal(file.nextSeq, 10n);
  assert.equal(text(file.read(9n)?.payload), "9");
  await assert.rejects(file.sweep(), isRedexError("no_space"));
  assert.equal(file.append(bytes("x")), 10n, "appends go on");
  disk.fault = undefined;
  await pass(kit, 100);
  assert.equal(file.firstSeq, 9n);
  assert.equal(disk.paths.filter((path) => path.endsWith("/dat")).length, 1);
  const dat = disk.paths.find((path) => path.endsWith("/dat")) ?? "";
  assert.equal(disk.sizeOf(dat), 2, "the payloads that went are off the disk");
});

Deno.test("a close that fails says so, and the channel can be opened again", async () => {
  const { kit, disk } = await openKit();
  await using _ = kit;
  const file = await kit.redex.open("a", PERSISTENT);
  file.append(bytes("x"));
  disk.fault = ({ kind }) => kind === "sync" ? { error: simErrors.io() } : undefined;
  await assert.rejects(file.close(), isRedexError("io"));
  assert.equal(kit.redex.get("a"), undefined);
  assert.equal(disk.openFiles, 0);
  disk.fault = undefined;
  const again = await kit.redex.open("a", PERSISTENT);
  assert.equal(text(again.read(0n)?.payload), "x");
});
