/** `net blob why`: every reason that a blob or a chunk stays on this node. */
import { buildCommand } from "@stricli/core";
import { parseTarget, TARGET_ARGUMENT, timeText } from "./blob_common.ts";
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

const ANSWER_MS = 30_000;

type Row = Readonly<Record<string, unknown>>;

/** The verb. */
export const blobWhyCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Show every reason that a blob or a chunk stays",
    fullDescription:
      "Shows what keeps a blob or a chunk on this node: pins, blobs that refer to it, holds with " +
      "their owners and ends, stripes, its age. Without any reason the next collection takes it.\n\n" +
      "EXAMPLES\n  net blob why b3:ADDRESS\n  net blob why HASH --json",
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
        const answer = recordOf(await node.call("blob.why", { target }, { signal }));
        output.result("blob.why", answer, () => whyText(answer));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function whyText(answer: Row): string {
  const lines: string[] = [];
  if (answer.blob !== null) lines.push(...blobLines(recordOf(answer.blob)));
  if (answer.chunk !== null) lines.push(...chunkLines(recordOf(answer.chunk)));
  return lines.join("\n");
}

function blobLines(blob: Row): string[] {
  const label = textOf(blob.label);
  const chunks = numberOf(blob.chunks) ?? 0;
  const present = numberOf(blob.chunks_present) ?? 0;
  const here = present === chunks ? "all here" : `${formatCount(present)} of them here`;
  const reasons = ORIGINS[textOf(blob.origin)] ?? textOf(blob.origin);
  return [
    `${textOf(blob.kind)} ${textOf(blob.address)}${label === "" ? "" : ` "${label}"`}: ` +
    `${formatCounted(chunks, "chunk")}, ${here}`,
    ...(blob.pinned === true ? ["  pinned"] : []),
    `  ${reasons}`,
    ...holdLines(blob.holds),
  ];
}

const ORIGINS: Readonly<Record<string, string>> = {
  put: "was put here: stays until it is removed",
  replica: "is one of the copies that shall be: stays until it is removed",
  fetched: "was fetched: stays until it is removed, or a full store needs the room",
  cached: "was cached: stays until it is removed, or room is needed",
};

function chunkLines(chunk: Row): string[] {
  const reasons = new Set(listOf(chunk.reasons).map(textOf));
  const size = formatBytes(numberOf(chunk.size) ?? 0);
  const lines = [`chunk ${textOf(chunk.hash)}: ${size}, first seen ${timeText(chunk.first_seen)}`];
  const blobs = listOf(chunk.referenced_by).map(recordOf);
  if (chunk.pinned === true) lines.push("  pinned");
  else if (reasons.has("pinned")) lines.push("  pinned with a blob that refers to it");
  for (const { address } of blobs) lines.push(`  referenced by ${textOf(address)}`);
  lines.push(...holdLines(chunk.holds));
  for (const stripe of listOf(chunk.stripes).map(recordOf)) {
    lines.push(
      `  in stripe ${textOf(stripe.stripe)} of ${textOf(stripe.address)}: ${
        textOf(stripe.present)
      } ` +
        `of ${textOf(stripe.chunks)} chunks here, ${textOf(stripe.data_chunks)} are enough`,
    );
  }
  if (reasons.has("stripe")) lines.push("  its stripe can bear no more loss");
  if (reasons.has("in_use")) lines.push("  in use at this moment");
  if (reasons.has("fresh")) lines.push(`  young until ${timeText(chunk.fresh_until)}`);
  if (reasons.size === 0) lines.push("  nothing keeps it: the next collection takes it");
  return lines;
}

function holdLines(holds: unknown): string[] {
  return listOf(holds).map(recordOf).map((hold) => {
    const until = hold.until === null ? "until it is released" : `until ${timeText(hold.until)}`;
    return `  held by ${textOf(hold.owner)} (${textOf(hold.reason)}) ${until}`;
  });
}
