import assert from "node:assert/strict";
import { type BlobTarget, formatAddress } from "../../../src/blob/mod.ts";
import { BlobCare } from "../../../src/services/mod.ts";
import { putStripes } from "../../blob/keep/stripe_kit.ts";
import { bytesSource, seededBytes } from "../../blob/sources.ts";
import { addLoose, type StoreParts, withStore } from "../../blob/store_kit.ts";

const DAY_MS = 86_400_000;

function withCare(action: (care: BlobCare, parts: StoreParts) => Promise<void>) {
  return withStore((parts) =>
    action(new BlobCare({ blobs: parts.store, retentionMs: () => DAY_MS }), parts)
  );
}

function target(hash: Uint8Array): BlobTarget {
  return { kind: "address", hash };
}

Deno.test("why() tells pins, references, holds and age apart", () =>
  withCare(async (care, { store, clock }) => {
    const blob = await store.put(bytesSource(seededBytes(100)));
    await care.pin(target(blob.hash), true);
    const expiresAtMs = clock.wallMs() + 1_000;
    await store.hold([blob.hash], { reason: "event", owner: "view:a", expiresAtMs });
    const { blob: asBlob, chunk } = await care.why(target(blob.hash));
    assert.equal(asBlob?.record.isPinned, true);
    assert.deepEqual(asBlob?.state.holds, [{ owner: "view:a", reason: "event", expiresAtMs }]);
    assert.deepEqual(chunk?.reasons, ["pinned", "referenced", "fresh"]);
    assert.deepEqual(chunk?.referrers, [{ address: new Uint8Array(blob.hash), isPinned: true }]);
    assert.equal(chunk?.refcount, 2);
    assert.equal(chunk?.freshUntilMs, clock.wallMs() + DAY_MS);
    await clock.advance(DAY_MS);
    await care.pin(target(blob.hash), false);
    const later = await care.why(target(blob.hash));
    assert.deepEqual(later.chunk?.reasons, ["referenced"]);
    assert.deepEqual(later.blob?.state.holds, []);
    await assert.rejects(care.why(target(new Uint8Array(32))), { code: "not_found" });
  }));

Deno.test("pin() pins chunks where there is no blob", () =>
  withCare(async (care, { store }) => {
    const hash = await addLoose(store, 1);
    assert.equal(await care.pin(target(hash), true), "chunk");
    assert.equal((await store.collect({ retentionMs: 0 })).kept.pinned, 1);
    assert.equal(await care.pin(target(hash), false), "chunk");
    assert.equal((await store.collect({ retentionMs: 0 })).removed, 1);
    await assert.rejects(care.pin(target(hash), true), { code: "not_found" });
  }));

Deno.test("remove() refuses what is pinned or held unless it is forced", () =>
  withCare(async (care, { store }) => {
    const blob = await store.put(bytesSource(seededBytes(100)));
    const name = formatAddress(blob.hash);
    await care.pin(target(blob.hash), true);
    await store.hold([blob.hash], { reason: "event", owner: "view:a" });
    const refused = { code: "conflict" };
    await assert.rejects(care.remove(target(blob.hash)), {
      ...refused,
      message: `Cannot remove ${name}: it is pinned`,
    });
    await care.pin(target(blob.hash), false);
    await assert.rejects(care.remove(target(blob.hash)), {
      ...refused,
      message: `Cannot remove ${name}: it is held by view:a`,
      next: `see net blob why ${name}, or add --force`,
    });
    const forced = await care.remove(target(blob.hash), { isForced: true });
    assert.deepEqual(forced, { what: "blob", freedBytes: 0 });
    // The view still needs the chunk.
    assert.equal(await store.hasChunk(blob.hash), 100);
    await assert.rejects(care.remove(target(blob.hash)), refused);
    const chunk = await care.remove(target(blob.hash), { isForced: true });
    assert.deepEqual(chunk, { what: "chunk", freedBytes: 100 });
    await assert.rejects(care.remove(target(blob.hash)), { code: "not_found" });
  }));

Deno.test("remove() refuses a chunk of a blob, and names its stripe", () =>
  withCare(async (care, { store }) => {
    const { address, stripes, ref } = await putStripes(store, 5);
    const data = stripes[0]?.[0] ?? new Uint8Array();
    for (const isForced of [false, true]) {
      await assert.rejects(care.remove(target(data), { isForced }), {
        code: "conflict",
        message: `Cannot remove chunk ${formatAddress(data)}: it is part of a stripe: data and ` +
          `parity go together, with blob ${formatAddress(address)}`,
      });
    }
    const rest = stripes[1]?.[0] ?? new Uint8Array();
    await assert.rejects(care.remove(target(rest)), /it is part of blob/);
    const { what } = await care.remove(target(ref.rootHash));
    assert.equal(what, "blob");
    assert.equal(store.room().usedBytes, 0);
  }));

Deno.test("look() counts the chunks of a blob that are here", () =>
  withCare(async (care, { store, clock }) => {
    const first = clock.wallMs();
    const { address, stripes } = await putStripes(store, 5);
    assert.equal(await store.dropCopy(stripes[0]?.[0] ?? new Uint8Array()), 100);
    await clock.advance(1_000);
    const { blob } = await care.look(target(address)) ?? {};
    assert.equal(blob?.state.chunks, 10); // 5 of data, 2 of parity, 2 leaves, the root.
    assert.equal(blob?.state.present, 9);
    assert.equal(blob?.state.firstSeenMs, first);
  }));
