/** `net blob get TARGET FOLDER/`: makes the folder that a blob lists. */
import { absolutePath } from "../src/config/mod.ts";
import { defaultName, showProgress } from "./blob_common.ts";
import { folderSummary } from "./blob_put_folder.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { SharedFlags } from "./flags.ts";
import { listOf, recordOf, textOf } from "./format.ts";
import type { Output } from "./output.ts";

/** Flags of a get that are about folders. */
export interface GetFolderFlags extends SharedFlags {
  readonly force?: boolean;
  readonly dir?: boolean;
}

/** True when the user said that it is a folder; a record of this node says it too, later. */
export function isFolderAsked(flags: GetFolderFlags, out: string | undefined): boolean {
  return flags.dir === true || (out?.endsWith("/") ?? false);
}

/** Makes the folder and prints its path. */
export async function getFolderVerb(
  context: NetContext,
  flags: GetFolderFlags,
  target: string,
  out: string | undefined,
  run: { readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  const { output, signal } = run;
  const path = absolutePath(out ?? defaultName(target), context.io.cwd);
  const node = await connectOrOpen(context, flags, signal);
  const label = `get ${defaultName(target)}`;
  const { progress, onProgress } = showProgress(context, label, output.isQuiet);
  try {
    const params = { target, output: path, overwrite: flags.force ?? false };
    const result = recordOf(await node.call("blob.get_folder", params, { signal, onProgress }));
    progress.end();
    printGotFolder(output, result, path);
  } finally {
    progress.end();
    await node.close();
  }
}

/** Prints a folder that was got. */
export function printGotFolder(
  output: Output,
  result: Readonly<Record<string, unknown>>,
  path: string,
): void {
  output.result("blob.get", { ...result, output: path }, () => path);
  const from = listOf(result.from).map(textOf).join(", ");
  output.note(`${folderSummary("fetched", result)} from ${from === "" ? "this node" : from}`);
}
