import assert from "node:assert/strict";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { concatBytes, type ErrorCode, NetError, systemRandom } from "../../src/base/mod.ts";
import {
  type BlobProgress,
  type BlobRef,
  CHUNK_BYTES,
  CONTENT_DEFINED_CHUNKING,
  createBlobFetcher,
  createWorkPool,
  encodeBlobRef,
  formatAddress,
  type PutForm,
  RESOLVE_STREAM_ID,
  TRANSFER_SUBPROTOCOL,
  type WorkPool,
} from "../../src/blob/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { type BlobNode, withMesh } from "./mesh_of_blobs.ts";
import { bytesSource, seededBytes } from "./sources.ts";

const put = (node: BlobNode, bytes: Uint8Array) => node.store.put(bytesSource(bytes));
const addressOf = (bytes: Uint8Array) => ({ kind: "address", hash: blake3(bytes) } as const);
const isError = (code: ErrorCode, pattern = /./) => (error: unknown) =>
  error instanceof NetError && error.code === code && pattern.test(error.message) &&
  error.next !== undefined;
const entries = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("get() fetches blobs of all shapes by address", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const sizes = [0, 1, 8000, 8001, CHUNK_BYTES, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES + 77];
    for (const size of sizes) {
      const bytes = seededBytes(size, size);
      const blob = await put(holder, bytes);
      const output = `${folder}/${size}`;
      const got = await run(asker.fetcher.get(addressOf(bytes), { output }));
      assert.equal(got.address, blob.address);
      assert.equal(got.size, size);
      assert.deepEqual(got.from, [2n]);
      assert.deepEqual(await Deno.readFile(output), bytes);
    }
    assert.deepEqual(entries(folder), sizes.map(String).sort());
    assert.equal(asker.link.streamsOpen, 0);
    assert.equal(holder.link.streamsOpen, 0);
    assert.equal(holder.transfer.counters.serves_active, 0);
    assert.equal(asker.store.counters.dataforts_blobs_fetched_total, sizes.length);
  }));

Deno.test("get() fetches by reference, chunk by chunk, without asking for it", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(CHUNK_BYTES + 5);
    const { ref } = await put(holder, bytes);
    const output = `${folder}/out`;
    await run(asker.fetcher.get({ ...ref, uri: "mesh://transfer" }, { output }));
    assert.deepEqual(await Deno.readFile(output), bytes);
    assert.equal(asker.transfer.counters.resolve_questions_sent_total, 0);
    // Readers go by the hash of a Small, whatever size it claims.
    const small = await put(holder, seededBytes(100));
    const wrongSize = { ...small.ref, size: 7 } as BlobRef;
    const got = await run(asker.fetcher.get(wrongSize, { output: `${folder}/small` }));
    assert.equal(got.size, 100);
  }));

Deno.test("get() by reference names the whole only when asked, by address it proves it in any case", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(2 * CHUNK_BYTES + 9, 5);
    const { ref, address } = await put(holder, bytes);
    const output = `${folder}/out`;
    const options = { output, overwrite: true };
    const got = await run(asker.fetcher.get(ref, { ...options, isNamed: false }));
    assert.equal(got.address, undefined);
    assert.equal(got.size, bytes.length);
    assert.deepEqual(await Deno.readFile(output), bytes);
    assert.equal((await run(asker.fetcher.get(ref, options))).address, address);
    const proven = await run(asker.fetcher.get(addressOf(bytes), { ...options, isNamed: false }));
    assert.equal(proven.address, address);
  }));

Deno.test("get() takes what is here from here, and the rest from peers", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(2 * CHUNK_BYTES + 5);
    await put(asker, bytes);
    await put(holder, bytes);
    const target = addressOf(bytes);
    const first = await run(asker.fetcher.get(target, { output: `${folder}/a` }));
    assert.deepEqual(first.from, []);
    await asker.chunks.remove(blake3(bytes.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES)));
    const second = await run(asker.fetcher.get(target, { output: `${folder}/b` }));
    assert.deepEqual(second.from, [2n]);
    assert.equal(holder.transfer.counters.serves_completed_total, 1);
    assert.deepEqual(await Deno.readFile(`${folder}/b`), bytes);
  }));

