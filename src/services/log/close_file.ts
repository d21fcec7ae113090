/** Closing a channel's file where nobody waits for what becomes of it. */
import { toNetError } from "../../base/mod.ts";
import type { RedexFile } from "../../log/mod.ts";
import type { Log } from "../../observe/mod.ts";

/** Closes a file; what its device does not take any more is logged, and keeps nobody from mending or removing it. */
export async function closeOrTell(file: RedexFile, log: Log): Promise<void> {
  try {
    await file.close();
  } catch (error) {
    const { message: reason } = toNetError(error, "Cannot close log");
    log.error("log_close_failed", { channel: file.name, reason });
  }
}
