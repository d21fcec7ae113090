/** What goes wrong in a machine room: one clear error each, and nothing lost. */
import assert from "node:assert/strict";
import {
  assertFails,
  equalFiles,
  type Home,
  makeWorkspace,
  patternBytes,
  startPair,
  type TestNode,
  ticketOf,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { mountSmallDisk } from "./small_disk.ts";
import { describe } from "./program.ts";

const MIB = 1024 * 1024;
const UDP = ["--udp", "127.0.0.1:0"];
/** Handshakes are tried three times for 5 s each (`wire.md` 4.6). */
const HANDSHAKE_TIMEOUT_MS = 25_000;

Deno.test("node start reports a wrong mesh secret", async () => {
  await using workspace = await makeWorkspace();
  const first = await workspace.startNode({ flags: UDP });
  const psk = await pskFile(workspace, "5a".repeat(32));
  const flags = [...UDP, "--peer", await peerSpec(first), "--psk-file", psk];
  await assertNotConnected(workspace, flags, first);
});

Deno.test("node start reports a wrong key", async () => {
  await using workspace = await makeWorkspace();
  const first = await workspace.startNode({ flags: UDP });
  const { psk } = await first.home.json(["node", "ticket"]);
  const file = await pskFile(workspace, String(psk));
  // The base point is a valid key that nobody here has.
  const spec = (await peerSpec(first)).replace(/#[0-9a-f]{64}$/, `#09${"00".repeat(31)}`);
  await assertNotConnected(workspace, [...UDP, "--peer", spec, "--psk-file", file], first);
});

Deno.test("node start reports an unreachable address", async () => {
  await using workspace = await makeWorkspace();
  const first = await workspace.startNode({ flags: UDP });
  const ticket = await ticketOf(first);
  await first.kill("SIGKILL");
  await assertNotConnected(workspace, [...UDP, "--join", ticket], first);
});

Deno.test("node start refuses a port in use", async () => {
  await using workspace = await makeWorkspace();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const node = await workspace.startNode({ flags: UDP });
  const udp = String(((await node.status()).udp as readonly string[])[0]);
  const cases = [
    [...UDP, "--port", String(listener.addr.port)],
    [...UDP, "--listen", `127.0.0.1:${listener.addr.port}`],
    ["--udp", udp],
  ];
  for (const flags of cases) {
    const home = workspace.makeHome();
    const text = assertFails(await home.net(["node", "start", ...flags]), 3, "address_in_use");
    assert.match(text, /:\d+/, "the error names the address");
    // The failed start must leave nothing that hinders the next one.
    const next = await workspace.startNode({ home, flags: UDP });
    await next.kill("SIGTERM");
  }
  assert.equal((await node.status()).pid, node.pid);
});

Deno.test("node start refuses a data folder that can't be written", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const file = `${home.dir}/file`;
  await Deno.writeTextFile(file, "mine");
  for (const folder of [`${file}/sub`, "/proc/net-data"]) {
    const result = await home.net(["node", "start", ...UDP, "--data-dir", folder]);
    assert.ok(assertFails(result, 2, "data_dir_unusable").includes(folder));
  }
  assert.equal(await Deno.readTextFile(file), "mine");
  // One that was not asked for is a warning.
  const env = { XDG_DATA_HOME: `${file}/sub` };
  const node = await workspace.startNode({ home, flags: UDP, env });
  assert.match(node.log(), /memory|RAM/i);
});

Deno.test("verbs tell how to go on when no node runs or the words are wrong", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  for (const verb of ["status", "stop", "ticket", "peers"]) {
    assertFails(await home.net(["node", verb]), 6, "not_running");
  }
  for (
    const args of [["nod"], ["node", "strat"], ["node", "start", "--prt", "1"], ["blob", "put"]]
  ) {
    const result = await home.net(args);
    assert.equal(result.code, 2, describe(result));
    assert.equal(result.stdout, "");
    assert.notEqual(result.stderr, "");
  }
  const json = await home.net(["node", "status", "--json"]);
  const { schema, error } = JSON.parse(json.stderr);
  assert.equal(schema, "net.error.v1");
  assert.equal(error.code, "not_running");
  assert.equal(error.exit, 6);
  assertFails(await home.net(["blob", "put", `${home.dir}/absent`]), 4, "not_found");
});

