/** Blobs that move by themselves between two nodes, by a policy that is changed while they run. */
import assert from "node:assert/strict";
import {
  equalFiles,
  makeWorkspace,
  patternBytes,
  startPair,
  type TestNode,
  ticketOf,
  untilConnected,
  waitFor,
} from "./harness.ts";
import { describe, spawnProgram } from "./program.ts";

const MIB = 1024 * 1024;
const CHUNK_BYTES = 4 * MIB;

interface Status {
  readonly overflow: {
    readonly active: boolean;
    readonly counters: Readonly<Record<string, number>>;
  };
  readonly disk: { readonly used_bytes: number; readonly capacity_bytes: number };
  readonly greedy: {
    readonly bytes: number;
    readonly prefetches: { readonly ok: number };
    readonly admit_rejected: Readonly<Record<string, number>>;
  };
  readonly gravity: Readonly<Record<string, number>>;
  readonly spilled_chunks: number;
  readonly promised: { readonly chunks: number };
}

async function statusOf(node: TestNode): Promise<Status> {
  return await node.home.json(["blob", "policy", "status"]) as unknown as Status;
}

async function set(node: TestNode, ...settings: string[]): Promise<void> {
  const result = await node.home.net(["blob", "policy", "set", ...settings]);
  assert.equal(result.code, 0, describe(result));
}

Deno.test("a full node hands cold chunks to a peer, frees its disk, and still reads every blob", async () => {
  await using workspace = await makeWorkspace();
  const udp = ["--udp", "127.0.0.1:0"];
  const first = await workspace.startNode({ flags: [...udp, "--blob-quota", "64MiB"] });
  const stdin = await ticketOf(first);
  const second = await workspace.startNode({ flags: [...udp, "--join", "-"], stdin });
  await untilConnected(first, second);
  const files: [path: string, address: string][] = [];
  for (let i = 0; i < 14; i++) {
    const path = `${workspace.dir}/in-${i}`;
    await Deno.writeFile(path, patternBytes(CHUNK_BYTES, 100 + i));
    files.push([path, String((await first.home.json(["blob", "put", path])).address)]);
  }
  const before = await statusOf(first);
  assert.equal(before.disk.used_bytes, 14 * CHUNK_BYTES);
  assert.equal(before.disk.capacity_bytes, 64 * MIB);

  await set(second, "overflow=on");
  await set(first, "overflow=on", "overflow.spill_holders_min=1", "overflow.tick_interval=1s");
  const after = await waitFor("room", async () => {
    const status = await statusOf(first);
    return status.overflow.active || status.spilled_chunks < 3 ? undefined : status;
  }, 60_000);
  assert.equal(after.overflow.counters.dropped, after.spilled_chunks);
  assert.equal(after.disk.used_bytes, (14 - after.spilled_chunks) * CHUNK_BYTES);
  assert.ok(after.disk.used_bytes <= 0.7 * 64 * MIB);
  assert.equal((await statusOf(second)).promised.chunks, after.spilled_chunks);

  // For others too: this node hands on what it gave away, and keeps nothing of it.
  const third = await workspace.startNode({ flags: [...udp, "--join", "-"], stdin });
  await untilConnected(first, third);
  for (const [path, address] of files) {
    const output = `${path}.third`;
    const get = await third.home.net(["blob", "get", address, output]);
    assert.equal(get.code, 0, describe(get));
    assert.ok(await equalFiles(path, output));
  }
  assert.equal((await statusOf(first)).disk.used_bytes, after.disk.used_bytes);

  // Names keep working: what is not here any more comes back to be read.
  for (const [path, address] of files) {
    const output = `${path}.out`;
    const get = await first.home.net(["blob", "get", address, output]);
    assert.equal(get.code, 0, describe(get));
    assert.ok(await equalFiles(path, output));
  }
  const metrics = await first.home.json(["node", "counters"]);
  const text = JSON.stringify(metrics);
  assert.match(text, /dataforts_blob_overflow_pushes_admitted_total\{adapter=\\"mesh\\"\}/);
  assert.match(text, /dataforts_gravity_heat_registry_size/);
});

