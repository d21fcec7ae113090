/** The family's seed, from wherever the user keeps it; it never enters a message (`validation.md` 8). */
import { NetError, utf8 } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";

/** Fewer bytes can be guessed; members take them nevertheless, so that is worth a warning only. */
const SEED_BYTES_SAFE = 16;
const SEED_BYTES_MAX = 4096;

/**
 * Reads a seed: its own text, or `@FILE`. White space around a text is not part of it; a file that is no text is
 * taken as it is.
 *
 * @throws NetError `config_invalid` when there is none, or it is too short or too long.
 */
export async function readFamilySeed(value: string, log: Log): Promise<Uint8Array> {
  if (!value.startsWith("@")) return checked(utf8(value.trim()), "FAMILY_SEED", log);
  const path = value.slice(1);
  let bytes: Uint8Array;
  try {
    using file = await Deno.open(path);
    if (((await file.stat()).mode ?? 0) & 0o077) {
      log.warn("family_seed_readable", { path, next: "make it private with chmod 600" });
    }
    bytes = await readSeedBytes(file);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new NetError("config_invalid", `Cannot read family seed from "${path}": ${reason}`, {
      cause: error,
      next: "name the file of the seed with --family-seed-file",
    });
  }
  return checked(trimmed(bytes), `"${path}"`, log);
}

async function readSeedBytes(file: Deno.FsFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(SEED_BYTES_MAX + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function trimmed(bytes: Uint8Array): Uint8Array {
  try {
    return utf8(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).trim());
  } catch {
    return bytes;
  }
}

function checked(seed: Uint8Array, where: string, log: Log): Uint8Array {
  if (seed.length === 0 || seed.length > SEED_BYTES_MAX) {
    throw new NetError(
      "config_invalid",
      `Cannot use family seed from ${where}: it has ${seed.length} bytes, must have 1 to ${SEED_BYTES_MAX}`,
      { next: "make one with head -c 32 /dev/urandom > FILE, and give it to every member" },
    );
  }
  if (seed.length < SEED_BYTES_SAFE) {
    log.warn("family_seed_short", { from: where, bytes: seed.length, wanted: SEED_BYTES_SAFE });
  }
  return seed;
}
