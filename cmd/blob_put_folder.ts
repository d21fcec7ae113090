/** `net blob put FOLDER`: stores a folder as one blob. */
import { absolutePath } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import type { CallOptions, NodeCaller } from "./doors.ts";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import type { Output } from "./output.ts";

/** What was left out, as far as it is named for people; `--json` has more. */
const SKIPPED_SHOWN = 10;

/** Has the node store a folder. */
export function putFolder(
  context: NetContext,
  node: NodeCaller,
  folder: string,
  flags: { readonly skipUnreadable?: boolean; readonly label?: string },
  options: CallOptions,
): Promise<unknown> {
  const path = absolutePath(folder, context.io.cwd);
  const { label, skipUnreadable = false } = flags;
  const params = {
    path,
    skip_unreadable: skipUnreadable,
    ...(label === undefined ? {} : { label }),
  };
  return node.call("blob.put_folder", params, options);
}

/** One line about a folder that was put or got. */
export function folderSummary(verb: string, result: Readonly<Record<string, unknown>>): string {
  const size = numberOf(result.size) ?? 0;
  const seconds = numberOf(result.seconds) ?? 0;
  const files = formatCounted(numberOf(result.files) ?? 0, "file");
  const rate = seconds > 0 ? `, ${formatBytes(size / seconds)}/s` : "";
  return `${verb} ${files}, ${formatBytes(size)} in ${formatDuration(seconds * 1000)}${rate}`;
}

/** Names what was left out. */
export function noteSkipped(output: Output, result: Readonly<Record<string, unknown>>): void {
  const count = numberOf(result.skipped_count) ?? 0;
  if (count === 0) return;
  const named = listOf(result.skipped).map(recordOf).slice(0, SKIPPED_SHOWN)
    .map(({ path, reason }) => `  ${textOf(path)} (${textOf(reason)})`);
  const more = count > named.length ? [`  … and ${formatCount(count - named.length)} more`] : [];
  output.note([`left out ${formatCount(count)}:`, ...named, ...more].join("\n"));
}
