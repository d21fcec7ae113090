/**
 * Looks into a folder that is a blob: lists it and finds its files without making it.
 *
 * A manifest is read where it lies: neither needs more memory than the entries it gives.
 */
import { NetError, PostcardReader } from "../../base/mod.ts";
import { decodeBlobRef } from "../blob_ref.ts";
import { type DirEntry, readDirEntry, readDirManifestHead } from "../directory/dir_manifest.ts";
import type { FetchableRef } from "../resolver.ts";
import { Turns } from "./_turns.ts";

/** One page of a listing. */
export interface FolderPage {
  readonly entries: readonly DirEntry[];
  /** Where the next page goes on; `undefined` at the end. */
  readonly next: FolderCursor | undefined;
}

/** Where a listing goes on. */
export interface FolderCursor {
  /** Entries before this one. */
  readonly index: number;
  /** First byte of it. */
  readonly at: number;
}

/** Entries of a page: each takes 200 bytes of an answer or so. */
const PAGE_ENTRIES = 2_000;
/** Characters of a page: an answer has a megabyte. */
const PAGE_CHARACTERS = 300_000;

/**
 * Entries of a manifest that are at or below `path`, a page at a time.
 *
 * @param path Clean; empty for all.
 * @param after Where a page before this one ended.
 * @throws NetError `integrity` when it is no manifest, `not_found` when nothing is at the path.
 */
export async function listFolder(
  manifest: Uint8Array,
  path: string,
  after: FolderCursor | undefined,
  turns: Turns = new Turns(),
): Promise<FolderPage> {
  const reader = new PostcardReader(manifest);
  const head = readDirManifestHead(manifest, reader);
  if ("fault" in head) throw noManifest(head.fault);
  let { index, at } = after ?? { index: 0, at: manifest.length - reader.remaining };
  const entries: DirEntry[] = [];
  let characters = 0;
  for (reader.reset(manifest, at); index < head.count; index++) {
    if (entries.length >= PAGE_ENTRIES || characters >= PAGE_CHARACTERS) break;
    const entry = readDirEntry(reader);
    if (reader.failure !== undefined) throw noManifest(reader.failure);
    at = manifest.length - reader.remaining;
    if (isBelow(entry.path, path)) {
      entries.push(entry);
      characters += entry.path.length + (entry.kind === "symlink" ? entry.target.length : 0);
    }
    if (turns.isOver) await turns.next();
  }
  if (entries.length === 0 && after === undefined && path !== "") throw nothingAt(path);
  return { entries, next: index < head.count ? { index, at } : undefined };
}

/**
 * The reference of a file of a manifest.
 *
 * @throws NetError `integrity` when it is no manifest, `not_found` when nothing is at the path, `usage` when it is no
 * file.
 */
export async function findFile(
  manifest: Uint8Array,
  path: string,
  turns: Turns = new Turns(),
): Promise<FetchableRef> {
  const { entries: [entry] } = await listFolder(manifest, path, undefined, turns);
  if (entry === undefined || entry.path !== path) throw noFile(path, "a folder");
  if (entry.kind !== "file") throw noFile(path, entry.kind === "dir" ? "a folder" : "a link");
  const decoded = decodeBlobRef(entry.blob);
  if (decoded.ok && decoded.ref.kind !== "tree") return decoded.ref;
  throw new NetError("integrity", `Cannot read "${path}": its content is no reference`, {
    next: "ask who made the folder to put it again",
  });
}

function isBelow(entry: string, path: string): boolean {
  return path === "" || entry === path || entry.startsWith(`${path}/`);
}

function noManifest(fault: string): NetError {
  return new NetError("integrity", `Cannot read folder: the blob lists no folder (${fault})`, {
    next: "it may be a file: see net blob stat",
  });
}

function nothingAt(path: string): NetError {
  return new NetError(
    "not_found",
    `Cannot find "${path.slice(0, 200)}": the folder has no such path`,
    {
      next: "see what it has with net blob ls TARGET/",
    },
  );
}

function noFile(path: string, what: string): NetError {
  return new NetError(
    "usage",
    `Cannot read "${path.slice(0, 200)}": it is ${what}, must be a file`,
    {
      next: "see what is in the folder with net blob ls TARGET/",
    },
  );
}
