/** Blobs in other forms, as a person puts, reads and mends them. */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import { equalFiles, makeWorkspace, patternBytes, startPair } from "./harness.ts";
import { describe } from "./program.ts";

/** Enough for a node to start its workers, and less than a run of a verb may print. */
const LARGE_BYTES = 31 * 1024 * 1024 + 77;

Deno.test("a blob with parity goes to the other node, by address, root and range", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const bytes = patternBytes(LARGE_BYTES, 5);
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, bytes);
  const form = ["--cdc", "--ec", "4+2"];
  const put = await first.home.json(["blob", "put", source, ...form], { timeoutMs: 120_000 });
  assert.equal(put.kind, "tree");
  assert.equal(put.ec, "4+2");
  const streamed = await first.home.json(["blob", "put", "-", ...form], {
    stdin: bytes,
    timeoutMs: 120_000,
  });
  assert.equal(streamed.address, put.address);
  assert.equal(streamed.blob_ref, put.blob_ref);

  const output = `${workspace.dir}/output`;
  const get = await second.home.net(["blob", "get", String(put.root), output], {
    timeoutMs: 120_000,
  });
  assert.equal(get.code, 0, describe(get));
  assert.ok(await equalFiles(source, output), "the bytes are the same");
  const cat = await second.home.net(["blob", "cat", String(put.address)], { timeoutMs: 120_000 });
  assert.equal(cat.code, 0, describe(cat));
  assert.ok(equalBytes(cat.stdoutBytes, bytes), "the bytes are the same");
  const part = ["blob", "cat", String(put.blob_ref), "--range", "4194300-9999999"];
  const range = await second.home.net(part);
  assert.equal(range.code, 0, describe(range));
  assert.ok(equalBytes(range.stdoutBytes, bytes.subarray(4_194_300, 10_000_000)));
  const told = await second.home.json(["blob", "cat", String(put.root), "--range", "-5"]);
  assert.equal(told.schema, "net.blob.cat.v1");
  assert.equal(told.data, bytes.subarray(-5).toBase64());
  const large = await second.home.net(["blob", "cat", String(put.root), "--json"]);
  assert.equal(large.code, 12, describe(large));
  const left = [...Deno.readDirSync(`${second.home.dir}/tmp`)].map((entry) => entry.name);
  assert.deepEqual(left.filter((name) => name.startsWith("net-")), []);
});

Deno.test("blob repair mends what parity can give, and says what it cannot", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(40_000_000, 6));
  const put = await home.json(["blob", "put", source, "--ec", "4+2"]);
  const folder = `${home.dataDir}/blobs`;
  const files = [...Deno.readDirSync(folder)].filter(({ name }) => /^[0-9a-f]{2}$/.test(name))
    .flatMap(({ name }) =>
      [...Deno.readDirSync(`${folder}/${name}`)].map((file) => `${folder}/${name}/${file.name}`)
    );
  const chunk = files.find((file) => Deno.statSync(file).size > 1_000_000);
  assert.ok(chunk !== undefined);
  await Deno.remove(chunk);
  const report = await home.json(["blob", "repair", String(put.address)]);
  assert.equal(report.schema, "net.blob.repair.v1");
  assert.equal(Number(report.chunks_restored) + Number(report.parity_restored), 1);
  assert.ok((await Deno.stat(chunk)).size > 1_000_000);
  for (const file of files) if (Deno.statSync(file).size > 1_000_000) await Deno.remove(file);
  const lost = await home.net(["blob", "repair", "--all"]);
  assert.equal(lost.code, 9, describe(lost));
});

Deno.test("blob repair has on the disk what it fetched from the other node", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(9_000_000, 7));
  const put = await first.home.json(["blob", "put", source, "--replicas", "1"]);
  const [chunk] = await second.home.json(["blob", "ls", "--chunks"])
    .then(({ chunks }) => chunks as readonly { readonly hash: string }[]);
  assert.ok(chunk !== undefined);
  const file = `${first.home.dataDir}/blobs/${chunk.hash.slice(0, 2)}/${chunk.hash}`;
  await Deno.remove(file);
  const report = await first.home.json(["blob", "repair", String(put.address)]);
  assert.equal(report.chunks_fetched, 1);
  assert.equal(report.chunks_missing, 0);
  // Under its own name: a copy that is not synced yet has another one.
  assert.ok((await Deno.stat(file)).isFile);
});