Deno.test("the policy survives a restart, and refuses what it does not know", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const alone = await home.json(["blob", "policy", "set", "gravity=on", "greedy=on"]);
  assert.deepEqual(alone.changed, ["greedy.enabled", "gravity.enabled"]);
  const node = await workspace.startNode({ home });
  const shown = await home.json(["blob", "policy", "show", "--changed"]);
  assert.deepEqual(
    (shown.settings as { key: string; value: string }[]).map(({ key, value }) => `${key}=${value}`),
    ["greedy.enabled=on", "gravity.enabled=on"],
  );
  const own = await home.json(["cap", "show"]);
  assert.match(JSON.stringify(own), /dataforts\.gravity\.enabled/);
  for (
    const [setting, message] of [
      ["overflow.speed=1", /there is no setting "overflow.speed"/],
      ["overflow.scope=planet", /one of node, zone, region, mesh/],
      ["greedy=off", /gravity needs greedy/],
    ] as const
  ) {
    const bad = await home.net(["blob", "policy", "set", setting]);
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, message);
    assert.match(bad.stderr, /next: /);
  }
  await set(node, "greedy=off", "gravity=off");
  const quiet = await home.json(["cap", "show"]);
  assert.doesNotMatch(JSON.stringify(quiet), /dataforts\.(gravity|greedy)/);
});

Deno.test("greedy caching keeps the blob of an event that came by, and reads it without its publisher", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const path = `${workspace.dir}/news`;
  await Deno.writeFile(path, patternBytes(CHUNK_BYTES + 5, 7));
  const put = await first.home.json(["blob", "put", path]);
  await first.home.json(["channel", "create", "news/blobs", "--reliable"]);
  const reader = spawnProgram(["channel", "subscribe", "news/blobs"], {
    env: second.home.env,
    cwd: `${second.home.dir}/cwd`,
  });
  workspace.defer(async () => {
    reader.kill("SIGKILL");
    await reader.finished();
  });
  await waitFor("it is subscribed", () => reader.stderr().includes("subscribed to"));
  await set(second, "greedy=on");
  const data = Uint8Array.fromHex(String(put.blob_ref)).toBase64();
  await first.call("channel.publish", {
    channel: "news/blobs",
    events: [data],
    encoding: "base64",
  });
  await waitFor("the blob is here", async () => {
    const { greedy } = await statusOf(second);
    return greedy.bytes === CHUNK_BYTES + 5 && greedy.prefetches.ok === 1;
  }, 60_000);
  await first.kill("SIGKILL");
  const output = `${workspace.dir}/news.out`;
  const get = await second.home.net(["blob", "get", String(put.blob_ref), output]);
  assert.equal(get.code, 0, describe(get));
  assert.ok(await equalFiles(path, output));
  const counters = JSON.stringify(await second.home.json(["node", "counters"]));
  assert.match(counters, /dataforts_greedy_serve_count_total\{channel=\\"news\/blobs\\"\}":[1-9]/);
});

Deno.test("gravity brings a blob here that a peer reads, once a channel named it, and stops when it is told", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const path = `${workspace.dir}/hot`;
  await Deno.writeFile(path, patternBytes(CHUNK_BYTES, 17));
  const put = await first.home.json(["blob", "put", path]);
  await first.home.json(["channel", "create", "hot/blobs", "--reliable"]);
  const reader = spawnProgram(["channel", "subscribe", "hot/blobs"], {
    env: second.home.env,
    cwd: `${second.home.dir}/cwd`,
  });
  workspace.defer(async () => {
    reader.kill("SIGKILL");
    await reader.finished();
  });
  await waitFor("it is subscribed", () => reader.stderr().includes("subscribed to"));
  // Caching takes what carries a label that nothing carries: what comes is gravity's doing.
  await set(second, "greedy=on", "greedy.scopes=nobody", "gravity=on", "gravity.tick_interval=1s");
  await set(first, "greedy=on", "gravity=on", "gravity.tick_interval=1s");
  await first.call("channel.publish", {
    channel: "hot/blobs",
    events: [Uint8Array.fromHex(String(put.blob_ref)).toBase64()],
    encoding: "base64",
  });
  await waitFor("the event came", async () => {
    const { greedy } = await statusOf(second);
    return greedy.admit_rejected.scope === 1;
  });
  assert.equal((await statusOf(second)).disk.used_bytes, 0);
  await first.home.net(["blob", "get", String(put.address), `${workspace.dir}/read`]);
  await waitFor("the chunk came", async () => {
    const { disk, gravity } = await statusOf(second);
    return disk.used_bytes === CHUNK_BYTES && gravity.pulled === 1;
  }, 60_000);
  await set(second, "greedy=off", "gravity=off");
  const own = JSON.stringify(await second.home.json(["cap", "show"]));
  assert.doesNotMatch(own, /heat:blob|dataforts\.gravity/);
});
