/**
 * The revocations of a user on disk, shared by everything that runs for them: floors in the file only
 * rise (`identity-and-channels.md` 7).
 *
 * Writers take turns by a lock on `<file>.lock`, read again what others wrote, and replace the file in
 * one step. Readers need no lock.
 */
import { isMissing, isNoSpace, NetError, pause, toNetError } from "../../base/mod.ts";
import { readSmallFile, replaceOwnerFile } from "../../core/crypto/mod.ts";
import { REVOCATION_FILE_BYTES_MAX } from "./limits.ts";
import { formatRevocationList, parseRevocationList } from "./revocation_list.ts";
import { type RevocationFloor, RevocationRegistry } from "./revocation_registry.ts";

/** A write takes milliseconds; a lock held for longer than this is stuck. */
const LOCK_WAIT_MS = 10_000;
const LOCK_RETRY_MS = 20;

/** Options of {@linkcode raiseRevocationFloor}. */
export interface RaiseRevocationOptions {
  readonly signal?: AbortSignal;
}

/**
 * The floors in a file; none when there is no file.
 *
 * @throws NetError `config_invalid` when the file is damaged, `not_allowed` or `failed` when it cannot be
 * read.
 */
export async function readRevocationFile(path: string): Promise<readonly RevocationFloor[]> {
  let bytes: Uint8Array;
  try {
    bytes = await readSmallFile(path, REVOCATION_FILE_BYTES_MAX);
  } catch (error) {
    if (isMissing(error)) return [];
    throw fileError(error, `Cannot read revocations "${path}"`);
  }
  const parsed = parseRevocationList(bytes);
  if (parsed.ok) return parsed.floors;
  throw new NetError(
    "config_invalid",
    `Cannot use revocations "${path}": content is wrong (${parsed.fault}), must be JSON with floors`,
    { next: "restore the file from a backup; without it, tokens that were taken back count again" },
  );
}

/**
 * Raises the floor of one issuer in a file, which is made when it is missing, with its folder.
 *
 * @returns The floor that holds now: a higher one stays.
 * @throws RangeError as `RevocationRegistry.revokeBelow`.
 * @throws NetError as {@linkcode readRevocationFile}; `timeout` when another process keeps the lock,
 * `limit` when the file is full.
 */
export async function raiseRevocationFloor(
  path: string,
  { issuer, floor }: RevocationFloor,
  options: RaiseRevocationOptions = {},
): Promise<number> {
  const action = `Cannot write revocations "${path}"`;
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")) || "/", { recursive: true, mode: 0o700 });
    using lock = await Deno.open(`${path}.lock`, { create: true, write: true, mode: 0o600 });
    await takeLock(lock, path, options.signal);
    const registry = new RevocationRegistry();
    for (const known of await readRevocationFile(path)) {
      registry.revokeBelow(known.issuer, known.floor);
    }
    const before = registry.floor(issuer);
    const held = registry.revokeBelow(issuer, floor);
    if (held > before) await replaceOwnerFile(path, formatRevocationList(registry.floors()));
    return held;
  } catch (error) {
    if (error instanceof RangeError || options.signal?.aborted) throw error;
    throw fileError(error, action);
  }
}

/** The lock is given up when the file is closed. */
async function takeLock(
  lock: Deno.FsFile,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let waitedMs = 0; !await lock.tryLock(true); waitedMs += LOCK_RETRY_MS) {
    if (waitedMs >= LOCK_WAIT_MS) {
      throw new NetError("timeout", `Cannot lock "${path}.lock": another process keeps it`, {
        next: "end the process that holds the lock, then repeat the command",
      });
    }
    await pause(LOCK_RETRY_MS, signal);
  }
}

function fileError(error: unknown, action: string): NetError {
  if (error instanceof NetError || isNoSpace(error)) return toNetError(error, action);
  const isRefused = error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable;
  if (!isRefused) return toNetError(error, action);
  return new NetError("not_allowed", `${action}: access is refused`, {
    cause: error,
    next: "choose a file that you may use with --revocations",
  });
}
