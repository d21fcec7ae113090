/** Gets from several holders, on fake links. */
import assert from "node:assert/strict";
import { concatBytes, NetError } from "../../src/base/mod.ts";
import { type BlobSink, CHUNK_BYTES } from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import type { Parcel } from "./fake_link.ts";
import { type BlobNode, withMesh } from "./mesh_of_blobs.ts";
import { bytesSource, seededBytes } from "./sources.ts";

const put = (node: BlobNode, bytes: Uint8Array) => node.store.put(bytesSource(bytes));
const addressOf = (bytes: Uint8Array) => ({ kind: "address", hash: blake3(bytes) } as const);
const chunkHash = (bytes: Uint8Array, index: number) =>
  blake3(bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES));
/** A sink in memory: with files, time of the test passes while the disk is at work. */
function memorySink() {
  const pieces: Uint8Array[] = [];
  const nothing = () => Promise.resolve();
  const sink: BlobSink = {
    write: (bytes) => Promise.resolve(void pieces.push(bytes)),
    commit: nothing,
    discard: nothing,
  };
  return { open: () => Promise.resolve(sink), bytes: () => concatBytes(...pieces) };
}

const isData = ({ kind, sequence }: Parcel) => kind === "event" && sequence > 0;
const isRequest = ({ kind, payload }: Parcel) => kind === "message" && payload[0] === 0x00;

Deno.test("get() asks two holders at once, and nobody for the same chunk twice", () =>
  withMesh(async ({ nodes: [asker, left, right], folder, run }) => {
    const bytes = seededBytes(12 * CHUNK_BYTES, 3);
    await put(left, bytes);
    await put(right, bytes);
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual([...got.from].sort(), [2n, 3n]);
    assert.equal(got.localBytes, 0);
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    assert.equal(asker.transfer.counters.attempts_total, 12);
    for (const holder of [left, right]) {
      assert.ok(holder.transfer.counters.serves_completed_total >= 3);
    }
  }));

Deno.test("get() gives a fast holder more than a slow one", () =>
  withMesh(async ({ nodes: [asker, fast, slow], network, folder, run }) => {
    const bytes = seededBytes(16 * CHUNK_BYTES, 4);
    await put(fast, bytes);
    await put(slow, bytes);
    let count = 0;
    // Three of four of its events come 20 ms later: a window takes ten times as long.
    network.resendMs = 20;
    network.fate = (parcel) =>
      parcel.from === 3n && isData(parcel) && ++count % 4 > 0 ? "lose" : "deliver";
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    const served = (node: BlobNode) => node.transfer.counters.bytes_served_total;
    assert.ok(served(slow) > 0);
    assert.ok(served(fast) > 2 * served(slow), `${served(fast)} and ${served(slow)}`);
  }));

Deno.test("get() takes each chunk from whoever has it", () =>
  withMesh(async ({ nodes: [asker, even, odd], folder, run }) => {
    const bytes = seededBytes(8 * CHUNK_BYTES, 5);
    const { ref } = await put(even, bytes);
    await put(odd, bytes);
    for (let index = 0; index < 8; index++) {
      await (index % 2 === 0 ? odd : even).chunks.remove(chunkHash(bytes, index));
    }
    const got = await run(asker.fetcher.get(ref, { output: `${folder}/out` }));
    assert.deepEqual([...got.from].sort(), [2n, 3n]);
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
  }));

Deno.test("get() drops a holder that lies in the middle; its chunks come from the other", () =>
  withMesh(async ({ nodes: [asker, liar, honest], network, folder, run }) => {
    const bytes = seededBytes(10 * CHUNK_BYTES, 6);
    await put(liar, bytes);
    await put(honest, bytes);
    network.fate = (parcel) => {
      if (parcel.from === 2n && isData(parcel)) parcel.payload = parcel.payload.map((b) => b ^ 1);
      return "deliver";
    };
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(got.from, [3n]);
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    // What was asked before the first lie was seen, and nothing behind it.
    assert.ok(asker.transfer.counters.attempts_wrong_hash_total <= 2);
  }));

