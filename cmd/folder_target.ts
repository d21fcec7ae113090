/** Targets with a path inside their folder: `b3:…/docs/readme.md`. */
import type { NodeCaller } from "./doors.ts";
import { recordOf, textOf } from "./format.ts";

/** A target, and where in its folder. */
export interface FolderTarget {
  /** Address or reference. */
  readonly target: string;
  /** Clean path without `/` at its ends; empty for the folder, or file, itself. */
  readonly path: string;
}

/**
 * Cuts `TARGET/PATH` behind the target.
 *
 * @example
 * ```ts
 * import { splitFolderTarget } from "./folder_target.ts";
 * console.assert(splitFolderTarget(`b3:${"0".repeat(64)}/a/b`).path === "a/b");
 * ```
 */
export function splitFolderTarget(text: string): FolderTarget {
  const trimmed = text.trim();
  const from = /^mesh:\/\//i.test(trimmed) ? "mesh://".length : 0;
  const slash = trimmed.indexOf("/", from);
  if (slash < 0) return { target: trimmed, path: "" };
  const names = trimmed.slice(slash).split("/").filter((name) => name !== "" && name !== ".");
  return { target: trimmed.slice(0, slash), path: names.join("/") };
}

/** The reference of a file of a folder; the target itself when there is no path. */
export async function findInFolder(
  node: NodeCaller,
  target: string,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  if (path === "") return target;
  return textOf(
    recordOf(await node.call("blob.folder_find", { target, path }, { signal })).blob_ref,
  );
}
