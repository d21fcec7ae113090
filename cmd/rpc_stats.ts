/** `net rpc stats`: what was counted of calls, by service. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, switchFlag } from "./flags.ts";
import {
  formatCount,
  formatTable,
  formatTimeMs,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { RPC_ANSWER_MS } from "./rpc_common.ts";
import { runVerb } from "./verb.ts";
import { type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

interface StatsFlags extends WatchFlags {
  readonly prometheus?: boolean;
}

/** The verb. */
export const rpcStatsCommand = buildCommand<StatsFlags, [], NetContext>({
  docs: {
    brief: "Show what was counted of calls, by service",
    fullDescription:
      "Shows for each service the calls of this node, how many failed and how, and the mean time; " +
      "and the calls that it served, how many were refused for load or right, and how many run. " +
      "With --prometheus the same as text that Prometheus reads.\n\n" +
      "EXAMPLES\n  net rpc stats\n  net rpc stats --watch\n  net rpc stats --prometheus",
  },
  parameters: {
    flags: bareRecord({
      watch: WATCH_FLAG,
      prometheus: switchFlag("Print text for Prometheus"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [] },
  },
  async func(flags) {
    if (!flags.prometheus) {
      await runWatch(this, flags, { method: "nrpc.stats", verb: "rpc.stats", text: statsText });
      return;
    }
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(
          await node.call("nrpc.stats", { format: "prometheus" }, { signal }),
        );
        const text = typeof result.text === "string" ? result.text : "";
        output.result("rpc.stats", { text }, () => text.trimEnd());
      } finally {
        await node.close();
      }
    }, { timeoutMs: RPC_ANSWER_MS });
  },
});

/** One look for people: calls made in one table, calls served in another. */
export function statsText({ answer }: Pick<Look, "answer">): string {
  const services = listOf(answer.services).map(recordOf);
  const count = (row: Readonly<Record<string, unknown>>, name: string) => numberOf(row[name]) ?? 0;
  const cell = (row: Readonly<Record<string, unknown>>, name: string) =>
    formatCount(count(row, name));
  const made = services.filter((row) =>
    count(row, "calls_total") + count(row, "in_flight") + count(row, "errors_no_route") > 0
  );
  const served = services.filter((row) =>
    count(row, "handler_invocations_total") + count(row, "capability_denied_total") > 0
  );
  const tables: string[] = [];
  if (made.length > 0) {
    tables.push(formatTable([
      ["CALLED", "CALLS", "RUNNING", "NO ROUTE", "TIMEOUT", "SERVER", "TRANSPORT", "MEAN"],
      ...made.map((row) => [
        textOf(row.service),
        cell(row, "calls_total"),
        cell(row, "in_flight"),
        cell(row, "errors_no_route"),
        cell(row, "errors_timeout"),
        cell(row, "errors_server"),
        cell(row, "errors_transport"),
        meanText(count(row, "latency_sum_ns"), count(row, "latency_count")),
      ]),
    ]));
  }
  if (served.length > 0) {
    tables.push(formatTable([
      ["SERVED", "CALLS", "RUNNING", "THREW", "DENIED", "ITEMS", "MEAN"],
      ...served.map((row) => [
        textOf(row.service),
        cell(row, "handler_invocations_total"),
        cell(row, "handler_in_flight"),
        cell(row, "handler_panics_total"),
        cell(row, "capability_denied_total"),
        cell(row, "streaming_chunks_emitted_total"),
        meanText(count(row, "handler_duration_sum_ns"), count(row, "handler_duration_count")),
      ]),
    ]));
  }
  return tables.length === 0 ? "no calls yet" : tables.join("\n\n");
}

function meanText(sumNs: number, count: number): string {
  return count === 0 ? "-" : formatTimeMs(sumNs / count / 1e6);
}
