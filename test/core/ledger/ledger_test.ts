import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { NetError } from "../../../src/base/mod.ts";
import {
  type LedgerDb,
  openLedger,
  PEERS_KEPT_MAX,
  readPeers,
  readSetting,
  removePeer,
  removeSetting,
  SCHEMA_VERSION,
  touchPeer,
  writePeer,
  writeSetting,
} from "../../../src/core/ledger/mod.ts";

async function withLedger(action: (db: LedgerDb) => Promise<void>): Promise<void> {
  const ledger = openLedger({ path: ":memory:" });
  try {
    await action(ledger.db);
  } finally {
    await ledger.close();
  }
}

async function withFile(action: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(`${folder}/net.db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openLedger() makes a private file in WAL mode and keeps what was committed", () =>
  withFile(async (path) => {
    const ledger = openLedger({ path });
    await writeSetting(ledger.db, "udp_port", "4000");
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    assert.equal(((await Deno.stat(`${path}-wal`)).mode ?? 0) & 0o777, 0o600);
    await ledger.close();
    await ledger.close();
    const again = openLedger({ path });
    assert.equal(await readSetting(again.db, "udp_port"), "4000");
    await again.close();
    using database = new DatabaseSync(path);
    assert.equal(database.prepare("PRAGMA journal_mode").get()?.journal_mode, "wal");
    assert.equal(database.prepare("PRAGMA user_version").get()?.user_version, SCHEMA_VERSION);
  }));

Deno.test("openLedger() refuses the file of a newer program", () =>
  withFile((path) => {
    {
      using database = new DatabaseSync(path);
      database.exec("PRAGMA user_version = 99");
    }
    assert.throws(() => openLedger({ path }), (error) => {
      assert.ok(error instanceof NetError);
      assert.equal(error.code, "data_dir_unusable");
      assert.match(error.message, /schema version is 99, must be at most/);
      assert.match(error.next ?? "", /newer net/);
      return true;
    });
    return Promise.resolve();
  }));

Deno.test("openLedger() says that a file is no database", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "this is a text and not a database at all\n".repeat(100));
    assert.throws(
      () => openLedger({ path }),
      (error) => error instanceof NetError && error.code === "data_dir_unusable",
    );
  }));

Deno.test("openLedger() says that the folder is missing", () => {
  assert.throws(
    () => openLedger({ path: "/nonexistent/net.db" }),
    (error) => error instanceof NetError && error.code === "data_dir_unusable",
  );
});

Deno.test("openLedger() says that another process holds the file", () =>
  withFile(async (path) => {
    const ledger = openLedger({ path, busyTimeoutMs: 0 });
    const other = openLedger({ path, busyTimeoutMs: 0 });
    await ledger.transaction(async () => {
      await assert.rejects(
        other.transaction(() => Promise.resolve()),
        (error) => error instanceof NetError && error.code === "data_dir_locked",
      );
    });
    await other.close();
    await ledger.close();
  }));

Deno.test("transaction() undoes everything when its action throws", () =>
  withLedger(async (db) => {
    await assert.rejects(
      db.transaction().execute(async (transaction) => {
        await writeSetting(transaction, "a", "1");
        throw new Error("stop");
      }),
      /stop/,
    );
    assert.equal(await readSetting(db, "a"), undefined);
  }));

Deno.test("a full database is reported as no_space and loses nothing", () =>
  withLedger(async (db) => {
    await writeSetting(db, "kept", "yes");
    const { sql } = await import("kysely");
    await sql`PRAGMA max_page_count = 32`.execute(db);
    await assert.rejects(
      db.transaction().execute(async (transaction) => {
        for (let i = 0; i < 100; i++) await writeSetting(transaction, `k${i}`, "x".repeat(8192));
      }),
      (error) => error instanceof NetError && error.code === "no_space" && error.next !== undefined,
    );
    assert.equal(await readSetting(db, "kept"), "yes");
    assert.equal(await readSetting(db, "k0"), undefined);
  }));

Deno.test("settings are written, replaced and removed", () =>
  withLedger(async (db) => {
    assert.equal(await readSetting(db, "a"), undefined);
    await writeSetting(db, "a", "1");
    await writeSetting(db, "a", "2");
    assert.equal(await readSetting(db, "a"), "2");
    assert.equal(await removeSetting(db, "a"), true);
    assert.equal(await removeSetting(db, "a"), false);
  }));

const PEER = {
  nodeId: 0x00ff000000000001n,
  entityId: new Uint8Array(32).fill(7),
  noisePublicKey: new Uint8Array(32).fill(9),
  addresses: [{ host: "127.0.0.1", port: 4000 }, { host: "::1", port: 1 }],
  label: "home",
  addedAtMs: 1000,
  pinnedAtMs: undefined,
};

Deno.test("writePeer() keeps a pin when the peer is told of again", async () => {
  await withLedger(async (db) => {
    await writePeer(db, { ...PEER, pinnedAtMs: 7 });
    await writePeer(db, PEER);
    assert.equal((await readPeers(db))[0]?.pinnedAtMs, 7);
  });
});

Deno.test("writePeer() renews a peer and keeps when it was added and seen", () =>
  withLedger(async (db) => {
    await writePeer(db, PEER);
    assert.deepEqual(await readPeers(db), [{ ...PEER, lastSeenMs: undefined }]);
    await touchPeer(db, PEER.nodeId, 5000);
    await touchPeer(db, 1n, 5000);
    await writePeer(db, { ...PEER, label: "new", entityId: undefined, addedAtMs: 9000 });
    assert.deepEqual(await readPeers(db), [{ ...PEER, label: "new", lastSeenMs: 5000 }]);
    assert.equal(await removePeer(db, PEER.nodeId), true);
    assert.equal(await removePeer(db, PEER.nodeId), false);
  }));

Deno.test("writePeer() forgets the longest unseen peer when there are too many", () =>
  withLedger(async (db) => {
    await db.transaction().execute(async (transaction) => {
      for (let i = 1; i <= PEERS_KEPT_MAX; i++) {
        await transaction.insertInto("peer").values({
          node_id: i.toString(16).padStart(16, "0"),
          entity_id: null,
          noise_key: PEER.noisePublicKey,
          addresses: "[]",
          label: "",
          added_at_ms: i,
          last_seen_ms: i === 1 ? 99_999 : null,
        }).execute();
      }
    });
    await writePeer(db, { ...PEER, addedAtMs: 0 });
    const ids = (await readPeers(db)).map((peer) => peer.nodeId);
    assert.equal(ids.length, PEERS_KEPT_MAX);
    assert.ok(ids.includes(PEER.nodeId) && ids.includes(1n) && !ids.includes(2n));
  }));
