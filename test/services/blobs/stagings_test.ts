import assert from "node:assert/strict";
import { type ErrorCode, NetError, systemRandom } from "../../../src/base/mod.ts";
import {
  type ByteSource,
  CHUNK_BYTES,
  insertStaging,
  parsePutForm,
  PLAIN_FORM,
  readStagingChunks,
} from "../../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  openStorage,
  Stagings,
  STAGINGS_MAX,
  STREAM_IDLE_MS,
  STREAMS_OPEN_MAX,
} from "../../../src/services/mod.ts";
import { bytesSource, seededBytes } from "../../blob/sources.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const CHECKPOINT_BYTES = 2 * CHUNK_BYTES;
const TTL_MS = 24 * 3_600_000;

async function withStagings(
  action: (kit: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const kit = await open();
  try {
    await action(kit);
  } finally {
    await kit.stagings.stop();
    await kit.storage.stop();
  }
}

async function open() {
  const clock = new ManualClock();
  const storage = await openStorage(
    { clock, log: silentLog, metrics: createMetricRegistry() },
    undefined,
  );
  const create = () =>
    new Stagings({
      blobs: storage.blobs,
      ledger: storage.ledger,
      flush: () => storage.chunks.flush(),
      clock,
      random: systemRandom,
      log: silentLog,
      settings: () => ({ checkpointBytes: CHECKPOINT_BYTES, ttlMs: TTL_MS }),
    });
  return { clock, storage, create, stagings: create() };
}

const isCode = (code: ErrorCode) => (error: unknown) =>
  error instanceof NetError && error.code === code;

/** Stops giving bytes after so many, until it is told to fail. */
function interrupted(bytes: Uint8Array, after: number, abort: AbortController): ByteSource {
  const source = bytesSource(bytes.subarray(0, after));
  return {
    read: async (into) => {
      const count = await source.read(into);
      if (count !== null) return count;
      abort.abort(new Error("interrupted"));
      return 0;
    },
  };
}

Deno.test("putFile() that was interrupted goes on from its last checkpoint, to the same reference", () =>
  withStagings(async ({ stagings, storage }) => {
    const bytes = seededBytes(9 * CHUNK_BYTES + 77, 1);
    const abort = new AbortController();
    const sourceKey = "file";
    await assert.rejects(
      stagings.putFile(interrupted(bytes, 6 * CHUNK_BYTES + 5, abort), {
        sourceKey,
        signal: abort.signal,
      }),
      /interrupted/,
    );
    const [staged] = await stagings.list();
    assert.ok(staged !== undefined && staged.bytes >= 4 * CHUNK_BYTES);
    await storage.blobs.adoptStrangers();
    const [chunk] = await readStagingChunks(storage.ledger.db, staged.token);
    assert.ok((await storage.blobs.standingOf(chunk?.hash ?? new Uint8Array(32)))?.isStaged);
    let put = 0;
    const { put: original } = storage.chunks;
    storage.chunks.put = (...args) => {
      put += 1;
      return original.apply(storage.chunks, args);
    };
    let told = 0;
    const { stored, resumedBytes } = await stagings.putFile(bytesSource(bytes), {
      sourceKey,
      onResume: (count) => told = count,
    });
    assert.equal(resumedBytes, staged.bytes);
    assert.equal(told, resumedBytes);
    assert.equal(
      put,
      10 - staged.bytes / CHUNK_BYTES,
      "nothing of the checkpoint is written again",
    );
    const whole = await storage.blobs.put(bytesSource(bytes));
    assert.deepEqual(stored.blobRef, whole.blobRef);
    assert.deepEqual(await stagings.list(), []);
    assert.ok(!(await storage.blobs.standingOf(chunk?.hash ?? new Uint8Array(32)))?.isStaged);
    assert.equal(stagings.counters.blob_staging_resumed_bytes_total, resumedBytes);
    assert.equal(stagings.counters.blob_staging_finalized_total, 1);
  }));

Deno.test("a put of any form goes on to the same reference", () =>
  withStagings(async ({ stagings, storage }) => {
    const bytes = seededBytes(12 * CHUNK_BYTES + 5, 21);
    for (const words of [{ cdc: true }, { ec: "3+2" }, { cdc: true, ec: "2+1" }]) {
      const form = parsePutForm(PLAIN_FORM, words);
      const sourceKey = JSON.stringify(words);
      const abort = new AbortController();
      const { signal } = abort;
      const source = interrupted(bytes, 8 * CHUNK_BYTES, abort);
      await assert.rejects(stagings.putFile(source, { sourceKey, form, signal }), /interrupted/);
      // The same file in another form is another put.
      const plain = await stagings.putFile(bytesSource(bytes), { sourceKey });
      assert.equal(plain.resumedBytes, 0);
      const again = await stagings.putFile(bytesSource(bytes), { sourceKey, form });
      assert.ok(again.resumedBytes >= CHECKPOINT_BYTES, sourceKey);
      await storage.blobs.remove(again.stored.hash);
      const { blobRef } = await storage.blobs.put(bytesSource(bytes), { form });
      assert.deepEqual(again.stored.blobRef, blobRef);
      await storage.blobs.remove(again.stored.hash);
      // A stream keeps its form with its token.
      const token = await stagings.begin({ form });
      await stagings.append(token, bytes.subarray(0, 6 * CHUNK_BYTES));
      await stagings.stop();
      const offset = await stagings.resume(token);
      assert.ok(offset > 0 && offset <= 6 * CHUNK_BYTES);
      await stagings.append(token, bytes.subarray(offset), offset);
      assert.deepEqual((await stagings.finalize(token)).blobRef, blobRef);
      await storage.blobs.remove(again.stored.hash);
    }
  }));

Deno.test("putFile() of another file, or of one that changed, starts from the beginning", () =>
  withStagings(async ({ stagings }) => {
    const bytes = seededBytes(5 * CHUNK_BYTES, 2);
    const abort = new AbortController();
    const { signal } = abort;
    const source = interrupted(bytes, 4 * CHUNK_BYTES, abort);
    await assert.rejects(stagings.putFile(source, { sourceKey: "old", signal }), /interrupted/);
    const got = await stagings.putFile(bytesSource(bytes), { sourceKey: "new" });
    assert.equal(got.resumedBytes, 0);
    // Even a file that pretends to be the old one is stored as what it is.
    const other = seededBytes(5 * CHUNK_BYTES, 3);
    const { stored } = await stagings.putFile(bytesSource(other), { sourceKey: "old" });
    assert.equal(stored.size, other.length);
    assert.notDeepEqual(stored.hash, got.stored.hash);
  }));

Deno.test("putFile() interrupted before the first checkpoint, or by an error, leaves nothing", () =>
  withStagings(async ({ stagings, storage }) => {
    const abort = new AbortController();
    const { signal } = abort;
    const early = interrupted(seededBytes(CHUNK_BYTES + 5, 4), CHUNK_BYTES + 5, abort);
    await assert.rejects(stagings.putFile(early, { sourceKey: "early", signal }), /interrupted/);
    assert.equal(await storage.chunks.usedBytes(), 0);
    const source = bytesSource(seededBytes(5 * CHUNK_BYTES, 5));
    let left = 40;
    const failing: ByteSource = {
      read: (into) => {
        if (left-- > 0) return source.read(into.subarray(0, 512 * 1024));
        throw new Error("the disk is broken");
      },
    };
    await assert.rejects(stagings.putFile(failing, { sourceKey: "bad" }), /broken/);
    assert.deepEqual(await stagings.list(), []);
    assert.equal(await storage.chunks.usedBytes(), 0);
  }));

Deno.test("a stream is resumed by its token, after its node was killed too", () =>
  withStagings(async ({ stagings, storage, create }) => {
    const bytes = seededBytes(7 * CHUNK_BYTES + 9, 6);
    const token = await stagings.begin({ label: "name" });
    assert.match(token, /^[0-9a-f]{32}$/);
    for (let at = 0; at < 5.5 * CHUNK_BYTES; at += CHUNK_BYTES / 2) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES / 2);
      assert.equal(await stagings.append(token, piece, at), at + piece.length);
    }
    // Checkpoints are made aside.
    let saved = 0;
    while (saved < 4 * CHUNK_BYTES) {
      await new Promise((resolve) => setImmediate(resolve));
      saved = (await stagings.list())[0]?.bytes ?? 0;
    }
    // Another run over the same ledger: the first one never said goodbye.
    const next = create();
    const offset = await next.resume(token);
    assert.equal(offset, saved);
    assert.equal(await next.resume(token), offset, "again says the same");
    await assert.rejects(
      next.append(token, bytes.subarray(0, 5), 0),
      (error) =>
        error instanceof NetError && error.code === "conflict" && error.data?.offset === offset,
    );
    for (let at = offset; at < bytes.length; at += CHUNK_BYTES / 2) {
      await next.append(
        token,
        bytes.subarray(at, Math.min(bytes.length, at + CHUNK_BYTES / 2)),
        at,
      );
    }
    const stored = await next.finalize(token);
    const whole = await storage.blobs.put(bytesSource(bytes));
    assert.deepEqual(stored.blobRef, whole.blobRef);
    assert.equal((await storage.blobs.stat(stored.hash))?.label, "name");
    await assert.rejects(next.resume(token), isCode("not_found"));
    await next.stop();
  }));

