/** A chunk store on a real device that is full: it says so, keeps what it has, and goes on when there is room. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { openFileChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";
import { withMount } from "./store_kit.ts";

for (const isPacked of [false, true]) {
  Deno.test(`a full device refuses ${isPacked ? "packed" : "loose"} chunks and loses none`, () =>
    withMount("size=4m", async (mount) => {
      // Small packs: room comes back when one is dead, and to write a half of one anew takes room.
      const packLimits = { packBytesMax: 300_000, gatherBytes: 100_000, compactBytesMin: 100_000 };
      const store = await openFileChunkStore(`${mount}/blobs`, { packLimits });
      const durable: Uint8Array[] = [];
      let waiting: Uint8Array[] = [];
      const refusals: NetError[] = [];
      for (let i = 0; i < 400 && refusals.length < 20; i++) {
        const bytes = seededBytes(30_000, i + 1);
        try {
          await store.put(blake3(bytes), bytes, { isPacked });
          waiting.push(bytes);
          if (i % 10 !== 9) continue;
          await store.flush();
          durable.push(...waiting);
          waiting = [];
        } catch (error) {
          assert.ok(error instanceof NetError && error.code === "no_space", String(error));
          assert.notEqual(error.next, undefined);
          refusals.push(error);
        }
      }
      assert.equal(refusals.length, 20);
      assert.ok(durable.length > 50);
      assert.ok(store.room().freeBytes < 200_000);
      const check = async (chunks: readonly Uint8Array[]) => {
        for (const each of chunks) assert.deepEqual(await store.read(blake3(each)), each);
      };
      await check(durable);
      // Some make room; then there is place for others, and everything can be flushed.
      const removed = durable.splice(0, 40);
      for (const each of [...removed, ...waiting]) await store.remove(blake3(each));
      for (let round = 0; round < 4; round++) await store.flush();
      const late = Array.from({ length: 10 }, (_, i) => seededBytes(30_000, 1_000 + i));
      for (const each of late) await store.put(blake3(each), each, { isPacked });
      await store.flush();
      await check([...durable, ...late]);
      await store.close();
      const again = await openFileChunkStore(`${mount}/blobs`);
      for (const each of [...durable, ...late]) {
        assert.deepEqual(await again.read(blake3(each)), each);
      }
      assert.equal(again.room().usedBytes, (durable.length + late.length) * 30_000);
      await again.close();
    }));
}
