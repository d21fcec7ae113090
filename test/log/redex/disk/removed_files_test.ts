import assert from "node:assert/strict";
import { inFolder, openStore, payloadOf, readAll } from "./store_kit.ts";

Deno.test("what is appended to files that were removed is never called durable", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder);
    store.append([payloadOf(0)], 1n);
    await store.sync();
    await Deno.remove(folder, { recursive: true });
    store.append([payloadOf(1)], 1n);
    await assert.rejects(store.sync(), { kind: "io", message: /removed or replaced/ });
    assert.equal(store.persistedSeq, 1);
    assert.match(store.failure ?? "", /removed or replaced/);
    assert.throws(() => store.append([payloadOf(2)], 1n), { kind: "io" });
    await assert.rejects(store.compact(0), { kind: "io" });
    await assert.rejects(store.close(), { kind: "io" });
    const again = await openStore(folder);
    assert.deepEqual(readAll(again), []);
    await again.close();
  });
});

Deno.test("files that were replaced by shorter ones count as removed", async () => {
  await inFolder(async (folder) => {
    const store = await openStore(folder);
    store.append([payloadOf(0), payloadOf(1)], 1n);
    await store.sync();
    await Deno.rename(folder, `${folder}-aside`);
    const other = await openStore(folder);
    other.append([payloadOf(5)], 1n);
    await other.close();
    store.append([payloadOf(2)], 1n);
    await assert.rejects(store.sync(), { kind: "io", message: /removed or replaced/ });
    await assert.rejects(store.close(), { kind: "io" });
    const again = await openStore(folder);
    assert.deepEqual(readAll(again), [[0, payloadOf(5).toHex()]]);
    await again.close();
  });
});
