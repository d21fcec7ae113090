/** `net blob cat`: a blob, or a range of it, on standard output while it comes. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseTarget } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { runVerb } from "./verb.ts";

interface BlobCatFlags extends SharedFlags {
  readonly range?: string;
}

/** Piece in which bytes are handed on. */
const PIECE_BYTES = 256 * 1024;

/** The verb. */
export const blobCatCommand = buildCommand<BlobCatFlags, [string], NetContext>({
  docs: {
    brief: "Write a blob, or a range of it, to standard output as it comes",
    fullDescription:
      "Writes a blob to standard output while it comes from this node or its peers. " +
      "Every chunk is verified before any of its bytes is written; that the whole is right is known " +
      "at the end only, and told by the exit code. net blob get TARGET - verifies all of it first.\n\n" +
      "EXAMPLES\n  net blob cat b3:ADDRESS | tar x\n  net blob cat b3:ADDRESS --range 0-1023\n" +
      "  net blob cat b3:ADDRESS --range -100",
  },
  parameters: {
    flags: bareRecord({
      range: textFlag("A-B", "First and last byte, counted from 0; A- to the end, -N the last N"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TARGET", brief: "Address (b3:…) or blob reference in hex" },
      ],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      if (output.isJson) {
        throw new NetError("usage", "Cannot use --json: standard output is for the blob", {
          next: "see net blob stat, or write to a file with net blob get",
        });
      }
      const node = await connectOrOpen(this, flags, signal);
      const folder = await Deno.makeTempDir({ prefix: "net-cat-" });
      try {
        const socket = `${folder}/out`;
        using listener = Deno.listen({ transport: "unix", path: socket });
        const range = flags.range === undefined ? {} : { range: flags.range };
        const abort = new AbortController();
        const call = node.call("blob.cat", { target, socket, ...range }, {
          signal: AbortSignal.any([signal, abort.signal]),
        });
        const copy = copyOut(this, listener, signal).catch((error: unknown) => {
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
      } finally {
        await Deno.remove(folder, { recursive: true });
        await node.close();
      }
    });
  },
});

async function copyOut(
  context: NetContext,
  listener: Deno.UnixListener,
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
    await context.io.writeOutBytes(piece.subarray(0, count));
  }
}
