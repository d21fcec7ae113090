/** Methods about blobs to and from folders that other programs use; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { toHex } from "../../base/mod.ts";
import type { Node } from "../../node.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";

const TARGETS = v.optional(
  v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000))), v.maxLength(1_000)),
);
const PATH = v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096));
const FORMAT = v.optional(v.picklist(["plain", "redex"]));

/** Blobs that an answer names; the others are counted. */
const NAMED_MAX = 1_000;

/** The methods about exports and imports. */
export function blobExchangeMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.export",
      access: "privileged",
      summary: "Write blobs of this node to a folder of chunks",
      isReadOnly: false,
      params: v.object({ path: PATH, targets: TARGETS, format: FORMAT }),
      handle: async ({ path, targets, format }, context) => {
        const done = await node.exchange.export(path, targets, {
          format,
          signal: context.signal,
          onBytes: reporter("export", context),
        });
        const sum = (of: "chunks" | "bytes" | "present") =>
          done.exported.reduce((all, blob) => all + blob[of], 0);
        return {
          path,
          format: done.format,
          count: done.exported.length,
          chunks: sum("chunks"),
          bytes: sum("bytes"),
          present: sum("present"),
          blobs: done.exported.slice(0, NAMED_MAX).map((blob) => ({
            address: blob.address,
            blob_ref: toHex(blob.blobRef),
            chunks: blob.chunks,
            bytes: blob.bytes,
          })),
        };
      },
    }),
    defineMethod({
      name: "blob.import",
      access: "privileged",
      summary: "Take blobs out of a folder of chunks",
      isReadOnly: false,
      params: v.object({ path: PATH, targets: TARGETS, format: FORMAT }),
      handle: async ({ path, targets, format }, context) => {
        const { stored, failures, format: found } = await node.exchange.import(path, targets, {
          format,
          signal: context.signal,
          onBytes: reporter("import", context),
        });
        return {
          path,
          format: found,
          count: stored.length,
          bytes: stored.reduce((all, { size }) => all + size, 0),
          blobs: stored.slice(0, NAMED_MAX).map((blob) => ({
            address: blob.address,
            blob_ref: toHex(blob.blobRef),
            size: blob.size,
            chunks: blob.chunkCount,
          })),
          failed: failures.map(({ target, error }) => ({
            target,
            code: error.code,
            message: error.message,
          })),
        };
      },
    }),
  ];
}

function reporter(stage: string, context: CallContext): (doneBytes: number) => void {
  return (doneBytes) => context.progress({ stage, done_bytes: doneBytes, total_bytes: null });
}
