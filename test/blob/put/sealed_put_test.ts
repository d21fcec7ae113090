import assert from "node:assert/strict";
import {
  CONTENT_DEFINED_CHUNKING,
  createBlobStore,
  createWorkPool,
  openFileChunkStore,
  PLAIN_FORM,
  type PutForm,
  readBlob,
} from "../../../src/blob/mod.ts";
import { blake3, createBlake3 } from "../../../src/core/crypto/mod.ts";
import { openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesSource, seededBytes } from "../sources.ts";

Deno.test("chunks in memory that workers share are written as they are, sealed or not", async () => {
  const bytes = seededBytes(26_000_000, 4);
  const forms: readonly PutForm[] = [PLAIN_FORM, {
    chunking: CONTENT_DEFINED_CHUNKING,
    encoding: { kind: "reed_solomon", data: 2, parity: 1 },
  }];
  for (const isSealing of [false, true]) {
    const folder = await Deno.makeTempDir();
    const clock = new ManualClock();
    const ledger = openLedger({ path: ":memory:" });
    const work = createWorkPool({ clock }, { workersMax: 1, startAfterBytes: 0 });
    const chunks = await openFileChunkStore(folder, { storeKey: seededBytes(32, 1), isSealing });
    try {
      const store = await createBlobStore({ ledger, chunks, clock, log: silentLog, work });
      for (const form of forms) {
        // Until the worker is there all is done in line; the second time it is.
        for (let round = 0; round < 2; round++) {
          const blob = await store.put(bytesSource(bytes), { form });
          assert.deepEqual(blob.hash, blake3(bytes));
          const whole = createBlake3();
          const reader = { read: (hash: Uint8Array) => store.readChunk(hash) };
          for await (const piece of readBlob(blob.ref, { reader })) whole.update(piece.bytes);
          assert.deepEqual(whole.digest(), blob.hash);
          await store.remove(blob.hash);
        }
      }
      assert.ok(work.counters.work_jobs_offloaded_total > 0);
    } finally {
      work.stop();
      await chunks.close();
      await ledger.close();
      await Deno.remove(folder, { recursive: true });
    }
  }
});
