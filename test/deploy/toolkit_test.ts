/** The folder of a toolkit: found by rule, read within limits, never left by a name. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  executablePaths,
  findExecutable,
  findToolkit,
  metadataPath,
  platformOf,
  readManifest,
  readMetadata,
  readPorts,
  readTextWithin,
  thisPlatform,
} from "../../src/deploy/mod.ts";

Deno.test("findToolkit() goes by flag, variable, current folder, data folder", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const env = { NET_TOOLKIT: "tools", XDG_DATA_HOME: "/data" };
    assert.equal(await findToolkit({ flag: "kit/../kit2", env, cwd }), `${cwd}/kit2`);
    assert.equal(await findToolkit({ env, cwd }), `${cwd}/tools`);
    const unset = { NET_TOOLKIT: "", XDG_DATA_HOME: "/data" };
    assert.equal(await findToolkit({ env: unset, cwd }), "/data/net/toolkit");
    await Deno.writeTextFile(`${cwd}/manifest.lock`, "");
    assert.equal(await findToolkit({ env: unset, cwd }), cwd);
    await assert.rejects(findToolkit({ flag: "", env, cwd }), NetError);
    await assert.rejects(findToolkit({ env: {}, cwd: `${cwd}/none` }), (error: NetError) => {
      return error.code === "usage" && /--toolkit/.test(error.next ?? "");
    });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("findExecutable() looks in the folders of the platform first", async () => {
  const root = await Deno.makeTempDir();
  try {
    const platform = platformOf("amd64");
    assert.equal(await findExecutable(root, "a", platform), undefined);
    for (const folder of ["a", "primals", "primals/x86_64-unknown-linux-musl", "primals/x86_64"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${folder}/a`, "");
      assert.equal(await findExecutable(root, "a", platform), `${root}/${folder}/a`);
    }
    await Deno.writeTextFile(`${root}/primals/x86_64/a_bin`, "");
    assert.equal(
      await findExecutable(root, "a", platform, "a_bin"),
      `${root}/primals/x86_64/a_bin`,
    );
    assert.equal(await findExecutable(root, "primals", platform), undefined);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("names that are paths never become paths", () => {
  for (const name of ["..", "a/b", "/etc", ".a", "", "-a", "a\0", "a\n", "x".repeat(65)]) {
    assert.throws(() => metadataPath("/kit", name), NetError, name);
    assert.throws(() => executablePaths("/kit", name, thisPlatform()), NetError, name);
  }
});

Deno.test("the files of a toolkit are read within limits, and missing ones are nothing", async () => {
  const root = await Deno.makeTempDir();
  try {
    assert.equal(await readManifest(root), undefined);
    assert.equal(await readMetadata(root, "a"), undefined);
    assert.deepEqual(await readPorts(root), { ports: new Map(), warnings: [] });
    await Deno.mkdir(`${root}/a`);
    await Deno.writeTextFile(`${root}/a/metadata.toml`, '[primal]\nname = "b"\nversion = "1"\n');
    await assert.rejects(readMetadata(root, "a"), /primal\.name is "b", must be "a"/);
    await Deno.writeTextFile(`${root}/a/metadata.toml`, '[primal]\nname = "a"\nversion = "1"\n');
    assert.equal((await readMetadata(root, "a"))?.primal.version, "1");
    await Deno.writeTextFile(`${root}/manifest.lock`, "[primals.a]\n".padEnd((1 << 20) + 1));
    await assert.rejects(readManifest(root), /more than 1048576 bytes/);
    await assert.rejects(readTextWithin(root, 10), /it is a folder/);
    await Deno.writeTextFile(`${root}/ten`, "0123456789");
    assert.equal(await readTextWithin(`${root}/ten`, 10), "0123456789");
    await assert.rejects(readTextWithin(`${root}/ten`, 9), /more than 9 bytes/);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("platformOf() knows the names of machines, and refuses others with the list", () => {
  const expected = platformOf("aarch64");
  assert.equal(expected.key, "aarch64-linux");
  for (const name of ["arm64", "aarch64-linux", "aarch64-unknown-linux-musl"]) {
    assert.equal(platformOf(name), expected);
  }
  assert.throws(() => platformOf("constructor"), (error: NetError) => {
    return error.code === "usage" && /x86_64, aarch64/.test(error.next ?? "");
  });
  assert.equal(thisPlatform().arch, Deno.build.arch);
  assert.ok(thisPlatform().triples.includes(thisPlatform().triple));
});
