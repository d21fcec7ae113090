/** `net blob export` and `net blob import`: blobs to and from folders that other programs use. */
import { buildCommand } from "@stricli/core";
import { ERROR_FACES } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { parseTarget, showProgress } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import {
  formatBytes,
  formatCount,
  formatCounted,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { runVerb } from "./verb.ts";

interface ExchangeFlags extends SharedFlags {
  readonly format?: "plain" | "redex";
}

const FORMAT_FLAG = {
  kind: "enum",
  values: ["plain", "redex"],
  optional: true,
  brief:
    "Layout: plain files, or the store of the Rust core; default: what the folder has, or plain",
} as const;

/** Names that are shown to people; `--json` has more. */
const SHOWN_MAX = 100;

/** `net blob export`. */
export const blobExportCommand = buildCommand<ExchangeFlags, string[], NetContext>({
  docs: {
    brief: "Write blobs to a folder of chunks",
    fullDescription:
      "Writes the chunks of blobs to a folder, one file or log for each, with a note of what they " +
      "belong to. Without a target it writes every blob of this node. The folder can be imported " +
      "elsewhere; with --format redex the Rust core uses it as its store.\n\n" +
      "EXAMPLES\n  net blob export backup/ b3:ADDRESS\n  net blob export backup/\n" +
      "  net blob export --format redex core-data/ b3:ADDRESS",
  },
  parameters: {
    flags: bareRecord({ format: FORMAT_FLAG, ...SHARED_FLAGS }),
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "DIR [TARGET...]",
        brief: "Folder to write to, then addresses (b3:…) or references in hex",
      },
      minimum: 1,
    },
  },
  async func(flags, dir = "", ...targets) {
    await exchange(this, flags, "export", dir, targets);
  },
});

/** `net blob import`. */
export const blobImportCommand = buildCommand<ExchangeFlags, string[], NetContext>({
  docs: {
    brief: "Take blobs out of a folder of chunks",
    fullDescription:
      "Takes blobs out of a folder that net blob export or the Rust core wrote; every " +
      "chunk is checked. Without a target it takes every blob that the folder has a note of; where " +
      "it has none, give references, or each chunk becomes a blob of its own.\n\n" +
      "EXAMPLES\n  net blob import backup/\n  net blob import core-data/ REFERENCE",
  },
  parameters: {
    flags: bareRecord({ format: FORMAT_FLAG, ...SHARED_FLAGS }),
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "DIR [TARGET...]",
        brief: "Folder to read, then addresses (b3:…) or references in hex",
      },
      minimum: 1,
    },
  },
  async func(flags, dir = "", ...targets) {
    await exchange(this, flags, "import", dir, targets);
  },
});

async function exchange(
  context: NetContext,
  flags: ExchangeFlags,
  way: "export" | "import",
  dir: string,
  targets: readonly string[],
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const params = {
      path: absolutePath(dir, context.io.cwd),
      ...(targets.length === 0 ? {} : { targets: targets.map(parseTarget) }),
      ...(flags.format === undefined ? {} : { format: flags.format }),
    };
    const node = await connectOrOpen(context, flags, signal);
    const { progress, onProgress } = showProgress(context, way, output.isQuiet);
    try {
      const result = recordOf(await node.call(`blob.${way}`, params, { signal, onProgress }));
      progress.end();
      output.result(`blob.${way}`, result, () => blobsText(result));
      const count = numberOf(result.count) ?? 0;
      const bytes = formatBytes(numberOf(result.bytes) ?? 0);
      output.note(`${way}ed ${formatCounted(count, "blob")}, ${bytes}`);
      const failed = listOf(result.failed).map(recordOf);
      for (const failure of failed.slice(0, SHOWN_MAX)) {
        output.note(`${textOf(failure.target).slice(0, 80)}: ${textOf(failure.message)}`);
      }
      return failed.length > 0 ? ERROR_FACES.integrity.exit : 0;
    } finally {
      progress.end();
      await node.close();
    }
  });
}

function blobsText(result: Readonly<Record<string, unknown>>): string {
  const blobs = listOf(result.blobs).map(recordOf);
  const lines = blobs.slice(0, SHOWN_MAX).map(({ address }) => textOf(address));
  if (blobs.length > SHOWN_MAX) lines.push(`… and ${formatCount(blobs.length - SHOWN_MAX)} more`);
  return lines.length === 0 ? "no blobs" : lines.join("\n");
}
