import assert from "node:assert/strict";
import { findByte } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { putStripes } from "../keep/stripe_kit.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { withStore } from "../store_kit.ts";

Deno.test("findByte() names the chunk of every byte, in every form", () =>
  withStore(async ({ store }) => {
    const readNode = (hash: Uint8Array) => store.readChunk(hash);
    const { ref: tree } = await putStripes(store, 10);
    const bytes = seededBytes(5_000_000, 3);
    const { ref: manifest } = await store.put(bytesSource(bytes));
    const { ref: small } = await store.put(bytesSource(bytes.subarray(0, 50)));
    for (
      const [ref, offsets] of [
        [tree, [0, 99, 100, 399, 400, 799, 800, 999]],
        [manifest, [0, 4_194_303, 4_194_304, 4_999_999]],
        [small, [0, 49]],
      ] as const
    ) {
      for (const offset of offsets) {
        const place = await findByte(ref, BigInt(offset), readNode);
        const chunk = await store.readChunk(place.chunkHash);
        const expected = ref === tree
          ? seededBytes(100, Math.floor(offset / 100) + 1)[offset % 100]
          : bytes[offset];
        assert.equal(chunk?.[place.subOffset], expected, `${ref.kind} ${offset}`);
        assert.equal(chunk?.length, place.chunkSize);
        assert.deepEqual(blake3(chunk ?? bytes), new Uint8Array(place.chunkHash));
      }
      await assert.rejects(findByte(ref, BigInt(ref.size), readNode), { code: "usage" });
    }
    const second = await findByte(tree, 500n, readNode);
    assert.equal(second.nodes.length, 2);
    assert.equal(second.leafKind, "erasure_leaf");
    assert.deepEqual(second.stripe, {
      index: 0, // A stripe is a leaf of its own.
      encoding: { kind: "reed_solomon", data: 4, parity: 2 },
      chunkIndex: 1,
    });
  }));
