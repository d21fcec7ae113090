/** `net node stop`: ends the running node and waits until it is gone. */
import { buildCommand } from "@stricli/core";
import { NetError, pause } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** A node drains for at most 5 s; a little more covers the rest of its stop. */
const STOP_MS = 15_000;

/** Pause between two looks whether the node is gone. */
const POLL_MS = 50;

/** The verb. */
export const nodeStopCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Stop the running node",
    fullDescription: "Stops the running node and waits until it is gone.\n\n" +
      "EXAMPLES\n  net node stop\n  net node stop --data-dir /srv/net",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      let result: Readonly<Record<string, unknown>>;
      try {
        result = recordOf(await node.call("node.stop", {}, { signal }));
      } catch (error) {
        // A node that is quick enough closes the connection before its answer is read.
        if (!(error instanceof NetError) || !isConnectionLoss(error)) throw error;
        result = { status: "stopped" };
      } finally {
        await node.close();
      }
      await untilGone(this, flags, signal);
      output.result("node.stop", { ...result, status: "stopped" }, () => "node stopped");
    }, { timeoutMs: STOP_MS });
  },
});

function isConnectionLoss(error: NetError): boolean {
  return error.code === "unreachable" || error.code === "not_running" || error.code === "network";
}

async function untilGone(
  context: NetContext,
  flags: SharedFlags,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const node = await connectNode(context, flags, signal);
      await node.close();
    } catch {
      return;
    }
    await pause(POLL_MS);
  }
  throw signal.reason;
}
