/** `net node metrics`: everything the running node counts, as Prometheus reads it. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

interface MetricsFlags extends SharedFlags {
  readonly openmetrics?: boolean;
}

/** The verb. */
export const nodeMetricsCommand = buildCommand<MetricsFlags, [], NetContext>({
  docs: {
    brief: "Print the node's metrics for Prometheus",
    fullDescription:
      "Prints what GET /metrics of the node's HTTP address answers, also where the " +
      "node serves no HTTP: the text format of Prometheus, or families with --json.\n\n" +
      "EXAMPLES\n  net node metrics\n  net node metrics > /var/lib/node_exporter/net.prom\n" +
      "  net node metrics --json",
  },
  parameters: {
    flags: bareRecord({
      openmetrics: switchFlag("Print OpenMetrics instead"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const format = output.isJson ? "json" : flags.openmetrics ? "openmetrics" : "prometheus";
        const result = recordOf(await node.call("node.metrics", { format }, { signal }));
        const text = typeof result.text === "string" ? result.text : "";
        output.result("node.metrics", result, () => text.trimEnd());
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
