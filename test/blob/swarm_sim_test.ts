/**
 * Gets over real transports on a seeded bad network: loss, reordering, duplicates, wrong bits, and holders that go.
 *
 * `NET_SIM_SEED` and `NET_SIM_SEEDS` choose the seeds; a failure prints its own.
 */
import assert from "node:assert/strict";
import { concatBytes, systemRandom } from "../../src/base/mod.ts";
import {
  type BlobSink,
  CHUNK_BYTES,
  createBlobFetcher,
  createBlobStore,
  createBlobTransfer,
  createMemoryChunkStore,
} from "../../src/blob/mod.ts";
import { openLedger } from "../../src/core/ledger/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { seededRandom } from "../sim/memory_network.ts";
import { type KitNode, MeshKit } from "../sim/mesh_kit.ts";
import { bytesSource, seededBytes } from "./sources.ts";

const FIRST_SEED = Number(Deno.env.get("NET_SIM_SEED") ?? "1");
const SEEDS = Number(Deno.env.get("NET_SIM_SEEDS") ?? "3");
const CHUNKS = 5;

for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
  Deno.test(`get() over a bad network with holders that come and go, seed ${seed}`, async () => {
    const random = seededRandom(seed);
    using kit = new MeshKit(seed);
    await using stack = new AsyncDisposableStack();
    const open = async (node: KitNode) => {
      const ledger = openLedger({ path: ":memory:" });
      const chunks = createMemoryChunkStore({ bytesMax: 16 * CHUNK_BYTES });
      const deps = { clock: kit.clock, log: silentLog, random: systemRandom };
      const store = await createBlobStore({ ...deps, ledger, chunks });
      const transfer = createBlobTransfer({ ...deps, link: node.transport, source: store });
      transfer.start();
      stack.defer(async () => {
        transfer.stop();
        await ledger.close();
      });
      return { node, store, transfer, fetcher: createBlobFetcher({ ...deps, store, transfer }) };
    };
    const nodes = [kit.node(1), kit.node(2), kit.node(3), kit.node(4)];
    const [asker, ...holders] = await Promise.all(nodes.map(open));
    assert.ok(asker !== undefined);
    const bytes = seededBytes((CHUNKS - 1) * CHUNK_BYTES + 12_345, seed);
    let hash = new Uint8Array(32);
    for (const holder of holders) {
      hash = new Uint8Array((await holder.store.put(bytesSource(bytes))).hash);
      await kit.connect(asker.node, holder.node);
    }
    kit.network.conditions = {
      lossRate: 0.03 * random(),
      duplicateRate: 0.02,
      delayMs: 0.5,
      jitterMs: 2 * random(),
      corruptRate: 0.01 * random(),
    };
    // One of the holders is cut off in the middle, and nobody is told.
    const gone = holders[Math.floor(random() * holders.length)]?.node.address.host;
    const cutAtMs = kit.clock.now() + 50 + 400 * random();
    kit.network.filter = (_bytes, from, to) =>
      kit.clock.now() < cutAtMs || (from.host !== gone && to.host !== gone);
    const pieces: Uint8Array[] = [];
    const nothing = () => Promise.resolve();
    const sink: BlobSink = {
      write: (piece) => Promise.resolve(void pieces.push(piece)),
      commit: nothing,
      discard: nothing,
    };
    const got = await kit.settle(
      asker.fetcher.getInto({ kind: "address", hash }, () => Promise.resolve(sink)),
    );
    assert.deepEqual(concatBytes(...pieces), bytes);
    assert.ok(got.from.length >= 1);
    const { counters, registry } = asker.transfer;
    assert.equal(counters.attempts_wrong_hash_total, 0, "a wrong bit never looks like a lie");
    assert.deepEqual(registry.streams(), []);
    // Everything that came is kept, and nothing is asked for again.
    const attempts = counters.attempts_total;
    await kit.settle(
      asker.fetcher.getInto({ kind: "address", hash }, () => Promise.resolve(sink)),
    );
    assert.equal(counters.attempts_total, attempts);
  });
}
