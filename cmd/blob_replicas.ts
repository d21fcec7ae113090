/** `net blob replicas` and `net blob holders`: how many copies there are, and who has a blob. */
import { buildCommand } from "@stricli/core";
import { parseTarget } from "./blob_common.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Nodes that don't answer are waited for. */
const ANSWER_MS = 60_000;

/** The verb that shows copies. */
export const blobReplicasCommand = buildCommand<SharedFlags, [string?], NetContext>({
  docs: {
    brief: "Show the copies of blobs whose number this node sees to",
    fullDescription:
      "Shows the blobs whose copies this node counts: how many there are and shall " +
      "be, this node's included, which nodes have one, and which had one and are away.\n\n" +
      "EXAMPLES\n  net blob replicas\n  net blob replicas b3:ADDRESS --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TARGET", brief: "Only this blob", optional: true },
      ],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = targetText === undefined ? undefined : parseTarget(targetText);
      const node = await connectNode(this, flags, signal);
      try {
        const params = target === undefined ? {} : { target };
        const { blobs } = recordOf(await node.call("blob.replicas", params, { signal }));
        output.result("blob.replicas", { blobs }, () => copiesText(listOf(blobs)));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

/** The verb that finds holders. */
export const blobHoldersCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Find the nodes that have a blob, anywhere in the mesh",
    fullDescription: "Finds the nodes that have a blob: those that announce it, then those that " +
      "say so when they are asked, also beyond the neighbours.\n\n" +
      "EXAMPLES\n  net blob holders b3:ADDRESS\n  net blob holders b3:ADDRESS --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TARGET", brief: "Address (b3:…) or blob reference in hex" },
      ],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      const node = await connectNode(this, flags, signal);
      try {
        const answer = recordOf(await node.call("blob.holders", { target }, { signal }));
        output.result("blob.holders", answer, () => holdersText(answer));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function copiesText(blobs: readonly unknown[]): string {
  if (blobs.length === 0) return "no blob's copies are counted";
  const rows = blobs.map(recordOf).map((blob) => [
    textOf(blob.address),
    formatBytes(numberOf(blob.size) ?? 0),
    `${textOf(blob.copies)} of ${textOf(blob.wanted)}`,
    listOf(blob.nodes).map(textOf).join(" ") || "-",
    listOf(blob.away).map(textOf).join(" ") || "-",
  ]);
  return formatTable([["ADDRESS", "SIZE", "COPIES", "NODES", "AWAY"], ...rows]);
}

function holdersText(answer: Readonly<Record<string, unknown>>): string {
  const holders = listOf(answer.holders).map(recordOf);
  if (holders.length === 0) {
    return answer.here === true ? "only this node has it" : "no node has it, as far as is known";
  }
  const rows = holders.map((holder) => [
    textOf(holder.node),
    holder.holds === null ? "may have it" : textOf(holder.holds),
    holder.announced === true ? "announced" : "asked",
  ]);
  if (answer.here === true) rows.unshift(["this node", "blob", "-"]);
  return formatTable([["NODE", "HAS", "KNOWN BY"], ...rows]);
}
