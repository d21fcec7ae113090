/** The chunk store as an operator meets it: quota, encryption, damage and its repair, folders to and fro. */
import assert from "node:assert/strict";
import { equalFiles, makeWorkspace, patternBytes, startPair } from "./harness.ts";
import { describe } from "./program.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Files of chunks below a data folder. */
async function chunkFiles(dataDir: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(`${dataDir}/blobs`)) {
    if (name.length !== 2) continue;
    for await (const file of Deno.readDir(`${dataDir}/blobs/${name}`)) {
      files.push(`${dataDir}/blobs/${name}/${file.name}`);
    }
  }
  return files.sort();
}

Deno.test("a node with --encrypt-store keeps no chunk in the clear, and scrub turns those before", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const source = `${workspace.dir}/in`;
  await Deno.writeFile(source, patternBytes(CHUNK_BYTES + 99, 7));
  const plain = await workspace.startNode({ home });
  const put = await home.json(["blob", "put", source]);
  assert.ok((await chunkFiles(home.dataDir)).every((file) => !file.endsWith(".sealed")));
  await plain.kill("SIGTERM");
  const sealing = await workspace.startNode({ home, flags: ["--encrypt-store"] });
  const scrub = await home.json(["blob", "scrub", "--convert"]);
  assert.equal(scrub.converted, 2);
  const files = await chunkFiles(home.dataDir);
  assert.ok(files.length === 2 && files.every((file) => file.endsWith(".sealed")), files.join());
  const get = await home.net(["blob", "get", String(put.address), `${workspace.dir}/out`]);
  assert.equal(get.code, 0, describe(get));
  assert.ok(await equalFiles(source, `${workspace.dir}/out`));
  await sealing.kill("SIGKILL");
  await Deno.rename(`${home.dataDir}/store.key`, `${home.dataDir}/kept.key`);
  const lost = await home.net(["node", "start"]);
  assert.equal(lost.code, 2, describe(lost));
  assert.match(lost.stderr, /store\.key is missing/);
  assert.match(lost.stderr, /next: restore store\.key/);
  await Deno.rename(`${home.dataDir}/kept.key`, `${home.dataDir}/store.key`);
  // Without a node, and with the setting taken back for what comes.
  const off = await workspace.startNode({ home, flags: ["--no-encrypt-store"] });
  assert.equal((await home.json(["blob", "scrub", "--convert"])).converted, 2);
  await off.kill("SIGTERM");
  const sound = await home.json(["blob", "scrub"]);
  assert.equal(sound.chunks, 2);
});

Deno.test("blob scrub --repair gets a rotten chunk from the other node", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const source = `${workspace.dir}/in`;
  await Deno.writeFile(source, patternBytes(2 * CHUNK_BYTES, 3));
  const put = await first.home.json(["blob", "put", source]);
  assert.equal((await second.home.json(["blob", "put", source])).address, put.address);
  const [file] = await chunkFiles(second.home.dataDir);
  const bytes = await Deno.readFile(file ?? "");
  bytes[1000] = (bytes[1000] ?? 0) ^ 0x10;
  await Deno.writeFile(file ?? "", bytes);
  const found = await second.home.net(["blob", "scrub", "--json"]);
  assert.equal(found.code, 9, describe(found));
  assert.equal(JSON.parse(found.stdout).corrupt, 1);
  const repaired = await second.home.json(["blob", "scrub", "--repair"]);
  assert.deepEqual([repaired.missing, repaired.repaired, repaired.lost], [1, 1, 0]);
  const status = await second.home.json(["blob", "scrub", "--status"]);
  assert.equal(status.running, false);
  // And what is exported here, is taken there.
  const out = `${workspace.dir}/folder`;
  const exported = await second.home.json(["blob", "export", out, String(put.address)]);
  assert.equal(exported.count, 1);
  await first.home.json(["blob", "rm", String(put.address)]);
  const none = await first.home.net(["blob", "import", `${out}-none`]);
  assert.equal(none.code, 4, describe(none));
  const imported = await first.home.json(["blob", "import", out]);
  assert.deepEqual([imported.count, imported.failed], [1, []]);
});

Deno.test("a quota refuses what is above it, with a node and without", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const source = `${workspace.dir}/in`;
  await Deno.writeFile(source, patternBytes(300_000, 5));
  const node = await workspace.startNode({ home, flags: ["--blob-quota", "200K"] });
  const refused = await home.net(["blob", "put", source]);
  assert.equal(refused.code, 12, describe(refused));
  assert.match(refused.stderr, /quota/);
  await node.kill("SIGTERM");
  assert.equal((await home.net(["blob", "put", source])).code, 12);
  const free = await workspace.startNode({ home, flags: ["--blob-quota", "none"] });
  assert.equal((await home.net(["blob", "put", source])).code, 0);
  await free.kill("SIGTERM");
});