Deno.test("get() by address of a single chunk works with a peer that knows no look-up", () =>
  withMesh(async ({ nodes: [asker, holder], network, folder, run }) => {
    const bytes = seededBytes(5000);
    await put(holder, bytes);
    network.fate = ({ kind, payload }) =>
      kind === "message" && payload[0] !== 0x00 ? "lose" : "deliver";
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
  }));

Deno.test("get() follows a pointer to a reference that is too long for one packet", () =>
  withMesh(async ({ nodes: [asker, holder], run }) => {
    // 225 chunks of one content: the list is long, the data is one chunk.
    const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
    let left = 225;
    const blob = await holder.store.put({
      read: (into) => {
        if (left === 0) return Promise.resolve(null);
        left -= 1;
        into.set(chunk);
        return Promise.resolve(into.length);
      },
    });
    assert.ok(encodeBlobRef(blob.ref).length > 8000);
    const located = await run(asker.fetcher.locate({ kind: "address", hash: blob.hash }));
    assert.deepEqual(located, { ref: blob.ref, peer: 2n, isSizeKnown: true });
  }));

Deno.test("get() says that nobody has it, and leaves nothing", () =>
  withMesh(async ({ nodes: [asker], folder, run }) => {
    const options = { output: `${folder}/out` };
    const target = addressOf(seededBytes(10));
    await assert.rejects(run(asker.fetcher.get(target, options)), isError("not_found", /b3:/));
    asker.link.setConnected(2n, false);
    asker.link.setConnected(3n, false);
    await assert.rejects(run(asker.fetcher.get(target, options)), isError("not_found"));
    assert.deepEqual(entries(folder), []);
  }));

Deno.test("get() turns from a peer that lies to one that does not, and remembers", () =>
  withMesh(async ({ nodes: [asker, liar, honest], network, folder, run }) => {
    const bytes = seededBytes(CHUNK_BYTES + 100);
    await put(liar, bytes);
    await put(honest, bytes);
    network.fate = (parcel) => {
      if (parcel.from === 2n && parcel.kind === "event" && parcel.sequence === 1) {
        parcel.payload = parcel.payload.map((byte) => byte ^ 1);
      }
      return "deliver";
    };
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/a` }));
    assert.deepEqual(await Deno.readFile(`${folder}/a`), bytes);
    const { counters } = asker.transfer;
    assert.ok(counters.attempts_wrong_hash_total >= 1);
    const before = counters.attempts_wrong_hash_total;
    for await (const hash of asker.chunks.list()) await asker.chunks.remove(hash);
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/b` }));
    assert.deepEqual(got.from, [3n]);
    assert.equal(counters.attempts_wrong_hash_total, before);
  }));

Deno.test("get() reports a lie as such when nobody else has the blob", () =>
  withMesh(async ({ nodes: [asker, liar], network, folder, run }) => {
    const bytes = seededBytes(100);
    const { ref } = await put(liar, bytes);
    network.fate = (parcel) => {
      if (parcel.kind === "event" && parcel.from === 2n && parcel.sequence === 1) {
        parcel.payload = new Uint8Array(100);
      }
      return "deliver";
    };
    await assert.rejects(
      run(asker.fetcher.get(ref, { output: `${folder}/out` })),
      isError("integrity", /0000000000000002/),
    );
    assert.deepEqual(entries(folder), []);
  }));

