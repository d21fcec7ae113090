/** Turns what SQLite throws into errors that say what to do. */
import { isNoSpace, NetError } from "../../base/mod.ts";

/**
 * SQLite's primary result codes that mean something to the user, and their texts: not every call of
 * the platform passes the code on.
 */
const KINDS = [
  { kind: "full", codes: [13], text: /disk is full/ },
  { kind: "busy", codes: [5, 6], text: /is locked/ },
  { kind: "unwritable", codes: [8, 14], text: /readonly database|unable to open database/ },
  { kind: "damaged", codes: [11, 26], text: /malformed|not a database/ },
] as const;

/** The shared-memory file could not grow: on a writable folder that is a full disk. */
const IO_SHM_SIZE = 4874;

/**
 * The {@linkcode NetError} of anything the database threw.
 *
 * @param action What was being done, for example `Cannot read ledger`.
 */
export function toLedgerError(error: unknown, action: string): NetError {
  if (error instanceof NetError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const extended = (error as { errcode?: unknown } | null)?.errcode;
  const code = typeof extended === "number" ? extended & 0xff : -1;
  const kind = KINDS.find(({ codes, text }) =>
    (codes as readonly number[]).includes(code) || text.test(message)
  )?.kind;
  if (kind === "full" || extended === IO_SHM_SIZE || isNoSpace(error)) {
    return new NetError("no_space", `${action}: no space left on the device`, {
      cause: error,
      next: "free some space or choose another --data-dir, then repeat the command",
    });
  }
  if (kind === "busy") {
    return new NetError("data_dir_locked", `${action}: another process is using it`, {
      cause: error,
      next: "talk to the running node, or stop it with net node stop",
    });
  }
  if (kind === "unwritable") {
    return new NetError("data_dir_unusable", `${action}: ${message}`, {
      cause: error,
      next: "give a folder that you may write to with --data-dir",
    });
  }
  if (kind === "damaged") {
    return new NetError("data_dir_unusable", `${action}: ${message}`, {
      cause: error,
      next: "move net.db away; blobs must then be put again",
    });
  }
  return new NetError("internal", `${action}: ${message}`, { cause: error });
}
