/** What SQLite says, in the words of the node. */
import { isNoSpace, NetError } from "../../base/mod.ts";

/** The typed error of what the index threw. */
export function toIndexError(error: unknown): NetError {
  if (error instanceof NetError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { errcode?: unknown } | null)?.errcode;
  const isFull = isNoSpace(error) || code === 13 || code === 4874;
  return new NetError(
    isFull ? "no_space" : "failed",
    `Cannot use index of packed chunks: ${isFull ? "no space left on the device" : message}`,
    {
      cause: error,
      next: isFull
        ? "free some space, then repeat the command"
        : "start the node again; remove blobs/packs/index.db first if this stays: it is made anew",
    },
  );
}
