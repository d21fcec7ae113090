/**
 * The storage service: ledger, chunk store and blob store of one data folder, or of memory.
 */
import type { Clock } from "../base/mod.ts";
import {
  type BlobStore,
  type ChunkStore,
  createBlobStore,
  createWorkPool,
  LentChunks,
  type WorkPool,
} from "../blob/mod.ts";
import {
  type Ledger,
  openLedger,
  readPeers,
  readSetting,
  removePeer,
  touchPeer,
  writePeer,
  writeSetting,
} from "../core/ledger/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";
import { type ChunkStoreSettings, openChunks } from "./chunk_storage.ts";
import type { MeshMemory } from "./mesh.ts";

const UDP_PORT_SETTING = "udp_port";

/** What {@linkcode openStorage} needs. */
export interface StorageDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
}

/** Records and blobs of a node. */
export interface Storage extends Service {
  readonly ledger: Ledger;
  readonly chunks: ChunkStore;
  readonly blobs: BlobStore;
  /** Who hashes large blobs; ends with this. */
  readonly work: WorkPool;
  readonly memory: MeshMemory;
  /** Resolves when the chunks of gets that have ended are in the store. */
  settleLent(): Promise<void>;
}

/**
 * Opens the records and blobs of a folder, or empty ones in memory.
 *
 * @param folder A data folder that this process has locked; `undefined` for memory.
 * @param settings Of the chunk store; what is left out stays as it was.
 */
export async function openStorage(
  deps: StorageDeps,
  folder: string | undefined,
  settings: ChunkStoreSettings = {},
): Promise<Storage> {
  const { clock, log, metrics } = deps;
  const ledger = openLedger({ path: folder === undefined ? ":memory:" : `${folder}/net.db` });
  try {
    const chunks = await openChunks({ ledger, clock, log }, folder, settings);
    const work = createWorkPool({ clock });
    // What is sealed here must not lie open elsewhere, not even for a while.
    const isLending = folder !== undefined && chunks.isSealing !== true;
    const lent = isLending
      ? new LentChunks({ folder: `${folder}/lent`, clock, log, work })
      : undefined;
    const blobs = await createBlobStore({ ledger, chunks, clock, log, work, lent });
    await lent?.open((hash, bytes) => blobs.addChunk(hash, bytes));
    if (lent !== undefined) metrics.register("blob_lent", () => ({ ...lent.counters }));
    metrics.register("blob_work", () => ({ ...work.counters }));
    metrics.register("blob_store", () => ({
      corrupt_chunks_total: chunks.counters.corrupt,
      refused_chunks_total: chunks.counters.refused,
      free_bytes: chunks.room().freeBytes,
    }));
    let isOpen = true;
    return {
      name: "storage",
      ledger,
      chunks,
      blobs,
      work,
      memory: createMeshMemory(ledger, clock),
      settleLent: () => lent?.settle() ?? Promise.resolve(),
      start: () => Promise.resolve(),
      stop: async () => {
        if (!isOpen) return;
        isOpen = false;
        await lent?.stop();
        work.stop();
        await blobs.settle();
        await chunks.close();
        await ledger.close();
      },
      health: (): ServiceHealth =>
        isOpen ? { state: "healthy" } : { state: "unhealthy", detail: "closed" },
    };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

function createMeshMemory(ledger: Ledger, clock: Clock): MeshMemory {
  return {
    readUdpPort: async () => {
      const text = await readSetting(ledger.db, UDP_PORT_SETTING);
      return text === undefined ? undefined : Number(text);
    },
    writeUdpPort: (port) => writeSetting(ledger.db, UDP_PORT_SETTING, String(port)),
    readPeers: async () =>
      (await readPeers(ledger.db)).map((peer) => ({
        ...peer,
        isPinned: peer.pinnedAtMs !== undefined,
      })),
    writePeer: ({ isPinned, ...peer }) => {
      const now = clock.wallMs();
      const pinnedAtMs = isPinned ? now : undefined;
      return writePeer(ledger.db, { ...peer, pinnedAtMs, addedAtMs: now });
    },
    touchPeer: (nodeId) => touchPeer(ledger.db, nodeId, clock.wallMs()),
    removePeer: (nodeId) => removePeer(ledger.db, nodeId),
  };
}
