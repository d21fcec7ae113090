import assert from "node:assert/strict";
import { openRedex, type Redex, type RedexFile } from "../../../src/log/mod.ts";
import { systemDisk } from "../../../src/base/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { simErrors } from "../../sim/sim_inode.ts";
import { bytes, createDiskKit, FOLDER, isRedexError, text } from "./redex_kit.ts";

const PERSISTENT = { isPersistent: true } as const;

function textsOf(file: RedexFile): (string | undefined)[] {
  return file.readRange(0n, file.nextSeq).map(({ payload }) => text(payload));
}

async function fill(redex: Redex, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const file = await redex.open(name, PERSISTENT);
    file.append(bytes(`first of ${name}`));
    await file.close();
  }
}

Deno.test("a channel whose name begins with another's lies in its folder, and neither sees the other", async () => {
  const names = ["a", "a/b", "a/b/c", "a.b", "a/idx", "a/ts", "v0000000001", "v0000000001/x"];
  await using kit = createDiskKit();
  await fill(kit.redex, names);
  for (const name of names) {
    const file = await kit.redex.open(name, PERSISTENT);
    assert.deepEqual(textsOf(file), [`first of ${name}`]);
    file.append(bytes("second"));
    await file.compact();
    assert.equal(file.stat().generation, 2);
    await file.close();
  }
  for (const name of names) {
    const file = await kit.redex.open(name, PERSISTENT);
    assert.deepEqual(textsOf(file), [`first of ${name}`, "second"]);
  }
  assert.deepEqual(await kit.redex.names(), [...names].sort());
});

Deno.test("a part that is called like a file of the channel above is refused on disk", async () => {
  await using kit = createDiskKit();
  for (const name of ["a/v0000000001", "a/b/v0000000009/c", "a/manifest", "a/manifest.tmp/x"]) {
    await assert.rejects(kit.redex.open(name, PERSISTENT), isRedexError("channel"), name);
    await (await kit.redex.open(name)).close();
  }
});

Deno.test("removing a channel leaves those below it, and no empty folder", async () => {
  await using kit = createDiskKit();
  await fill(kit.redex, ["a", "a/b", "c/d/e"]);
  assert.equal(await kit.redex.remove("a"), true);
  assert.equal(await kit.redex.remove("a"), false);
  assert.deepEqual(await kit.redex.names(), ["a/b", "c/d/e"]);
  const below = await kit.redex.open("a/b", PERSISTENT);
  assert.deepEqual(textsOf(below), ["first of a/b"]);
  assert.equal(await kit.redex.remove("c/d"), false);
  assert.equal(await kit.redex.remove("c/d/e"), true);
  assert.deepEqual(kit.disk.list(FOLDER).map(({ name }) => name), ["a"]);
  assert.equal(await kit.redex.remove("a/b"), true);
  assert.throws(() => below.append(bytes("x")), isRedexError("closed"));
  assert.deepEqual(kit.disk.paths, []);
});

Deno.test("a removed channel does not come back after a crash, and the ones beside it stay", async () => {
  for (const [gone, kept] of [["a", "a/b"], ["a/b", "a"], ["a/b", "a/c"], ["a", "b"]] as const) {
    for (const chance of [0.1, 0.5, 0.9]) {
      const kit = createDiskKit();
      await fill(kit.redex, [gone, kept]);
      await kit.redex.remove(gone);
      await kit.redex.close();
      await using after = createDiskKit({ disk: kit.disk.afterCrash(() => chance) });
      assert.deepEqual(await after.redex.names(), [kept], `${gone} of ${kept}, ${chance}`);
      assert.deepEqual(textsOf(await after.redex.open(kept, PERSISTENT)), [`first of ${kept}`]);
    }
  }
});

Deno.test("an open channel that is removed is gone, and can be opened anew", async () => {
  await using kit = createDiskKit();
  const file = await kit.redex.open("a", PERSISTENT);
  file.append(bytes("x"));
  assert.equal(await kit.redex.remove("a"), true);
  const again = await kit.redex.open("a", PERSISTENT);
  assert.equal(again.nextSeq, 0n);
  await again.close();
  assert.equal(kit.disk.openFiles, 0);
});

Deno.test("a folder of the log that cannot be used is an error of its kind", async () => {
  const disk = new SimDisk();
  await using kit = createDiskKit({ disk });
  disk.fault = ({ kind }) => kind === "makeFolder" ? { error: simErrors.denied() } : undefined;
  await assert.rejects(kit.redex.open("a", PERSISTENT), isRedexError("io"));
  disk.fault = ({ kind }) => kind === "open" ? { error: simErrors.noSpace() } : undefined;
  await assert.rejects(kit.redex.open("a", PERSISTENT), isRedexError("no_space"));
  disk.fault = undefined;
  const file = await kit.redex.open("a", PERSISTENT);
  assert.equal(file.append(bytes("x")), 0n);
  assert.equal(kit.count("files_open"), 1);
});

Deno.test("a folder is for one manager, as long as it has a channel there open", async () => {
  await using kit = createDiskKit();
  await using other = createDiskKit({ disk: kit.disk });
  const file = await kit.redex.open("a", PERSISTENT);
  await assert.rejects(other.redex.open("a", PERSISTENT), isRedexError("locked"));
  await assert.rejects(other.redex.open("b", PERSISTENT), isRedexError("locked"));
  await assert.rejects(other.redex.remove("a"), isRedexError("locked"));
  const second = await kit.redex.open("c", PERSISTENT);
  await file.close();
  await assert.rejects(other.redex.open("a", PERSISTENT), isRedexError("locked"));
  await second.close();
  await (await other.redex.open("a", PERSISTENT)).close();
  await kit.redex.open("a", PERSISTENT);
});

Deno.test("channels are the same on the machine's own disk", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const open = () =>
      openRedex({ clock: new ManualClock(), disk: systemDisk }, { folder: `${folder}/log` });
    {
      await using redex = open();
      await fill(redex, ["a", "a/b"]);
    }
    await using redex = open();
    await using other = open();
    assert.deepEqual(await redex.names(), ["a", "a/b"]);
    for (const name of ["a", "a/b"]) {
      assert.deepEqual(textsOf(await redex.open(name, PERSISTENT)), [`first of ${name}`]);
    }
    await assert.rejects(other.open("a", PERSISTENT), isRedexError("locked"));
    await redex.remove("a");
    assert.deepEqual(await redex.names(), ["a/b"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
