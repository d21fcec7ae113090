import assert from "node:assert/strict";
import { toHex } from "../../../src/base/mod.ts";
import { createSpillMemory } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { addLoose, whilePausing, withStore } from "../store_kit.ts";
import { putStripes } from "./stripe_kit.ts";

Deno.test("audit() finds nothing to mend where all is well", () =>
  withStore(async ({ store }) => {
    await store.put(bytesSource(seededBytes(500)));
    await addLoose(store, 1);
    const { missing, ...counts } = await store.audit();
    assert.deepEqual(counts, { adopted: 0, checked: 2, gone: 0, missingCount: 0 });
    assert.deepEqual(missing, []);
  }));

Deno.test("audit() gives chunks a row, drops rows of chunks that are gone, and names what blobs lack", () =>
  withStore(async ({ store, chunks, ledger }) => {
    const { address, stripes } = await putStripes(store, 4);
    const [lost = new Uint8Array(), spilled = new Uint8Array()] = stripes[0] ?? [];
    await chunks.remove(lost);
    await chunks.remove(spilled);
    const loose = await addLoose(store, 50);
    await chunks.remove(loose);
    const stranger = seededBytes(70, 60);
    await chunks.put(blake3(stranger), stranger);
    const spill = { hash: spilled, size: 100, holder: 7n, provenAtMs: 0 };
    await createSpillMemory(ledger).write([spill]);
    const report = await store.audit();
    assert.deepEqual([report.adopted, report.gone, report.missingCount], [1, 3, 1]);
    assert.deepEqual(report.missing.map(({ hash }) => toHex(hash)), [toHex(lost)]);
    assert.deepEqual(toHex(report.missing[0]?.address ?? new Uint8Array()), toHex(address));
    assert.equal((await store.stateOf(address))?.present, 5); // Of 4, 2 of parity, and the root.
    // A second look finds the same, and nothing more.
    const again = await store.audit();
    assert.deepEqual([again.adopted, again.gone, again.missingCount], [0, 0, 1]);
  }));

Deno.test("audit() walks more than one slice, and can be stopped between them", () =>
  withStore(async ({ store, clock, ledger }) => {
    const blob = await store.put(bytesSource(seededBytes(10)));
    const hashes = Array.from({ length: 3_000 }, (_, i) => blake3(Uint8Array.of(i, i >> 8, 9)));
    for (let start = 0; start < hashes.length; start += 500) {
      const part = hashes.slice(start, start + 500);
      const times = { first_seen_ms: 0, last_seen_ms: 0 };
      await ledger.db.insertInto("chunk").values(part.map((hash) => ({ hash, size: 1, ...times })))
        .execute();
      const { hash: address } = blob;
      await ledger.db.insertInto("blob_chunk")
        .values(part.map((hash, i) => ({ address, position: 1 + start + i, hash, size: 1 })))
        .execute();
    }
    const abort = new AbortController();
    const stopped = store.audit({ signal: abort.signal });
    abort.abort(new Error("enough"));
    await assert.rejects(whilePausing(clock, stopped), /enough/);
    const report = await whilePausing(clock, store.audit());
    assert.deepEqual([report.gone, report.missingCount, report.missing.length], [
      3_000,
      3_000,
      1_000,
    ]);
    assert.equal((await whilePausing(clock, store.list())).blobs.length, 1);
    const state = await whilePausing(clock, store.stateOf(blob.hash));
    assert.equal(state?.present, 1);
  }));
