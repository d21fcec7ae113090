/**
 * Methods that read and mend blobs of every form; all of them privileged.
 *
 * Bytes that are read go to a socket of the caller's, who listens on it: so nothing of a blob passes through
 * the lines of the control surface, and a slow reader slows the read down.
 */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import {
  type BlobRepairReport,
  type BlobSink,
  formatAddress,
  parseBlobTarget,
} from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import { measureBlobs } from "../../services/mod.ts";

const TARGET = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000));
const SOCKET = v.pipe(v.string(), v.startsWith("/"), v.maxLength(107));
const RANGE = v.pipe(v.string(), v.maxLength(64));
const MIB = 1024 * 1024;

/** The methods. */
export function blobTreeMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.cat",
      access: "privileged",
      summary: "Write a blob, or a range of it, to a socket that the caller listens on",
      isReadOnly: true,
      params: v.object({ target: TARGET, socket: SOCKET, range: v.optional(RANGE) }),
      handle: async ({ target: text, socket, range: rangeText }, context) => {
        const { signal } = context;
        const target = parseBlobTarget(text);
        const range = rangeText === undefined ? undefined : parseRange(rangeText);
        const sink = await openSocketSink(socket);
        const onBytes = (doneBytes: number, totalBytes: number | undefined) =>
          context.progress({
            stage: "cat",
            done_bytes: doneBytes,
            total_bytes: totalBytes ?? null,
          });
        try {
          if (range !== undefined) {
            let size = 0;
            for await (const bytes of node.blobs.readRange(target, range, { signal })) {
              await sink.write(bytes);
              size += bytes.length;
            }
            await sink.commit();
            return { address: null, size };
          }
          const got = await node.blobs.getInto(target, () => Promise.resolve(sink), {
            signal,
            onProgress: ({ doneBytes, totalBytes }) => onBytes(doneBytes, totalBytes),
          });
          return { address: got.address, size: got.size };
        } finally {
          await sink.discard();
        }
      },
    }),
    defineMethod({
      name: "blob.repair",
      access: "privileged",
      summary: "Write lost chunks of a blob again, from parity and then from other nodes",
      isReadOnly: false,
      params: v.object({ target: TARGET }),
      handle: async ({ target }, context) => {
        const { signal } = context;
        const { address, size, report } = await node.blobs.repair(parseBlobTarget(target), {
          signal,
          onBytes: (doneBytes) =>
            context.progress({ stage: "repair", done_bytes: doneBytes, total_bytes: null }),
        });
        return { address: formatAddress(address), size, ...describeRepair(report) };
      },
    }),
    defineMethod({
      name: "blob.bench",
      access: "privileged",
      summary: "Measure puts, gets and codecs on this node's store",
      isReadOnly: false,
      params: v.object({
        size: v.optional(v.pipe(v.number(), v.integer(), v.minValue(MIB), v.maxValue(4096 * MIB))),
      }),
      handle: ({ size }, { signal }) =>
        measureBlobs(node.storage, { sizeBytes: size ?? 256 * MIB, signal }),
    }),
  ];
}

/** Names of the specification (`dataforts.md` 6), and ours behind them. */
function describeRepair(report: BlobRepairReport) {
  return {
    stripes_walked: report.stripesWalked,
    stripes_already_healthy: report.stripesAlreadyHealthy,
    stripes_repaired: report.stripesRepaired,
    chunks_restored: report.chunksRestored,
    stripes_unrecoverable: report.stripesUnrecoverable,
    replicated_stripes_skipped: report.replicatedStripesSkipped,
    replicated_leaves_skipped: report.replicatedLeavesSkipped,
    parity_restored: report.parityRestored,
    chunks_fetched: report.chunksFetched,
    chunks_missing: report.chunksMissing,
  };
}

/** `A-B` with both ends, `A-`, or `-N` for the last N bytes. */
function parseRange(text: string) {
  const [, first, last] = /^(\d{0,17})-(\d{0,17})$/.exec(text) ?? [];
  const isEmpty = first === undefined || last === undefined || (first === "" && last === "");
  if (!isEmpty && first === "") return { last: BigInt(last) };
  if (!isEmpty && last === "") return { start: BigInt(first) };
  if (!isEmpty && BigInt(first) <= BigInt(last)) {
    return { start: BigInt(first), end: BigInt(last) + 1n };
  }
  throw new NetError("usage", `Cannot read range "${text}": must be A-B, A- or -N`, {
    next: "0-99 are the first hundred bytes, -100 the last",
  });
}

async function openSocketSink(path: string): Promise<BlobSink> {
  let connection: Deno.UnixConn;
  try {
    connection = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    throw new NetError("usage", "Cannot give blob: nobody listens on the socket", {
      cause: error,
      next: "listen on it before the call",
    });
  }
  let isOpen = true;
  return {
    keepsBytes: false,
    write: async (bytes) => {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    },
    commit: async () => {
      await connection.closeWrite();
    },
    discard: () => {
      if (isOpen) connection.close();
      isOpen = false;
      return Promise.resolve();
    },
  };
}
