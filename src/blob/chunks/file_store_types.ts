/** What a chunk store on a disk is told, and what it does beyond other stores. */
import type { Disk, RandomBytes } from "../../base/mod.ts";
import type { ChunkStore } from "../chunk_store.ts";
import type { PackLimits } from "./pack_options.ts";

/** Options of {@linkcode openFileChunkStore}. */
export interface OpenFileChunkStoreOptions {
  /** Most bytes of chunks; the device's size when left out. */
  readonly quotaBytes?: number;
  /** Key of sealed chunks, 32 bytes; needed as soon as there are some. */
  readonly storeKey?: Uint8Array;
  /** Seals what is put from now on. */
  readonly isSealing?: boolean;
  /** The machine's own when left out. */
  readonly disk?: Disk;
  readonly random?: RandomBytes;
  /** Other sizes of packs, for tests. */
  readonly packLimits?: Partial<PackLimits>;
}

/** A chunk store on a disk. */
export interface FileChunkStore extends ChunkStore {
  /** True when chunks that are put now are sealed. */
  readonly isSealing: boolean;
  /** Changes the quota; what is above it stays. */
  setQuota(quotaBytes: number | undefined): void;
  /** Names below the folder that are no chunk's and not the store's own. */
  strangers(): AsyncIterableIterator<string>;
  /**
   * Takes a stranger whose name looks like a hash for a chunk: stores it under the hash it has, and removes it
   * where it was; that hash, or `undefined` for what is left alone.
   */
  adopt(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Seals a chunk, or opens it, as the store does with those that are put now; false when there is nothing to do.
   * Of a packed one, the form before is gone when its pack is given up.
   */
  convert(hash: Uint8Array): Promise<boolean>;
}
