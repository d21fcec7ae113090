/** The store on file systems that are full, become read-only, or hold a log of ten gigabytes. */
import assert from "node:assert/strict";
import { systemClock, systemDisk } from "../../../../src/base/mod.ts";
import { openDiskRecordStore, type RecordStore, RedexError } from "../../../../src/log/mod.ts";
import { readAll } from "./store_kit.ts";

const GIGABYTE = 1e9;
const SEGMENT_BYTES = 2 ** 30;

const open = (folder: string, segmentBytesMax?: number): Promise<RecordStore> =>
  openDiskRecordStore({ disk: systemDisk, clock: systemClock, folder, segmentBytesMax });

/** Runs with a small file system of its own; says so and does nothing where none can be mounted. */
async function withMount(
  options: string,
  run: (folder: string, remount: (options: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const mount = async (args: string[]): Promise<string> => {
    const command = new Deno.Command("mount", { args, stdout: "null", stderr: "piped" });
    const { success, stderr } = await command.output().catch((error: Error) => ({
      success: false,
      stderr: new TextEncoder().encode(error.message),
    }));
    return success ? "" : new TextDecoder().decode(stderr).trim() || "mount failed";
  };
  const failure = Deno.build.os === "linux"
    ? await mount(["-t", "tmpfs", "-o", options, "tmpfs", folder])
    : "not Linux";
  if (failure !== "") {
    console.log(`skipped: cannot mount a file system here: ${failure}`);
    await Deno.remove(folder);
    return;
  }
  try {
    await run(folder, async (changed) => {
      assert.equal(await mount(["-o", `remount,${changed}`, folder]), "");
    });
  } finally {
    await new Deno.Command("umount", { args: ["-l", folder] }).output();
    await Deno.remove(folder);
  }
}

function kindOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof RedexError);
    assert.notEqual(error.next, undefined);
    return error.kind;
  }
  return "none";
}

Deno.test("on a full file system appends fail as a whole, and go on when there is space", async () => {
  await withMount("size=1m", async (mount) => {
    const folder = `${mount}/channel`;
    const store = await open(folder);
    const batch = Array.from({ length: 32 }, (_, i) => new Uint8Array(200).fill(i));
    let kind = "none";
    while (kind === "none") kind = kindOf(() => store.append(batch, 1n));
    assert.equal(kind, "no_space");
    const records = readAll(store);
    assert.equal(records.length % 32, 0);
    assert.equal(store.nextSeq, records.length);
    assert.equal(store.failure, undefined);
    // Smaller ones may fit until nothing does.
    while (kindOf(() => store.append([new Uint8Array(300)], 1n)) === "none");
    const kept = readAll(store);
    await store.sync();
    assert.equal(store.persistedSeq, kept.length);
    await store.close();
    const again = await open(folder);
    assert.deepEqual(readAll(again), kept);
    Deno.writeTextFileSync(`${mount}/other`, "");
    assert.equal(kindOf(() => again.append(batch, 1n)), "no_space");
    await assert.rejects(again.compact(10), (error: RedexError) => error.kind === "no_space");
    assert.deepEqual(readAll(again).at(-1), kept.at(-1));
    await again.close();
  });
});

Deno.test("retention makes room on a full file system by removing whole segments", async () => {
  await withMount("size=1m", async (mount) => {
    const store = await open(`${mount}/channel`, 64 * 1024);
    const batch = Array.from({ length: 16 }, (_, i) => new Uint8Array(200).fill(i));
    while (kindOf(() => store.append(batch, 1n)) === "none");
    const last = readAll(store).at(-1);
    await store.compact(store.nextSeq - 1000, false);
    assert.ok(store.count <= 1000 + 400);
    assert.deepEqual(readAll(store).at(-1), last);
    assert.equal(kindOf(() => store.append(batch, 1n)), "none");
    await store.close();
  });
});

Deno.test("on a file system that became read-only appends fail, and go on when it is writable", async () => {
  await withMount("size=4m", async (mount, remount) => {
    const folder = `${mount}/channel`;
    const store = await open(folder);
    store.append([Uint8Array.of(1)], 1n);
    await store.close();
    await remount("ro");
    await assert.rejects(open(folder), (error: RedexError) => {
      assert.match(error.message, /os error 30/);
      assert.match(error.next ?? "", /writable/);
      return error.kind === "io";
    });
    await remount("rw");
    const again = await open(folder);
    assert.equal(again.append([Uint8Array.of(2)], 1n), 1);
    await again.close();
  });
});

Deno.test("a log of ten gigabytes opens in milliseconds, and its memory is bounded", async () => {
  const base = await Deno.makeTempDir();
  const folder = `${base}/channel`;
  try {
    await createSparseLog(folder, 10 * GIGABYTE);
    const before = Deno.memoryUsage().rss;
    const start = performance.now();
    const store = await open(folder, SEGMENT_BYTES);
    const openMs = performance.now() - start;
    assert.ok(openMs < 250, `opened in ${openMs} ms`);
    assert.ok(store.bytes > 9.9 * GIGABYTE);
    for (let i = 0; i < 50; i++) {
      const seq = Math.floor(store.nextSeq * i / 50);
      assert.equal(store.read(seq, seq + 1, 1, 1e6).records[0]?.seq, seq);
    }
    assert.equal(store.read(store.nextSeq - 1, Infinity, 10, 1e6).records.length, 1);
    assert.ok(Deno.memoryUsage().rss - before < 100e6);
    await store.close();
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});

/** Payloads of zeros, of which the file system keeps nothing: written by the store, with holes put in. */
async function createSparseLog(folder: string, bytes: number): Promise<void> {
  const sparse = {
    ...systemDisk,
    open: (path: string, options?: Parameters<typeof systemDisk.open>[1]) => {
      const file = systemDisk.open(path, options);
      if (!path.endsWith("/dat")) return file;
      const writeAt = (offset: number, part: Uint8Array) => file.truncate(offset + part.length);
      return new Proxy(file, {
        get: (target, name) => {
          if (name === "writeAt") return writeAt;
          const value = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
  const clock = systemClock;
  const store = await openDiskRecordStore({
    disk: sparse,
    clock,
    folder,
    segmentBytesMax: SEGMENT_BYTES,
  });
  const payload = new Uint8Array(1 << 20);
  const batch = Array.from({ length: 16 }, () => payload);
  while (store.bytes < bytes) store.append(batch, 1n);
  await store.close();
}
