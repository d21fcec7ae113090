/** Where the vectors are and what of them exists. */

import { join } from "node:path";

/** The vector folder: `NET_VECTORS`, or `../shared/vectors` beside the project. */
export function vectorFolder(): string {
  return Deno.env.get("NET_VECTORS") || join(import.meta.dirname ?? ".", "../../../shared/vectors");
}

/** True when the folder exists. */
export function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Content of a file of the folder; `undefined` when there is none. */
export function readVectorFile(folder: string, file: string): string | undefined {
  try {
    return Deno.readTextFileSync(join(folder, file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
