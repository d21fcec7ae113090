import assert from "node:assert/strict";
import fc from "fast-check";
import { concatBytes, type ErrorCode, NetError } from "../../../src/base/mod.ts";
import type { BlobStore, ByteSource, StoredBlob } from "../../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { openStorage } from "../../../src/services/mod.ts";
import { UPLOAD_IDLE_MS, Uploads, UPLOADS_MAX } from "../../../src/services/blobs/uploads.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** A store that does with the source what the test says. */
function create(put: (source: ByteSource) => Promise<StoredBlob> = drain) {
  const clock = new ManualClock();
  const blobs = { put } as unknown as BlobStore;
  return { clock, uploads: new Uploads({ blobs, clock }) };
}

/** Reads everything and fails as the source fails. */
async function drain(source: ByteSource): Promise<StoredBlob> {
  const buffer = new Uint8Array(1_000);
  while (await source.read(buffer) !== null);
  return {} as StoredBlob;
}

function failsWith(code: ErrorCode, pattern = /./) {
  return (error: unknown) =>
    error instanceof NetError && error.code === code && pattern.test(error.message);
}

Deno.test("Uploads stores the pieces as one blob, however they are cut", async () => {
  const storage = await openStorage({
    clock: new ManualClock(),
    log: silentLog,
    metrics: createMetricRegistry(),
  }, undefined);
  const uploads = new Uploads({ blobs: storage.blobs, clock: new ManualClock() });
  const pieces = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(pieces, async (list) => {
      const id = uploads.begin();
      for (const piece of list) await uploads.append(id, piece);
      const stored = await uploads.finish(id);
      const whole = await storage.blobs.put(sourceOf(concatBytes(...list)));
      assert.equal(stored.address, whole.address);
    }),
    { numRuns: 30 },
  );
  await storage.stop();
});

Deno.test("append() waits until the store took the piece", async () => {
  const gate = Promise.withResolvers<void>();
  const { uploads } = create(async (source) => {
    await gate.promise;
    return await drain(source);
  });
  const id = uploads.begin();
  let isTaken = false;
  const appended = uploads.append(id, new Uint8Array(3)).then(() => void (isTaken = true));
  await Promise.resolve();
  assert.ok(!isTaken);
  await assert.rejects(uploads.append(id, new Uint8Array(1)), failsWith("conflict"));
  gate.resolve();
  await appended;
  await uploads.finish(id);
});

Deno.test("begin() bounds the uploads that are open", async () => {
  const { uploads } = create();
  const ids = Array.from({ length: UPLOADS_MAX }, () => uploads.begin());
  assert.equal(new Set(ids).size, UPLOADS_MAX);
  assert.throws(() => uploads.begin(), failsWith("limit"));
  assert.ok(await uploads.abort(ids[0] ?? ""));
  uploads.begin();
  assert.throws(() => uploads.begin(), failsWith("limit"));
  await uploads.finish(ids[1] ?? "");
  uploads.begin();
  await uploads.stop();
});

Deno.test("an upload that does not exist any more is not found", async () => {
  const { uploads } = create();
  const id = uploads.begin();
  await uploads.finish(id);
  for (const gone of [id, "", "other"]) {
    await assert.rejects(uploads.append(gone, new Uint8Array(1)), failsWith("not_found"));
    await assert.rejects(uploads.finish(gone), failsWith("not_found"));
    assert.equal(await uploads.abort(gone), false);
  }
});

Deno.test("an upload without a new piece is abandoned", async () => {
  const { clock, uploads } = create();
  const id = uploads.begin();
  await clock.advance(UPLOAD_IDLE_MS - 1);
  await uploads.append(id, new Uint8Array(10));
  await clock.advance(UPLOAD_IDLE_MS - 1);
  await uploads.append(id, new Uint8Array(0));
  await clock.advance(UPLOAD_IDLE_MS - 1);
  await uploads.append(id, new Uint8Array(1));
  await clock.advance(UPLOAD_IDLE_MS);
  await assert.rejects(uploads.append(id, new Uint8Array(1)), failsWith("not_found"));
});

Deno.test("a finished upload is not abandoned later", async () => {
  const { clock, uploads } = create();
  const id = uploads.begin();
  const appended = uploads.append(id, new Uint8Array(1));
  const finished = uploads.finish(id);
  await Promise.all([appended, finished]);
  await clock.advance(UPLOAD_IDLE_MS * 2);
});

Deno.test("abort() fails the piece on its way and the store", async () => {
  const failures: unknown[] = [];
  const { uploads } = create((source) =>
    new Promise((_, reject) => {
      // Takes the first piece only after the abort.
      queueMicrotask(async () => {
        await Promise.resolve();
        await drain(source).catch((error) => {
          failures.push(error);
          reject(error);
        });
      });
    })
  );
  const id = uploads.begin();
  const appended = uploads.append(id, new Uint8Array(1));
  const aborted = uploads.abort(id);
  await assert.rejects(appended, failsWith("failed", /aborted/));
  assert.equal(await aborted, true);
  assert.equal(failures.length, 1);
});

Deno.test("a store that fails makes every later step fail the same way", async () => {
  const { uploads } = create(async (source) => {
    await source.read(new Uint8Array(2));
    throw new NetError("no_space", "Cannot store blob: no space left");
  });
  const id = uploads.begin();
  for (let i = 0; i < 3; i++) {
    await assert.rejects(uploads.append(id, new Uint8Array(10)), failsWith("no_space"));
  }
  await assert.rejects(uploads.finish(id), failsWith("no_space"));
});

Deno.test("a failed upload that nobody ends makes room after a while", async () => {
  const { clock, uploads } = create(() => Promise.reject(new NetError("no_space", "full")));
  for (let i = 0; i < UPLOADS_MAX; i++) {
    const id = uploads.begin();
    await assert.rejects(uploads.append(id, new Uint8Array(1)), failsWith("no_space"));
  }
  assert.throws(() => uploads.begin(), failsWith("limit"));
  await clock.advance(UPLOAD_IDLE_MS);
  await uploads.abort(uploads.begin());
});

Deno.test("stop() drops every upload", async () => {
  const { clock, uploads } = create();
  const ids = [uploads.begin(), uploads.begin()];
  await uploads.append(ids[0] ?? "", new Uint8Array(5));
  await uploads.stop();
  for (const id of ids) assert.equal(await uploads.abort(id), false);
  await clock.advance(UPLOAD_IDLE_MS * 2);
});

function sourceOf(bytes: Uint8Array): ByteSource {
  let at = 0;
  return {
    read: (into) => {
      if (at === bytes.length) return Promise.resolve(null);
      const taken = bytes.subarray(at, at + into.length);
      into.set(taken);
      at += taken.length;
      return Promise.resolve(taken.length);
    },
  };
}
