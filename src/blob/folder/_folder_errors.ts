/** Errors about folders of this machine, in one wording. */
import { NetError, toNetError } from "../../base/mod.ts";

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