Deno.test("get() refuses a list of chunks that does not make the address, and names its peer", () =>
  withMesh(async ({ nodes: [asker, liar, honest], network, folder, run }) => {
    const bytes = seededBytes(CHUNK_BYTES + 100, 1);
    const other = await put(liar, seededBytes(CHUNK_BYTES + 100, 2));
    await put(honest, bytes);
    network.fate = (parcel) => {
      const isQuestion = parcel.kind === "message" && parcel.payload[0] === 0x10;
      if (isQuestion && parcel.to === 3n) return "lose";
      if (isQuestion && parcel.to === 2n) {
        // The liar answers for an address it does not have.
        const answer = new Uint8Array([0x11, ...parcel.payload.slice(1), ...other.blobRef]);
        liar.link.sendMessage(1n, 0x1100, 0x1100n, answer);
      }
      return "deliver";
    };
    const target = addressOf(bytes);
    await assert.rejects(
      run(asker.fetcher.get(target, { output: `${folder}/out` })),
      isError("integrity", /0000000000000002/),
    );
    assert.deepEqual(entries(folder), []);
    // Next time its word counts only if nobody else speaks.
    const fate = network.fate;
    network.fate = (parcel) => parcel.to === 3n ? "deliver" : fate(parcel);
    await run(asker.fetcher.get(target, { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
  }));

Deno.test("get() survives loss, reordering and duplicates", () =>
  withMesh(async ({ nodes: [asker, holder], network, folder, run }) => {
    const bytes = seededBytes(CHUNK_BYTES + 12_345);
    await put(holder, bytes);
    let count = 0;
    network.fate = ({ kind }) => {
      count += 1;
      if (kind === "message") return count % 3 === 0 ? "lose" : "duplicate";
      return count % 11 === 0 ? "lose" : count % 7 === 0 ? "duplicate" : "deliver";
    };
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    assert.ok(asker.transfer.counters.events_dropped_total > 0);
  }));

Deno.test("get() asks again with a new stream when a request is lost, and reports the silence", () =>
  withMesh(async ({ nodes: [asker, holder], network, folder, run }) => {
    const bytes = seededBytes(100);
    const { ref } = await put(holder, bytes);
    const streams = new Set<bigint>();
    network.fate = ({ kind, streamId }) => {
      if (kind === "message") streams.add(streamId);
      return kind === "message" && streams.size < 3 ? "lose" : "deliver";
    };
    network.disconnect(asker.link, (await Promise.resolve(network.link(3n))) ?? asker.link);
    await run(asker.fetcher.get(ref, { output: `${folder}/out` }));
    assert.equal(streams.size, 3);
    assert.deepEqual(asker.link.silences, [2n, 2n]);
    assert.equal(asker.transfer.counters.attempts_silent_total, 2);
  }));

Deno.test("get() goes on when its only holder is lost in the middle and comes back", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock, folder, run }) => {
    const bytes = seededBytes(5 * CHUNK_BYTES);
    await put(holder, bytes);
    let events = 0;
    network.fate = ({ kind }) => {
      if (kind === "event" && ++events === 1000) {
        clock.after(0, () => network.disconnect(asker.link, holder.link));
        clock.after(4000, () => network.connect(asker.link, holder.link));
      }
      return "deliver";
    };
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    assert.ok(asker.transfer.counters.attempts_reset_total > 0);
  }));

Deno.test("get() goes on when its only holder is killed and comes back with a new session", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock, folder, run }) => {
    const bytes = seededBytes(5 * CHUNK_BYTES);
    await put(holder, bytes);
    let events = 0;
    network.fate = ({ kind }) => {
      if (kind === "event" && ++events === 1000) {
        holder.link.isFrozen = true;
        clock.after(12_000, () => {
          holder.link.isFrozen = false;
          network.disconnect(asker.link, holder.link);
          network.connect(asker.link, holder.link);
        });
      }
      return "deliver";
    };
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    assert.ok(asker.link.silences.includes(2n));
  }));

Deno.test("get() goes on at another holder when one falls silent in the middle", () =>
  withMesh(async ({ nodes: [asker, one, two], network, folder, run }) => {
    const bytes = seededBytes(6 * CHUNK_BYTES);
    await put(one, bytes);
    await put(two, bytes);
    let events = 0;
    network.fate = ({ kind, from }) => {
      if (kind === "event" && from === 2n && ++events === 2400) one.link.isFrozen = true;
      return "deliver";
    };
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.deepEqual([...got.from].sort(), [2n, 3n]);
    assert.ok(asker.link.silences.includes(2n));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
  }));

