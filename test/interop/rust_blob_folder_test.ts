/** The store of the live Rust core on a disk: what we export it reads, what it stores we import. */
import assert from "node:assert/strict";
import { parsePutForm, PLAIN_FORM } from "../../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { ExchangeService, openStorage } from "../../src/services/mod.ts";
import { bytesSource, seededBytes } from "../blob/sources.ts";
import { ManualClock } from "../sim/manual_clock.ts";
import { rustPeerTest, startRustPeer } from "./rust_peer.ts";

const MIB = 1024 * 1024;

async function withStore(
  action: (
    node: { storage: Awaited<ReturnType<typeof openStorage>>; exchange: ExchangeService },
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const deps = { clock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, undefined);
  const folder = await Deno.makeTempDir({ prefix: "net_rust_blobs_" });
  try {
    await action({ storage, exchange: new ExchangeService({ clock, storage }) }, folder);
  } finally {
    await storage.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

rustPeerTest(
  "the Rust core reads blobs that were exported to its store",
  () =>
    withStore(async ({ storage, exchange }, folder) => {
      const payloads = [seededBytes(100_000, 1), seededBytes(9 * MIB + 1, 2)];
      const blobs = await Promise.all(
        payloads.map((bytes) => storage.blobs.put(bytesSource(bytes))),
      );
      await exchange.export(folder, undefined, { format: "redex" });
      await using peer = await startRustPeer();
      const store = await peer.call("openStore", { folder });
      for (const blob of blobs) {
        assert.equal(await peer.call("has", { store, ref: blob.blobRef }), true);
        const got = await peer.call("get", { store, ref: blob.blobRef });
        assert.equal(got.hash.toHex(), blob.hash.toHex());
        assert.equal(got.sizeBytes, blob.size);
      }
      // It goes on writing where we wrote.
      const own = await peer.call("put", { store, source: { sizeBytes: 5_000, seed: 3 } });
      assert.equal((await peer.call("get", { store, ref: own.ref })).sizeBytes, 5_000);
    }),
);

rustPeerTest(
  "blobs that the Rust core stored are imported, by reference or chunk by chunk",
  () =>
    withStore(async ({ storage, exchange }, folder) => {
      const stored = await (async () => {
        await using peer = await startRustPeer();
        const store = await peer.call("openStore", { folder });
        return [
          await peer.call("put", { store, source: { sizeBytes: 100_000, seed: 4 } }),
          await peer.call("put", { store, source: { sizeBytes: 9 * MIB + 1, seed: 5 } }),
        ];
      })();
      const { format, stored: taken } = await exchange.import(
        folder,
        stored.map(({ ref }) => ref.toHex()),
      );
      assert.equal(format, "redex");
      assert.deepEqual(
        taken.map(({ hash, size }) => [hash.toHex(), size]),
        stored.map(({ hash, sizeBytes }) => [hash.toHex(), sizeBytes]),
      );
      const all = await exchange.import(folder, undefined);
      assert.equal(all.stored.length, 4); // Every chunk: one, and three.
      assert.deepEqual(all.failures, []);
      // And back again, from another store of the core.
      const tree = await storage.blobs.put(bytesSource(seededBytes(5 * MIB, 6)), {
        form: parsePutForm(PLAIN_FORM, { ec: "2+1" }),
      });
      const other = `${folder}/other`;
      await exchange.export(other, [tree.address], { format: "redex" });
      const { failures } = await exchange.import(other, undefined);
      assert.deepEqual(failures, []);
    }),
);
