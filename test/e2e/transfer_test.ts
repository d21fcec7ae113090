/** Transfers between programs that are interrupted, seen and ended, as a person does it. */
import assert from "node:assert/strict";
import {
  assertFails,
  equalFiles,
  type Home,
  makeWorkspace,
  patternBytes,
  startPair,
  type TestNode,
  untilConnected,
  waitFor,
} from "./harness.ts";
import { describe, type RunningProgram, spawnProgram } from "./program.ts";

const MIB = 1024 * 1024;
const CHUNK_BYTES = 4 * MIB;
const CHUNKS = 36;
/** Chunks on their way when a get is interrupted: eight in its window, and four that are being kept. */
const ON_THE_WAY_MAX = 12;

Deno.test("blob get interrupted ten times asks for no chunk again that it kept", async () => {
  await using workspace = await makeWorkspace();
  const pair = await startPair(workspace);
  let { first: holder, second: getter } = pair;
  const source = `${workspace.dir}/source`;
  const output = `${workspace.dir}/copy`;
  await writeChunks(source, CHUNKS);
  const { address } = await holder.home.json(["blob", "put", source]);
  // Slow enough to be interrupted: background gets what a slow link leaves.
  await getter.home.json(["blob", "policy", "set", "bandwidth.nic_peak=32MiB"]);
  const get = ["blob", "get", String(address), output, "--class", "background"];
  let wasted = 0;
  for (let interruption = 0; interruption < 10; interruption++) {
    const before = { kept: keptChunks(getter.home), asked: await askedOf(holder) };
    // Six are ended by hand, two times each of the nodes is killed.
    const way = [0, 1, 2, 1, 1][interruption % 5];
    const program = await startGet(getter.home, get, before.kept);
    await sleep(interruption * 37 % 100);
    let asked: number;
    if (way === 0) {
      await getter.kill("SIGKILL");
      asked = await askedOf(holder);
      assert.notEqual((await program.finished()).code, 0);
      getter = await workspace.startNode({ home: getter.home, flags: ["--udp", "127.0.0.1:0"] });
      await untilConnected(holder, getter);
    } else if (way === 1) {
      program.kill("SIGINT");
      assert.equal((await program.finished()).code, 130, program.stderr());
      asked = await askedOf(holder);
    } else {
      asked = await askedOf(holder);
      await holder.kill("SIGKILL");
      program.kill("SIGTERM");
      await program.finished();
      asked = Math.max(asked, before.asked);
      holder = await workspace.startNode({ home: holder.home, flags: ["--udp", "127.0.0.1:0"] });
      await untilConnected(holder, getter);
    }
    await untilQuiet(getter);
    const came = keptChunks(getter.home) - before.kept;
    assert.ok(came > 0, "something came");
    const lost = asked - before.asked - came;
    assert.ok(lost <= ON_THE_WAY_MAX, `${asked - before.asked} asked for, ${came} kept`);
    wasted += Math.max(0, lost);
    if (keptChunks(getter.home) >= CHUNKS - 2) break;
  }
  const before = { kept: keptChunks(getter.home), asked: await askedOf(holder) };
  const done = await getter.home.net(["blob", "get", String(address), output]);
  assert.equal(done.code, 0, describe(done));
  assert.match(done.stderr, /resumed: .* were here before/);
  assert.equal(
    await askedOf(holder) - before.asked,
    CHUNKS - before.kept,
    "exactly what was missing",
  );
  assert.ok(await equalFiles(source, output));
  console.log(`${before.kept} of ${CHUNKS} chunks were kept, ${wasted} were on their way`);
});

