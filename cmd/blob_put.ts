/** `net blob put`: stores a file, a folder or standard input, and prints its address. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { showProgress } from "./blob_common.ts";
import { FORM_FLAGS, type FormFlags, formParams, requirePlain } from "./blob_form.ts";
import {
  DURABILITY_FLAGS,
  type DurabilityFlags,
  readDurability,
  receiptText,
  replicate,
} from "./blob_durability.ts";
import { folderSummary, noteSkipped, putFolder } from "./blob_put_folder.ts";
import { putStream } from "./blob_put_stream.ts";
import { parseStaging } from "./blob_staging.ts";
import { connectNode, connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { formatBytes, formatDuration, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** As the node takes it. */
const LABEL_MAX = 255;

/** Values of its flags. */
interface PutFlags extends SharedFlags, DurabilityFlags, FormFlags {
  readonly skipUnreadable?: boolean;
  readonly resume?: string;
  readonly label?: string;
}

/** The verb. */
export const blobPutCommand = buildCommand<PutFlags, [string], NetContext>({
  docs: {
    brief: "Store a file or a folder and print its address",
    fullDescription: "Stores a file and prints its address. With - the bytes come from standard " +
      "input. A folder is stored with all its files, folders and links; what cannot be read stops " +
      "it, or is left out with --skip-unreadable. Without a running node the blob is stored in " +
      "the data folder, and is offered to others once a node runs. A large file that was " +
      "interrupted goes on when it is put again, a stream with --resume. With --replicas N it " +
      "ends when N other nodes hold every chunk too, and the nodes see to that number from then " +
      "on. With --cdc or --ec the blob is a tree; so is everything above 16 GiB.\n\n" +
      "EXAMPLES\n  net blob put big.iso\n  net blob put docs\n  tar c docs | net blob put -\n" +
      "  net blob put big.iso --replicas 2 --wait 5m\n" +
      "  net blob put big.iso --cdc --ec 10+4\n  net blob put big.iso --label 'winter release' --json",
  },
  parameters: {
    flags: bareRecord({
      skipUnreadable: switchFlag("Of a folder: leave out what cannot be stored, and list it"),
      ...FORM_FLAGS,
      label: textFlag("TEXT", "What net blob ls shows beside the address"),
      resume: textFlag("STAGING", "Go on with an interrupted stream, given from its start again"),
      ...DURABILITY_FLAGS,
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        placeholder: "FILE",
        brief: "File or folder to store; - is standard input",
      }],
    },
  },
  async func(flags, file) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const { isSynced, peers, waitMs } = readDurability(flags);
      const form = formParams(flags);
      const label = labelParam(flags.label);
      const kind = await kindOf(this, file);
      if (kind === "folder") requirePlain(form);
      // Without a node there is nobody who could take a copy.
      const open = peers > 0 ? connectNode : connectOrOpen;
      const node = await open(this, flags, signal);
      const name = file === "-" ? "put" : `put ${file.replace(/\/+$/, "").split("/").at(-1)}`;
      const { progress, onProgress } = showProgress(this, name, output.isQuiet);
      const onBytes = (bytes: number) => progress.update(bytes, undefined);
      try {
        const result = recordOf(
          kind === "stream"
            ? await putStream(this, node, { file, form: { ...form, ...label } }, {
              resume: flags.resume === undefined ? undefined : parseStaging(flags.resume),
              signal,
              onBytes,
            })
            : kind === "folder"
            ? await putFolder(this, node, file, { ...flags, ...label }, { signal, onProgress })
            : await node.call("blob.put", {
              path: absolutePath(file, this.io.cwd),
              ...form,
              ...label,
              ...isSynced ? {} : { synced: false },
            }, { signal, onProgress }),
        );
        progress.end();
        const target = textOf(result.address);
        const options = { waitMs, signal, isQuiet: output.isQuiet };
        const receipt = peers > 0
          ? await replicate(this, node, { target, copies: peers }, options)
          : undefined;
        const told = receipt === undefined ? result : { ...result, receipt };
        output.result("blob.put", told, () => target);
        output.note((kind === "folder" ? folderSummary : summary)("stored", result));
        const resumed = numberOf(result.resumed_bytes) ?? 0;
        if (resumed > 0) output.note(`resumed: ${formatBytes(resumed)} were stored before`);
        for (const warning of listOf(result.warnings)) output.warn(textOf(warning));
        noteSkipped(output, result);
        if (receipt !== undefined) output.note(receiptText(receipt));
      } finally {
        progress.end();
        await node.close();
      }
    });
  },
});

function labelParam(label: string | undefined): { readonly label?: string } {
  if (label === undefined) return {};
  if (label.length <= LABEL_MAX) return { label };
  throw new NetError(
    "usage",
    `Cannot use --label: it has ${label.length} characters, must have ${LABEL_MAX} at most`,
    { next: "write a shorter one" },
  );
}

/** One line about a finished transfer. */
export function summary(verb: string, result: Readonly<Record<string, unknown>>): string {
  const size = numberOf(result.size) ?? 0;
  const seconds = numberOf(result.seconds) ?? 0;
  const rate = seconds > 0 ? `, ${formatBytes(size / seconds)}/s` : "";
  return `${verb} ${formatBytes(size)} in ${formatDuration(seconds * 1000)}${rate}`;
}

/** The node opens files and folders by itself; pipes and devices belong to this process. */
async function kindOf(context: NetContext, file: string): Promise<"file" | "folder" | "stream"> {
  if (file === "-") return "stream";
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(absolutePath(file, context.io.cwd));
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    throw new NetError(
      isAbsent ? "not_found" : "not_allowed",
      `Cannot read file "${file}": ${isAbsent ? "no such file" : "permission denied"}`,
      { cause: error, next: "check the path" },
    );
  }
  if (info.isDirectory) return "folder";
  return info.isFile ? "file" : "stream";
}
