/** `net cap watch`: nodes that come, change and go among those that can do what is asked for. */
import { buildCommand } from "@stricli/core";
import { pause } from "../src/base/mod.ts";
import { QUERY_FLAGS, type QueryFlags, REQUIRED_ARGUMENT, toQuery } from "./cap_query.ts";
import { nodeRow } from "./cap_find.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { toDocument } from "./output.ts";
import { runVerb } from "./verb.ts";

const WAIT_STEP_MS = 10_000;
/** In a large mesh something changes all the time; so often is often enough, for the node as well. */
const CHANGE_PAUSE_MS = 200;

type Row = Readonly<Record<string, unknown>>;

/** The verb. */
export const capWatchCommand = buildCommand<QueryFlags, string[], NetContext>({
  docs: {
    brief: "Watch which nodes can do something",
    fullDescription: "Prints a line for each node that satisfies the conditions of net cap find, " +
      "now and whenever one comes, changes or goes, until it is stopped; of very many those with " +
      "the 1000 lowest ids. With --json each line is a document.\n\n" +
      "EXAMPLES\n  net cap watch gpu\n  net cap watch --where 'hardware.memory_gb>=32' --json",
  },
  parameters: {
    flags: bareRecord({ ...QUERY_FLAGS, ...SHARED_FLAGS }),
    positional: REQUIRED_ARGUMENT,
  },
  async func(flags, ...required) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const query = toQuery(flags, required);
      const node = await connectNode(this, flags, signal);
      const print = (change: string, row: Row) => {
        this.io.writeOut(
          output.isJson
            ? `${toDocument("cap.watch", { change, ...row })}\n`
            : `${change.padEnd(7)} ${nodeRow(row).join("  ")}\n`,
        );
      };
      try {
        let known = new Map<string, Row>();
        let result = recordOf(await node.call("cap.find", query, { signal }));
        for (;;) {
          const found = new Map(
            listOf(result.nodes).map(recordOf).map((row) => [textOf(row.node_id), row]),
          );
          for (const [id, row] of found) {
            const before = known.get(id);
            if (before === undefined) print("came", row);
            else if (isChanged(before, row)) print("changed", row);
          }
          const isWhole = (numberOf(result.omitted) ?? 0) === 0;
          const last = [...found.keys()].at(-1) ?? "";
          for (const [id, row] of known) {
            // What lies behind the end of a list that is cut may still be there.
            if (!found.has(id) && (isWhole || id <= last)) print("went", row);
          }
          known = found;
          await pause(CHANGE_PAUSE_MS, signal);
          const wait = { after_version: result.version, wait_ms: WAIT_STEP_MS };
          result = recordOf(await node.call("cap.find", { ...query, ...wait }, { signal }));
        }
      } finally {
        await node.close();
      }
    }, { isEndless: true });
  },
});

/** True when a node says something else, not only again. */
function isChanged(before: Row, now: Row): boolean {
  return ["tags", "metadata", "stale", "reachable"].some((name) =>
    JSON.stringify(before[name]) !== JSON.stringify(now[name])
  );
}
