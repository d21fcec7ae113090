/**
 * Small files that only their owner may read: never world readable for a moment, never half written.
 *
 * POSIX modes only; where the platform has none, permissions are left to it.
 */

/** Enough for a key with generous white space; more is not read unless asked for. */
const FILE_BYTES_MAX = 1024;
const OWNER_ONLY = 0o600;

/**
 * Content of a file, cut after one byte more than any valid one has.
 *
 * @param bytesMax Bytes of the largest valid file; 1024 when left out.
 */
export async function readSmallFile(
  path: string,
  bytesMax = FILE_BYTES_MAX,
): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path, { read: true });
  const { size } = await file.stat();
  // A pipe says it has no bytes, and a file may grow; both are read up to the bound all the same.
  let buffer = new Uint8Array(Math.min(bytesMax, Math.max(size, FILE_BYTES_MAX)) + 1);
  let length = 0;
  // Reads until the end rather than by size, because a pipe has none.
  while (length <= bytesMax) {
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(2 * length, bytesMax + 1));
      larger.set(buffer);
      buffer = larger;
    }
    const count = await file.read(buffer.subarray(length));
    if (count === null) break;
    length += count;
  }
  return buffer.slice(0, length);
}

/** Creates a file with its content, durably; false when it exists already, which is left alone. */
export async function createOwnerFile(path: string, content: string): Promise<boolean> {
  const temporary = await writeTemporary(path, content);
  try {
    // A link fails when the name is taken, where a rename would replace the other process's key.
    await Deno.link(temporary, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    if (await exists(path)) return false;
    // File systems without hard links: the caller's lock is what remains against a second process.
    await Deno.rename(temporary, path);
  } finally {
    await removeIfPresent(temporary);
  }
  await syncFolder(path);
  return true;
}

/** Replaces a file, or creates it, in one step and durably. */
export async function replaceOwnerFile(path: string, content: string): Promise<void> {
  const temporary = await writeTemporary(path, content);
  try {
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeIfPresent(temporary);
    throw error;
  }
  await syncFolder(path);
}

/** True when neither group nor others have any permission, or the platform has no modes. */
export async function isOwnerOnly(path: string): Promise<boolean> {
  const { mode } = await Deno.stat(path);
  return mode === null || (mode & 0o077) === 0;
}

/** Takes all permissions from group and others; false when that is not possible. */
export async function restrictToOwner(path: string): Promise<boolean> {
  try {
    await Deno.chmod(path, OWNER_ONLY);
    return await isOwnerOnly(path);
  } catch {
    return false;
  }
}

async function writeTemporary(path: string, content: string): Promise<string> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: OWNER_ONLY });
    const bytes = new TextEncoder().encode(content);
    let written = 0;
    while (written < bytes.length) written += await file.write(bytes.subarray(written));
    await file.sync();
  } catch (error) {
    await removeIfPresent(temporary);
    throw error;
  }
  return temporary;
}

/** Makes the new name itself durable. */
async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path.slice(0, path.lastIndexOf("/")) || "/", { read: true });
    await folder.sync();
  } catch {
    // Not every file system can sync a folder; the file's content is durable, the name soon is.
  }
}

async function removeIfPresent(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // It is gone, which is what was wanted, or the folder is unusable, which the caller reports.
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
