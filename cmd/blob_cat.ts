/** `net blob cat`: a blob, or a range of it, on standard output while it comes. */
import { buildCommand } from "@stricli/core";
import { concatBytes, NetError } from "../src/base/mod.ts";
import { parseTarget } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { findInFolder, splitFolderTarget } from "./folder_target.ts";
import { recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface BlobCatFlags extends SharedFlags {
  readonly range?: string;
}

/** Piece in which bytes are handed on. */
const PIECE_BYTES = 256 * 1024;

/** Bytes that one JSON document holds, as base64. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

/** The verb. */
export const blobCatCommand = buildCommand<BlobCatFlags, [string], NetContext>({
  docs: {
    brief: "Write a blob, or a range of it, to standard output as it comes",
    fullDescription:
      "Writes a blob to standard output while it comes from this node or its peers. " +
      "Every chunk is verified before any of its bytes is written; that the whole is right is known " +
      "at the end only, and told by the exit code. net blob get TARGET - verifies all of it first. " +
      "With --json up to 16 MiB come as base64 in one document.\n\n" +
      "EXAMPLES\n  net blob cat b3:ADDRESS | tar x\n  net blob cat b3:ADDRESS --range 0-1023\n" +
      "  net blob cat b3:ADDRESS --range -100\n  net blob cat b3:ADDRESS/guide/start.md",
  },
  parameters: {
    flags: bareRecord({
      range: textFlag("A-B", "First and last byte, counted from 0; A- to the end, -N the last N"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          placeholder: "TARGET",
          brief: "Address (b3:…) or reference in hex, and /PATH for a file of a folder",
        },
      ],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const { target: text, path: inner } = splitFolderTarget(targetText);
      const named = parseTarget(text);
      const node = await connectOrOpen(this, flags, signal);
      const folder = await Deno.makeTempDir({ prefix: "net-cat-" });
      try {
        const target = await findInFolder(node, named, inner, signal);
        const socket = `${folder}/out`;
        using listener = Deno.listen({ transport: "unix", path: socket });
        const range = flags.range === undefined ? {} : { range: flags.range };
        const abort = new AbortController();
        const call = node.call("blob.cat", { target, socket, ...range }, {
          signal: AbortSignal.any([signal, abort.signal]),
        });
        const gathered = new Gathered();
        const write = output.isJson
          ? (piece: Uint8Array) => gathered.add(piece)
          : (piece: Uint8Array) => this.io.writeOutBytes(piece);
        const copy = copyOut(listener, write, signal).catch((error: unknown) => {
          // Nobody reads any more: the node need not go on.
          abort.abort(error);
          throw error;
        });
        // A call that fails may never have connected.
        call.catch(() => listener.close());
        const [called, copied] = await Promise.allSettled([call, copy]);
        if (copied.status === "rejected" && called.status === "fulfilled") throw copied.reason;
        if (called.status === "rejected") {
          throw abort.signal.aborted ? abort.signal.reason : called.reason;
        }
        if (output.isJson) {
          const data = gathered.bytes().toBase64();
          output.result("blob.cat", { ...recordOf(called.value), data }, () => "");
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
        await node.close();
      }
    });
  },
});

/** Bytes for one document. */
class Gathered {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  add(piece: Uint8Array): Promise<void> {
    this.#length += piece.length;
    if (this.#length > DOCUMENT_BYTES_MAX) {
      const error = new NetError(
        "limit",
        `Cannot print blob: it has more than the ${DOCUMENT_BYTES_MAX} bytes of one document`,
        { next: "ask for a --range, leave --json out, or use net blob get" },
      );
      return Promise.reject(error);
    }
    this.#pieces.push(piece.slice());
    return Promise.resolve();
  }

  bytes(): Uint8Array {
    return concatBytes(...this.#pieces);
  }
}

async function copyOut(
  listener: Deno.UnixListener,
  write: (piece: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let connection: Deno.UnixConn;
  try {
    connection = await listener.accept();
  } catch {
    // The call failed before it had anything to give; it says why.
    return;
  }
  using _connection = connection;
  const piece = new Uint8Array(PIECE_BYTES);
  for (;;) {
    const count = await connection.read(piece);
    if (count === null) return;
    signal.throwIfAborted();
    await write(piece.subarray(0, count));
  }
}
