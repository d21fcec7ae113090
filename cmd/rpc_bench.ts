/** `net rpc bench`: calls a service as fast as it answers and tells how fast that is. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatCount, formatFields, formatTimeMs, numberOf, recordOf, textOf } from "./format.ts";
import {
  explainCall,
  NODE_FLAG,
  requireService,
  ROUTING_FLAG,
  routingParams,
  SERVICE_ARGUMENT,
  wholeFlag,
} from "./rpc_common.ts";
import { runVerb } from "./verb.ts";

/** Time beyond the measuring itself: the first call, and calls that still run at the end. */
const EXTRA_MS = 65_000;
const FOR_MS = 5_000;
const FOR_MS_MAX = 600_000;
const IN_FLIGHT_MAX = 4_096;
const BODY_BYTES_MAX = 64 * 1024 * 1024;

interface BenchFlags extends SharedFlags {
  readonly node?: string;
  readonly routing?: string;
  readonly inFlight?: string;
  readonly body?: string;
  readonly for?: string;
}

/** The verb. */
export const rpcBenchCommand = buildCommand<BenchFlags, [string], NetContext>({
  docs: {
    brief: "Measure how fast a service answers",
    fullDescription:
      "Calls a service that answers once, as fast as it does, with so many calls at a time, and " +
      "prints calls per second, the time that half, 90 % and 99 % of them stay within, and errors " +
      "by their kind. It is measured inside the node. A service that does nothing but answer is " +
      "made with net rpc serve echo -- cat, whose time is that of starting cat; one of a module is " +
      "faster.\n\n" +
      "EXAMPLES\n  net rpc bench echo\n  net rpc bench echo --node 31a5 --in-flight 64 --body 1024\n" +
      "  net rpc bench echo --for 30s --json",
  },
  parameters: {
    flags: bareRecord({
      node: NODE_FLAG,
      inFlight: textFlag("N", `Calls at a time, 1 to ${IN_FLIGHT_MAX}; default: 16`),
      body: textFlag("BYTES", "Size of each body; default: 64"),
      for: textFlag("DURATION", "How long, at most 10m; default: 5s"),
      routing: ROUTING_FLAG,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [SERVICE_ARGUMENT] },
  },
  async func(flags, service) {
    const { io } = this;
    await runVerb(this, flags, async ({ output, signal }) => {
      requireService("Cannot call", service);
      const forMs = durationFlag("--for", flags.for) ?? FOR_MS;
      const params = {
        service,
        node: flags.node,
        in_flight: wholeFlag("--in-flight", flags.inFlight, { max: IN_FLIGHT_MAX }),
        body_bytes: wholeFlag("--body", flags.body, { min: 0, max: BODY_BYTES_MAX }),
        seconds: Math.min(forMs, FOR_MS_MAX) / 1_000,
        ...routingParams(flags.routing),
      };
      const node = await connectNode(this, flags, signal);
      const isShown = io.isStderrTerminal && !output.isQuiet && !output.isJson;
      const onProgress = (told: unknown) => {
        const { calls, seconds } = recordOf(told);
        const rate = (numberOf(calls) ?? 0) / (numberOf(seconds) ?? 1);
        if (isShown) io.writeErr(`\r\x1b[2K${formatCount(Math.round(rate))} calls/s`);
      };
      try {
        const result = recordOf(
          await node.call("nrpc.bench", params, { signal, onProgress }).catch((error) => {
            throw explainCall(error, service, flags);
          }).finally(() => {
            if (isShown) io.writeErr("\r\x1b[2K");
          }),
        );
        output.result("rpc.bench", result, () => benchText(result));
      } finally {
        await node.close();
      }
    }, { timeoutMs: FOR_MS_MAX + EXTRA_MS });
  },
});

/** The result for people. */
export function benchText(result: Readonly<Record<string, unknown>>): string {
  const count = (name: string) => formatCount(numberOf(result[name]) ?? 0);
  const time = (name: string) => formatTimeMs(numberOf(result[name]) ?? 0);
  const errors = Object.entries(recordOf(result.errors));
  return formatFields([
    ["calls/s", count("calls_per_second")],
    ["calls", `${count("calls")} in ${textOf(result.seconds)} s, ${count("in_flight")} at a time`],
    ["bodies", `${count("body_bytes")} B, answered with ${count("answer_bytes")} B`],
    ["p50", time("p50_ms")],
    ["p90", time("p90_ms")],
    ["p99", time("p99_ms")],
    ["max", time("max_ms")],
    ["first call", time("first_ms")],
    [
      "errors",
      errors.length === 0
        ? "none"
        : errors.map(([kind, n]) => `${kind} ${formatCount(numberOf(n) ?? 0)}`).join(", "),
    ],
  ]);
}
