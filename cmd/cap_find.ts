/** `net cap find`: which nodes can do what is asked for. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { QUERY_FLAGS, type QueryFlags, REQUIRED_ARGUMENT, toQuery } from "./cap_query.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, switchFlag, textFlag } from "./flags.ts";
import { formatTable, formatTimeMs, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface FindFlags extends QueryFlags {
  readonly best?: boolean;
  readonly limit?: string;
  readonly wait?: string;
}

const LIMIT_MAX = 1_000;
/** The node answers a waiting call after so long at the latest, with what it knows. */
const WAIT_STEP_MS = 10_000;
/** Tags of a row that fit a terminal. */
const TAGS_WIDTH = 44;

/** The verb. */
export const capFindCommand = buildCommand<FindFlags, string[], NetContext>({
  docs: {
    brief: "Find the nodes that can do something",
    fullDescription: "Finds the nodes that have every TAG, satisfy the predicate and all other " +
      "conditions; this node is one of them if it does. Without a condition every known node is " +
      "listed. KNOWN is stale for what was heard before this node started, away when no way leads to " +
      "the node now. The exit code is 4 when there is none.\n\n" +
      "EXAMPLES\n" +
      "  net cap find gpu\n" +
      "  net cap find 'hardware.memory_gb>=32' software.os:linux --region eu\n" +
      "  net cap find --where 'hardware.gpu || meta.rack==7' --json\n" +
      "  net cap find --model llama-3 --best\n" +
      "  net cap find gpu --wait 30s",
  },
  parameters: {
    flags: bareRecord({
      ...QUERY_FLAGS,
      best: switchFlag("Only the best: memory, GPU memory, speed, loaded models"),
      limit: textFlag("N", "So many at most; default: 1000"),
      wait: textFlag("DURATION", "Wait so long for the first that can"),
      ...SHARED_FLAGS,
    }),
    positional: REQUIRED_ARGUMENT,
  },
  async func(flags, ...required) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const query = { ...toQuery(flags, required), best: flags.best, limit: limitOf(flags.limit) };
      const waitMs = durationFlag("--wait", flags.wait) ?? 0;
      const deadline = this.io.now() + waitMs;
      const node = await connectNode(this, flags, signal);
      try {
        let result = recordOf(await node.call("cap.find", query, { signal }));
        for (;;) {
          const leftMs = deadline - this.io.now();
          if (numberOf(result.total) !== 0 || leftMs <= 0) break;
          const wait = { after_version: result.version, wait_ms: Math.min(leftMs, WAIT_STEP_MS) };
          result = recordOf(await node.call("cap.find", { ...query, ...wait }, { signal }));
        }
        output.result("cap.find", result, () => findText(result));
        const omitted = numberOf(result.omitted) ?? 0;
        if (omitted > 0) output.note(`${omitted} more; see them with --limit`);
        return numberOf(result.total) === 0 ? 4 : 0;
      } finally {
        await node.close();
      }
    });
  },
});

/** Human text of a `cap.find` result. */
export function findText(result: Readonly<Record<string, unknown>>): string {
  const nodes = listOf(result.nodes).map(recordOf);
  if (nodes.length === 0) return "no node";
  return formatTable([["NODE", "KNOWN", "HOPS", "RTT", "TAGS"], ...nodes.map(nodeRow)], {
    right: [2, 3],
    columnsMax: 80,
  });
}

/** One node as a row. */
export function nodeRow(node: Readonly<Record<string, unknown>>): readonly string[] {
  const rttMs = numberOf(node.rtt_ms);
  return [
    textOf(node.node_id),
    knownText(node),
    textOf(node.hops),
    rttMs === undefined ? "-" : formatTimeMs(rttMs),
    tagsText(listOf(node.tags).map(textOf)),
  ];
}

/** How sure it is that the node is there and still says so. */
function knownText(node: Readonly<Record<string, unknown>>): string {
  if (node.own === true) return "own";
  if (node.stale === true) return "stale";
  return node.reachable === false ? "away" : "fresh";
}

function tagsText(tags: readonly string[]): string {
  // What the program says of itself is not what people look for.
  const shown = tags.filter((tag) => !/^(net\.|channel:)/.test(tag));
  let text = "";
  for (const [i, tag] of shown.entries()) {
    const more = ` +${shown.length - i}`;
    if (text.length + 1 + tag.length + more.length > TAGS_WIDTH) {
      return text === "" ? `${tag.slice(0, TAGS_WIDTH - 1)}…` : `${text}${more}`;
    }
    text += text === "" ? tag : ` ${tag}`;
  }
  return text;
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new NetError("usage", `Cannot use --limit: value is "${text}", must be 1 to ${LIMIT_MAX}`, {
    next: "write for example --limit 100",
  });
}