Deno.test("get() looks again when sessions were changing while it looked for the blob", () =>
  withMesh(async ({ nodes: [asker, holder, other], network, folder, run }) => {
    const bytes = seededBytes(2 * CHUNK_BYTES, 5);
    await put(holder, bytes);
    network.disconnect(asker.link, other.link);
    let isChanging = true;
    network.fate = ({ kind, to, payload }) => {
      if (!isChanging || kind !== "message" || to !== 2n) return "deliver";
      // Questions are lost, so that it is taken for one chunk; then the session is replaced, too often.
      if (payload[0] === 0x00) {
        if (asker.transfer.counters.attempts_total > 7) isChanging = false;
        network.disconnect(asker.link, holder.link);
        network.connect(asker.link, holder.link);
      }
      return "lose";
    };
    const got = await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.equal(got.size, bytes.length);
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
  }));

Deno.test("get() gives up on a holder that is gone, in bounded time, and leaves nothing", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock, folder, run }) => {
    const bytes = seededBytes(CHUNK_BYTES);
    const { ref } = await put(holder, bytes);
    holder.link.isFrozen = true;
    asker.link.setConnected(3n, false);
    // From the first request on: making the file takes no time of the test, and lets much of it pass.
    let startMs: number | undefined;
    network.fate = () => {
      startMs ??= clock.now();
      return "deliver";
    };
    await assert.rejects(
      run(asker.fetcher.get(ref, { output: `${folder}/out` })),
      isError("timeout"),
    );
    assert.ok(startMs !== undefined && clock.now() - startMs < 20_000);
    assert.deepEqual(entries(folder), []);
  }));

Deno.test("get() turns to the next peer when a holder's chunk is damaged", () =>
  withMesh(async ({ nodes: [asker, damaged, whole], folder, run }) => {
    const bytes = seededBytes(50_000);
    const { ref } = await put(whole, bytes);
    await damaged.chunks.put(blake3(bytes), seededBytes(50_000, 9));
    const got = await run(asker.fetcher.get(ref, { output: `${folder}/out` }));
    assert.deepEqual(got.from, [3n]);
    assert.equal(damaged.transfer.counters.serves_failed_total, 1);
  }));

Deno.test("get() stops at once when it is aborted, and leaves nothing", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(4 * CHUNK_BYTES);
    await put(holder, bytes);
    const abort = new AbortController();
    const work = asker.fetcher.get(addressOf(bytes), {
      output: `${folder}/out`,
      signal: abort.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > CHUNK_BYTES) abort.abort(new Error("enough"));
      },
    });
    await assert.rejects(run(work), /enough/);
    assert.deepEqual(entries(folder), []);
  }));

Deno.test("get() reports progress up to the whole size", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(2 * CHUNK_BYTES);
    await put(holder, bytes);
    const reports: BlobProgress[] = [];
    const onProgress = (report: BlobProgress) => reports.push(report);
    await run(asker.fetcher.get(addressOf(bytes), { output: `${folder}/out`, onProgress }));
    assert.equal(reports[0]?.stage, "resolve");
    const doneBytes = bytes.length;
    assert.deepEqual(reports.at(-1), { stage: "finish", doneBytes, totalBytes: doneBytes });
    for (const { doneBytes } of reports) assert.ok(doneBytes <= bytes.length);
  }));

Deno.test("get() keeps a file that exists, unless it is told to replace it", () =>
  withMesh(async ({ nodes: [asker], folder, run }) => {
    const bytes = seededBytes(10);
    await put(asker, bytes);
    const output = `${folder}/out`;
    await Deno.writeTextFile(output, "old");
    const target = addressOf(bytes);
    await assert.rejects(run(asker.fetcher.get(target, { output })), isError("conflict"));
    assert.equal(await Deno.readTextFile(output), "old");
    await run(asker.fetcher.get(target, { output, overwrite: true }));
    assert.deepEqual(await Deno.readFile(output), bytes);
    for (const place of [folder, `${folder}/none/out`, `${output}/x`]) {
      const work = asker.fetcher.get(target, { output: place, overwrite: true });
      await assert.rejects(run(work), isError("usage"), place);
    }
    assert.deepEqual(entries(folder), ["out"]);
  }));

