import assert from "node:assert/strict";
import { concatBytes, NetError, systemRandom } from "../../src/base/mod.ts";
import { openOutputFile } from "../../src/blob/_output_file.ts";

const OPTIONS = { overwrite: false, random: systemRandom };

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const entries = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const isCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("openOutputFile() shows nothing under the name until it is committed", () =>
  withFolder(async (folder) => {
    const file = await openOutputFile(`${folder}/a`, OPTIONS);
    await file.write(Uint8Array.of(1, 2, 3));
    const [part] = entries(folder);
    assert.match(part ?? "", /^\.a\.net-[0-9a-f]{16}\.part$/);
    assert.equal(((await Deno.stat(`${folder}/${part}`)).mode ?? 0) & 0o777, 0o600);
    await file.commit();
    await file.discard();
    assert.deepEqual(entries(folder), ["a"]);
    assert.deepEqual(await Deno.readFile(`${folder}/a`), Uint8Array.of(1, 2, 3));
    assert.equal(((await Deno.stat(`${folder}/a`)).mode ?? 0) & 0o777, 0o666 & ~Deno.umask());
  }));

Deno.test("openOutputFile() never takes the place of a device or a pipe, also behind a link", {
  ignore: Deno.build.os === "windows",
}, () =>
  withFolder(async (folder) => {
    assert.ok((await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output()).success);
    await Deno.symlink("/dev/null", `${folder}/link`);
    for (const name of ["pipe", "link"]) {
      for (const overwrite of [true, false]) {
        const opening = openOutputFile(`${folder}/${name}`, { ...OPTIONS, overwrite });
        await assert.rejects(opening, isCode("usage"), name);
      }
    }
    assert.deepEqual(entries(folder), ["link", "pipe"]);
    // A link to nothing, or to a file, is replaced itself.
    await Deno.writeTextFile(`${folder}/a`, "kept");
    await Deno.symlink("a", `${folder}/to-a`);
    const file = await openOutputFile(`${folder}/to-a`, { ...OPTIONS, overwrite: true });
    await file.write(Uint8Array.of(1));
    await file.commit();
    assert.equal(await Deno.readTextFile(`${folder}/a`), "kept");
  }));

Deno.test("discard() removes what was written", () =>
  withFolder(async (folder) => {
    const file = await openOutputFile(`${folder}/a`, OPTIONS);
    await file.write(Uint8Array.of(1));
    await file.discard();
    await file.discard();
    assert.deepEqual(entries(folder), []);
  }));

Deno.test("openOutputFile() removes parts of dead writers and keeps those of living ones", () =>
  withFolder(async (folder) => {
    const part = (random: string) => `.a.net-${random.repeat(16)}.part`;
    const foreign = [`.a.net-${"1".repeat(15)}.part`, ".b.net-0000000000000000.part", ".a.part"];
    for (const name of [part("0"), part("1"), ...foreign]) {
      await Deno.writeTextFile(`${folder}/${name}`, "half");
    }
    const living = await openOutputFile(`${folder}/a`, OPTIONS);
    const kept = entries(folder);
    assert.equal(kept.length, foreign.length + 1);
    const other = await openOutputFile(`${folder}/a`, OPTIONS);
    assert.equal(entries(folder).length, foreign.length + 2);
    await other.discard();
    await living.write(Uint8Array.of(5));
    await living.commit();
    assert.deepEqual(entries(folder), ["a", ...foreign].sort());
  }));

Deno.test("commit() does not replace a file that came meanwhile, unless it may", () =>
  withFolder(async (folder) => {
    const careful = await openOutputFile(`${folder}/a`, OPTIONS);
    const bold = await openOutputFile(`${folder}/a`, { ...OPTIONS, overwrite: true });
    await Deno.writeTextFile(`${folder}/a`, "new");
    await assert.rejects(careful.commit(), isCode("conflict"));
    await careful.discard();
    assert.equal(await Deno.readTextFile(`${folder}/a`), "new");
    await bold.write(Uint8Array.of(65));
    await bold.commit();
    assert.equal(await Deno.readTextFile(`${folder}/a`), "A");
    assert.deepEqual(entries(folder), ["a"]);
  }));

Deno.test("openOutputFile() takes names as long as they get, and replaces links, not their targets", () =>
  withFolder(async (folder) => {
    const name = "ü".repeat(127) + "x";
    const file = await openOutputFile(`${folder}/${name}`, OPTIONS);
    await file.commit();
    assert.deepEqual(entries(folder), [name]);
    await Deno.writeTextFile(`${folder}/target`, "kept");
    await Deno.symlink(`${folder}/target`, `${folder}/link`);
    await assert.rejects(openOutputFile(`${folder}/link`, OPTIONS), isCode("conflict"));
    const over = await openOutputFile(`${folder}/link`, { ...OPTIONS, overwrite: true });
    await over.commit();
    assert.equal((await Deno.lstat(`${folder}/link`)).isFile, true);
    assert.equal(await Deno.readTextFile(`${folder}/target`), "kept");
  }));

Deno.test("write() on a full disk is no_space with a way out", () =>
  withFolder(async (folder) => {
    const file = await openOutputFile(`${folder}/a`, OPTIONS);
    const { writeSync } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.writeSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    try {
      await assert.rejects(file.write(Uint8Array.of(1)), (error) =>
        error instanceof NetError && error.code === "no_space" && error.next !== undefined);
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    await file.discard();
    assert.deepEqual(entries(folder), []);
  }));

Deno.test("write() goes on aside when the disk does not keep up, in the same order", () =>
  withFolder(async (folder) => {
    const file = await openOutputFile(`${folder}/a`, OPTIONS);
    const bytes = new Uint8Array(5 * 1024 * 1024 + 3).map((_, i) => i >> 10);
    const { writeSync } = Deno.FsFile.prototype;
    let calls = 0;
    Deno.FsFile.prototype.writeSync = function (piece: Uint8Array): number {
      calls += 1;
      const untilMs = performance.now() + 8;
      while (performance.now() < untilMs);
      return writeSync.call(this, piece);
    };
    try {
      await file.write(bytes);
      await file.write(bytes);
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    await file.commit();
    assert.equal(calls, 1);
    assert.deepEqual(await Deno.readFile(`${folder}/a`), concatBytes(bytes, bytes));
  }));

Deno.test("openOutputFile() refuses places that no file can be", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (
      const path of [folder, `${folder}/`, `${folder}/..`, `${folder}/no/a`, `${folder}/file/a`]
    ) {
      await assert.rejects(openOutputFile(path, OPTIONS), isCode("usage"), path);
    }
  }));
