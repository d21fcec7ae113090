/** Why something in a folder cannot be stored, and how that is told. */
import { type ErrorCode, NetError } from "../../base/mod.ts";
import type { SkippedEntry, SkipReason } from "./folder_walk.ts";

/** Why a file cannot be read; `undefined` when it is not the file. */
export function reasonOf(error: unknown): SkipReason | undefined {
  if (!(error instanceof Error) || error instanceof NetError) return undefined;
  const code = String((error as { code?: unknown }).code ?? "");
  if (code === "ENOENT" || code === "ENOTDIR" || error instanceof Deno.errors.NotFound) {
    return "vanished";
  }
  if (code === "ELOOP" || error instanceof Deno.errors.FilesystemLoop) return "changed";
  const isDenied = error instanceof Deno.errors.PermissionDenied ||
    ["EACCES", "EPERM", "EIO", "ENXIO", "ENAMETOOLONG", "ESTALE"].includes(code);
  return isDenied ? "unreadable" : undefined;
}

const REFUSALS: Readonly<Record<SkipReason, readonly [ErrorCode, string]>> = {
  unreadable: ["not_allowed", "it cannot be read"],
  not_utf8: ["usage", "its name, or where it links to, is not UTF-8"],
  too_long: ["usage", "its path is too long"],
  changed: ["conflict", "it changed while it was read"],
  unsafe_link: [
    "usage",
    "it leads out of the folder, or through another link, and nobody would take it",
  ],
  special: ["usage", "it is no file"],
  vanished: ["conflict", "it vanished"],
};

/** The error for something that was to be stored. */
export function cannotStore(path: string, { reason, cause }: SkippedEntry): NetError {
  const [code, what] = REFUSALS[reason];
  return new NetError(code, `Cannot put "${path}": ${what}`, {
    cause,
    next: "mend it, or leave such entries out with --skip-unreadable",
  });
}
