import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  absolutePath,
  defaultDataDir,
  defaultRevocationFile,
  identityPath,
  namedIdentityFolder,
  prepareDataDir,
} from "../../src/config/mod.ts";

async function withTempDir(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("defaultRevocationFile() and namedIdentityFolder() follow XDG, or the home folder", () => {
  const home = { HOME: "/h" };
  const file = "net-mesh/delegation-revocations.json";
  assert.equal(defaultRevocationFile(home), `/h/.local/share/${file}`);
  assert.equal(defaultRevocationFile({ ...home, XDG_DATA_HOME: "/x" }), `/x/${file}`);
  assert.equal(namedIdentityFolder(home), "/h/.config/net/identities");
  assert.equal(namedIdentityFolder({ ...home, XDG_CONFIG_HOME: "/x/" }), "/x/net/identities");
  assert.equal(namedIdentityFolder({ XDG_CONFIG_HOME: "rel" }), undefined);
  assert.equal(defaultRevocationFile({}), undefined);
});

Deno.test("identityPath() takes a name or a path, and no name that leads elsewhere", () => {
  const env = { HOME: "/h" };
  assert.equal(identityPath("Ada-2_x", env, "/c"), "/h/.config/net/identities/Ada-2_x.key");
  assert.equal(identityPath("./x", env, "/c"), "/c/x");
  for (const name of ["", ".", "..", "a.b", "-a", "ä", "a".repeat(64), "a\n"]) {
    assert.throws(() => identityPath(name, env, "/c"), NetError, name);
  }
  assert.throws(() => identityPath("ada", {}, "/c"), NetError);
});

Deno.test("defaultDataDir() follows XDG and the family", () => {
  const home = { HOME: "/h" };
  assert.equal(defaultDataDir(home, undefined), "/h/.local/share/net");
  assert.equal(defaultDataDir({ ...home, XDG_DATA_HOME: "/x/" }, "f"), "/x/net-f");
  assert.equal(defaultDataDir({ ...home, XDG_DATA_HOME: "rel" }, undefined), "/h/.local/share/net");
  assert.equal(defaultDataDir({}, undefined), undefined);
});

Deno.test("absolutePath() resolves dots without leaving the root", () => {
  assert.equal(absolutePath("a/../b/./c", "/w"), "/w/b/c");
  assert.equal(absolutePath("../../..", "/w"), "/");
  assert.equal(absolutePath("/a//b/", "/w"), "/a/b");
});

Deno.test("prepareDataDir() makes a private folder and leaves nothing in it", async () => {
  await withTempDir(async (folder) => {
    const dataDir = `${folder}/a/b`;
    const prepared = await prepareDataDir({ dataDir, isDataDirExplicit: true, isAmnesia: false });
    assert.deepEqual(prepared, { dataDir, warning: undefined });
    assert.equal(((await Deno.stat(dataDir)).mode ?? 0) & 0o777, 0o700);
    assert.deepEqual([...Deno.readDirSync(dataDir)], []);
  });
});

Deno.test("prepareDataDir() refuses an unusable folder that was named", async () => {
  await withTempDir(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "x");
    for (const dataDir of [file, `${file}/below`, "/proc/net-data"]) {
      await assert.rejects(
        prepareDataDir({ dataDir, isDataDirExplicit: true, isAmnesia: false }),
        (error) =>
          error instanceof NetError && error.code === "data_dir_unusable" &&
          error.exitCode === 2 && error.message.includes(dataDir) && error.next !== undefined,
      );
    }
    assert.equal(await Deno.readTextFile(file), "x");
  });
});

Deno.test("prepareDataDir() goes on in memory with one warning", async () => {
  const choice = { isDataDirExplicit: false, isAmnesia: false };
  const unusable = await prepareDataDir({ ...choice, dataDir: "/proc/net-data" });
  assert.equal(unusable.dataDir, undefined);
  assert.match(unusable.warning ?? "", /\/proc\/net-data.*memory/);
  const none = await prepareDataDir({ ...choice, dataDir: undefined });
  assert.match(none.warning ?? "", /HOME/);
  const asked = await prepareDataDir({ ...choice, dataDir: undefined, isAmnesia: true });
  assert.equal(asked.warning, undefined);
});
