/** Blobs through a folder that two data folders share, without a node running. */
import assert from "node:assert/strict";
import { assertFails, makeWorkspace, patternBytes } from "./harness.ts";
import { describe } from "./program.ts";

Deno.test("blob adapter carries a blob and a reference from one data folder to another", async () => {
  await using workspace = await makeWorkspace();
  const [here, there] = [workspace.makeHome("here"), workspace.makeHome("there")];
  const shared = `${workspace.dir}/shared`;
  for (const home of [here, there]) {
    const added = await home.json(["blob", "adapter", "add", "nas", "--folder", shared]);
    assert.equal(added.schema, "net.blob.adapter.add.v1");
    await home.json(["blob", "adapter", "check", "nas"]);
  }
  const bytes = patternBytes(5_000_000, 3);
  const { address } = await here.json(["blob", "put", "-"], { stdin: bytes });
  await here.json(["blob", "adapter", "use", "news", "nas"]);
  await here.json(["log", "create", "news"]);
  const published = await here.json(["blob", "adapter", "publish", "news", String(address)]);
  assert.equal(published.seq, "0");
  const output = `${workspace.dir}/out`;
  const resolved = await here.json(["blob", "adapter", "resolve", "news", "0", "--output", output]);
  assert.equal(resolved.size, bytes.length);
  assert.deepEqual(await Deno.readFile(output), bytes);

  assertFails(await there.net(["blob", "get", String(address), "-"]), 4, "not_found");
  const pulled = await there.json(["blob", "adapter", "pull", "nas", String(address)]);
  assert.equal(pulled.address, address);
  const got = await there.net(["blob", "get", String(address), "-"]);
  assert.equal(got.code, 0, describe(got));
  assert.deepEqual(got.stdoutBytes, bytes);

  assertFails(await here.net(["blob", "adapter", "rm", "nas"]), 1, "conflict");
  await here.json(["blob", "adapter", "use", "news", "--none"]);
  await here.json(["blob", "adapter", "rm", "nas"]);
  assertFails(await here.net(["blob", "adapter", "pull", "nas", String(address)]), 4, "not_found");
});
