/** Nodes with stores and transfers over fake links, on a clock of the test. */
import { NetError, systemRandom } from "../../src/base/mod.ts";
import {
  type BlobFetcher,
  type BlobStore,
  type BlobTransfer,
  CHUNK_BYTES,
  type ChunkStore,
  createBlobFetcher,
  createBlobStore,
  createBlobTransfer,
  createMemoryChunkStore,
} from "../../src/blob/mod.ts";
import { openLedger } from "../../src/core/ledger/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";
import { type FakeLink, FakeNetwork } from "./fake_link.ts";

/** One node of the mesh. */
export interface BlobNode {
  readonly link: FakeLink;
  readonly chunks: ChunkStore;
  readonly store: BlobStore;
  readonly transfer: BlobTransfer;
  readonly fetcher: BlobFetcher;
  /** What connects a node that can be reached. */
  readonly reachable: Map<bigint, () => void>;
}

/** The mesh of one test. */
export interface BlobMesh {
  readonly clock: ManualClock;
  readonly network: FakeNetwork;
  /** Nodes 1, 2, …; node 1 is connected to all others. */
  readonly nodes: readonly [BlobNode, BlobNode, BlobNode];
  /** Temporary folder. */
  readonly folder: string;
  /** Moves time on until `work` settles. */
  run<T>(work: Promise<T>): Promise<T>;
}

/** Runs `action` over three nodes, and checks that nothing stays open. */
export async function withMesh(action: (mesh: BlobMesh) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const network = new FakeNetwork(clock);
  const folder = await Deno.makeTempDir();
  const closers: (() => Promise<void>)[] = [];
  const create = async (nodeId: bigint): Promise<BlobNode> => {
    const ledger = openLedger({ path: ":memory:" });
    const link = network.add(nodeId);
    const chunks = createMemoryChunkStore({ bytesMax: 32 * CHUNK_BYTES });
    const store = await createBlobStore({ ledger, chunks, clock, log: silentLog });
    const deps = { clock, random: systemRandom, log: silentLog };
    const reachable = new Map<bigint, () => void>();
    const reach = (peer: bigint): Promise<void> => {
      const connect = reachable.get(peer);
      if (connect === undefined) return Promise.reject(new NetError("unreachable", "Nobody"));
      connect();
      return Promise.resolve();
    };
    const transfer = createBlobTransfer({ ...deps, link, source: store, reach });
    transfer.start();
    const fetcher = createBlobFetcher({ ...deps, store, transfer });
    closers.push(async () => {
      transfer.stop();
      await ledger.close();
    });
    return { link, chunks, store, transfer, fetcher, reachable };
  };
  const nodes = [await create(1n), await create(2n), await create(3n)] as const;
  network.connect(nodes[0].link, nodes[1].link);
  network.connect(nodes[0].link, nodes[2].link);
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let isSettled = false;
    work.then(() => isSettled = true, () => isSettled = true);
    while (!isSettled) {
      // Files are real: their work ends between turns of the event loop, in no time of the test.
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(1);
    }
    return await work;
  };
  try {
    await action({ clock, network, nodes: [...nodes], folder, run });
  } finally {
    for (const close of closers) await close();
    await Deno.remove(folder, { recursive: true });
  }
}