Deno.test("transfer ls, status and cancel see and end a get, here and from the peer", async () => {
  await using workspace = await makeWorkspace();
  const { first: holder, second: getter } = await startPair(workspace);
  const source = `${workspace.dir}/source`;
  await writeChunks(source, 36);
  const { address } = await holder.home.json(["blob", "put", source]);
  await getter.home.json(["blob", "policy", "set", "bandwidth.nic_peak=16MiB"]);
  const get = ["blob", "get", String(address), `${workspace.dir}/copy`, "--class", "background"];
  const program = spawnVerb(getter.home, get);
  const found = await waitFor("the get is listed", async () => {
    const { gets } = await getter.home.json(["transfer", "ls"]);
    const [one] = gets as Record<string, unknown>[];
    return Number(one?.done_bytes ?? 0) > 0 ? one : undefined;
  });
  assert.equal(found.target, address);
  assert.equal(found.state, "running");
  assert.equal(found.current_bandwidth_class, "background");
  const id = String(found.get_id);
  const status = await getter.home.json(["transfer", "status", id]);
  assert.equal((status.get as Record<string, unknown>).get_id, id);
  const peer = String((await getter.status()).node_id);
  const remote = await waitFor("the holder sees a stream", async () => {
    const { transfers } = await holder.home.json(["transfer", "ls", "--node", peer]);
    const [one] = transfers as Record<string, unknown>[];
    return one;
  });
  assert.match(String(remote.transfer_id), /^2000[0-9a-f]{12}$/);
  assert.equal(remote.peer, (await holder.status()).node_id);
  assert.match(String(remote.hash), /^[0-9a-f]{64}$/);
  const text = await getter.home.net(["transfer", "ls"]);
  assert.match(text.stdout, /^GET +STATE/m);
  const cancelled = await getter.home.json(["transfer", "cancel", id]);
  assert.equal(cancelled.cancelled, true);
  assert.equal((await program.finished()).code, 1);
  assert.match(program.stderr(), /cancelled/);
  assert.match(program.stderr(), /^next: repeat the command to go on/m);
  const ended = await getter.home.json(["transfer", "status", id]);
  assert.equal((ended.get as Record<string, unknown>).state, "cancelled");
  assert.ok(keptChunks(getter.home) > 0);
  assertFails(await getter.home.net(["transfer", "cancel", id]), 4, "not_found");
  assertFails(await getter.home.net(["transfer", "cancel", "nonsense"]), 2, "usage");
  await getter.home.json(["blob", "policy", "set", "fetch.remote=off"]);
  const refused = await holder.home.net(["transfer", "ls", "--node", peer]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /fetch\.remote/);
});

Deno.test("blob put of a file goes on from its last checkpoint after the node was killed", async () => {
  await using workspace = await makeWorkspace();
  let node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0"] });
  await node.home.json(["blob", "policy", "set", "staging.checkpoint=4MiB"]);
  const source = `${workspace.dir}/source`;
  await writeChunks(source, 60);
  const program = spawnVerb(node.home, ["blob", "put", source]);
  await waitFor("a checkpoint", async () => {
    const { stagings } = await node.home.json(["blob", "staging", "ls"]);
    return (stagings as unknown[]).length > 0;
  });
  await node.kill("SIGKILL");
  assert.notEqual((await program.finished()).code, 0);
  node = await workspace.startNode({ home: node.home, flags: ["--udp", "127.0.0.1:0"] });
  const { stagings } = await node.home.json(["blob", "staging", "ls"]);
  const [staging] = stagings as Record<string, unknown>[];
  assert.equal(staging?.path, source);
  assert.ok(Number(staging?.bytes) >= CHUNK_BYTES);
  const again = await node.home.net(["blob", "put", source]);
  assert.equal(again.code, 0, describe(again));
  assert.match(again.stderr, /resumed: .* were stored before/);
  const other = workspace.makeHome();
  const whole = await other.json(["blob", "put", source]);
  assert.equal(again.stdout.trim(), whole.address);
  assert.deepEqual((await node.home.json(["blob", "staging", "ls"])).stagings, []);
});

