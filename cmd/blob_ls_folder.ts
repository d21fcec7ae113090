/** `net blob ls TARGET`: what is in a folder that is a blob, without getting it. */
import { parseTarget } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { SharedFlags } from "./flags.ts";
import { splitFolderTarget } from "./folder_target.ts";
import { formatBytes, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import type { Output } from "./output.ts";

/** Entries of one listing: as many as a folder may have. */
const ENTRIES_MAX = 1_000_000;

/** Lists what is at or below a path of a folder. */
export async function listFolderVerb(
  context: NetContext,
  flags: SharedFlags,
  text: string,
  run: { readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  const { output, signal } = run;
  const { target, path } = splitFolderTarget(text);
  const params = { target: parseTarget(target), path };
  const node = await connectOrOpen(context, flags, signal);
  try {
    const entries: unknown[] = [];
    let cursor: unknown;
    do {
      const page = recordOf(
        await node.call("blob.folder_list", cursor === undefined ? params : { ...params, cursor }, {
          signal,
        }),
      );
      const isStuck = page.next === cursor;
      for (const entry of listOf(page.entries)) entries.push(entry);
      cursor = isStuck ? undefined : page.next ?? undefined;
    } while (cursor !== undefined && entries.length < ENTRIES_MAX);
    output.result("blob.ls", { target: params.target, path, entries }, () => entryTable(entries));
  } finally {
    await node.close();
  }
}

function entryTable(entries: readonly unknown[]): string {
  if (entries.length === 0) return "an empty folder";
  const rows = entries.map(recordOf).map((entry) => [
    modeText(textOf(entry.kind), numberOf(entry.mode)),
    entry.kind === "file" ? formatBytes(numberOf(entry.size) ?? 0) : "-",
    // Names come from elsewhere: what would move the cursor is written out.
    plainText(entry.path) +
    (entry.kind === "dir" ? "/" : entry.kind === "symlink" ? ` -> ${plainText(entry.target)}` : ""),
  ]);
  return formatTable([["MODE", "SIZE", "PATH"], ...rows]);
}

/** As `ls -l` has it. */
function modeText(kind: string, mode = 0o777): string {
  const type = kind === "dir" ? "d" : kind === "symlink" ? "l" : "-";
  return type + [6, 3, 0].map((shift) => {
    const bits = (mode >> shift) & 7;
    return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${bits & 1 ? "x" : "-"}`;
  }).join("");
}

function plainText(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (unit) => `\\u{${(unit.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
