/** What stays and what goes, through the verbs of the program: pins, reasons, collection, a disk that is full. */
import assert from "node:assert/strict";
import {
  assertFails,
  equalFiles,
  type Home,
  makeWorkspace,
  patternBytes,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { describe, type RunResult } from "./program.ts";
import { mountSmallDisk } from "./small_disk.ts";

const MIB = 1024 * 1024;
const UDP = ["--udp", "127.0.0.1:0"];

Deno.test("a running node pins, explains, refuses, collects and lists", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  await workspace.startNode({ home, flags: [...UDP, "--blob-retention", "0s"] });
  const pinned = await put(workspace, home, 5 * MIB, 1);
  const other = await put(workspace, home, 1_000, 2);
  assert.equal((await home.json(["blob", "pin", pinned.address])).pinned, true);
  const why = await home.json(["blob", "why", pinned.address]);
  const blob = why.blob as Record<string, unknown>;
  assert.deepEqual([blob.pinned, blob.chunks, blob.chunks_present], [true, 2, 2]);
  assertFails(await home.net(["blob", "rm", pinned.address]), 1, "conflict");
  const chunks = (await home.json(["blob", "ls", "--chunks"])).chunks as { hash: string }[];
  assert.equal(chunks.length, 3);
  const inner = chunks.find(({ hash }) => `b3:${hash}` !== other.address)?.hash ?? "";
  assertFails(await home.net(["blob", "rm", inner, "--force"]), 1, "conflict");
  const gc = await home.json(["blob", "gc", "--disk-pressure"]);
  assert.deepEqual([gc.removed, gc.scanned], [0, 0]); // What blobs refer to is not even looked at.
  const listed = await home.json(["blob", "ls", "--kind", "blob", "--pinned"]);
  assert.deepEqual((listed.blobs as { address: string }[]).map(({ address }) => address), [
    pinned.address,
  ]);
  const prefix = other.address.slice(0, 12);
  assert.equal(((await home.json(["blob", "ls", prefix])).blobs as unknown[]).length, 1);
  assert.equal((await home.json(["blob", "rm", other.address])).freed_bytes, 1_000);
  assertFails(await home.net(["blob", "why", other.address]), 4, "not_found");
  assertFails(await home.net(["blob", "stat", other.address]), 4, "not_found");
  const stat = await home.json(["blob", "stat", pinned.address]);
  assert.deepEqual([stat.form, stat.chunks_missing, stat.local], ["manifest", 0, true]);
  assert.equal((await home.json(["blob", "unpin", pinned.address])).pinned, false);
  assert.equal((await home.json(["blob", "rm", pinned.address])).removed, true);
  assert.deepEqual((await home.json(["blob", "ls"])).blobs, []);
});

Deno.test("a disk that is full loses nothing, lets blobs go, and takes new ones again", async () => {
  await using workspace = await makeWorkspace();
  const disk = await mountSmallDisk(workspace, 32);
  if (typeof disk !== "string") return console.log(`ignored: ${disk.reason}`);
  const home = workspace.makeHome();
  const dataDir = ["--data-dir", `${disk}/data`];
  await workspace.startNode({ home, flags: [...UDP, ...dataDir] });
  const blobs = [];
  // Until nothing more fits.
  let refused: RunResult | undefined;
  for (let seed = 1; refused === undefined; seed++) {
    assert.ok(seed < 40, "the disk never gets full");
    const path = `${workspace.dir}/source-${seed}`;
    await Deno.writeFile(path, patternBytes(3 * MIB, seed));
    const run = await home.net(["blob", "put", path, ...dataDir]);
    if (run.code === 0) blobs.push({ path, address: run.stdout.trim() });
    else refused = run;
  }
  assertFails(refused, 12, "no_space");
  assert.match(refused.stderr, /^next: /m);
  assert.ok(blobs.length >= 5, "most of the disk could be used");
  // The last bytes go too: now not even the ledger can grow.
  await fill(`${disk}/ballast`);
  const small = `${workspace.dir}/small`;
  await Deno.writeFile(small, patternBytes(100_000, 99));
  assertFails(await home.net(["blob", "put", small, ...dataDir]), 12, "no_space");
  const [first, ...rest] = blobs;
  if (first === undefined) throw new Error("unreachable");
  const removed = await home.net(["blob", "rm", first.address, ...dataDir]);
  assert.equal(removed.code, 0, describe(removed));
  const again = await home.net(["blob", "put", small, ...dataDir]);
  assert.equal(again.code, 0, describe(again));
  await Deno.remove(`${disk}/ballast`);
  for (const { path, address } of [...rest, { path: small, address: again.stdout.trim() }]) {
    const copy = `${workspace.dir}/copy`;
    const got = await home.net(["blob", "get", address, copy, "--force", ...dataDir]);
    assert.equal(got.code, 0, describe(got));
    assert.ok(await equalFiles(path, copy));
  }
  const listed = (await home.json(["blob", "ls", ...dataDir])).blobs as unknown[];
  assert.equal(listed.length, rest.length + 1);
});

Deno.test("what a killed put left is found, stays for a while, and is collected when the disk is needed", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const node = await workspace.startNode({ home, flags: UDP });
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(64 * MIB, 7));
  const putting = home.net(["blob", "put", source]);
  await waitFor("chunks are written", () => chunkFiles(`${home.dataDir}/blobs`) > 3);
  await node.kill("SIGKILL");
  assert.notEqual((await putting).code, 0, "the middle was missed: the put had ended");
  await workspace.startNode({ home, flags: UDP });
  assert.deepEqual((await home.json(["blob", "ls"])).blobs, []);
  await waitFor("the books are looked at", async () => {
    const chunks = (await home.json(["blob", "ls", "--chunks"])).chunks as unknown[];
    return chunks.length > 3;
  }, 30_000);
  const young = await home.json(["blob", "gc"]);
  assert.equal(young.removed, 0);
  const gc = await home.json(["blob", "gc", "--disk-pressure"]);
  assert.ok((gc.removed as number) > 3, JSON.stringify(gc));
  assert.equal(chunkFiles(`${home.dataDir}/blobs`), 0);
});

async function put(
  workspace: Workspace,
  home: Home,
  sizeBytes: number,
  seed: number,
): Promise<{ readonly path: string; readonly address: string }> {
  const path = `${workspace.dir}/put-${seed}`;
  await Deno.writeFile(path, patternBytes(sizeBytes, seed));
  const run = await home.net(["blob", "put", path]);
  assert.equal(run.code, 0, describe(run));
  return { path, address: run.stdout.trim() };
}

/** Writes until the disk has no byte left. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  for (let pieceBytes = MIB; pieceBytes >= 1;) {
    try {
      await file.write(new Uint8Array(pieceBytes));
    } catch {
      pieceBytes = Math.floor(pieceBytes / 4);
    }
  }
}

function chunkFiles(folder: string): number {
  let count = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory && /^[0-9a-f]{2}$/.test(name)) {
      count += [...Deno.readDirSync(`${folder}/${name}`)].length;
    }
  }
  return count;
}
