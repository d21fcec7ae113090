/** `net blob get`: fetches a blob into a file, or to standard output once it is verified. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { defaultName, parseTarget, showProgress } from "./blob_common.ts";
import { summary } from "./blob_put.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { listOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface BlobGetFlags extends SharedFlags {
  readonly force?: boolean;
}

/** Piece in which a verified blob is copied to standard output. */
const COPY_BYTES = 256 * 1024;

/** The verb. */
export const blobGetCommand = buildCommand<BlobGetFlags, [string, string?], NetContext>({
  docs: {
    brief: "Fetch a blob into a file or to standard output",
    fullDescription: "Fetches a blob from this node or from whichever peer has it. The file " +
      "appears under its name only when every byte was verified.\n\n" +
      "EXAMPLES\n  net blob get b3:ADDRESS big.iso\n  net blob get b3:ADDRESS - | tar x\n" +
      "  net blob get b3:ADDRESS big.iso --force",
  },
  parameters: {
    flags: bareRecord({
      force: switchFlag("Replace a file that exists"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TARGET", brief: "Address (b3:…) or blob reference in hex" },
        {
          parse: String,
          placeholder: "OUT",
          brief: "File to write, - for standard output; default: first 12 digits of TARGET",
          optional: true,
        },
      ],
    },
  },
  async func(flags, targetText, out) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      if (out === "-") {
        if (output.isJson) {
          throw new NetError("usage", "Cannot combine --json and -: both need standard output", {
            next: "name a file instead of -",
          });
        }
        await getToStdout(this, flags, target, signal);
        return;
      }
      const path = await outputPath(this, target, out, flags.force ?? false);
      const result = await getToFile(this, flags, target, path, signal);
      output.result("blob.get", { ...result, output: path }, () => path);
      const from = listOf(result.from).map(textOf).join(", ");
      output.note(`${summary("fetched", result)}${from === "" ? "" : ` from ${from}`}`);
    });
  },
});

async function getToFile(
  context: NetContext,
  flags: BlobGetFlags,
  target: string,
  path: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const node = await connectOrOpen(context, flags, signal);
  const label = `get ${defaultName(target)}`;
  const { progress, onProgress } = showProgress(context, label, flags.quiet ?? false);
  try {
    const params = { target, output: path, overwrite: flags.force ?? false };
    return recordOf(await node.call("blob.get", params, { signal, onProgress }));
  } finally {
    progress.end();
    await node.close();
  }
}

/** Through a private folder, so that nothing unverified ever leaves. */
async function getToStdout(
  context: NetContext,
  flags: BlobGetFlags,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-get-" });
  try {
    const path = `${folder}/blob`;
    await getToFile(context, flags, target, path, signal);
    using file = await Deno.open(path);
    const piece = new Uint8Array(COPY_BYTES);
    for (let count = await file.read(piece); count !== null; count = await file.read(piece)) {
      signal.throwIfAborted();
      await context.io.writeOutBytes(piece.subarray(0, count));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function outputPath(
  context: NetContext,
  target: string,
  out: string | undefined,
  isForced: boolean,
): Promise<string> {
  let path = absolutePath(out ?? defaultName(target), context.io.cwd);
  let info = await statOrNothing(path);
  if (info?.isDirectory) {
    path = `${path}/${defaultName(target)}`;
    info = await statOrNothing(path);
  }
  if (info === undefined) return path;
  if (!info.isFile) {
    throw new NetError("usage", `Cannot write "${path}": it is not a regular file`, {
      next: "use - to write to standard output",
    });
  }
  if (isForced) return path;
  throw new NetError("conflict", `Cannot write "${path}": the file exists`, {
    next: "choose another name, or replace it with --force",
  });
}

async function statOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch {
    // Whether it can be created is for the node to say.
    return undefined;
  }
}
