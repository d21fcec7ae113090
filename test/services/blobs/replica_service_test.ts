import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { CHUNK_BYTES, holderTag } from "../../../src/blob/mod.ts";
import type { ReplicaReceipt, ReplicateProgress } from "../../../src/services/mod.ts";
import { PERFECT } from "../../sim/memory_network.ts";
import {
  BlobMeshKit,
  type BlobMeshNode,
  type BlobMeshOptions,
  bytesOf,
  MEET_MS,
  sourceOf,
} from "./blob_mesh_kit.ts";

/** Nodes that all have a session with the first one. */
async function star(
  count: number,
  options: BlobMeshOptions = {},
): Promise<readonly [BlobMeshKit, ...BlobMeshNode[]]> {
  const kit = new BlobMeshKit(options);
  const nodes: BlobMeshNode[] = [];
  for (let number = 1; number <= count; number++) {
    const node = await kit.run(kit.start(number));
    if (nodes[0] !== undefined) await kit.connect(nodes[0], node);
    nodes.push(node);
  }
  await kit.pass(MEET_MS);
  return [kit, ...nodes];
}

const present = <T>(value: T | undefined): T => {
  assert.ok(value !== undefined);
  return value;
};

Deno.test("replicate() returns when other nodes hold every chunk, and says which", async () => {
  const [kit, first, ...others] = await star(4);
  await using _ = kit;
  assert.ok(first);
  const bytes = bytesOf(CHUNK_BYTES + 100);
  const { hash, ref } = await kit.run(first.store.put(sourceOf(bytes)));
  const seen: ReplicateProgress[] = [];
  const receipt = await kit.run(first.replicas.replicate(hash, {
    peers: 2,
    waitMs: 60_000,
    onProgress: (progress) => seen.push(progress),
  }));
  assert.ok(receipt.isReached);
  assert.equal(receipt.holders.length, 2);
  assert.equal(receipt.chunks, 2);
  assert.deepEqual(seen.at(-1), {
    held: 2,
    wanted: 2,
    doneBytes: 2 * bytes.length,
    totalBytes: 2 * bytes.length,
  });
  const holders = others.filter(({ nodeId }) => receipt.holders.includes(nodeId));
  assert.equal(holders.length, 2);
  for (const holder of holders) {
    const record = present(await holder.store.stat(hash));
    assert.equal(record.origin, "replica");
    assert.equal(ref.kind, "manifest");
    for (const chunk of ref.kind === "manifest" ? ref.chunks : []) {
      assert.equal((await holder.store.readChunk(chunk.hash))?.length, chunk.size);
      assert.ok((await holder.store.standingOf(chunk.hash))?.isReplica);
    }
  }
  // Once more: they are found and counted, and nobody is asked for anything.
  const asked = first.metrics.snapshot().net_replicas_ask_asked_total;
  const again = await kit.run(first.replicas.replicate(hash, { peers: 2, waitMs: 60_000 }));
  assert.deepEqual(again.holders, receipt.holders);
  assert.equal(first.metrics.snapshot().net_replicas_ask_asked_total, asked);
});

Deno.test("replicate() says in time what it did not reach, and the bytes stay", async () => {
  const [kit, first, second] = await star(2);
  await using _ = kit;
  assert.ok(first && second);
  const { hash } = await kit.run(first.store.put(sourceOf(bytesOf(1_000))));
  const asked = first.replicas.replicate(hash, { peers: 3, waitMs: 5_000 });
  const error = await kit.run(asked.then(() => undefined, (error: unknown) => error), 10);
  assert.ok(error instanceof NetError && error.code === "timeout");
  assert.match(error.message, /1 of 3 other nodes have every chunk/);
  assert.equal(error.data?.copies, 1);
  assert.ok(await first.store.stat(hash) && await second.store.stat(hash));
});

Deno.test("replicate() honours who takes nothing, and who has no room", async () => {
  const [kit, first, second, third] = await star(3);
  await using _ = kit;
  assert.ok(first && second && third);
  second.setPolicy({ isAccepting: false, capBytes: Infinity });
  third.setPolicy({ isAccepting: true, capBytes: 10 });
  await kit.pass(MEET_MS);
  const { hash } = await kit.run(first.store.put(sourceOf(bytesOf(1_000))));
  const asked = first.replicas.replicate(hash, { peers: 1, waitMs: 3_000 });
  const error = await kit.run(asked.then(() => undefined, (error: unknown) => error), 10);
  assert.ok(error instanceof NetError);
  const refused = [{ node: third.nodeId.toString(16).padStart(16, "0"), reason: "no_room" }];
  assert.deepEqual(error.data?.refused, refused);
  assert.equal(await second.store.stat(hash), undefined);
  assert.equal(third.metrics.snapshot().net_replicas_take_refused_no_room_total, 1);
});

