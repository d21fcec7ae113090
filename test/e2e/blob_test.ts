/** Blobs from one node to the other, as a person moves them. */
import assert from "node:assert/strict";
import { assertFails, equalFiles, makeWorkspace, patternBytes, startPair } from "./harness.ts";
import { equalBytes } from "../../src/base/mod.ts";
import { describe } from "./program.ts";

const MIB = 1024 * 1024;
const CHUNK_BYTES = 4 * MIB;
/** Big enough that a node which kept it in memory would break the bound below. */
const LARGE_BYTES = Number(Deno.env.get("NET_E2E_LARGE_MIB") ?? "320") * MIB;
const RSS_BYTES_MAX = 300 * 1000 * 1000;

Deno.test("blob get fetches every size from the other node", async (t) => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const sizes = [0, 1, 8000, 8001, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES];
  for (const [index, sizeBytes] of sizes.entries()) {
    await t.step(`${sizeBytes} bytes`, async () => {
      const source = `${workspace.dir}/in-${index}`;
      const output = `${workspace.dir}/out-${index}`;
      await Deno.writeFile(source, patternBytes(sizeBytes, index + 1));
      const put = await first.home.json(["blob", "put", source]);
      assert.equal(put.schema, "net.blob.put.v1");
      assert.match(String(put.address), /^b3:[0-9a-f]{64}$/);
      assert.match(String(put.blob_ref), /^b0b1b2b3[0-9a-f]+$/);
      assert.equal(put.size, sizeBytes);
      // Every other one by its reference: the address of a manifest has to be resolved first.
      const target = String(index % 2 === 0 ? put.address : put.blob_ref);
      const get = await second.home.net(["blob", "get", target, output]);
      assert.equal(get.code, 0, describe(get));
      assert.ok(await equalFiles(source, output), "the bytes are the same");
    });
  }
});

Deno.test("blob get resolves a manifest's address and streams both ways", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const bytes = patternBytes(3 * CHUNK_BYTES + 5, 99);
  const put = await first.home.json(["blob", "put", "-"], { stdin: bytes });
  assert.equal(put.size, bytes.length);
  const get = await second.home.net(["blob", "get", String(put.address), "-"]);
  assert.equal(get.code, 0, describe(get));
  assert.ok(equalBytes(get.stdoutBytes, bytes), "the bytes are the same");
  const left = [...Deno.readDirSync(`${second.home.dir}/tmp`)].map((entry) => entry.name);
  assert.deepEqual(left.filter((name) => name.startsWith("net-")), []);
});

Deno.test("blob put and get keep memory small whatever the size", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const source = `${workspace.dir}/large`;
  const output = `${workspace.dir}/large.copy`;
  await writeLargeFile(source, LARGE_BYTES);
  const put = await first.home.json(["blob", "put", source], { timeoutMs: 120_000 });
  const address = String(put.address);
  const options = { timeoutMs: 120_000 };
  const get = await second.home.net(["blob", "get", address, output], options);
  assert.equal(get.code, 0, describe(get));
  assert.ok(await equalFiles(source, output), "the bytes are the same");
  for (const node of [first, second]) {
    const peak = node.peakRssBytes();
    const name = node === first ? "holder" : "getter";
    console.log(`${name}: peak resident memory ${(peak / 1e6).toFixed(0)} MB`);
    assert.ok(peak < RSS_BYTES_MAX, `${name}: ${peak} bytes`);
  }
});

Deno.test("blob ls, stat and rm agree with what was put", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const source = `${workspace.dir}/file`;
  await Deno.writeFile(source, patternBytes(CHUNK_BYTES + 7, 5));
  const address = (await first.home.net(["blob", "put", source])).stdout.trim();
  assert.match(address, /^b3:[0-9a-f]{64}$/, "the address alone is on standard output");

  const listed = (await first.home.json(["blob", "ls"])).blobs as Record<string, unknown>[];
  assert.deepEqual(listed.map((blob) => blob.address), [address]);
  assert.equal(listed[0]?.size, CHUNK_BYTES + 7);
  const stat = await first.home.json(["blob", "stat", address]);
  assert.equal(stat.address, address);
  assert.equal(stat.size, CHUNK_BYTES + 7);
  assert.equal(stat.chunks, 2);

  assert.equal((await first.home.net(["blob", "rm", address])).code, 0);
  assert.deepEqual((await first.home.json(["blob", "ls"])).blobs, []);
  assertFails(await first.home.net(["blob", "stat", address]), 4, "not_found");
  const output = `${workspace.dir}/gone`;
  assertFails(await second.home.net(["blob", "get", address, output]), 4, "not_found");
  assert.equal(await exists(output), false);
});

Deno.test("blob put works without a node, and the node offers it later", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const source = `${home.dir}/file`;
  await Deno.writeFile(source, patternBytes(100_000, 8));
  const put = await home.json(["blob", "put", source]);
  const local = await home.net(["blob", "get", String(put.address), `${home.dir}/copy`]);
  assert.equal(local.code, 0, describe(local));
  assert.ok(await equalFiles(source, `${home.dir}/copy`));

  const node = await workspace.startNode({ home, flags: ["--udp", "127.0.0.1:0"] });
  const listed = await node.home.json(["blob", "ls"]);
  assert.equal((listed.blobs as unknown[]).length, 1);
});

Deno.test("blob get refuses to replace a file without --force", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0"] });
  const source = `${workspace.dir}/file`;
  const output = `${workspace.dir}/out`;
  await Deno.writeFile(source, patternBytes(1000, 3));
  await Deno.writeTextFile(output, "mine");
  const address = (await node.home.net(["blob", "put", source])).stdout.trim();
  assertFails(await node.home.net(["blob", "get", address, output]), 1, "conflict");
  assert.equal(await Deno.readTextFile(output), "mine");
  assert.equal((await node.home.net(["blob", "get", address, output, "--force"])).code, 0);
  assert.ok(await equalFiles(source, output));
});

Deno.test("blob get shows progress on standard error only", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const source = `${workspace.dir}/file`;
  await Deno.writeFile(source, patternBytes(2 * CHUNK_BYTES, 4));
  const put = await first.home.net(["blob", "put", source]);
  const output = `${workspace.dir}/out`;
  const get = await second.home.net(["blob", "get", put.stdout.trim(), output]);
  assert.equal(get.stdout, `${output}\n`);
  assert.match(get.stderr, /8\.\d|MB|MiB/, "the summary says how much");
  const quiet = ["blob", "get", put.stdout.trim(), output, "--force", "--quiet"];
  assert.equal((await second.home.net(quiet)).stderr, "");
});

async function writeLargeFile(path: string, sizeBytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const writer = file.writable.getWriter();
  for (let offset = 0, seed = 1; offset < sizeBytes; offset += 8 * MIB, seed++) {
    await writer.write(patternBytes(Math.min(8 * MIB, sizeBytes - offset), seed));
  }
  await writer.close();
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
