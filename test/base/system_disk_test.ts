import assert from "node:assert/strict";
import {
  listAside,
  readAside,
  syncFolderAside,
  systemDisk,
  writeAside,
} from "../../src/base/mod.ts";
import { SimDisk } from "../sim/sim_disk.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

async function inFolder(run: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("systemDisk reads and writes at places, and tells the size", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a/b/file`;
    assert.equal(systemDisk.sizeOf(path), undefined);
    systemDisk.makeFolder(`${folder}/a/b`);
    systemDisk.makeFolder(`${folder}/a/b`);
    const file = systemDisk.open(path, { createNew: true });
    file.writeAt(0, bytes(1, 2, 3, 4));
    file.writeAt(6, bytes(7));
    file.writeAt(1, bytes(9));
    const into = new Uint8Array(10);
    assert.equal(file.readAt(1, into), 6);
    assert.deepEqual(into.subarray(0, 6), bytes(9, 3, 4, 0, 0, 7));
    assert.equal(file.readAt(100, into), 0);
    file.truncate(2);
    assert.equal(file.size(), 2);
    assert.equal(systemDisk.sizeOf(path), 2);
    await file.sync();
    file.syncNow();
    file.close();
    systemDisk.syncFolder(`${folder}/a/b`);
    assert.throws(() => systemDisk.open(path, { createNew: true }), Deno.errors.AlreadyExists);
    assert.throws(() => systemDisk.open(`${path}x`), Deno.errors.NotFound);
  });
});

Deno.test("systemDisk lists by name, renames over what is there and removes whole folders", async () => {
  await inFolder((folder) => {
    for (const name of ["b", "a"]) systemDisk.open(`${folder}/${name}`, { create: true }).close();
    systemDisk.makeFolder(`${folder}/c/d`);
    const names = () => systemDisk.list(folder).map(({ name, isFolder }) => [name, isFolder]);
    assert.deepEqual(names(), [["a", false], ["b", false], ["c", true]]);
    systemDisk.rename(`${folder}/a`, `${folder}/b`);
    systemDisk.remove(`${folder}/c`);
    systemDisk.remove(`${folder}/none`);
    assert.deepEqual(names(), [["b", false]]);
    assert.deepEqual(systemDisk.list(`${folder}/none`), []);
    assert.equal(systemDisk.sizeOf(folder), undefined);
  });
});

Deno.test("systemDisk opens for reading only where nothing may be written", async () => {
  await inFolder((folder) => {
    const path = `${folder}/file`;
    Deno.writeFileSync(path, bytes(1, 2));
    const file = systemDisk.open(path, { readOnly: true });
    assert.equal(file.readAt(0, new Uint8Array(4)), 2);
    assert.throws(() => file.writeAt(0, bytes(3)));
    file.close();
  });
});

Deno.test("systemDisk keeps many small writes, and those around them, in their places", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    const file = systemDisk.open(path, { createNew: true });
    const expected = new Uint8Array(4000);
    for (let i = 0; i < 900; i++) {
      const offset = i % 10 === 9 ? (i * 7) % 3990 : i * 4;
      const written = bytes(i, i >> 1, i >> 2, 9);
      file.writeAt(offset, written);
      expected.set(written, offset);
      if (i % 100 === 50) {
        const into = new Uint8Array(4);
        assert.equal(file.readAt(offset, into), 4);
        assert.deepEqual(into, written);
      }
      if (i === 500) {
        file.truncate(1000);
        expected.fill(0, 1000);
      }
    }
    await file.sync();
    const size = file.size();
    file.close();
    assert.deepEqual(Deno.readFileSync(path), expected.subarray(0, size));
  });
});

Deno.test("systemDisk writes on to a file that was renamed, also when another has its name", async () => {
  await inFolder((folder) => {
    const file = systemDisk.open(`${folder}/a`, { createNew: true });
    systemDisk.rename(`${folder}/a`, `${folder}/b`);
    Deno.writeFileSync(`${folder}/a`, bytes(5));
    for (let i = 0; i < 200; i++) file.writeAt(i, bytes(i));
    file.close();
    assert.equal(Deno.readFileSync(`${folder}/b`).length, 200);
    assert.deepEqual(Deno.readFileSync(`${folder}/a`), bytes(5));
  });
});

Deno.test("systemDisk says what is wrong with a write, whichever way it went", async () => {
  if (Deno.build.os !== "linux") return;
  await inFolder(() => {
    const file = systemDisk.open("/dev/full");
    for (let i = 0; i < 200; i++) assert.throws(() => file.writeAt(0, bytes(1)), /os error 28/);
    file.close();
  });
});

Deno.test("what a disk does aside is what it does at once, also where it has no such way", async () => {
  await inFolder(async (folder) => {
    for (const [disk, path] of [[systemDisk, folder], [new SimDisk(), "folder"]] as const) {
      disk.makeFolder(path);
      const file = disk.open(`${path}/a`, { createNew: true });
      await writeAside(file, 0, bytes(1, 2, 3, 4));
      await writeAside(file, 2, bytes(7, 8, 9));
      const into = new Uint8Array(10);
      assert.equal(await readAside(file, 1, into), 4);
      assert.deepEqual(into.subarray(0, 4), bytes(2, 7, 8, 9));
      file.close();
      await syncFolderAside(disk, path);
      assert.deepEqual(await listAside(disk, path), [{ name: "a", isFolder: false }]);
      assert.deepEqual(await listAside(disk, `${path}/none`), []);
      await assert.rejects(syncFolderAside(disk, `${path}/none`), Deno.errors.NotFound);
    }
  });
});

Deno.test("systemDisk knows what is there, since when, and how much room there is", async () => {
  await inFolder((folder) => {
    assert.equal(systemDisk.mayHave?.(`${folder}/a`), false);
    assert.equal(systemDisk.writtenAtMs?.(`${folder}/a`), undefined);
    Deno.writeFileSync(`${folder}/a`, bytes(1));
    Deno.utimeSync(`${folder}/a`, 1_000, 2_000);
    assert.equal(systemDisk.mayHave?.(`${folder}/a`), true);
    assert.equal(systemDisk.writtenAtMs?.(`${folder}/a`), 2_000_000);
    const room = systemDisk.roomOf?.(folder);
    assert.ok(room !== undefined && room.freeBytes >= 0 && room.totalBytes > room.freeBytes);
    assert.equal(systemDisk.roomOf?.(`${folder}/none`), undefined);
  });
});