const CDC = { chunking: CONTENT_DEFINED_CHUNKING, encoding: { kind: "replicated" } } as const;
const CODED: PutForm = {
  chunking: { kind: "fixed", chunkBytes: 65_536 },
  encoding: { kind: "reed_solomon", data: 3, parity: 2 },
};

Deno.test("get() fetches trees by address, by root and by reference, and resumes them", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    for (const form of [CDC, CODED]) {
      const bytes = seededBytes(6_000_000, form === CDC ? 1 : 2);
      const blob = await holder.store.put(bytesSource(bytes), { form });
      assert.ok(blob.ref.kind === "tree");
      assert.deepEqual(blob.hash, blake3(bytes));
      const targets = [blob.ref, addressOf(bytes), {
        kind: "address",
        hash: blob.ref.rootHash,
      }] as const;
      for (const [i, target] of targets.entries()) {
        const output = `${folder}/${i}`;
        const got = await run(asker.fetcher.get(target, { output, overwrite: true }));
        assert.equal(got.address, blob.address);
        assert.equal(got.size, bytes.length);
        // Later ones come from what the first one kept.
        assert.deepEqual(got.from, i === 0 ? [2n] : []);
        assert.deepEqual(await Deno.readFile(output), bytes);
      }
      const range = { start: 65_530n, end: 5_000_001n };
      const parts: Uint8Array[] = await run(
        Array.fromAsync(asker.fetcher.readRange(addressOf(bytes), range)),
      );
      assert.deepEqual(concatBytes(...parts), bytes.slice(65_530, 5_000_001));
    }
  }));

Deno.test("get() of a tree that tells another whole is refused, and so is a damaged node", () =>
  withMesh(async ({ nodes: [asker, holder], network, folder, run }) => {
    const bytes = seededBytes(300_000);
    const other = await holder.store.put(bytesSource(bytes), { form: CODED });
    const wanted = { kind: "address", hash: blake3(seededBytes(5, 77)) } as const;
    network.fate = ({ kind, from, payload }) => {
      if (kind === "message" && from === 1n && payload[0] === 0x10) {
        const answer = new Uint8Array([0x11, ...wanted.hash, ...other.blobRef]);
        holder.link.sendMessage(1n, TRANSFER_SUBPROTOCOL, RESOLVE_STREAM_ID, answer);
      }
      return "deliver";
    };
    const output = `${folder}/out`;
    await assert.rejects(run(asker.fetcher.get(wanted, { output })), isError("integrity"));
    assert.deepEqual(entries(folder), []);
    assert.ok(other.ref.kind === "tree");
    const wrongSize = { ...other.ref, size: other.ref.size + 1n };
    await assert.rejects(
      run(asker.fetcher.get(wrongSize, { output })),
      isError("integrity", /at depth 1, the root, is refused: it covers/),
    );
  }));

Deno.test("readRange() gives nothing of a list of chunks that makes another whole", () =>
  withMesh(async ({ nodes: [asker, holder], network, run }) => {
    const other = await put(holder, seededBytes(2 * CHUNK_BYTES + 5));
    const wanted = { kind: "address", hash: blake3(seededBytes(5, 77)) } as const;
    network.fate = ({ kind, from, payload }) => {
      if (kind === "message" && from === 1n && payload[0] === 0x10) {
        const answer = new Uint8Array([0x11, ...wanted.hash, ...other.blobRef]);
        holder.link.sendMessage(1n, TRANSFER_SUBPROTOCOL, RESOLVE_STREAM_ID, answer);
      }
      return "deliver";
    };
    const pieces: Uint8Array[] = [];
    const read = async () => {
      for await (const piece of asker.fetcher.readRange(wanted, { start: 5n, end: 10n })) {
        pieces.push(piece);
      }
    };
    await assert.rejects(run(read()), isError("integrity"));
    assert.deepEqual(pieces, []);
  }));