Deno.test("a stream without pieces is put aside with all that came, and resumed", () =>
  withStagings(async ({ stagings, clock }) => {
    const bytes = seededBytes(3 * CHUNK_BYTES, 7);
    const token = await stagings.begin();
    await stagings.append(token, bytes.subarray(0, CHUNK_BYTES));
    await stagings.append(token, bytes.subarray(CHUNK_BYTES, CHUNK_BYTES + 5));
    await clock.advance(STREAM_IDLE_MS + 1);
    while ((await stagings.list()).some(({ isOpen, bytes }) => isOpen || bytes === 0)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await assert.rejects(stagings.append(token, bytes), isCode("not_found"));
    assert.equal(await stagings.resume(token), CHUNK_BYTES);
    await stagings.append(token, bytes.subarray(CHUNK_BYTES), CHUNK_BYTES);
    assert.equal((await stagings.finalize(token)).size, bytes.length);
  }));

Deno.test("a chunk that went meanwhile costs only what is behind it", () =>
  withStagings(async ({ stagings, storage }) => {
    const bytes = seededBytes(6 * CHUNK_BYTES, 8);
    const token = await stagings.begin();
    await stagings.append(token, bytes.subarray(0, 5 * CHUNK_BYTES));
    await stagings.stop();
    const chunks = await readStagingChunks(storage.ledger.db, token);
    assert.equal(chunks.length, 5);
    await storage.chunks.remove(chunks[3]?.hash ?? new Uint8Array(32));
    assert.equal(await stagings.resume(token), 3 * CHUNK_BYTES);
    await stagings.append(token, bytes.subarray(3 * CHUNK_BYTES));
    const stored = await stagings.finalize(token);
    assert.deepEqual(stored.blobRef, (await storage.blobs.put(bytesSource(bytes))).blobRef);
  }));

Deno.test("abort() and the sweep free what nobody came back for", () =>
  withStagings(async ({ stagings, storage, clock }) => {
    const begin = async (seed: number) => {
      const token = await stagings.begin();
      await stagings.append(token, seededBytes(3 * CHUNK_BYTES, seed));
      return token;
    };
    const token = await begin(9);
    assert.ok(await stagings.abort(token));
    assert.ok(!await stagings.abort(token));
    assert.equal(await storage.chunks.usedBytes(), 0);
    await begin(10);
    await stagings.stop();
    assert.equal(await stagings.sweep(), 0);
    await clock.advance(TTL_MS + 1);
    assert.equal(await stagings.sweep(), 1);
    assert.deepEqual(await stagings.list(), []);
    assert.equal(stagings.counters.blob_staging_expired_total, 1);
    assert.equal(stagings.counters.blob_staging_aborted_total, 1);
  }));

Deno.test("begin() bounds streams that are open, and those that are kept", () =>
  withStagings(async ({ stagings }) => {
    for (let i = 0; i < STREAMS_OPEN_MAX; i++) await stagings.begin();
    await assert.rejects(stagings.begin(), isCode("limit"));
    await stagings.stop();
    for (let i = STREAMS_OPEN_MAX; i < STAGINGS_MAX; i++) {
      await stagings.begin();
      if (i % STREAMS_OPEN_MAX === STREAMS_OPEN_MAX - 1) await stagings.stop();
    }
    await assert.rejects(stagings.begin(), isCode("limit"));
  }));

Deno.test("sweep() comes to the oldest ones, however many younger ones there are", () =>
  withStagings(async ({ stagings, storage: { ledger }, clock }) => {
    const add = (number: number, updatedAtMs: number) =>
      insertStaging(ledger.db, {
        token: number.toString(16).padStart(32, "0"),
        sourceKey: "file",
        form: "any",
        label: "",
        bytes: 0,
        createdAtMs: updatedAtMs,
        updatedAtMs,
      });
    const nowMs = clock.wallMs();
    await add(0, nowMs - TTL_MS - 1);
    for (let number = 1; number <= STAGINGS_MAX; number++) await add(number, nowMs);
    assert.equal(await stagings.sweep(), 1);
    assert.equal(await stagings.sweep(), 0);
  }));