Deno.test("replicate() goes to other regions first", async () => {
  const [kit, first, , third] = await star(3, {
    tags: { 1: ["region:north"], 2: ["region:north"], 3: ["region:south"] },
  });
  await using _ = kit;
  assert.ok(first && third);
  for (let i = 0; i < 3; i++) {
    const { hash } = await kit.run(first.store.put(sourceOf(bytesOf(100, i + 1))));
    const options = { peers: 1, waitMs: 30_000 };
    const receipt: ReplicaReceipt = await kit.run(first.replicas.replicate(hash, options));
    assert.deepEqual(receipt.holders, [third.nodeId]);
  }
});

Deno.test("replicate() can be called off, and goes on from what was there", async () => {
  const [kit, first, second] = await star(2);
  await using _ = kit;
  assert.ok(first && second);
  const { hash, ref } = await kit.run(first.store.put(sourceOf(bytesOf(3 * CHUNK_BYTES))));
  assert.ok(ref.kind === "manifest");
  kit.mesh.network.conditions = { ...PERFECT, delayMs: 60 };
  const abort = new AbortController();
  const options = { peers: 1, waitMs: 60_000, signal: abort.signal };
  const asked = assert.rejects(first.replicas.replicate(hash, options), /enough/);
  const hasSome = () => (second.transfer.counters.chunks_fetched_total ?? 0) > 0;
  while (!hasSome()) await kit.pass(1, 1);
  abort.abort(new Error("enough"));
  await kit.run(asked, 10);
  await kit.pass(2_000);
  assert.equal(await second.store.stat(hash), undefined);
  assert.equal(second.metrics.snapshot().net_replicas_take_cancelled_total, 1);
  const kept = [];
  for (const chunk of ref.chunks) {
    if (await second.store.hasChunk(chunk.hash) !== undefined) kept.push(chunk);
  }
  assert.ok(kept.length > 0);
  const before = second.transfer.counters.chunks_fetched_total ?? 0;
  await kit.run(first.replicas.replicate(hash, { peers: 1, waitMs: 60_000 }), 10);
  assert.ok(await second.store.stat(hash));
  const fetched = (second.transfer.counters.chunks_fetched_total ?? 0) - before;
  assert.equal(fetched, ref.chunks.length - kept.length);
});

Deno.test("a copy is refused whose bytes are not those of its address", async () => {
  const [kit, first, second] = await star(2);
  await using _ = kit;
  assert.ok(first && second);
  const { hash, ref, blobRef } = await kit.run(
    first.store.put(sourceOf(bytesOf(2 * CHUNK_BYTES))),
  );
  assert.ok(ref.kind === "manifest");
  // The same chunks under another name, recorded as if they had been put so.
  const wrong = hash.map((byte) => byte ^ 1);
  const draft = first.store.begin();
  for (const chunk of ref.chunks) await draft.keepChunk(chunk.hash);
  await draft.commit({
    address: wrong,
    ref,
    size: 2 * CHUNK_BYTES,
    chunks: ref.chunks,
    kind: "blob",
  });
  assert.ok(blobRef.length > 0);
  const asked = first.replicas.replicate(wrong, { peers: 1, waitMs: 4_000 });
  const error = await kit.run(asked.then(() => undefined, (error: unknown) => error), 10);
  assert.ok(error instanceof NetError && error.code === "timeout");
  assert.equal(await second.store.stat(wrong), undefined);
});

Deno.test("replicate() of a blob that is not here, or to nobody, is refused", async () => {
  const [kit, first] = await star(1);
  await using _ = kit;
  assert.ok(first);
  const nothing = new Uint8Array(32);
  const options = { peers: 1, waitMs: 1_000 };
  await assert.rejects(kit.run(first.replicas.replicate(nothing, options)), /does not have it/);
  for (const peers of [0, 255, 1.5]) {
    await assert.rejects(kit.run(first.replicas.replicate(nothing, { ...options, peers })), /1 to/);
  }
});

