import assert from "node:assert/strict";
import {
  type ErrorCode,
  NetError,
  type NetNode,
  startNode,
  type StartNodeOptions,
  toText,
} from "../../src/mod.ts";

const start = (options: StartNodeOptions = {}) =>
  startNode({ listen: "127.0.0.1:0", traversal: false, ...options });

const isCode = (code: ErrorCode) => (error: unknown) =>
  error instanceof NetError && error.code === code && error.next !== undefined;

async function withPair(test: (alice: NetNode, bob: NetNode) => Promise<void>): Promise<void> {
  await using alice = await start({ label: "alice", tags: ["hardware.memory_gb=64"] });
  await using bob = await start({ label: "bob", join: alice.ticket() });
  await test(alice, bob);
}

Deno.test("startNode() joins: both see each other, proven, and what was announced is known", () =>
  withPair(async (alice, bob) => {
    const [peer, ...others] = bob.peers();
    assert.deepEqual(others, []);
    assert.equal(peer?.id, alice.id);
    assert.equal(peer.state, "connected");
    assert.ok(peer.isProven && !peer.isRelayed);
    assert.equal(peer.address, alice.addresses[0]);
    const [found] = bob.find("hardware.memory_gb>=32");
    assert.equal(found?.id, alice.id);
    assert.ok(found.isConnected && !found.isSelf);
    await alice.waitFor([]);
    assert.equal(alice.peers()[0]?.id, bob.id);
  }));

Deno.test("announce() is found, and taken back by the next one", () =>
  withPair(async (alice, bob) => {
    alice.announce({ tags: ["gpu"], metadata: { rack: "7" } });
    const [found] = await bob.waitFor({ required: ["gpu"], where: "rack==7" });
    assert.equal(found?.id, alice.id);
    assert.equal(found.metadata.get("rack"), "7");
    assert.equal(alice.find("gpu")[0]?.isSelf, true);
    assert.throws(() => alice.announce({ tags: ["nrpc:mine"] }), isCode("usage"));
    assert.throws(() => bob.find("hardware.memory_gb>=much"), isCode("usage"));
    alice.announce({});
    assert.deepEqual(alice.find("gpu"), []);
    await assert.rejects(bob.waitFor("nobody-has-this", { timeoutMs: 1 }), isCode("timeout"));
  }));

Deno.test("publish() reaches who subscribed, in order, as bytes and as texts", () =>
  withPair(async (alice, bob) => {
    await alice.createChannel("room/lobby", { isReliable: true });
    await using heard = bob.subscribe("room/lobby");
    await heard.whenActive();
    assert.deepEqual(heard.publishers, [alice.id]);
    const report = await alice.publish("room/lobby", ["one", new Uint8Array([0xff])]);
    assert.deepEqual([report.events, report.delivered, report.errors.length], [2, 2, 0]);
    await alice.publish("room/lobby", "three");
    const messages = [];
    for await (const message of heard) {
      messages.push(message);
      if (messages.length === 3) break;
    }
    assert.deepEqual(messages.map(({ bytes }) => bytes[0]), [0x6f, 0xff, 0x74]);
    assert.deepEqual([messages[0]?.text, messages[2]?.text], ["one", "three"]);
    assert.equal(messages[0]?.publisher, alice.id);
    // Leaving the loop has ended it.
    assert.equal(await heard.next(), undefined);
    assert.equal(await alice.removeChannel("room/lobby"), true);
  }));

Deno.test("whenActive() says why nobody lets it in", () =>
  withPair(async (alice, bob) => {
    await using nobody = bob.subscribe("nobody/has/this");
    await assert.rejects(nobody.whenActive({ timeoutMs: 1 }), isCode("timeout"));
    await alice.createChannel("vault", { requiresToken: true });
    await using refused = bob.subscribe("vault");
    await assert.rejects(refused.whenActive({ timeoutMs: 500 }), isCode("not_allowed"));
  }));

Deno.test("put() takes any input, and get() gives it elsewhere", () =>
  withPair(async (alice, bob) => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * i);
    const half = [bytes.subarray(0, 50_001), new Uint8Array(0), bytes.subarray(50_001)];
    const { address, size } = await alice.put(bytes);
    assert.equal(size, bytes.length);
    assert.equal((await alice.put(half)).address, address);
    assert.equal((await alice.put(ReadableStream.from(half))).address, address);
    assert.equal((await alice.put(new Blob(half))).address, address);
    assert.deepEqual(await bob.get(address), bytes);
    assert.deepEqual(
      new Uint8Array(await new Response(bob.getStream(address)).arrayBuffer()),
      bytes,
    );
    const text = await bob.put("text");
    assert.equal(toText(await alice.get(text.address)), "text");
    await assert.rejects(bob.get(address, { maxBytes: 99_999 }), isCode("limit"));
    assert.equal((await bob.get(address, { maxBytes: 100_000 })).length, 100_000);
  }));

