/** `kill -9` at the worst moment: nothing partial is seen, nothing promised is lost. */
import assert from "node:assert/strict";
import {
  equalFiles,
  makeWorkspace,
  patternBytes,
  startPair,
  type TestNode,
  untilConnected,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { describe, type RunResult } from "./program.ts";

const MIB = 1024 * 1024;
const UDP = ["--udp", "127.0.0.1:0"];
const BLOB_BYTES = 256 * MIB;
/** A get that has written this much is in the middle. */
const MIDDLE_BYTES = 24 * MIB;

Deno.test("blob get shows nothing partial when the getting node is killed", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const { path, address } = await putLarge(workspace, first);
  const folder = `${workspace.dir}/out`;
  await Deno.mkdir(folder);
  const output = `${folder}/blob`;
  const getting = second.home.net(["blob", "get", address, output]);
  await untilMiddle(folder, getting);
  await second.kill("SIGKILL");
  const failed = await getting;
  assert.notEqual(failed.code, 0, "the middle was missed: the get had ended");
  assert.equal(await exists(output), false);

  const again = await workspace.startNode({ home: second.home, flags: UDP });
  await untilConnected(first, again);
  await getWhole(again, address, output, path);
  const left = [...Deno.readDirSync(folder)].map((entry) => entry.name);
  assert.deepEqual(left, ["blob"], "the leftover of the killed get is gone");
});

Deno.test("blob get shows nothing partial when the holding node is killed", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const { path, address } = await putLarge(workspace, first);
  const folder = `${workspace.dir}/out`;
  await Deno.mkdir(folder);
  const output = `${folder}/blob`;
  const getting = second.home.net(["blob", "get", address, output, "--timeout", "5s"]);
  await untilMiddle(folder, getting);
  await first.kill("SIGKILL");
  assert.equal(await exists(output), false);
  const failed = await getting;
  assert.notEqual(failed.code, 0, "the middle was missed: the get had ended");
  assert.match(failed.stderr, /^next: /m, describe(failed));
  assert.equal(await exists(output), false);

  const again = await workspace.startNode({ home: first.home, flags: UDP });
  await untilConnected(again, second);
  await getWhole(second, address, output, path);
});

Deno.test("blob get finds a holder that was killed and restarted while nothing was asked", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const path = `${workspace.dir}/file`;
  await Deno.writeFile(path, patternBytes(9 * MIB, 11));
  const address = (await first.home.net(["blob", "put", path])).stdout.trim();
  await first.kill("SIGKILL");
  await workspace.startNode({ home: first.home, flags: UDP });
  // The getter still holds the dead session; the get itself has to find that out and dial again.
  await getWhole(second, address, `${workspace.dir}/copy`, path);
});

Deno.test("blob put survives a kill -9 right after its address was printed", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const source = `${workspace.dir}/source`;
  for (let round = 1; round <= 3; round++) {
    const node = await workspace.startNode({ home, flags: UDP });
    await Deno.writeFile(source, patternBytes(9 * MIB + round, round));
    const put = await home.net(["blob", "put", source]);
    await node.kill("SIGKILL");
    assert.equal(put.code, 0, describe(put));
    const again = await workspace.startNode({ home, flags: UDP });
    const output = `${workspace.dir}/copy-${round}`;
    await getWhole(again, put.stdout.trim(), output, source);
    const { blobs } = await home.json(["blob", "ls"]);
    assert.equal((blobs as unknown[]).length, round);
    await again.kill("SIGTERM");
  }
});

Deno.test("blob put that was killed in the middle leaves no blob, and the next one succeeds", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const node = await workspace.startNode({ home, flags: UDP });
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(BLOB_BYTES, 9));
  const putting = home.net(["blob", "put", source]);
  await waitFor("chunks are written", () => folderBytes(`${home.dataDir}/blobs`) > MIDDLE_BYTES);
  await node.kill("SIGKILL");
  assert.notEqual((await putting).code, 0, "the middle was missed: the put had ended");
  const again = await workspace.startNode({ home, flags: UDP });
  assert.deepEqual((await home.json(["blob", "ls"])).blobs, []);
  const put = await home.net(["blob", "put", source]);
  assert.equal(put.code, 0, describe(put));
  await getWhole(again, put.stdout.trim(), `${workspace.dir}/copy`, source);
});

async function putLarge(
  workspace: Workspace,
  node: TestNode,
): Promise<{ readonly path: string; readonly address: string }> {
  const path = `${workspace.dir}/large`;
  await Deno.writeFile(path, patternBytes(BLOB_BYTES, 7));
  const put = await node.home.net(["blob", "put", path]);
  assert.equal(put.code, 0, describe(put));
  return { path, address: put.stdout.trim() };
}

/** Waits until something of the blob lies in `folder`; fails early when the get ends before. */
async function untilMiddle(folder: string, getting: Promise<RunResult>): Promise<void> {
  let ended: RunResult | undefined;
  getting.then((result) => ended = result, () => {});
  await waitFor("the get is in its middle", () => {
    if (ended !== undefined) throw new Error(`The get ended early: ${describe(ended)}`);
    return folderBytes(folder) > MIDDLE_BYTES;
  });
}

async function getWhole(
  node: TestNode,
  address: string,
  output: string,
  source: string,
): Promise<void> {
  const get = await node.home.net(["blob", "get", address, output]);
  assert.equal(get.code, 0, describe(get));
  assert.ok(await equalFiles(source, output), "the bytes are the same");
}

function folderBytes(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      bytes += entry.isDirectory ? folderBytes(path) : Deno.statSync(path).size;
    }
  } catch (error) {
    // Files come and go while the node works.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return bytes;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
