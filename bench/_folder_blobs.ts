/** Blobs of a benchmark's process as a node has them: chunks in files, gets into files. */
import { systemClock, toHex } from "../src/base/mod.ts";
import { parseBlobTarget } from "../src/blob/mod.ts";
import type { MeshTransport } from "../src/core/transport/mod.ts";
import { createMetricRegistry, silentLog } from "../src/observe/mod.ts";
import { BlobService, openStorage } from "../src/services/mod.ts";
import type { GetFigures } from "./_mesh_process.ts";

/** Blobs of one process. */
export interface FolderBlobs {
  put(path: string): Promise<{ blobRef: Uint8Array; address: string; seconds: number }>;
  /** Gets by reference, or by an address. */
  get(target: Uint8Array | string, output: string): Promise<GetFigures>;
  /** Resolves when the store has taken over the chunks of gets. */
  settle(): Promise<void>;
  /** Removes chunks that gets left. */
  empty(): Promise<void>;
}

/** Opens a folder, and serves what is in it. */
export async function openFolderBlobs(
  transport: MeshTransport,
  folder: string,
): Promise<FolderBlobs> {
  await Deno.mkdir(folder, { recursive: true });
  const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, folder);
  const blobs = new BlobService({ ...deps, storage, mesh: { transport } });
  await blobs.start();
  return {
    put: async (path) => {
      const { stored, seconds } = await blobs.putFile(path);
      return { blobRef: stored.blobRef, address: stored.address, seconds };
    },
    get: async (target, output) => {
      const parsed = parseBlobTarget(typeof target === "string" ? target : toHex(target));
      const { size, seconds } = await blobs.get(parsed, { output, isNamed: false });
      return { sizeBytes: size, seconds, peakBytes: peakBytes() };
    },
    settle: () => storage.settleLent(),
    empty: async () => {
      for (const { hash } of await storage.blobs.listChunks()) {
        await storage.blobs.removeChunk(hash);
      }
    },
  };
}

/** `VmHWM` of this process. */
function peakBytes(): number {
  const text = Deno.readTextFileSync("/proc/self/status");
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1024;
}