Deno.test("get() asks a second holder when the first one stops in the middle of a chunk", () =>
  withMesh(async ({ nodes: [asker, stalling, other], network, clock, run }) => {
    const bytes = seededBytes(8 * CHUNK_BYTES, 7);
    await put(stalling, bytes);
    await put(other, bytes);
    let events = 0;
    network.fate = (parcel) => {
      // It goes on acknowledging, so nothing but the bytes that do not come tells.
      if (parcel.from === 2n && isData(parcel) && ++events > 700) stalling.link.isFrozen = true;
      return "deliver";
    };
    const startMs = clock.now();
    const sink = memorySink();
    await run(asker.fetcher.getInto(addressOf(bytes), sink.open));
    assert.deepEqual(sink.bytes(), bytes);
    assert.ok(asker.transfer.counters.attempts_hedged_total >= 1);
    assert.ok(clock.now() - startMs < 5_000, `${clock.now() - startMs} ms`);
    assert.ok(asker.link.silences.includes(2n));
  }));

Deno.test("get() that was interrupted asks for no chunk again that came", () =>
  withMesh(async ({ nodes: [asker, holder], network, run }) => {
    const bytes = seededBytes(24 * CHUNK_BYTES, 8);
    await put(holder, bytes);
    const requested: string[] = [];
    let onRequest = () => {};
    network.fate = (parcel) => {
      if (isRequest(parcel) && parcel.to === 2n) {
        requested.push(parcel.payload.slice(1, 33).toHex());
        onRequest();
      }
      return "deliver";
    };
    const kept = async () => {
      const hashes: string[] = [];
      for await (const hash of asker.chunks.list()) hashes.push(hash.toHex());
      return new Set(hashes);
    };
    for (let interruption = 1; interruption <= 3; interruption++) {
      const abort = new AbortController();
      const before = await kept();
      requested.length = 0;
      // Two are asked for at first, and another one when one has come.
      onRequest = () => {
        if (requested.length === 5) abort.abort(new Error("interrupted"));
      };
      const { signal } = abort;
      const work = asker.fetcher.getInto(addressOf(bytes), memorySink().open, { signal });
      await assert.rejects(run(work), /interrupted/);
      for (const hash of requested) assert.ok(!before.has(hash), "a chunk that was here");
      assert.ok((await kept()).size > before.size);
    }
    onRequest = () => {};
    const before = await kept();
    requested.length = 0;
    const sink = memorySink();
    const got = await run(asker.fetcher.getInto(addressOf(bytes), sink.open));
    assert.equal(requested.length, 24 - before.size);
    assert.equal(got.localBytes, before.size * CHUNK_BYTES);
    assert.deepEqual(sink.bytes(), bytes);
    // And once more, without anybody.
    network.disconnect(asker.link, holder.link);
    const { ref } = await holder.store.put(bytesSource(bytes));
    const again = await run(asker.fetcher.getInto(ref, memorySink().open));
    assert.deepEqual(again.from, []);
  }));

Deno.test("get() goes on without keeping chunks when the store is full", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(6 * CHUNK_BYTES, 9);
    await put(holder, bytes);
    // All but two chunks of the room are taken.
    await put(asker, seededBytes(30 * CHUNK_BYTES, 10));
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    assert.equal(await asker.chunks.usedBytes(), 32 * CHUNK_BYTES);
  }));

