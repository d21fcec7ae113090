/** What a disk throws, as the errors of a channel file. */
import { isNoSpace } from "../../../base/mod.ts";
import { RedexError } from "../error.ts";

/**
 * The typed error for what a {@linkcode Disk} threw: `no_space`, or `io`.
 *
 * @param action What was being done, for example `Cannot append to log "a/b"`.
 */
export function diskFailure(error: unknown, action: string): RedexError {
  if (error instanceof RedexError) return error;
  if (isNoSpace(error)) {
    return new RedexError("no_space", `${action}: no space left on the device`, {
      cause: error,
      next: "free some space; nothing was lost, and appending works again then",
    });
  }
  return new RedexError("io", `${action}: ${describe(error)}`, {
    cause: error,
    next: adviceFor(error),
  });
}

/** Message of anything thrown. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function adviceFor(error: unknown): string {
  const text = describe(error);
  if (error instanceof Deno.errors.PermissionDenied || /os error (1|13)\b/.test(text)) {
    return "let this user write to the folder";
  }
  if (/os error 30\b/.test(text)) return "mount the file system writable, or choose another folder";
  if (/os error (17|20|21)\b/.test(text)) {
    return "move what lies in its place somewhere else: a file where a folder belongs, or the other way";
  }
  if (/os error (23|24)\b/.test(text)) return "close some logs, or raise the limit of open files";
  return "look at the device, then check the folder with net log verify";
}
