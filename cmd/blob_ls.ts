/** `net blob ls`: lists the blobs that this node holds. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { timeText } from "./blob_common.ts";
import { listFolderVerb } from "./blob_ls_folder.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  choiceFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { formatBytes, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time one page has. */
const ANSWER_MS = 30_000;

/** Blobs of one listing; more than anyone reads, and a bound against a node that never ends. */
const BLOBS_MAX = 1_000_000;

interface BlobLsFlags extends SharedFlags {
  readonly kind?: "blob" | "directory";
  readonly origin?: "put" | "fetched" | "replica" | "cached";
  readonly label?: string;
  readonly pinned?: boolean;
  readonly chunks?: boolean;
  readonly limit?: string;
}

/** The verb. */
export const blobLsCommand = buildCommand<BlobLsFlags, [string?], NetContext>({
  docs: {
    brief: "List the blobs that this node holds",
    fullDescription:
      "Lists the blobs that this node holds, the newest first: all, or those whose address begins " +
      "with some digits, of one kind or origin, with one label. With --chunks it is the chunks, by " +
      "their hash, whatever refers to them. With a / behind the address of a folder it is what is in " +
      "the folder, here or at a peer.\n\n" +
      "EXAMPLES\n  net blob ls\n  net blob ls 0a3f --json\n  net blob ls --kind directory\n" +
      "  net blob ls --origin cached --limit 20\n  net blob ls --chunks\n" +
      "  net blob ls b3:ADDRESS/\n  net blob ls b3:ADDRESS/docs",
  },
  parameters: {
    flags: bareRecord({
      kind: choiceFlag(["blob", "directory"], "Only blobs, or only directories"),
      origin: choiceFlag(["put", "fetched", "replica", "cached"], "Only what came here this way"),
      label: textFlag("TEXT", "Only with this label"),
      pinned: switchFlag("Only what is pinned"),
      chunks: switchFlag("List chunks instead of blobs"),
      limit: textFlag("N", "Most to list"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        placeholder: "PREFIX",
        brief: "First digits of the address or the hash, or a folder: b3:…/ or b3:…/PATH",
        optional: true,
      }],
    },
  },
  async func(flags, prefix) {
    await runVerb(this, flags, async ({ output, signal }) => {
      if (prefix?.includes("/")) {
        return await listFolderVerb(this, flags, prefix, { output, signal });
      }
      const limit = readLimit(flags.limit);
      const filter = readFilter(flags, prefix);
      const what = flags.chunks === true ? "chunks" : "blobs";
      const method = flags.chunks === true ? "blob.chunks" : "blob.list";
      const node = await connectOrOpen(this, flags, signal);
      try {
        const found: unknown[] = [];
        let cursor: unknown;
        do {
          const params = cursor === undefined ? filter : { ...filter, cursor };
          const page = recordOf(await node.call(method, params, { signal }));
          const isStuck = page.next === cursor;
          found.push(...listOf(page[what]));
          cursor = isStuck ? undefined : page.next ?? undefined;
        } while (cursor !== undefined && found.length < limit);
        const shown = found.slice(0, limit);
        output.result(
          "blob.ls",
          { [what]: shown },
          () => flags.chunks === true ? chunkTable(shown) : blobTable(shown),
        );
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function readFilter(
  flags: BlobLsFlags,
  prefix: string | undefined,
): Readonly<Record<string, unknown>> {
  const { kind, origin, label, pinned, chunks } = flags;
  const words = { kind, origin, label, pinned };
  const given = Object.entries(words).filter(([, value]) => value !== undefined);
  const [first] = given;
  if (chunks === true && first !== undefined) {
    throw new NetError("usage", `Cannot combine --chunks and --${first[0]}: that is of blobs`, {
      next: "leave one of the two out",
    });
  }
  return { ...Object.fromEntries(given), ...(prefix === undefined ? {} : { prefix }) };
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return BLOBS_MAX;
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= BLOBS_MAX) return limit;
  throw new NetError("usage", `Cannot use --limit: value is "${text}", must be 1 to ${BLOBS_MAX}`, {
    next: "write for example --limit 20",
  });
}

function chunkTable(chunks: readonly unknown[]): string {
  if (chunks.length === 0) return "no chunks";
  const rows = chunks.map(recordOf).map((chunk) => [
    textOf(chunk.hash),
    formatBytes(numberOf(chunk.size) ?? 0),
    timeText(chunk.first_seen),
    chunk.pinned === true ? "pinned" : "",
  ]);
  return formatTable([["HASH", "SIZE", "FIRST SEEN", ""], ...rows]);
}

function blobTable(blobs: readonly unknown[]): string {
  if (blobs.length === 0) return "no blobs";
  const rows = blobs.map(recordOf).map((blob) => [
    textOf(blob.address),
    formatBytes(numberOf(blob.size) ?? 0),
    textOf(blob.chunks),
    timeText(blob.created_at),
    kindText(blob),
    textOf(blob.label),
  ]);
  return formatTable([["ADDRESS", "SIZE", "CHUNKS", "CREATED", "KIND", "LABEL"], ...rows]);
}

/** `put` is not said: most are. */
function kindText(blob: Readonly<Record<string, unknown>>): string {
  const origin = textOf(blob.origin);
  const words = [
    textOf(blob.kind),
    origin === "put" ? "" : origin,
    blob.pinned === true ? "pinned" : "",
  ];
  return words.filter((word) => word !== "").join(", ");
}
