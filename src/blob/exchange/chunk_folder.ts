/**
 * Folders of chunks that other programs read and write: what blobs are exported to and imported from.
 *
 * | format | layout |
 * | --- | --- |
 * | `plain` | `ab/abcdef…`, the chunk itself: also the layout of the file adapter (`dataforts.md` 8) |
 * | `redex` | `dataforts/blob/abcdef…/`, a log with one event: the store of the Rust core (`dataforts.md` 7) |
 */
import { type Clock, isMissing, NetError, systemDisk, toHex, toNetError } from "../../base/mod.ts";
import { fromHex } from "../../base/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import { openRedex, type Redex } from "../../log/mod.ts";
import { equalBytes } from "../../base/mod.ts";
import { openFileAdapter } from "../adapters/file_adapter.ts";
import { BlobAdapterError } from "../adapters/adapter.ts";
import { HASH_BYTES, TRANSFER_BYTES_MAX } from "../limits.ts";

/** A layout of such a folder. */
export type ChunkFolderFormat = "plain" | "redex";

/** An open folder of chunks. */
export interface ChunkFolder extends AsyncDisposable {
  readonly format: ChunkFolderFormat;
  /** Stores a chunk durably; false when it was there. */
  write(hash: Uint8Array, bytes: Uint8Array): Promise<boolean>;
  /**
   * A chunk, verified; `undefined` when it is not there.
   *
   * @throws NetError `integrity` when it is damaged.
   */
  read(hash: Uint8Array): Promise<Uint8Array | undefined>;
  /** Hashes of what looks like chunks, in no particular order. */
  list(): AsyncGenerator<Uint8Array>;
}

/** Folder of the logs of chunks, in the layout of the Rust core. */
const REDEX_PARTS = "dataforts/blob";

/** The format of a folder that is there; plain unless it has what the other one must have. */
export async function detectChunkFolder(path: string): Promise<ChunkFolderFormat> {
  try {
    return (await Deno.stat(`${path}/${REDEX_PARTS}`)).isDirectory ? "redex" : "plain";
  } catch (error) {
    if (isMissing(error)) return "plain";
    throw toNetError(error, `Cannot read folder "${path}"`);
  }
}

/** Opens a folder, which is made as chunks are written. */
export async function openChunkFolder(
  path: string,
  format: ChunkFolderFormat,
  clock: Clock,
): Promise<ChunkFolder> {
  return format === "plain" ? await openPlain(path, clock) : openRedexFolder(path, clock);
}

async function openPlain(path: string, clock: Clock): Promise<ChunkFolder> {
  const adapter = await openFileAdapter({ id: "exchange", folder: path, clock });
  const refOf = (hash: Uint8Array, size: number) => {
    return { kind: "small", uri: "file:chunk", hash, size } as const;
  };
  return {
    format: "plain",
    write: async (hash, bytes) => {
      const ref = refOf(hash, bytes.length);
      const isThere = await adapter.exists(ref);
      await adapter.store(ref, bytes);
      return !isThere;
    },
    read: async (hash) => {
      const key = toHex(hash);
      const size = systemDisk.sizeOf(`${path}/${key.slice(0, 2)}/${key}`);
      if (size === undefined) return undefined;
      if (size > TRANSFER_BYTES_MAX) throw damaged(path, key);
      try {
        const bytes = await adapter.fetch(refOf(hash, size));
        if (equalBytes(blake3(bytes), hash)) return bytes;
      } catch (error) {
        if (!(error instanceof BlobAdapterError) || error.code !== "integrity") throw error;
      }
      throw damaged(path, key);
    },
    list: async function* () {
      for await (const shard of entries(path)) {
        if (!/^[0-9a-f]{2}$/.test(shard)) continue;
        for await (const name of entries(`${path}/${shard}`)) {
          const hash = name.startsWith(shard) ? hashOf(name) : undefined;
          if (hash !== undefined) yield hash;
        }
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function openRedexFolder(path: string, clock: Clock): ChunkFolder {
  const redex: Redex = openRedex({ clock, disk: systemDisk }, { folder: path });
  const nameOf = (hash: Uint8Array) => `${REDEX_PARTS}/${toHex(hash)}`;
  const CONFIG = { isPersistent: true } as const;
  return {
    format: "redex",
    write: async (hash, bytes) => {
      await using file = await redex.open(nameOf(hash), CONFIG);
      // One event, which is the chunk: a log with something else in it is not ours to change.
      if (file.nextSeq > 0n) {
        const event = file.read(file.firstSeq);
        if (event !== undefined && equalBytes(blake3(event.payload), hash)) return false;
        throw damaged(path, toHex(hash));
      }
      await file.appendDurable([bytes]);
      return true;
    },
    read: async (hash) => {
      await using file = await redex.openExisting(nameOf(hash), CONFIG);
      const event = file?.read(file.firstSeq);
      if (event === undefined) return undefined;
      const isChunk = event.payload.length <= TRANSFER_BYTES_MAX &&
        equalBytes(blake3(event.payload), hash);
      if (!isChunk) throw damaged(path, toHex(hash));
      return event.payload.slice();
    },
    list: async function* () {
      for await (const name of entries(`${path}/${REDEX_PARTS}`)) {
        const hash = hashOf(name);
        if (hash !== undefined) yield hash;
      }
    },
    [Symbol.asyncDispose]: () => redex.close(),
  };
}

async function* entries(path: string): AsyncGenerator<string> {
  try {
    for await (const { name } of Deno.readDir(path)) yield name;
  } catch (error) {
    if (!isMissing(error)) throw toNetError(error, `Cannot read folder "${path}"`);
  }
}

function hashOf(name: string): Uint8Array | undefined {
  return /[A-F]/.test(name) ? undefined : fromHex(name, HASH_BYTES);
}

function damaged(path: string, key: string): NetError {
  return new NetError("integrity", `Cannot read chunk ${key} in "${path}": it is damaged`, {
    next: "export it again, or remove it there",
  });
}
