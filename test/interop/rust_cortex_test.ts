/** A snapshot that is further on than its log, beside the Rust core: both go on from it, in one folder, in turn. */
import assert from "node:assert/strict";
import { systemClock as clock, systemDisk } from "../../src/base/mod.ts";
import { openRedex } from "../../src/log/mod.ts";
import { openNetDb, openNetDbFromSnapshot } from "../../src/state/mod.ts";
import { startLineProcess } from "./line_process.ts";
import type { NetDbOperations } from "./netdb_peer_process.ts";
import { isRustPlatform } from "./rust_addon.ts";

const OPTIONS = { origin: 0x42n, models: ["tasks", "memories"] } as const;

Deno.test({
  name:
    "a bundle restored onto an empty or shorter log takes new writes, and the core goes on with both",
  ignore: !isRustPlatform(),
  fn: async () => {
    await using peer = startLineProcess<NetDbOperations>(
      new URL("./netdb_peer_process.ts", import.meta.url),
      { name: "Rust core's database" },
    );
    const bundle = await withOurs(undefined, undefined, async (db) => {
      for (let id = 1n; id <= 10n; id++) db.tasks.create(id, `task ${id}`, 1n);
      return await db.snapshot();
    });
    for (const kept of [0n, 4n]) {
      const folder = await Deno.makeTempDir();
      try {
        await withOurs(folder, undefined, (db) => {
          for (let id = 1n; id <= kept; id++) db.tasks.create(id, `task ${id}`, 1n);
        });
        await withOurs(folder, bundle, async (db) => {
          const token = db.tasks.create(11n, "after the bundle", 2n);
          assert.equal(token.seq, 10n);
          await db.tasks.adapter.waitForToken(token, 0);
          assert.equal(db.tasks.count(), 11);
        });
        const core = await peer.call("database", {
          folder,
          bundle,
          tasks: [["create", [12n, "by the core", 3n]]],
        });
        assert.equal(core.tasks.length, 12);
        // The core's own snapshot stands for all of it: its watermark goes on from the bundle's.
        await withOurs(undefined, core.bundle, (db) => {
          assert.equal(db.tasks.count(), 12);
          assert.equal(db.tasks.adapter.appliedSeq, 11n);
        });
        await withOurs(folder, bundle, (db) => {
          assert.equal(db.tasks.findUnique(12n)?.title, "by the core");
          assert.equal(db.tasks.count(), 12);
        });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }
  },
});

type OurDb = Awaited<ReturnType<typeof openNetDb<"tasks" | "memories">>>;

/** Our database, in a folder or in memory, from its log or a bundle. */
async function withOurs<Result>(
  folder: string | undefined,
  bundle: Uint8Array | undefined,
  use: (db: OurDb) => Result | Promise<Result>,
): Promise<Result> {
  const defaults = { isPersistent: folder !== undefined };
  await using redex = openRedex({ clock, disk: systemDisk }, { folder, defaults });
  await using db = bundle === undefined
    ? await openNetDb({ redex, clock }, OPTIONS)
    : await openNetDbFromSnapshot({ redex, clock }, OPTIONS, bundle);
  return await use(db);
}