Deno.test("a get is listed while it runs, and ends when it is cancelled; what came stays", () =>
  withMesh(async ({ nodes: [asker, holder], clock, folder, run }) => {
    const bytes = seededBytes(8 * CHUNK_BYTES, 11);
    const blob = await put(holder, bytes);
    const { registry } = asker.transfer;
    const work = asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` });
    work.catch(() => {});
    while ((registry.gets()[0]?.doneBytes ?? 0) < 3 * CHUNK_BYTES) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(1);
    }
    const [get] = registry.gets();
    assert.ok(get !== undefined);
    assert.equal(get.target, blob.address);
    assert.equal(get.state, "running");
    assert.equal(get.totalBytes, bytes.length);
    const streams = registry.streams();
    assert.ok(streams.length > 0);
    for (const stream of streams) {
      assert.equal(stream.direction, "fetch");
      assert.equal(stream.getId, get.id);
      assert.equal(stream.peer, 2n);
      assert.equal(stream.bandwidthClass, "foreground");
    }
    const served = holder.transfer.registry.streams();
    assert.ok(served.every(({ direction, peer }) => direction === "serve" && peer === 1n));
    assert.ok(!registry.cancel(12345n));
    // By the id of one of its streams, as the remote form does.
    assert.ok(registry.cancel(streams[0]?.streamId ?? 0n));
    await assert.rejects(
      run(work),
      (error) =>
        error instanceof NetError && error.data?.cancelled === true && error.next !== undefined,
    );
    assert.equal(registry.streams().length, 0);
    assert.equal(registry.gets()[0]?.state, "cancelled");
    assert.ok(await asker.chunks.usedBytes() >= 2 * CHUNK_BYTES);
    assert.ok(!registry.cancel(get.id));
  }));

Deno.test("background waits for what foreground leaves, and says for how long", () =>
  withMesh(async ({ nodes: [asker, holder], clock, run }) => {
    const bytes = seededBytes(4 * CHUNK_BYTES, 12);
    await put(holder, bytes);
    asker.transfer.configure({
      fraction: 1,
      peakBytesPerSecond: 20 * CHUNK_BYTES,
      backgroundFraction: 0.25,
    });
    // Foreground takes all there is, without waiting.
    const startMs = clock.now();
    for (let i = 0; i < 5; i++) {
      await asker.chunks.remove(chunkHash(bytes, 0));
      await run(asker.fetcher.getInto(addressOf(bytes), memorySink().open));
    }
    assert.ok(clock.now() - startMs < 3_000);
    for (let index = 0; index < 4; index++) await asker.chunks.remove(chunkHash(bytes, index));
    const options = { bandwidthClass: "background" } as const;
    await run(asker.fetcher.getInto(addressOf(bytes), memorySink().open, options));
    const status = asker.transfer.registry.gets().at(-1);
    assert.equal(status?.bandwidthClass, "background");
    assert.ok(status.pausedMs > 0, `${status.pausedMs}`);
  }));

Deno.test("get() finds and reaches a holder that is not connected", () =>
  withMesh(async ({ nodes: [asker, , far], network, folder, run }) => {
    const bytes = seededBytes(2 * CHUNK_BYTES, 13);
    await put(far, bytes);
    network.disconnect(asker.link, far.link);
    const asked: string[] = [];
    asker.transfer.useFinder({
      holdersOf: async function* (hash) {
        asked.push(hash.toHex());
        await Promise.resolve();
        yield 99n;
        yield 3n;
      },
    });
    asker.reachable.set(3n, () => network.connect(asker.link, far.link));
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(got.from, [3n]);
    assert.deepEqual(asked, [blake3(bytes).toHex()]);
    const { counters } = asker.transfer;
    assert.equal(counters.holders_found_total, 2);
    assert.equal(counters.holders_reached_total, 1);
  }));

Deno.test("a chunk that a blob here needs and that is gone comes back from the mesh", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(3 * CHUNK_BYTES, 14);
    await put(asker, bytes);
    await put(holder, bytes);
    const hash = chunkHash(bytes, 1);
    await asker.chunks.remove(hash);
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(got.from, [2n]);
    assert.equal(await asker.store.hasChunk(hash), CHUNK_BYTES);
  }));
