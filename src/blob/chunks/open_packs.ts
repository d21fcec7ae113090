/** Opens the packs of a folder, whatever the last process left of them. */
import { toIndexError } from "./_index_error.ts";
import { PackFiles } from "./pack_files.ts";
import { PackIndex } from "./pack_index.ts";
import { PACK_LIMITS, type PackStoreOptions } from "./pack_options.ts";
import { PackStore } from "./pack_store.ts";

/**
 * Opens the packs of a folder, making it as needed.
 *
 * @throws NetError when it cannot be used.
 */
export async function openPackStore(options: PackStoreOptions): Promise<PackStore> {
  const files = new PackFiles(
    options.disk,
    options.folder,
    {
      ...PACK_LIMITS,
      ...options.limits,
    }.packBytesMax,
  );
  files.open();
  const index = openIndex(options);
  try {
    const store = new PackStore(options, files, index);
    await store.recover();
    return store;
  } catch (error) {
    index[Symbol.dispose]();
    files.close();
    throw error;
  }
}

function openIndex({ disk, indexPath }: PackStoreOptions): PackIndex {
  // SQLite would make it readable for others; its side files take the same mode.
  if (indexPath !== ":memory:") disk.open(indexPath, { create: true }).close();
  try {
    return new PackIndex(indexPath);
  } catch (error) {
    if (toIndexError(error).code === "no_space" || indexPath === ":memory:") throw error;
    // Damaged, or of another program: the packs have it all.
    for (const suffix of ["", "-wal", "-shm"]) disk.remove(`${indexPath}${suffix}`);
    return new PackIndex(indexPath);
  }
}