Deno.test("readRange() of what peers describe looks at the whole once, and then at the part", () =>
  withMesh(async ({ nodes: [asker, holder], run }) => {
    const bytes = seededBytes(2 * CHUNK_BYTES + 5, 3);
    await put(holder, bytes);
    const read = async (start: number, end: number) => {
      const range = { start: BigInt(start), end: BigInt(end) };
      const reading = Array.fromAsync(asker.fetcher.readRange(addressOf(bytes), range));
      return concatBytes(...await run(reading));
    };
    assert.deepEqual(
      await read(CHUNK_BYTES - 1, CHUNK_BYTES + 1),
      bytes.slice(CHUNK_BYTES - 1, CHUNK_BYTES + 1),
    );
    assert.equal(holder.transfer.counters.serves_completed_total, 3);
    const before = asker.store.counters.dataforts_blobs_fetched_total;
    assert.deepEqual(await read(0, 10), bytes.slice(0, 10));
    assert.equal(holder.transfer.counters.serves_completed_total, 3);
    assert.equal(asker.store.counters.dataforts_blobs_fetched_total, before);
  }));

Deno.test("get() restores from parity that is here before it asks anybody", () =>
  withMesh(async ({ nodes: [asker, holder], folder, run }) => {
    const bytes = seededBytes(9 * 65_536, 4);
    const blob = await asker.store.put(bytesSource(bytes), { form: CODED });
    await holder.store.put(bytesSource(bytes), { form: CODED });
    // Two of the first stripe and three of the second one: those need the peer.
    for (const index of [0, 2, 3, 4, 5]) {
      const chunk = bytes.subarray(index * 65_536, (index + 1) * 65_536);
      await asker.chunks.remove(blake3(chunk));
    }
    const output = `${folder}/out`;
    const got = await run(asker.fetcher.get(blob.ref, { output }));
    assert.deepEqual(await Deno.readFile(output), bytes);
    assert.deepEqual(got.from, [2n]);
    const { serves_completed_total: served } = holder.transfer.counters;
    assert.ok(served >= 1 && served <= 3, String(served));
  }));

Deno.test("get() with a pool uses its buffers again, and makes the whole from parts", () =>
  withMesh(async ({ nodes: [asker, holder], clock, folder, run }) => {
    const bytes = seededBytes(11 * CHUNK_BYTES + 77);
    await put(holder, bytes);
    // One that keeps buffers, and whose workers cannot be had.
    const work = createWorkPool({ clock, startWorker: () => undefined }, { workersMax: 1 });
    const taken: ArrayBufferLike[] = [];
    let subtrees = 0;
    const watched: WorkPool = {
      counters: work.counters,
      takeBuffer: (length) => {
        const buffer = work.takeBuffer(length);
        taken.push(buffer.buffer);
        return buffer;
      },
      giveBack: (buffer) => work.giveBack(buffer),
      hash: (part, start) => {
        if (start !== undefined) subtrees += 1;
        return work.hash(part, start);
      },
      subtree: () => Promise.reject(new Error("made beside the chunk's own hash")),
      addProducts: () => Promise.reject(new Error("not asked for")),
      stop: () => work.stop(),
    };
    const { store, transfer } = asker;
    const deps = { store, transfer, clock, random: systemRandom, log: silentLog };
    const fetcher = createBlobFetcher({ ...deps, work: watched });
    const got = await run(fetcher.get(addressOf(bytes), { output: `${folder}/out` }));
    assert.equal(got.address, formatAddress(blake3(bytes)));
    assert.deepEqual(await Deno.readFile(`${folder}/out`), bytes);
    // The first is no part behind another; the last is short, and a part all the same.
    assert.equal(taken.length, 12);
    assert.ok(new Set(taken).size < 12);
    assert.ok(subtrees >= 10);
    work.stop();
  }));