Deno.test("getStream() fails like get(), and its reader may leave", () =>
  withPair(async (alice, bob) => {
    const { address } = await alice.put(new Uint8Array(5_000_000));
    const reader = bob.getStream(address).getReader();
    const { value } = await reader.read();
    assert.equal(value?.length, 4 * 1024 * 1024);
    await reader.cancel();
    const nowhere = `b3:${"0".repeat(64)}`;
    await assert.rejects(new Response(bob.getStream(nowhere)).bytes(), isCode("not_found"));
    assert.throws(() => bob.getStream("no address"), isCode("usage"));
  }));

Deno.test("put() gives back what its input throws, and closes the input", async () => {
  await using node = await start();
  let isClosed = false;
  const broken = async function* () {
    try {
      yield new Uint8Array(10);
      throw new RangeError("broke");
    } finally {
      isClosed = true;
    }
  };
  await assert.rejects(
    node.put(broken()),
    (error) => error instanceof NetError && error.cause instanceof RangeError,
  );
  assert.ok(isClosed);
});

Deno.test("close() ends everything that waits, and nothing can be begun after it", async () => {
  const node = await start();
  const subscription = node.subscribe("room");
  const waiting = [node.waitFor("never"), subscription.whenActive()];
  const ends = Promise.allSettled(waiting);
  const next = subscription.next();
  await node.close();
  await node.close();
  for (const end of await ends) {
    assert.ok(end.status === "rejected" && isCode("not_running")(end.reason));
  }
  assert.equal(await next, undefined);
  assert.equal(node.isRunning, false);
  assert.throws(() => node.find(), isCode("not_running"));
  await assert.rejects(node.put("late"), isCode("not_running"));
});

Deno.test("startNode() with a folder keeps identity and blobs there, and nothing elsewhere", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const dataDir = `${folder}/node`;
    let id: bigint, address: string;
    {
      await using node = await start({ dataDir });
      id = node.id;
      ({ address } = await node.put("kept"));
      await assert.rejects(start({ dataDir }), isCode("data_dir_locked"));
    }
    await using node = await start({ dataDir });
    assert.equal(node.id, id);
    await node.getFile(address, `${folder}/copy`);
    assert.equal(await Deno.readTextFile(`${folder}/copy`), "kept");
    assert.equal((await node.putFile(`${folder}/copy`)).address, address);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(names.sort(), ["copy", "node"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("startNode() says what is wrong, and leaves nothing running", async () => {
  await assert.rejects(start({ join: "no ticket" }), isCode("ticket_invalid"));
  await assert.rejects(start({ listen: "somewhere" }), isCode("usage"));
  const gone = await start();
  const ticket = gone.ticket();
  await gone.close();
  await assert.rejects(start({ join: ticket, joinTimeoutMs: 50 }), isCode("unreachable"));
  const abort = new AbortController();
  const joining = start({ join: ticket, signal: abort.signal });
  abort.abort(new Error("no longer"));
  await assert.rejects(joining, /no longer/);
  await using later = await start({ join: ticket, joinTimeoutMs: 0 });
  assert.deepEqual(later.peers().filter(({ state }) => state === "connected"), []);
});

Deno.test("startNode() logs only where it is told to", async () => {
  const lines: string[] = [];
  await using node = await start({ log: (line) => lines.push(line), logLevel: "debug" });
  assert.ok(node.isRunning);
  assert.ok(lines.some((line) => line.includes("packet_cipher_opened")));
});

Deno.test("put() with replicas resolves when another node holds all of it", () =>
  withPair(async (alice, bob) => {
    await alice.whenServed("net.blob.copy");
    const bytes = new Uint8Array(10_000).fill(5);
    const { address, holders } = await alice.put(bytes, { replicas: 1, replicasWaitMs: 30_000 });
    assert.deepEqual(holders, [bob.id]);
    await assert.rejects(alice.put("alone", { replicas: 9, replicasWaitMs: 200 }), {
      code: "timeout",
    });
    assert.deepEqual(await bob.get(address), bytes);
  }));