Deno.test("a full disk loses nothing that was there", async (t) => {
  await using workspace = await makeWorkspace();
  const disk = await mountSmallDisk(workspace, 24);
  if (typeof disk !== "string") {
    console.log(`ignored: ${disk.reason}`);
    return;
  }
  const { first, second } = await startPair(workspace);
  const node = await workspace.startNode({ flags: [...UDP, "--data-dir", `${disk}/data`] });
  const small = await putFile(workspace, node.home, node, 5 * MIB, 1);

  await t.step("blob put answers no_space and keeps what was put before", async () => {
    const large = `${workspace.dir}/large`;
    await Deno.writeFile(large, patternBytes(64 * MIB, 2));
    const put = await node.home.net(["blob", "put", large, ...dataDirFlag(disk)]);
    assertFails(put, 12, "no_space");
    const listed = await node.home.json(["blob", "ls", ...dataDirFlag(disk)]);
    assert.deepEqual((listed.blobs as { address: string }[]).map((blob) => blob.address), [
      small.address,
    ]);
    const copy = `${workspace.dir}/copy`;
    const get = await node.home.net(["blob", "get", small.address, copy, ...dataDirFlag(disk)]);
    assert.equal(get.code, 0, describe(get));
    assert.ok(await equalFiles(small.path, copy));
  });
  await t.step("blob get answers no_space and leaves no file", async () => {
    const large = await putFile(workspace, first.home, first, 40 * MIB, 3);
    const output = `${disk}/out`;
    const get = await second.home.net(["blob", "get", large.address, output]);
    assertFails(get, 12, "no_space");
    const left = [...Deno.readDirSync(disk)].map((entry) => entry.name);
    assert.deepEqual(left, ["data"]);
  });
  await t.step("the space of the failed put is free again", async () => {
    const again = `${workspace.dir}/again`;
    await Deno.writeFile(again, patternBytes(5 * MIB, 4));
    const put = await node.home.net(["blob", "put", again, ...dataDirFlag(disk)]);
    assert.equal(put.code, 0, describe(put));
  });
  await node.kill("SIGTERM");
});

function dataDirFlag(disk: string): readonly string[] {
  return ["--data-dir", `${disk}/data`];
}

/** A node as `--peer` takes it. */
async function peerSpec(node: TestNode): Promise<string> {
  const { udp, node_id, noise_public_key } = await node.status();
  return `${(udp as readonly string[])[0]}#${node_id}#${noise_public_key}`;
}

async function pskFile(workspace: Workspace, hex: string): Promise<string> {
  const path = `${workspace.dir}/psk`;
  await Deno.writeTextFile(path, `${hex}\n`, { mode: 0o600 });
  return path;
}

/**
 * A node whose only peer can't be reached says so in its log or ends with an error; it never lists
 * the peer as connected.
 */
async function assertNotConnected(
  workspace: Workspace,
  flags: readonly string[],
  other: TestNode,
): Promise<void> {
  const reason = /handshake|unreachable|no answer|timed? ?out/i;
  let node: TestNode;
  try {
    node = await workspace.startNode({ flags });
  } catch (error) {
    // Refusing to start is as clear as an error gets.
    assert.ok(error instanceof Error);
    assert.match(error.message, /^next: /m);
    assert.match(error.message, reason);
    return;
  }
  await waitFor("the reason is told", () => reason.test(node.log()), HANDSHAKE_TIMEOUT_MS)
    .catch((error) => {
      throw new Error(`${error.message}\n${node.log()}`);
    });
  const peers = (await node.status()).peers as readonly Record<string, unknown>[];
  assert.ok(peers.every((peer) => peer.state !== "connected"), JSON.stringify(peers));
  assert.ok(node.program.isAlive());
  if (other.program.isAlive()) assert.equal((await other.status()).pid, other.pid);
}

async function putFile(
  workspace: Workspace,
  home: Home,
  node: TestNode,
  sizeBytes: number,
  seed: number,
): Promise<{ readonly path: string; readonly address: string }> {
  const path = `${workspace.dir}/put-${seed}`;
  await Deno.writeFile(path, patternBytes(sizeBytes, seed));
  const put = await home.net(["blob", "put", path, "--socket", node.socketPath]);
  assert.equal(put.code, 0, describe(put));
  return { path, address: put.stdout.trim() };
}
