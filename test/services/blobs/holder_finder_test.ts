import assert from "node:assert/strict";
import { HolderAnnouncer } from "../../../src/services/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { BlobMeshKit, type BlobMeshNode, bytesOf, MEET_MS, sourceOf } from "./blob_mesh_kit.ts";

/** Five nodes, each with a session with the next one only. */
async function line(kit: BlobMeshKit, count = 5): Promise<readonly BlobMeshNode[]> {
  const nodes: BlobMeshNode[] = [];
  for (let number = 1; number <= count; number++) {
    const node = await kit.run(kit.start(number));
    const last = nodes.at(-1);
    if (last !== undefined) await kit.connect(last, node);
    nodes.push(node);
  }
  await kit.pass(MEET_MS);
  return nodes;
}

function announcerOf(kit: BlobMeshKit, node: BlobMeshNode): HolderAnnouncer {
  const announcer = new HolderAnnouncer({
    clock: kit.clock,
    log: silentLog,
    capabilities: node.capabilities,
    roots: async (limit) => {
      const { blobs } = await node.store.list({ limit });
      return blobs.map(({ address, createdAtMs, isPinned }) => ({
        names: [address],
        rank: isPinned ? "pinned" as const : "plain" as const,
        createdAtMs,
      }));
    },
  });
  node.parts.push(announcer);
  return announcer;
}

async function all(found: AsyncIterable<bigint>): Promise<bigint[]> {
  const ids: bigint[] = [];
  for await (const id of found) ids.push(id);
  return ids;
}

Deno.test("HolderFinder.holdersOf() finds the announced holder at the other end of a line of five", async () => {
  await using kit = new BlobMeshKit();
  const nodes = await line(kit);
  const [first, , , , last] = nodes;
  assert.ok(first && last);
  const bytes = bytesOf(100_000);
  const { hash } = await kit.run(last.store.put(sourceOf(bytes)));
  await kit.pass(MEET_MS);

  assert.deepEqual(first.finder.announced([hash]), [last.nodeId]);
  assert.ok(!first.node.transport.connectedPeers().includes(last.nodeId));
  assert.deepEqual(await kit.run(all(first.finder.holdersOf(hash))), [last.nodeId]);
  // It was reached on the way, and so gives its bytes.
  assert.ok(first.node.transport.connectedPeers().includes(last.nodeId));
  const got = await kit.run(first.transfer.fetchChunk(hash, { peers: [last.nodeId] }));
  assert.deepEqual(got.bytes, bytes);
});

Deno.test("HolderFinder.holdersOf() asks strangers when nobody announced the blob", async () => {
  await using kit = new BlobMeshKit();
  const [first, , , fourth] = await line(kit);
  assert.ok(first && fourth);
  const { hash } = await kit.run(fourth.store.put(sourceOf(bytesOf(5_000))));
  assert.deepEqual(first.finder.announced([hash]), []);
  assert.deepEqual(await kit.run(all(first.finder.holdersOf(hash))), [fourth.nodeId]);
  assert.equal(first.finder.counters.found_asked_total, 1);
  assert.deepEqual(
    await kit.run(first.finder.ask(fourth.nodeId, [hash, new Uint8Array(32)])),
    ["blob", "nothing"],
  );
});

Deno.test("HolderFinder.holdersOf() ends with the signal, and without holders", async () => {
  await using kit = new BlobMeshKit();
  const [first] = await line(kit, 2);
  assert.ok(first);
  const hash = new Uint8Array(32).fill(3);
  assert.deepEqual(await kit.run(all(first.finder.holdersOf(hash))), []);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(kit.run(all(first.finder.holdersOf(hash, { signal }))), /enough/);
});

Deno.test("HolderAnnouncer says what changed once in half a minute", async () => {
  await using kit = new BlobMeshKit();
  const node = await kit.run(kit.start(1));
  await kit.run(node.replicas.stop());
  const announcer = announcerOf(kit, node);
  await kit.run(announcer.start());
  assert.deepEqual(announcer.tags, []);
  for (let i = 0; i < 3; i++) {
    await kit.run(node.store.put(sourceOf(bytesOf(10, i + 1))));
    announcer.noteChange();
  }
  await kit.pass(400);
  assert.equal(announcer.tags.length, 3);
  await kit.run(node.store.put(sourceOf(bytesOf(10, 9))));
  announcer.noteChange();
  await kit.pass(20_000);
  assert.equal(announcer.tags.length, 3);
  await kit.pass(11_000);
  assert.equal(announcer.tags.length, 4);
  assert.equal(announcer.counters.updates_total, 2);
  const { tags } = node.capabilities.own.capabilities;
  assert.equal(tags.filter((tag) => tag.startsWith("causal:")).length, 4);
});

Deno.test("HolderAnnouncer leaves room that others need, and takes it again", async () => {
  await using kit = new BlobMeshKit();
  const node = await kit.run(kit.start(1));
  await kit.run(node.replicas.stop());
  for (let i = 0; i < 60; i++) await kit.run(node.store.put(sourceOf(bytesOf(10, i + 1))));
  const announcer = announcerOf(kit, node);
  await kit.run(announcer.start());
  const announced = () =>
    node.capabilities.own.capabilities.tags.filter((tag) => tag.startsWith("causal:"));
  assert.equal(announced().length, 60);
  // Somebody who comes later is not refused for the sake of names of blobs.
  const filler = Array.from({ length: 70 }, (_, i) => `filler.${i}.${"x".repeat(80)}`);
  node.capabilities.contribute("test", { tags: filler });
  const fewer = announced();
  assert.ok(fewer.length > 0 && fewer.length < 60, `${fewer.length} are left`);
  assert.ok(fewer.every((tag) => announcer.tags.slice(0, fewer.length).includes(tag)));
  assert.throws(
    () =>
      node.capabilities.contribute("test", {
        tags: [...filler, ...filler.map((tag) => `${tag}y`)],
      }),
    { code: "limit" },
  );
  node.capabilities.contribute("test", undefined);
  assert.equal(announced().length, 60);
});
