import assert from "node:assert/strict";
import { NetError, systemClock, systemDisk, utf8 } from "../../../src/base/mod.ts";
import { takeDataFolder } from "../../../src/kernel/mod.ts";
import { openRedex } from "../../../src/log/mod.ts";
import { checkLogFolders } from "../../../src/services/mod.ts";

const DEPS = { disk: systemDisk, clock: systemClock };

async function withLogs(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const redex = openRedex({ clock: systemClock, disk: systemDisk }, { folder: `${folder}/logs` });
    for (const name of ["a", "b/c"]) {
      const file = await redex.open(name, { isPersistent: true });
      file.appendBatch(Array.from({ length: 100 }, (_, i) => utf8(`event ${i}`)));
    }
    await redex.close();
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function damage(path: string, offset: number): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(offset, Deno.SeekMode.Start);
  await file.write(utf8("#"));
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("checkLogFolders() verifies one log, or all below a folder", () =>
  withLogs(async (folder) => {
    const told: string[] = [];
    const checks = await checkLogFolders(DEPS, `${folder}/logs`, {
      onChecked: ({ channel }) => void told.push(channel),
    });
    assert.deepEqual(told, ["a", "b/c"]);
    assert.deepEqual(checks.map(({ report }) => [report.isSound, report.records]), [
      [true, 100],
      [true, 100],
    ]);
    const [one] = await checkLogFolders(DEPS, `${folder}/logs/b/c`);
    assert.deepEqual([one?.channel, one?.report.records], ["", 100]);
    await assert.rejects(checkLogFolders(DEPS, `${folder}/logs/b/d`), hasCode("not_found"));
  }));

Deno.test("checkLogFolders() repairs, and keeps what it takes out", () =>
  withLogs(async (folder) => {
    await damage(`${folder}/logs/a/v0000000001/dat`, 3);
    const [found] = await checkLogFolders(DEPS, `${folder}/logs`);
    assert.deepEqual([found?.report.isSound, found?.report.damaged], [false, 1]);
    const options = { isRepairing: true, isKeepingTaken: true };
    const [mended, other] = await checkLogFolders(DEPS, `${folder}/logs`, options);
    assert.deepEqual([mended?.before?.damaged, mended?.report.isSound, mended?.report.records], [
      1,
      true,
      99,
    ]);
    assert.ok(mended?.taken !== undefined && (await Deno.stat(mended.taken)).isDirectory);
    assert.deepEqual([other?.before?.isSound, other?.taken], [true, undefined]);
  }));

Deno.test("checkLogFolders() leaves the logs of a running node alone", () =>
  withLogs(async (folder) => {
    await Deno.writeTextFile(`${folder}/identity.key`, "");
    const owner = await takeDataFolder(folder);
    await assert.rejects(checkLogFolders(DEPS, `${folder}/logs/a`), hasCode("data_dir_locked"));
    await owner.release();
    assert.equal((await checkLogFolders(DEPS, `${folder}/logs/a`)).length, 1);
    // And gives the folder up again.
    await (await takeDataFolder(folder)).release();
  }));
