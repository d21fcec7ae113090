/** Errors about folders of this machine, in one wording. */
import { isMissing, isNoSpace, NetError, toNetError } from "../../base/mod.ts";

export function noFolder(path: string, cause: unknown): NetError {
  return new NetError("not_found", `Cannot put "${path}": it does not exist`, {
    cause,
    next: "check the path",
  });
}

export function notAFolder(path: string): NetError {
  return new NetError("usage", `Cannot put "${path}": it is not a folder`, {
    next: "name the folder itself",
  });
}

export function notReadable(path: string, cause: unknown): NetError {
  if (!(cause instanceof Deno.errors.PermissionDenied)) {
    return toNetError(cause, `Cannot put "${path}"`);
  }
  return new NetError("not_allowed", `Cannot put "${path}": it may not be read`, {
    cause,
    next: "check its rights, or run as a user who may read it",
  });
}

export function notAPlace(path: string, reason: string): NetError {
  return new NetError("usage", `Cannot write folder "${path}": ${reason}`, {
    next: "choose another name for the folder",
  });
}

export function folderExists(path: string): NetError {
  return new NetError("conflict", `Cannot write folder "${path}": it exists and is not empty`, {
    next: "choose another name, or replace it with --force",
  });
}

/** What went wrong with a place to write to. */
export function toPlaceError(error: unknown, path: string): NetError {
  if (error instanceof NetError) return error;
  if (isNoSpace(error)) {
    return new NetError("no_space", `Cannot write folder "${path}": no space left on the device`, {
      cause: error,
      next: "free some space or choose another folder, then repeat the command",
    });
  }
  if (isMissing(error)) {
    return new NetError(
      "usage",
      `Cannot write folder "${path}": what it is to be in does not exist`,
      {
        cause: error,
        next: "make the folder above it, or choose another one",
      },
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new NetError("not_allowed", `Cannot write folder "${path}": permission denied`, {
      cause: error,
      next: "choose a folder you may write to",
    });
  }
  return toNetError(error, `Cannot write folder "${path}"`);
}
