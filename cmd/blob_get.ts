/** `net blob get`: fetches a blob into a file, or to standard output once it is verified. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { defaultName, parseTarget, showProgress } from "./blob_common.ts";
import {
  type GetFolderFlags,
  getFolderVerb,
  isFolderAsked,
  printGotFolder,
} from "./blob_get_folder.ts";
import { summary } from "./blob_put.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  choiceFlag,
  listFlag,
  oneSpelling,
  SHARED_FLAGS,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { findInFolder, splitFolderTarget } from "./folder_target.ts";
import { formatBytes, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** As in `blob/policy/bandwidth.ts`. */
const CLASSES = ["foreground", "background", "realtime"] as const;

interface BlobGetFlags extends GetFolderFlags {
  readonly output?: string;
  readonly from?: readonly string[];
  readonly class?: typeof CLASSES[number];
  readonly sync?: boolean;
}

/** Piece in which a verified blob is copied to standard output. */
const COPY_BYTES = 256 * 1024;

/** The verb. */
export const blobGetCommand = buildCommand<BlobGetFlags, [string, string?], NetContext>({
  docs: {
    brief: "Fetch a blob into a file or to standard output",
    fullDescription: "Fetches a blob from this node or from whichever peer has it. The file " +
      "appears under its name only when every byte was verified. A folder that this node knows " +
      "as one is made as a folder, as a whole; of one that only peers have, say so with --dir or " +
      "a / behind OUT. Chunks come from several nodes at once and stay here: a get that was " +
      "interrupted goes on from them when it is repeated.\n\n" +
      "EXAMPLES\n  net blob get b3:ADDRESS big.iso\n  net blob get b3:ADDRESS - | tar x\n" +
      "  net blob get b3:ADDRESS big.iso --force\n  net blob get b3:ADDRESS docs/\n" +
      "  net blob get b3:ADDRESS/guide/start.md\n" +
      "  net blob get b3:ADDRESS -o big.iso --from 31a5 --class background",
  },
  parameters: {
    flags: bareRecord({
      force: switchFlag("Replace a file or folder that exists"),
      dir: switchFlag("It is a folder"),
      output: textFlag("OUT", "Same as OUT"),
      from: listFlag("PEER", "Ask only this peer; repeatable"),
      class: choiceFlag(CLASSES, "Whom it makes way for; default: foreground"),
      sync: switchFlag("Answer when the file is on the disk, not only written"),
      ...SHARED_FLAGS,
    }),
    aliases: bareRecord({ o: "output" } as const),
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          placeholder: "TARGET",
          brief: "Address (b3:…) or reference in hex, and /PATH for a file of a folder",
        },
        {
          parse: String,
          placeholder: "OUT",
          brief:
            "File to write, FOLDER/, or - for standard output; default: first digits of TARGET",
          optional: true,
        },
      ],
    },
  },
  async func(flags, targetText, outArgument) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const out = oneSpelling({ OUT: outArgument, "--output": flags.output });
      const { target: text, path: inner } = splitFolderTarget(targetText);
      const target = parseTarget(text);
      if (inner === "" && out !== "-" && isFolderAsked(flags, out)) {
        return await getFolderVerb(this, flags, target, out, { output, signal });
      }
      if (out === "-") {
        if (output.isJson) {
          throw new NetError("usage", "Cannot combine --json and -: both need standard output", {
            next: "name a file instead of -",
          });
        }
        await getToStdout(this, flags, { target, inner }, signal);
        return;
      }
      const name = inner === "" ? defaultName(target) : inner.split("/").at(-1) ?? inner;
      const path = await outputPath(this, name, out, flags.force ?? false);
      const result = await getToFile(this, flags, { target, inner }, path, signal);
      if (result.kind === "directory") return printGotFolder(output, result, path);
      output.result("blob.get", { ...result, output: path }, () => path);
      const from = listOf(result.from).map(textOf).join(", ");
      output.note(`${summary("fetched", result)} from ${from === "" ? "this node" : from}`);
      const localBytes = numberOf(result.local_bytes) ?? 0;
      if (from !== "" && localBytes > 0) {
        output.note(`resumed: ${formatBytes(localBytes)} were here before`);
      }
    });
  },
});

/** What is to be got. */
interface Wanted {
  readonly target: string;
  /** Path of a file in it, if it is a folder; empty for all of it. */
  readonly inner: string;
  /** Just the bytes, whatever they are. */
  readonly isRaw?: boolean;
}

async function getToFile(
  context: NetContext,
  flags: BlobGetFlags,
  wanted: Wanted,
  path: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const node = await connectOrOpen(context, flags, signal);
  const label = `get ${wanted.inner || defaultName(wanted.target)}`;
  const { progress, onProgress } = showProgress(context, label, flags.quiet ?? false);
  try {
    const target = await findInFolder(node, wanted.target, wanted.inner, signal);
    const raw = wanted.isRaw ? { raw: true } : {};
    const ways = {
      ...(flags.from === undefined ? {} : { from: flags.from }),
      ...(flags.class === undefined ? {} : { class: flags.class }),
      ...(flags.sync === true ? { sync: true } : {}),
    };
    const params = { target, output: path, overwrite: flags.force ?? false, ...raw, ...ways };
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
  wanted: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-get-" });
  try {
    const path = `${folder}/blob`;
    await getToFile(context, flags, { ...wanted, isRaw: true }, path, signal);
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
  name: string,
  out: string | undefined,
  isForced: boolean,
): Promise<string> {
  let path = absolutePath(out ?? name, context.io.cwd);
  let info = await statOrNothing(path);
  if (info?.isDirectory) {
    path = `${path}/${name}`;
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