Deno.test("copies that are gone for long come back, and the surplus goes when all are back", async () => {
  const times = { graceMs: 60_000, turnMs: 60_000, jitterMs: 5_000, surplusMs: 120_000 };
  const [kit, first, ...others] = await star(5, { keeper: { tickMs: 10_000, times } });
  await using _ = kit;
  assert.ok(first);
  const { hash } = await kit.run(first.store.put(sourceOf(bytesOf(5_000))));
  const receipt = await kit.run(first.replicas.replicate(hash, { peers: 2, waitMs: 60_000 }));
  const [gone] = others.filter(({ nodeId }) => receipt.holders.includes(nodeId));
  assert.ok(gone);
  await kit.pass(30_000);
  await kit.stop(gone.number);
  const copies = async () => {
    let count = 0;
    for (const node of kit.nodes.values()) {
      if (await kit.run(node.store.stat(hash)) !== undefined) count += 1;
    }
    return count;
  };
  await kit.pass(40_000);
  assert.equal(await copies(), 2, "it may only restart");
  for (let i = 0; i < 10; i++) {
    await kit.pass(50_000);
    assert.ok(await copies() <= 3, "two that repair at once choose the same node");
  }
  assert.equal(await copies(), 3);
  const back = await kit.run(kit.start(gone.number));
  await kit.connect(first, back);
  await kit.pass(30_000);
  assert.equal(await copies(), 4);
  await kit.pass(1_500_000, 100);
  assert.equal(await copies(), 3);
  const repairs = [...kit.nodes.values()].map(({ metrics }) =>
    Number(metrics.snapshot().net_replicas_keep_repairs_total)
  );
  // The other holder may have missed the third one for longer, and act before it hears of the repair.
  const total = repairs.reduce((sum, count) => sum + count, 0);
  assert.ok(total === 1 || total === 2, `${total} repairs`);
  assert.ok(repairs.every((count) => count <= 1), "nobody repairs twice");
});

Deno.test("a node that can't be asked counts when it gives every byte", async () => {
  const [kit, first, second] = await star(2);
  await using _ = kit;
  assert.ok(first && second);
  // As a Rust core that replicates the channels of chunks: it announces them and serves them, and that is all.
  await kit.run(second.replicas.stop());
  const bytes = bytesOf(CHUNK_BYTES + 7);
  const { hash, ref } = await kit.run(first.store.put(sourceOf(bytes)));
  await kit.run(second.store.put(sourceOf(bytes)));
  second.capabilities.contribute("test", { tags: [`${holderTag(hash)}:0`] });
  await kit.pass(MEET_MS);
  assert.deepEqual(first.finder.announced([hash]), [second.nodeId]);
  const options = { peers: 1, waitMs: 5_000 };
  const receipt = await kit.run(first.replicas.replicate(hash, options), 10);
  assert.deepEqual(receipt.holders, [second.nodeId]);
  assert.equal(first.metrics.snapshot().net_replicas_ask_asked_total, 0);
  // What it says alone is worth nothing.
  const other = await kit.run(first.store.put(sourceOf(bytesOf(50, 9))));
  second.capabilities.contribute("test", { tags: [holderTag(other.hash)] });
  await kit.pass(MEET_MS);
  await assert.rejects(kit.run(first.replicas.replicate(other.hash, options), 10), {
    code: "timeout",
  });
  assert.equal(ref.kind, "manifest");
});

Deno.test("a copy is taken of a blob whose reference does not fit the request", async () => {
  const [kit, first, second] = await star(2, { storeBytes: 200 * CHUNK_BYTES });
  await using _ = kit;
  assert.ok(first && second);
  // The same chunk over and over: little to store, and a long list.
  const zeros = new Uint8Array(CHUNK_BYTES);
  let left = 120;
  const source = {
    read: (into: Uint8Array) => {
      if (left === 0) return Promise.resolve(null);
      left -= into.length / CHUNK_BYTES;
      into.set(zeros.subarray(0, into.length));
      return Promise.resolve(into.length);
    },
  };
  const { hash, blobRef } = await kit.run(first.store.put(source));
  assert.ok(blobRef.length > 4_096);
  const options = { peers: 1, waitMs: 60_000 };
  const receipt = await kit.run(first.replicas.replicate(hash, options), 10);
  assert.deepEqual(receipt.holders, [second.nodeId]);
  assert.deepEqual((await second.store.stat(hash))?.blobRef, blobRef);
});
