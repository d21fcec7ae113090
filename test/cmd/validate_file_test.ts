/** `net validate metadata` and `net validate binary`: texts, documents and exit codes. */
import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const GOOD = '[primal]\nname = "fake"\nversion = "1.0.0"\n';

async function withFile(
  name: string,
  content: string,
  work: (path: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-cmd-" });
  try {
    await Deno.writeTextFile(`${folder}/${name}`, content, { mode: 0o755 });
    await work(`${folder}/${name}`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("validate metadata exits 0 for a valid file, 1 for errors, 4 for no file", async () => {
  await withFile("metadata.toml", GOOD, async (path, folder) => {
    const good = await runInMemory(["validate", "metadata", path]);
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /^Metadata Report: .*\n━+\n(.|\n)*Result: VALID\n$/);
    assert.equal((await runInMemory(["validate", "metadata", "."], { cwd: folder })).code, 0);
    await Deno.writeTextFile(path, `${GOOD}[genomeBin.server]\nport_flag = "-p"\n`);
    const bad = await runInMemory(["validate", "metadata", path]);
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /✗ line 5: genomeBin.server.port_flag is "-p", must be "--port"/);
    const json = await runInMemory(["validate", "metadata", path, "--json"]);
    const document = JSON.parse(json.stdout);
    assert.equal(json.code, 1);
    assert.equal(document.schema, "net.validate.metadata.v1");
    assert.deepEqual(document.errors, [{
      key: "genomeBin.server.port_flag",
      line: 5,
      message: 'is "-p", must be "--port"',
    }]);
    assert.equal((await runInMemory(["validate", "metadata", `${folder}/no`])).code, 4);
  });
});

Deno.test("validate metadata with an endpoint gives a verdict about the member too", async () => {
  await withFile("metadata.toml", GOOD, async (path, folder) => {
    const args = ["validate", "metadata", path, "--endpoint", `${folder}/nobody.sock`, "--json"];
    const { code, stdout } = await runInMemory(args);
    const document = JSON.parse(stdout);
    assert.deepEqual([code, document.valid, document.compliant], [1, true, false]);
    assert.equal(document.member.schema, "net.validate.ipc.v1");
    const bad = await runInMemory(["validate", "metadata", path, "--endpoint", "host:99999"]);
    assert.equal(bad.code, 2);
  });
});

Deno.test("validate binary exits 0 or 1, and runs nothing with --no-run", async () => {
  await withFile("program", "#!/bin/sh\necho program 1.0\n", async (path, folder) => {
    const good = await runInMemory(["validate", "binary", path]);
    assert.equal(good.code, 0, good.stdout);
    assert.match(good.stdout, /✓ version\n {4}program 1\.0 \(\d+ms\)/);
    const quiet = await runInMemory(["validate", "binary", path, "--quiet"]);
    assert.equal(quiet.stdout, "Result: COMPLIANT\n");
    const forbidden = ["--forbid", "echo", "--forbid", "other", "--no-run", "--json"];
    const bad = await runInMemory(["validate", "binary", path, ...forbidden]);
    const document = JSON.parse(bad.stdout);
    assert.deepEqual([bad.code, document.schema, document.runs], [
      1,
      "net.validate.binary.v1",
      [],
    ]);
    assert.equal((await runInMemory(["validate", "binary", `${folder}/no`])).code, 4);
    assert.equal((await runInMemory(["validate", "binary", path, "--arch", "z80"])).code, 2);
  });
});
