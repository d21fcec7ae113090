import assert from "node:assert/strict";
import { CrashedError, SimDisk } from "./sim_disk.ts";
import { simErrors } from "./sim_inode.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function contentOf(disk: SimDisk, path: string): string | undefined {
  const size = disk.sizeOf(path);
  if (size === undefined) return undefined;
  const into = new Uint8Array(size);
  const file = disk.open(path, { readOnly: true });
  file.readAt(0, into);
  file.close();
  return new TextDecoder().decode(into);
}

/** What a crash leaves of a disk, in many runs of chance. */
function outcomes(make: () => SimDisk, path: string): Set<string | undefined> {
  const seen = new Set<string | undefined>();
  let state = 1;
  const chance = () => (state = state * 48_271 % 2_147_483_647) / 2_147_483_647;
  for (let i = 0; i < 300; i++) seen.add(contentOf(make().afterCrash(chance), path));
  return seen;
}

Deno.test("what was not synced may be there, be cut, or be lost after a crash", () => {
  const make = () => {
    const disk = new SimDisk();
    const file = disk.open("f", { create: true });
    file.writeAt(0, bytes("ab"));
    file.syncNow();
    disk.syncFolder("");
    file.writeAt(2, bytes("cd"));
    file.writeAt(4, bytes("ef"));
    return disk;
  };
  const seen = outcomes(make, "f");
  for (const text of ["ab", "abc", "abcd", "abcde", "abcdef", "ab\0\0ef"]) {
    assert.ok(seen.has(text), text);
  }
  assert.ok([...seen].every((text) => text?.startsWith("ab")), "what was synced stays");
});

Deno.test("the end of a write may be there without its beginning", () => {
  const make = () => {
    const disk = new SimDisk();
    const file = disk.open("f", { create: true });
    disk.syncFolder("");
    file.writeAt(0, bytes("x".repeat(40)));
    return disk;
  };
  assert.ok(outcomes(make, "f").has("\0".repeat(20) + "x".repeat(20)));
});

Deno.test("a name is lost unless its folder was synced, and a rename is whole", () => {
  const make = () => {
    const disk = new SimDisk();
    disk.makeFolder("a");
    disk.syncFolder("");
    for (const [name, text] of [["a/old", "1"], ["a/new", "2"]] as const) {
      const file = disk.open(name, { create: true });
      file.writeAt(0, bytes(text));
      file.syncNow();
      file.close();
      if (name === "a/old") disk.syncFolder("a");
    }
    disk.rename("a/new", "a/old");
    return disk;
  };
  assert.deepEqual(outcomes(make, "a/old"), new Set(["1", "2"]));
  assert.deepEqual(outcomes(make, "a/new"), new Set([undefined, "2"]));
});

Deno.test("a sync that failed leaves what it was to write uncertain for good", async () => {
  const disk = new SimDisk();
  const file = disk.open("f", { create: true });
  disk.syncFolder("");
  file.writeAt(0, bytes("lost"));
  disk.fault = ({ kind }) => kind === "sync" ? { error: simErrors.io() } : undefined;
  await assert.rejects(file.sync());
  disk.fault = undefined;
  file.writeAt(4, bytes("kept"));
  await file.sync();
  assert.equal(contentOf(disk, "f"), "lostkept", "readers see all of it");
  assert.equal(contentOf(disk.afterCrash(() => 0.5), "f"), "\0\0\0\0kept");
});

Deno.test("after the crash every operation fails, and a kill loses nothing", () => {
  const disk = new SimDisk();
  const file = disk.open("f", { create: true });
  disk.crashAt = disk.operations + 2;
  file.writeAt(0, bytes("a"));
  assert.throws(() => file.writeAt(1, bytes("b")), CrashedError);
  assert.throws(() => file.writeAt(2, bytes("c")), CrashedError);
  assert.throws(() => disk.sizeOf("f"), CrashedError);
  disk.kill();
  assert.equal(contentOf(disk, "f"), "ab", "the write had begun");
  assert.throws(() => file.writeAt(2, bytes("c")), CrashedError);
  assert.equal(disk.openFiles, 0);
});
