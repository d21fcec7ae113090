/** The keeper alone: whom it asks, and what it makes of answers that do not come. */
import assert from "node:assert/strict";
import {
  type BlobStore,
  createBlobStore,
  createMemoryChunkStore,
  type Holding,
  listHolders,
  readWish,
  touchHolders,
  writeWish,
} from "../../../src/blob/mod.ts";
import { type Ledger, openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { CopyKeeper, type CopyKeeperDeps } from "../../../src/services/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesOf, sourceOf } from "./blob_mesh_kit.ts";

const MINUTE_MS = 60_000;

interface Kept {
  readonly clock: ManualClock;
  readonly ledger: Ledger;
  readonly store: BlobStore;
  readonly keeper: CopyKeeper;
  /** Hashes of each question, by node. */
  readonly asked: { readonly nodeId: bigint; readonly count: number }[];
  /** Addresses whose repair was begun. */
  readonly repaired: string[];
  wantedPeers: number;
  /** What a node answers to each hash. */
  answer: (nodeId: bigint) => Holding | undefined;
  /** Stores a blob that shall have so many copies, seen on nodes 20 minutes ago. */
  wish(seed: number, copies: number, holders: readonly bigint[]): Promise<Uint8Array>;
  pass(ms: number): Promise<void>;
}

async function withKeeper(action: (kept: Kept) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax: 1_000_000 });
  const store = await createBlobStore({ ledger, chunks, clock, log: silentLog });
  const random = seededRandom(7);
  const asked: Kept["asked"] = [];
  const repaired: string[] = [];
  const finder: Pick<CopyKeeperDeps["finder"], "announced" | "ask" | "holdersOf"> = {
    announced: () => [],
    ask: (nodeId, hashes) => {
      asked.push({ nodeId, count: hashes.length });
      const held = kept.answer(nodeId);
      return Promise.resolve(held && hashes.map(() => held));
    },
    holdersOf: async function* () {},
  };
  const keeper = new CopyKeeper({
    clock,
    log: silentLog,
    random: (length) => Uint8Array.from({ length }, () => random() * 256),
    nodeId: 1n,
    store,
    db: ledger.db,
    // The rest of a finder is not used.
    finder: finder as CopyKeeperDeps["finder"],
    replicator: {
      replicate: (address) => {
        repaired.push(address.toHex());
        return Promise.reject(new Error("nobody takes it"));
      },
    },
    wantedPeers: () => kept.wantedPeers,
    onDropped: () => {},
  });
  const kept: Kept = {
    clock,
    ledger,
    store,
    keeper,
    asked,
    repaired,
    wantedPeers: 0,
    answer: () => "blob",
    wish: async (seed, copies, holders) => {
      const { hash } = await store.put(sourceOf(bytesOf(20, seed)));
      const sinceMs = clock.wallMs();
      await writeWish(ledger.db, { address: hash, copies, sinceMs });
      await touchHolders(ledger.db, hash, holders, sinceMs - 20 * MINUTE_MS);
      return hash;
    },
    pass: async (ms) => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        await new Promise((resolve) => setImmediate(resolve));
        await clock.advance(1_000);
      }
    },
  };
  try {
    await action(kept);
  } finally {
    await keeper.stop();
    await ledger.close();
  }
}

Deno.test("CopyKeeper asks a holder of many blobs for all of them, many in one question", () =>
  withKeeper(async ({ keeper, wish, pass, asked, repaired }) => {
    for (let seed = 1; seed <= 150; seed++) await wish(seed, 2, [5n]);
    keeper.start();
    await pass(2 * MINUTE_MS);
    assert.deepEqual(asked.slice(0, 3).map(({ count }) => count), [64, 64, 22]);
    assert.deepEqual(repaired, []);
    assert.equal(keeper.counters.followed, 150);
  }));

Deno.test("CopyKeeper waits for holders that it had no time to ask", () =>
  withKeeper(async ({ keeper, wish, pass, asked, repaired }) => {
    for (let seed = 1; seed <= 80; seed++) await wish(seed, 2, [BigInt(100 + seed)]);
    keeper.start();
    await pass(30 * MINUTE_MS);
    assert.equal(new Set(asked.map(({ nodeId }) => nodeId)).size, 80);
    assert.deepEqual(repaired, []);
  }));

Deno.test("CopyKeeper repairs at once what a holder says it has not, and tries again later and later", () =>
  withKeeper(async (kept) => {
    const { keeper, wish, pass, repaired, ledger } = kept;
    const address = await wish(1, 2, [5n]);
    kept.answer = () => "nothing";
    keeper.start();
    await pass(3 * MINUTE_MS);
    assert.deepEqual(await listHolders(ledger.db, address), []);
    assert.equal(repaired.length, 1);
    await pass(60 * MINUTE_MS);
    // After 2, 4, 8, 16 and 32 minutes, and a quarter more by chance.
    assert.ok(repaired.length >= 4 && repaired.length <= 6, `${repaired.length} tries`);
    assert.equal(keeper.counters.repairs_failed_total, repaired.length);
  }));

Deno.test("CopyKeeper lets a silent holder count for a quarter of an hour", () =>
  withKeeper(async (kept) => {
    const { keeper, wish, pass, repaired, ledger, clock } = kept;
    const address = await wish(1, 2, [5n]);
    await touchHolders(ledger.db, address, [5n], clock.wallMs());
    kept.answer = () => undefined;
    keeper.start();
    await pass(14 * MINUTE_MS);
    assert.deepEqual(repaired, []);
    await pass(4 * MINUTE_MS);
    assert.equal(repaired.length, 1);
  }));

Deno.test("CopyKeeper never lets go of what somebody put here", () =>
  withKeeper(async ({ keeper, wish, pass, store, ledger }) => {
    const address = await wish(1, 2, [5n, 6n, 7n]);
    keeper.start();
    await pass(5 * 60 * MINUTE_MS);
    assert.ok(await store.stat(address));
    assert.equal((await readWish(ledger.db, address))?.copies, 2);
    assert.equal(keeper.counters.dropped_total, 0);
  }));

Deno.test("CopyKeeper.look() says who has a blob and who is away", () =>
  withKeeper(async (kept) => {
    const { keeper, wish, ledger } = kept;
    const address = await wish(1, 3, [5n, 6n]);
    kept.answer = (nodeId) => nodeId === 5n ? "blob" : undefined;
    const known = await readWish(ledger.db, address);
    assert.ok(known);
    const state = await keeper.look(known);
    assert.deepEqual([state?.present, state?.away, state?.wanted], [[5n], [6n], 3]);
    assert.equal(await keeper.look({ ...known, address: new Uint8Array(32) }), undefined);
  }));

Deno.test("CopyKeeper has copies taken of all that is put here, when the policy says how many", () =>
  withKeeper(async (kept) => {
    const { keeper, pass, store, ledger, repaired } = kept;
    const addresses: string[] = [];
    for (let seed = 1; seed <= 9; seed++) {
      const { hash } = await store.put(sourceOf(bytesOf(20, seed)));
      addresses.push(hash.toHex());
    }
    keeper.start();
    await pass(3 * MINUTE_MS);
    assert.deepEqual(repaired, []);
    kept.wantedPeers = 2;
    // One more than are repaired at once is no reason to wait for the next look.
    await pass(2 * MINUTE_MS + 30_000);
    assert.deepEqual([...new Set(repaired)].sort(), addresses.sort());
    const wish = await readWish(ledger.db, Uint8Array.fromHex(addresses[0] ?? ""));
    assert.equal(wish?.copies, 3);
  }));
