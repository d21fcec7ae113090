import assert from "node:assert/strict";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { openStorage } from "../../src/services/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

const PEER = {
  nodeId: 5n,
  entityId: new Uint8Array(32).fill(1),
  noisePublicKey: new Uint8Array(32).fill(2),
  addresses: [{ host: "192.0.2.1", port: 7 }],
  label: "kitchen",
  isPinned: false,
};

function open(folder?: string) {
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  return { clock, metrics, storage: openStorage({ clock, log: silentLog, metrics }, folder) };
}

Deno.test("openStorage() in memory has everything and leaves nothing", async () => {
  const { clock, metrics, storage: opening } = open();
  const storage = await opening;
  assert.deepEqual(storage.health(), { state: "healthy" });
  assert.equal(metrics.snapshot().net_blob_store_corrupt_chunks_total, 0);
  assert.equal(await storage.memory.readUdpPort(), undefined);
  await storage.memory.writeUdpPort(4_000);
  await storage.memory.writeUdpPort(4_001);
  assert.equal(await storage.memory.readUdpPort(), 4_001);
  await storage.memory.writePeer(PEER);
  const [peer, ...others] = await storage.memory.readPeers();
  assert.equal(others.length, 0);
  assert.equal(peer?.nodeId, 5n);
  assert.deepEqual(peer?.addresses, PEER.addresses);
  const row = await storage.ledger.db.selectFrom("peer").select("added_at_ms").executeTakeFirst();
  assert.equal(row?.added_at_ms, clock.wallMs());
  let isRead = false;
  const stored = await storage.blobs.put({
    read: (into) => {
      if (isRead) return Promise.resolve(null);
      isRead = true;
      into.set([1, 2, 3]);
      return Promise.resolve(3);
    },
  });
  assert.equal(stored.size, 3);
  await storage.stop();
  await storage.stop();
  assert.deepEqual(storage.health(), { state: "unhealthy", detail: "closed" });

  const again = await open().storage;
  assert.equal((await again.blobs.list()).blobs.length, 0);
  await again.stop();
});

Deno.test("openStorage() in a folder finds everything again", async () => {
  const folder = await Deno.makeTempDir({ prefix: "net_storage_" });
  const first = await open(folder).storage;
  await first.memory.writeUdpPort(4_000);
  await first.memory.writePeer(PEER);
  await first.stop();
  const second = await open(folder).storage;
  assert.equal(await second.memory.readUdpPort(), 4_000);
  assert.equal((await second.memory.readPeers()).length, 1);
  await second.stop();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openStorage() closes the ledger when the blobs cannot be opened", async () => {
  const folder = await Deno.makeTempDir({ prefix: "net_storage_" });
  await Deno.writeTextFile(`${folder}/blobs`, "a file where a folder has to be");
  await assert.rejects(open(folder).storage);
  await Deno.remove(`${folder}/blobs`);
  const storage = await open(folder).storage;
  await storage.stop();
  await Deno.remove(folder, { recursive: true });
});
