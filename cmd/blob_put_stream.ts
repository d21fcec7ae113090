/**
 * Bytes of a pipe, a device or standard input to the node, piece by piece, in a way that can be gone on with: the
 * node keeps what came behind its last checkpoint under a token.
 */
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { numberOf, recordOf, textOf } from "./format.ts";

/** Largest piece; its base64 fits the 1 MiB line of the control socket. */
const PIECE_BYTES = 512 * 1024;

/** Options of {@linkcode putStream}. */
export interface PutStreamOptions {
  /** Token of an upload to go on with: the stream is given again from its start. */
  readonly resume?: string;
  readonly signal: AbortSignal;
  readonly onBytes: (doneBytes: number) => void;
}

/**
 * Puts a stream.
 *
 * @param put File: `-` for standard input, else the path of a pipe or device. Form: what the call that begins takes.
 * @throws NetError as the node does; when it was interrupted, `next` says how to go on.
 */
export async function putStream(
  context: NetContext,
  node: NodeCaller,
  { file, form }: { readonly file: string; readonly form: Readonly<Record<string, unknown>> },
  options: PutStreamOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const { resume, signal, onBytes } = options;
  const startMs = context.io.now();
  const begun = recordOf(
    resume === undefined
      ? await node.call("blob.staging_begin", form, { signal })
      : await node.call("blob.staging_resume", { staging: resume }, { signal }),
  );
  const staging = textOf(begun.staging);
  const startBytes = numberOf(begun.offset) ?? 0;
  const source = file === "-" ? undefined : await Deno.open(absolutePath(file, context.io.cwd));
  const piece = new Uint8Array(PIECE_BYTES);
  let doneBytes = 0;
  /** Fills the piece up to a place in the stream; its length, 0 at the end. */
  const fill = async (most: number): Promise<number> => {
    let length = 0;
    while (length < most) {
      const rest = piece.subarray(length, most);
      const count = await (source?.read(rest) ?? context.io.readStdin(rest));
      if (count === null) break;
      length += count;
    }
    signal.throwIfAborted();
    return length;
  };
  try {
    while (doneBytes < startBytes) {
      const length = await fill(Math.min(PIECE_BYTES, startBytes - doneBytes));
      if (length === 0) throw tooShort(staging, startBytes, doneBytes);
      onBytes(doneBytes += length);
    }
    for (let length = await fill(PIECE_BYTES); length > 0; length = await fill(PIECE_BYTES)) {
      const data = piece.subarray(0, length).toBase64();
      await node.call("blob.staging_append", { staging, data, offset: doneBytes }, { signal });
      onBytes(doneBytes += length);
    }
    const result = await node.call("blob.staging_finalize", { staging }, { signal });
    // All of it was read and sent here, and not only what the node counts since it last began.
    const seconds = (context.io.now() - startMs) / 1_000;
    return { ...recordOf(result), seconds, resumed_bytes: startBytes };
  } catch (error) {
    // What cannot be gone on with is dropped: nothing behind the first checkpoint, or no room for it.
    const isInterrupted = signal.aborted && doneBytes >= STAGED_BYTES_MIN;
    if (resume === undefined && !isInterrupted) {
      await node.call("blob.staging_abort", { staging }).catch(() => {});
    } else context.io.writeErr(`staged: go on with net blob put - --resume ${staging}\n`);
    throw error;
  } finally {
    source?.close();
  }
}

/** Less than a checkpoint is quicker sent again. */
const STAGED_BYTES_MIN = 64 * 1024 * 1024;

function tooShort(staging: string, needed: number, got: number): NetError {
  return new NetError(
    "usage",
    `Cannot go on with upload: the stream has ${got} bytes, the upload has ${needed} already`,
    {
      next:
        `give the same stream from its start, or drop it with net blob staging abort ${staging}`,
    },
  );
}
