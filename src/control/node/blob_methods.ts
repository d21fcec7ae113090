/**
 * Methods about blobs; all of them privileged.
 *
 * Files are named by absolute path and read and written by this process, whose user the caller is;
 * bytes without a file come in pieces.
 */
import * as v from "../../schema/mod.ts";
import { idToHex, toHex } from "../../base/mod.ts";
import {
  BANDWIDTH_CLASSES,
  type BlobProgress,
  type BlobRef,
  formatAddress,
  formatEncoding,
  parseBlobTarget,
} from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import type { PutResult } from "../../services/mod.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";
import { resolvePeer } from "./peer_ref.ts";
import { describeGotFolder, folderReporter } from "./blob_folder_methods.ts";

const TARGET = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000));
const PEER = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const PEERS_MAX = 64;
const PATH = v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096));
const UPLOAD = v.pipe(v.string(), v.uuid());
/** 512 KiB as base64: fits the 1 MiB line. */
const PIECE_TEXT_MAX = 700_000;
/** How a put is cut and protected, in words. */
export const FORM_WORDS = {
  cdc: v.optional(v.boolean()),
  ec: v.optional(v.pipe(v.string(), v.maxLength(16))),
};

/** The methods about blobs. */
export function blobMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.put",
      access: "privileged",
      summary: "Store a file of this machine as a blob",
      isReadOnly: false,
      params: v.object({
        path: PATH,
        label: v.optional(v.pipe(v.string(), v.maxLength(255))),
        synced: v.optional(v.boolean(), true),
        ...FORM_WORDS,
      }),
      handle: async ({ path, label, synced, cdc, ec }, context) => {
        const { signal } = context;
        const put = await node.blobs.putFile(path, {
          label,
          isSynced: synced,
          form: node.blobs.putForm({ cdc, ec }),
          signal,
          onProgress: reporter(context),
        });
        return { ...describePut(put), resumed_bytes: put.resumedBytes };
      },
    }),
    defineMethod({
      name: "blob.get",
      access: "privileged",
      summary: "Write a blob to a file of this machine, from here or from peers",
      isReadOnly: false,
      params: v.object({
        target: TARGET,
        output: PATH,
        overwrite: v.optional(v.boolean(), false),
        /** True answers when the file is on the disk; a folder always is. */
        sync: v.optional(v.boolean(), false),
        /** True tells the address of what was asked for by its reference, which takes another hash of every byte. */
        named: v.optional(v.boolean(), false),
        /** True gives the list of a folder as a file. */
        raw: v.optional(v.boolean(), false),
        /** Only these peers are asked. */
        from: v.optional(v.pipe(v.array(PEER), v.minLength(1), v.maxLength(PEERS_MAX))),
        class: v.optional(v.picklist(BANDWIDTH_CLASSES)),
      }),
      handle: async (params, context) => {
        const { target: text, output, overwrite, sync, named, raw, from } = params;
        const target = parseBlobTarget(text);
        if (!raw && await node.folders.isFolder(target)) {
          const { signal } = context;
          const onProgress = folderReporter(context);
          return describeGotFolder(
            await node.folders.get(target, { output, overwrite, signal, onProgress }),
            output,
          );
        }
        const got = await node.blobs.get(target, {
          output,
          overwrite,
          isSynced: sync,
          from: from?.map((peer) => resolvePeer(node, peer, "Cannot get from")),
          bandwidthClass: params.class,
          isNamed: named,
          signal: context.signal,
          onProgress: reporter(context),
        });
        return {
          address: got.address ?? null,
          size: got.size,
          seconds: got.seconds,
          from: got.from.map(idToHex),
          local_bytes: got.localBytes,
          output,
        };
      },
    }),
    ...uploadMethods(node),
  ];
}

function uploadMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.upload_begin",
      access: "privileged",
      summary: "Begin a blob that comes in pieces",
      isReadOnly: false,
      params: v.object(FORM_WORDS),
      handle: (words) => ({ upload: node.blobs.uploads.begin(node.blobs.putForm(words)) }),
    }),
    defineMethod({
      name: "blob.upload_append",
      access: "privileged",
      summary: "Add a piece, base64, at most 512 KiB",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({
        upload: UPLOAD,
        data: v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX), v.base64()),
      }),
      handle: async ({ upload, data }) => {
        const piece = Uint8Array.fromBase64(data);
        await node.blobs.uploads.append(upload, piece);
        return { taken: piece.length };
      },
    }),
    defineMethod({
      name: "blob.upload_finish",
      access: "privileged",
      summary: "End a blob that came in pieces",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({ upload: UPLOAD }),
      handle: async ({ upload }) => describePut(await node.blobs.finishUpload(upload)),
    }),
    defineMethod({
      name: "blob.upload_abort",
      access: "privileged",
      summary: "Drop a blob that came in pieces",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({ upload: UPLOAD }),
      handle: async ({ upload }) => ({ aborted: await node.blobs.uploads.abort(upload) }),
    }),
  ];
}

function reporter(context: CallContext): (progress: BlobProgress) => void {
  return ({ stage, doneBytes, totalBytes }) => {
    context.progress({ stage, done_bytes: doneBytes, total_bytes: totalBytes ?? null });
  };
}

/** What a put of one file or stream answers. */
export function describePut({ stored, seconds }: PutResult): object {
  return {
    address: stored.address,
    blob_ref: toHex(stored.blobRef),
    size: stored.size,
    chunks: stored.chunkCount,
    ...describeForm(stored.ref),
    seconds,
    warnings: warningsOf(stored),
  };
}

function warningsOf({ lostParity }: PutResult["stored"]): readonly string[] {
  if (lostParity === undefined) return [];
  const code = formatEncoding(lostParity);
  return [
    `its parity ${code} is gone: the same bytes were stored with it before; ` +
    `to have it again, put them with --ec ${code}`,
  ];
}

/** What the reference is, and of a tree its root and what protects it. */
function describeForm(ref: BlobRef): object {
  if (ref.kind !== "tree") return { kind: ref.kind };
  const { kind, rootHash, depth, encoding } = ref;
  return { kind, root: formatAddress(rootHash), depth, ec: formatEncoding(encoding) };
}
