/** `net blob stat`: what is known of one blob. */
import { buildCommand } from "@stricli/core";
import { parseTarget, TARGET_ARGUMENT, timeText } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, formatFields, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time to look here and to ask peers. */
const ANSWER_MS = 30_000;

/** A longer reference is cut where people read it; the reference of a tree is always shorter. */
const REFERENCE_DIGITS_SHOWN = 512;
const REFERENCE_HEAD_DIGITS = 32;

/** The verb. */
export const blobStatCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Show size, chunks and place of one blob",
    fullDescription:
      "Shows size, form, chunks and place of one blob: what is known here, or what " +
      "peers say when it is not here.\n\n" +
      "EXAMPLES\n  net blob stat b3:ADDRESS\n  net blob stat b3:ADDRESS --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [TARGET_ARGUMENT] },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      const node = await connectOrOpen(this, flags, signal);
      try {
        const blob = recordOf(await node.call("blob.stat", { target }, { signal }));
        output.result("blob.stat", blob, () => formatFields(fieldsOf(blob)));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function fieldsOf(blob: Readonly<Record<string, unknown>>): [string, string][] {
  const fields: [string, string][] = [
    ["address", textOf(blob.address)],
    ["reference", referenceText(textOf(blob.blob_ref))],
    ["size", sizeText(numberOf(blob.size) ?? 0)],
    ["form", formText(blob)],
  ];
  if (typeof blob.chunks === "number") fields.push(["chunks", chunksText(blob)]);
  fields.push(["here", blob.local === true ? "yes" : "no"]);
  if (typeof blob.told_by === "string") fields.push(["told by", blob.told_by]);
  if (blob.local !== true) return fields;
  fields.push(
    ["kind", textOf(blob.kind)],
    ["came by", textOf(blob.origin)],
    ["pinned", blob.pinned === true ? "yes" : "no"],
    ["held", blob.held === true ? "yes: see net blob why" : "no"],
    ["created", timeText(blob.created_at)],
  );
  const holders = listOf(blob.holders).map((holder) => recordOf(holder));
  const wanted = numberOf(blob.copies_wanted);
  if (wanted !== undefined) {
    fields.push(["copies", `${1 + holders.length} known of ${wanted} wanted`]);
  }
  for (const holder of holders) {
    fields.push(["at", `${textOf(holder.node)}, seen ${timeText(holder.seen_at)}`]);
  }
  if (typeof blob.first_seen === "string") fields.push(["first seen", timeText(blob.first_seen)]);
  if (typeof blob.last_seen === "string") fields.push(["last seen", timeText(blob.last_seen)]);
  if (textOf(blob.label) !== "") fields.push(["label", textOf(blob.label)]);
  return fields;
}

/** A manifest lists every chunk, so its reference may have thousands of digits. */
function referenceText(digits: string): string {
  if (digits.length <= REFERENCE_DIGITS_SHOWN) return digits;
  const bytes = formatBytes(digits.length / 2);
  return `${digits.slice(0, REFERENCE_HEAD_DIGITS)}… (${bytes}; all of it with --json)`;
}

function formText(blob: Readonly<Record<string, unknown>>): string {
  const depth = numberOf(blob.depth);
  const levels = depth === undefined ? "" : `, ${depth} ${depth === 1 ? "level" : "levels"}`;
  return `${textOf(blob.form)}, ${textOf(blob.encoding)}${levels}`;
}

function chunksText(blob: Readonly<Record<string, unknown>>): string {
  const missing = numberOf(blob.chunks_missing) ?? 0;
  const chunks = textOf(blob.chunks);
  return missing === 0 ? chunks : `${chunks}, ${missing} of them not here`;
}

function sizeText(size: number): string {
  return size < 1024 ? formatBytes(size) : `${formatBytes(size)} (${size} bytes)`;
}
