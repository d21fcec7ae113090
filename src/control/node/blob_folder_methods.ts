/** Methods about folders as blobs; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError, toHex } from "../../base/mod.ts";
import {
  type BlobProgress,
  decodeBlobRef,
  type DirEntry,
  encodeBlobRef,
  formatAddress,
  parseAddress,
  parseBlobTarget,
  type SkippedEntry,
} from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import type { GetFolderResult } from "../../services/mod.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";

const TARGET = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000));
const PATH = v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096));
const INNER_PATH = v.optional(v.pipe(v.string(), v.maxLength(4_096)), "");
const CURSOR = v.optional(v.pipe(v.string(), v.regex(/^\d{1,9}:\d{1,9}$/)));

/** The methods about folders. */
export function blobFolderMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.put_folder",
      access: "privileged",
      summary: "Store a folder of this machine as one blob",
      isReadOnly: false,
      params: v.object({
        path: PATH,
        label: v.optional(v.pipe(v.string(), v.maxLength(255))),
        skip_unreadable: v.optional(v.boolean(), false),
      }),
      handle: async ({ path, label, skip_unreadable: skipUnreadable }, context) => {
        const put = await node.folders.put(path, {
          label,
          skipUnreadable,
          signal: context.signal,
          onProgress: folderReporter(context),
        });
        return {
          address: put.stored.address,
          blob_ref: toHex(put.stored.blobRef),
          kind: "directory",
          size: put.bytes,
          files: put.files,
          dirs: put.dirs,
          symlinks: put.symlinks,
          manifest_size: put.stored.size,
          chunks: put.stored.chunkCount,
          seconds: put.seconds,
          skipped: put.skipped.map(describeSkipped),
          skipped_count: put.skippedCount,
        };
      },
    }),
    defineMethod({
      name: "blob.get_folder",
      access: "privileged",
      summary: "Make the folder that a blob lists, from here or from peers",
      isReadOnly: false,
      params: v.object({ target: TARGET, output: PATH, overwrite: v.optional(v.boolean(), false) }),
      handle: async ({ target, output, overwrite }, context) => {
        const got = await node.folders.get(parseBlobTarget(target), {
          output,
          overwrite,
          signal: context.signal,
          onProgress: folderReporter(context),
        });
        return describeGotFolder(got, output);
      },
    }),
    defineMethod({
      name: "blob.folder_list",
      access: "privileged",
      summary: "What is in a folder that is a blob, at or below a path of it",
      isReadOnly: true,
      params: v.object({ target: TARGET, path: INNER_PATH, cursor: CURSOR }),
      handle: async ({ target, path, cursor }, { signal }) => {
        const [index, at] = (cursor ?? "").split(":").map(Number);
        const after = index === undefined || at === undefined ? undefined : { index, at };
        const { entries, next } = await node.folders.list(parseBlobTarget(target), path, {
          after,
          signal,
        });
        return {
          entries: entries.map(describeEntry),
          next: next === undefined ? null : `${next.index}:${next.at}`,
        };
      },
    }),
    defineMethod({
      name: "blob.folder_find",
      access: "privileged",
      summary: "The reference of a file of a folder that is a blob",
      isReadOnly: true,
      params: v.object({
        target: TARGET,
        path: v.pipe(v.string(), v.minLength(1), v.maxLength(4_096)),
      }),
      handle: async ({ target, path }, { signal }) => {
        const ref = await node.folders.find(parseBlobTarget(target), path, { signal });
        return { blob_ref: toHex(encodeBlobRef(ref)), size: ref.size };
      },
    }),
  ];
}

/** What a get of a folder answers. */
export function describeGotFolder(got: GetFolderResult, output: string): object {
  return {
    address: got.address,
    kind: "directory",
    size: got.bytes,
    files: got.files,
    dirs: got.dirs,
    symlinks: got.symlinks,
    seconds: got.seconds,
    local_bytes: got.localBytes,
    from: got.from.map(idToHex),
    output,
  };
}

/** Progress of work on a folder, with its files. */
export function folderReporter(context: CallContext): (progress: BlobProgress) => void {
  return ({ stage, doneBytes, totalBytes, doneFiles, totalFiles }) => {
    context.progress({
      stage,
      done_bytes: doneBytes,
      total_bytes: totalBytes ?? null,
      done_files: doneFiles ?? null,
      total_files: totalFiles ?? null,
    });
  };
}

function describeSkipped({ path, reason }: SkippedEntry): object {
  return { path, reason };
}

function describeEntry(entry: DirEntry): object {
  const { path, kind } = entry;
  if (entry.kind === "symlink") return { path, kind, target: entry.target };
  if (entry.kind === "dir") return { path, kind, mode: entry.mode };
  const decoded = decodeBlobRef(entry.blob);
  if (!decoded.ok || decoded.ref.kind === "tree") {
    throw new NetError(
      "integrity",
      `Cannot list folder: "${path.slice(0, 200)}" has no good reference`,
      {
        next: "ask who made the folder to put it again",
      },
    );
  }
  const { ref } = decoded;
  const hash = ref.kind === "small" ? ref.hash : parseAddress(ref.uri);
  return {
    path,
    kind,
    mode: entry.mode,
    size: ref.size,
    address: hash === undefined ? null : formatAddress(hash),
  };
}
