/** Verbs about holders and copies of blobs, and how durable a put is. */
import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const ADDRESS = `b3:${"ab".repeat(32)}`;
const RECEIPT = {
  address: ADDRESS,
  reached: true,
  copies: 2,
  wanted: 2,
  holders: ["0000000000000001", "0000000000000002"],
  refused: [],
  chunks: 3,
  size: 9,
  seconds: 1.5,
};

Deno.test("blob replicate asks for copies and prints who holds them", async () => {
  const node = { "blob.replicate": RECEIPT };
  const argv = ["blob", "replicate", ADDRESS, "--copies", "2", "--wait", "5m"];
  const { code, stdout, calls } = await runInMemory(argv, { node });
  assert.equal(code, 0);
  assert.match(stdout, /^2 other nodes hold every chunk, after 2 s: 0+1, 0+2\n$/);
  assert.deepEqual(calls[0]?.params, { target: ADDRESS, copies: 2, wait_ms: 300_000 });
  const json = await runInMemory([...argv, "--once", "--json"], { node });
  assert.equal(json.calls[0]?.params.once, true);
  assert.deepEqual(JSON.parse(json.stdout).holders, RECEIPT.holders);
});

Deno.test("blob replicate --forget stops counting; it takes one of both", async () => {
  const node = { "blob.replicas_forget": { forgotten: true } };
  const forgot = await runInMemory(["blob", "replicate", ADDRESS, "--forget"], { node });
  assert.equal(forgot.stdout, "its copies are not counted any more\n");
  for (const flags of [[], ["--forget", "--copies", "2"], ["--copies", "0"], ["--copies", "x"]]) {
    const { code, stderr, calls } = await runInMemory(["blob", "replicate", ADDRESS, ...flags], {
      node,
    });
    assert.equal(code, 2, flags.join(" "));
    assert.match(stderr, /next: /);
    assert.deepEqual(calls, []);
  }
});

Deno.test("blob replicas and holders print a table each", async () => {
  const blob = {
    address: ADDRESS,
    size: 2048,
    copies: 2,
    wanted: 3,
    nodes: ["0000000000000001"],
    away: ["0000000000000003"],
  };
  const replicas = await runInMemory(["blob", "replicas"], {
    node: { "blob.replicas": { blobs: [blob] } },
  });
  assert.match(replicas.stdout, /^ADDRESS +SIZE +COPIES +NODES +AWAY\n/);
  assert.match(replicas.stdout, /2 of 3 +0{15}1 +0{15}3\n$/);
  const none = await runInMemory(["blob", "replicas"], {
    node: { "blob.replicas": { blobs: [] } },
  });
  assert.equal(none.stdout, "no blob's copies are counted\n");
  const holder = { node: "0000000000000001", announced: true, holds: "blob", connected: true };
  const holders = await runInMemory(["blob", "holders", ADDRESS], {
    node: { "blob.holders": { address: ADDRESS, here: true, holders: [holder] } },
  });
  assert.match(holders.stdout, /this node +blob +-\n0{15}1 +blob +announced\n$/);
});

Deno.test("blob put --replicas prints the address, and the receipt with --json", async () => {
  const node = {
    "blob.put": { address: ADDRESS, blob_ref: "00", size: 9, chunks: 3, seconds: 1 },
    "blob.replicate": RECEIPT,
  };
  const file = await Deno.makeTempFile();
  try {
    const put = await runInMemory(["blob", "put", file, "--replicas", "2", "--json"], { node });
    assert.equal(put.code, 0, put.stderr);
    assert.deepEqual(JSON.parse(put.stdout).receipt, RECEIPT);
    assert.deepEqual(put.calls[1]?.params, { target: ADDRESS, copies: 2, wait_ms: 60_000 });
    const local = await runInMemory(["blob", "put", file, "--durability", "local"], { node });
    assert.equal(local.calls.length, 1);
    assert.equal(local.calls[0]?.params.synced, undefined);
    const hasty = await runInMemory(["blob", "put", file, "--durability", "best_effort"], { node });
    assert.equal(hasty.calls[0]?.params.synced, false);
    for (
      const flags of [
        ["--replicas", "local"],
        ["--durability", "some"],
        ["--durability", "255"],
        ["--durability", "1", "--replicas", "2"],
        ["--wait", "5s"],
      ]
    ) {
      const { code, calls } = await runInMemory(["blob", "put", file, ...flags], { node });
      assert.equal(code, 2, flags.join(" "));
      assert.deepEqual(calls, []);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("log append --blob puts, publishes and prints the token; blob wait takes it", async () => {
  const published = { address: ADDRESS, token: "blob1~x", seq: 4, receipt: null };
  const node = {
    "blob.put": { address: ADDRESS, size: 9 },
    "blob.publish": published,
    "blob.wait": { address: ADDRESS, done: true, receipt: RECEIPT },
  };
  const argv = ["log", "append", "films", "--blob", "film.mkv", "--replicas", "2"];
  const append = await runInMemory(argv, { node });
  assert.equal(append.stdout, `appended ${ADDRESS} as event 4 to films\n`);
  assert.deepEqual(append.calls[1]?.params, {
    target: ADDRESS,
    channel: "films",
    copies: 2,
    wait_ms: 60_000,
  });
  const token = await runInMemory([...argv, "--token"], { node });
  assert.equal(token.stdout, "blob1~x\n");
  const both = await runInMemory([...argv, "--hex"], { node });
  assert.deepEqual([both.code, both.calls], [2, []]);
  const wait = await runInMemory(["blob", "wait", "blob1~x", "--wait", "5s"], { node });
  assert.match(wait.stdout, /^2 other nodes hold every chunk/);
  assert.deepEqual(wait.calls[0]?.params, { token: "blob1~x", wait_ms: 5_000 });
});

Deno.test("channel publish --blob puts and sends the reference", async () => {
  const node = {
    "blob.put": { address: ADDRESS, size: 9 },
    "blob.publish": { address: ADDRESS, token: "blob1~x", seq: null, receipt: null, delivered: 3 },
  };
  const argv = ["channel", "publish", "films", "--blob", "film.mkv"];
  const sent = await runInMemory(argv, { node });
  assert.equal(sent.stdout, `published ${ADDRESS}: 3 delivered\n`, sent.stderr);
  const [, publish] = sent.calls;
  assert.deepEqual([publish?.params.place, publish?.params.copies], ["channel", 0]);
  for (const bad of [[...argv, "text"], ["channel", "publish", "films"]]) {
    const { code, calls } = await runInMemory(bad, { node });
    assert.deepEqual([code, calls], [2, []]);
  }
});
