/** `net node drain`: the running node takes no new work, and what is under way ends. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatDuration, recordOf, textOf } from "./format.ts";
import type { Output } from "./output.ts";
import { runVerb } from "./verb.ts";

/** How long work under way is waited for without `--timeout`, and at most. */
const DRAIN_MS = 30_000;
const DRAIN_MS_MAX = 600_000;

/** Time that the node's answer may take beside the waiting. */
const ANSWER_MS = 5_000;

interface DrainFlags extends SharedFlags {
  readonly cancel?: boolean;
}

/** The verb. */
export const nodeDrainCommand = buildCommand<DrainFlags, [], NetContext>({
  docs: {
    brief: "Let the node end its work and take none any more",
    fullDescription:
      "The node refuses new work from now on and says so to its probes and peers; what is under " +
      "way goes on. Waits for that for 30 s or --timeout: the exit code is 0 when nothing is left, " +
      "7 when something is. The node stays drained until it is stopped, or until --cancel.\n\n" +
      "EXAMPLES\n  net node drain --timeout 2m && net node stop\n  net node drain --cancel",
  },
  parameters: {
    flags: bareRecord({
      cancel: switchFlag("Take work again"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const timeoutMs = durationFlag("--timeout", flags.timeout) ?? DRAIN_MS;
      if (timeoutMs > DRAIN_MS_MAX) {
        throw new NetError("usage", "Cannot drain node: --timeout must be at most 10m", {
          next: "repeat the command to wait longer: the drain goes on meanwhile",
        });
      }
      const node = await connectNode(this, flags, signal);
      try {
        if (flags.cancel === true) {
          const result = recordOf(await node.call("health.resume", {}, { signal }));
          output.result("node.drain", result, () => "the node takes work again");
          return;
        }
        const params = { timeout_ms: timeoutMs };
        const result = recordOf(await node.call("health.drain", params, { signal }));
        report(result, timeoutMs, output);
      } finally {
        await node.close();
      }
    }, { timeoutMs: DRAIN_MS + ANSWER_MS, graceMs: ANSWER_MS });
  },
});

/** @throws NetError `timeout` when work is under way still, `conflict` when somebody took the drain back. */
function report(result: Readonly<Record<string, unknown>>, timeoutMs: number, output: Output) {
  if (result.status === "drained") {
    output.result(
      "node.drain",
      result,
      () => "drained: nothing is under way, and nothing is taken",
    );
    output.note("net node stop ends the node, net node drain --cancel has it take work again");
    return;
  }
  if (result.status !== "draining") {
    throw new NetError("conflict", "Cannot drain node: the drain was taken back meanwhile", {
      next: "ask who did that, or repeat the command",
      data: result,
    });
  }
  const parts = Object.entries(recordOf(result.in_flight_by)).map(([name, count]) =>
    `${textOf(count)} ${name}`
  );
  throw new NetError(
    "timeout",
    `Cannot drain node within ${formatDuration(timeoutMs)}: ${parts.join(", ")} under way`,
    { next: "repeat the command to wait longer, or end the node with net node stop", data: result },
  );
}
