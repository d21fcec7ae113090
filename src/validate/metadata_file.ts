/** Finds and reads the `metadata.toml` that a path means. */
import { basename } from "node:path";
import { isMissing, NetError } from "../base/mod.ts";
import { absolutePath } from "../config/mod.ts";
import { type Metadata, parseMetadata } from "../deploy/mod.ts";

/** Largest file that is read, in bytes. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

/** A file that was read. */
export interface MetadataFile {
  readonly path: string;
  /** Name of the folder it lies in. */
  readonly folder: string;
  /** `undefined` when the file is no UTF-8. */
  readonly text: string | undefined;
}

/**
 * Reads a file, or `metadata.toml` in a folder.
 *
 * @param cwd Folder that a relative path starts from.
 * @throws NetError `not_found`, or `usage` for what cannot be such a file.
 */
export async function readMetadataFile(path: string, cwd: string): Promise<MetadataFile> {
  let full = absolutePath(path, cwd);
  let info = await statOf(full);
  if (info.isDirectory) {
    full = `${full.replace(/\/+$/, "")}/metadata.toml`;
    info = await statOf(full);
  }
  // A pipe or a device may never end.
  if (!info.isFile) throw unusable(full, "it is no regular file");
  if (info.size > FILE_BYTES_MAX) throw unusable(full, `it has ${info.size} bytes`);
  const bytes = await Deno.readFile(full);
  return {
    path: full,
    folder: basename(full.slice(0, full.lastIndexOf("/"))),
    text: decode(bytes),
  };
}

/**
 * Reads what a file says, for a comparison.
 *
 * @throws NetError `usage` when it is no metadata.
 */
export async function loadMetadata(path: string, cwd: string): Promise<Metadata> {
  const { path: full, text } = await readMetadataFile(path, cwd);
  if (text === undefined) throw unusable(full, "it is no UTF-8");
  return parseMetadata(text, full);
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new NetError("not_found", `Cannot read metadata: "${path}" does not exist`, {
      next: "give the path of a metadata.toml or of the folder it is in",
    });
  }
}

function decode(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function unusable(path: string, reason: string): NetError {
  return new NetError("usage", `Cannot read metadata: "${path}" cannot be used, ${reason}`, {
    next: "give the path of a metadata.toml or of the folder it is in",
  });
}
