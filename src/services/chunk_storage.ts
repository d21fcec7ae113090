/**
 * The chunk store of a node, as its settings say: they are kept in the ledger, so that a later start without
 * them, and a verb that works on the data folder alone, do the same.
 */
import type { Clock } from "../base/mod.ts";
import { type ChunkStore, createMemoryChunkStore, openFileChunkStore } from "../blob/mod.ts";
import type { StoreSettings } from "../config/mod.ts";
import { loadStoreKey } from "../core/crypto/mod.ts";
import { type Ledger, readSetting, removeSetting, writeSetting } from "../core/ledger/mod.ts";
import type { Log } from "../observe/mod.ts";

/** Blobs a node without a folder holds: small enough for a small machine. */
export const MEMORY_BLOB_BYTES_MAX = 256 * 1024 * 1024;

const QUOTA_SETTING = "blob_quota";
const ENCRYPT_SETTING = "encrypt_store";

/** Settings of the chunk store. */
export type ChunkStoreSettings = Partial<Pick<StoreSettings, "blobQuota" | "encryptStore">>;

/** What {@linkcode openChunks} needs. */
export interface OpenChunksDeps {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Opens the chunk store of a data folder, or one in memory.
 *
 * @throws NetError as `openFileChunkStore` and `loadStoreKey`.
 */
export async function openChunks(
  { ledger, clock, log }: OpenChunksDeps,
  folder: string | undefined,
  settings: ChunkStoreSettings,
): Promise<ChunkStore> {
  const quotaBytes = await keptQuota(ledger, settings.blobQuota);
  if (folder === undefined) {
    const bytesMax = Math.min(quotaBytes ?? Infinity, MEMORY_BLOB_BYTES_MAX);
    return createMemoryChunkStore({ bytesMax, clock });
  }
  const isSealing = await keptSwitch(ledger, settings.encryptStore);
  const { key, warnings } = await loadStoreKey(folder, { isMade: false });
  for (const reason of warnings) log.warn("key_store", { reason });
  const blobs = `${folder}/blobs`;
  if (!isSealing || key !== undefined) {
    return await openFileChunkStore(blobs, { quotaBytes, isSealing, storeKey: key });
  }
  // Opened without sealing first: where chunks are sealed already, a new key in the place of a lost one would
  // hide that loss.
  await (await openFileChunkStore(blobs, { quotaBytes })).close();
  const made = await loadStoreKey(folder, { isMade: true });
  return await openFileChunkStore(blobs, { quotaBytes, isSealing, storeKey: made.key });
}

async function keptQuota(
  { db }: Ledger,
  given: StoreSettings["blobQuota"],
): Promise<number | undefined> {
  if (given === "none") await removeSetting(db, QUOTA_SETTING);
  else if (given !== undefined) await writeSetting(db, QUOTA_SETTING, String(given));
  const kept = await readSetting(db, QUOTA_SETTING);
  return kept === undefined ? undefined : Number(kept);
}

async function keptSwitch({ db }: Ledger, given: boolean | undefined): Promise<boolean> {
  if (given !== undefined) await writeSetting(db, ENCRYPT_SETTING, String(given));
  return await readSetting(db, ENCRYPT_SETTING) === "true";
}