Deno.test("blob put - goes on with --resume after the program was killed", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0"] });
  const bytes = patternBytes(9 * CHUNK_BYTES + 5, 77);
  await node.call("blob.policy_set", { settings: [["staging.checkpoint", "4MiB"]] });
  const { staging } = await node.call("blob.staging_begin", {});
  for (let at = 0; at < 6 * CHUNK_BYTES; at += 512 * 1024) {
    const data = bytes.subarray(at, at + 512 * 1024).toBase64();
    await node.call("blob.staging_append", { staging, data, offset: at });
  }
  await waitFor("a checkpoint", async () => {
    const { stagings } = await node.home.json(["blob", "staging", "ls"]);
    return Number((stagings as Record<string, unknown>[])[0]?.bytes) >= 4 * CHUNK_BYTES;
  });
  await node.kill("SIGKILL");
  const next = await workspace.startNode({ home: node.home, flags: ["--udp", "127.0.0.1:0"] });
  const put = await next.home.net(["blob", "put", "-", "--resume", String(staging)], {
    stdin: bytes,
  });
  assert.equal(put.code, 0, describe(put));
  assert.match(put.stderr, /resumed: .* were stored before/);
  const other = await workspace.makeHome().json(["blob", "put", "-"], { stdin: bytes });
  assert.equal(put.stdout.trim(), other.address);
});

/** Starts a get and waits until it has kept something; repeats it as it says while sessions change. */
async function startGet(
  home: Home,
  args: readonly string[],
  before: number,
): Promise<RunningProgram> {
  let program = spawnVerb(home, args);
  const said: string[] = [];
  await waitFor("some chunks came", () => {
    if (keptChunks(home) > before) return true;
    if (program.isAlive()) return false;
    said.push(program.stderr());
    assert.match(program.stderr(), /repeat the command/);
    program = spawnVerb(home, args);
    return false;
  }, 60_000).catch((error) => {
    throw new Error(`${error.message}\n${said.join("\n")}`);
  });
  return program;
}

/** Starts a verb in a home and does not wait for it. */
function spawnVerb(home: Home, args: readonly string[]): RunningProgram {
  return spawnProgram(args, { env: home.env, cwd: `${home.dir}/cwd` });
}

/** Waits until the node knows that its gets are over: what came last is kept then. */
async function untilQuiet(node: TestNode): Promise<void> {
  await waitFor("no get is under way", async () => {
    const { gets } = await node.home.json(["transfer", "ls"]);
    return (gets as Record<string, unknown>[]).every(({ state }) => state !== "running");
  });
}

/** Chunks a node has: files in its store, and those that lie in the files of gets. */
function keptChunks(home: Home): number {
  const hashes = new Set<string>();
  // In this order: a list goes when all of it is in the store.
  for (const { name } of Deno.readDirSync(`${home.dataDir}/lent`)) {
    if (!name.endsWith(".list")) continue;
    try {
      const list = Deno.readTextFileSync(`${home.dataDir}/lent/${name}`);
      for (const [, hash = ""] of list.matchAll(/^([0-9a-f]{64}) .*\n/gm)) hashes.add(hash);
    } catch (error) {
      // Taken over just now.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  for (const shard of Deno.readDirSync(`${home.dataDir}/blobs`)) {
    if (!shard.isDirectory || !/^[0-9a-f]{2}$/.test(shard.name)) continue;
    for (const { name } of Deno.readDirSync(`${home.dataDir}/blobs/${shard.name}`)) {
      if (/^[0-9a-f]{64}/.test(name)) hashes.add(name.slice(0, 64));
    }
  }
  return hashes.size;
}

/** Requests for chunks that a holder heard in this run. */
async function askedOf(node: TestNode): Promise<number> {
  const { counters } = await node.home.json(["node", "counters"]);
  const asked = (counters as Record<string, unknown>).net_transfer_requests_received_total;
  assert.equal(typeof asked, "number");
  return Number(asked);
}

async function writeChunks(path: string, count: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let seed = 1; seed <= count; seed++) {
    const bytes = patternBytes(CHUNK_BYTES, seed);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
