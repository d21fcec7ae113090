/** Files that arguments and flags name: read whole or written, with errors that say what failed. */
import { NetError, toNetError } from "../src/base/mod.ts";
import { absolutePath, readSome, readUpTo } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";

/** Options of {@linkcode readInput}. */
export interface ReadInputOptions {
  /** What is read, for example `token`. */
  readonly what: string;
  readonly bytesMax: number;
  /** What the user can do when there is no such file. */
  readonly next: string;
}

/**
 * Reads the beginning of a file, or of standard input.
 *
 * @param source Path, or `-`.
 * @throws NetError `not_found` without such a file, `usage` for a folder, `not_allowed` for a file that
 * may not be read.
 */
export async function readInput(
  context: NetContext,
  source: string,
  { what, bytesMax, next }: ReadInputOptions,
): Promise<Uint8Array> {
  const { io } = context;
  if (source === "-") return await readSome({ read: (into) => io.readStdin(into) }, bytesMax);
  const path = absolutePath(source, io.cwd);
  try {
    return await readUpTo(path, bytesMax);
  } catch (error) {
    const action = `Cannot read ${what}`;
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      throw new NetError("not_found", `${action}: there is no "${path}"`, { cause: error, next });
    }
    if (error instanceof Deno.errors.IsADirectory) {
      throw new NetError("usage", `${action}: "${path}" is a folder, must be a file`, {
        cause: error,
        next,
      });
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new NetError("not_allowed", `${action}: "${path}" may not be read by this user`, {
        cause: error,
        next: "give yourself the right to read it, or run the command as its owner",
      });
    }
    throw error;
  }
}

/**
 * What a failed write of a file that a flag names means to the user.
 *
 * @param action What was being done, for example `Cannot export`.
 * @param path Absolute path of the file.
 */
export function explainWrite(error: unknown, action: string, path: string): NetError {
  const next = "name a file in a folder of yours with --out";
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
    const folder = path.slice(0, path.lastIndexOf("/")) || "/";
    return new NetError("not_found", `${action}: there is no folder "${folder}"`, {
      cause: error,
      next,
    });
  }
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.IsADirectory) {
    const reason = error instanceof Deno.errors.IsADirectory
      ? "is a folder, must be a file"
      : "may not be written by this user";
    const code = error instanceof Deno.errors.IsADirectory ? "usage" : "not_allowed";
    return new NetError(code, `${action}: "${path}" ${reason}`, { cause: error, next });
  }
  return toNetError(error, action);
}
