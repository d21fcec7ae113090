/** `net node stop`: ends the running node and waits until it is gone. */
import { buildCommand } from "@stricli/core";
import { NetError, pause } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { numberOf, recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** A node drains for 5 s unless it says otherwise; a little more covers the rest of its stop. */
const STOP_MS = 15_000;

/** Behind the last answer a process has little to do; it may also be one of another machine's numbers. */
const EXIT_MS = 3_000;

/** Pause between two looks whether the node is gone. */
const POLL_MS = 50;

/** The verb. */
export const nodeStopCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Stop the running node",
    fullDescription: "Stops the running node and waits until it is gone: without --timeout for " +
      "as long as the node may take, which is --drain-timeout of net node start for work under " +
      "way, and 10 s behind that.\n\n" +
      "EXAMPLES\n  net node stop\n  net node stop --data-dir /srv/net",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal, allow }) => {
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
      const limitMs = Math.max(STOP_MS, numberOf(result.stops_within_ms) ?? 0);
      allow(limitMs);
      const pid = numberOf(result.pid);
      const isKept = result.socket_kept === true;
      // A connection to a socket that is kept would start the next node.
      if (!isKept) await untilGone(this, flags, signal);
      if (pid !== undefined) await untilEnded(pid, isKept ? limitMs : EXIT_MS, signal);
      output.result("node.stop", { ...result, status: "stopped" }, () => "node stopped");
      if (isKept) {
        output.note(
          "its service manager still listens, and starts a node for the next who connects",
        );
      }
    }, { timeoutMs: STOP_MS });
  },
});

/** Waits until a process of this machine has ended; where that cannot be seen it has. */
async function untilEnded(pid: number, limitMs: number, signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; isRunning(pid) && waitedMs < limitMs; waitedMs += POLL_MS) {
    await pause(POLL_MS, signal);
  }
}

function isRunning(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // Behind the name in brackets comes the state; Z has ended, and only its parent has not looked yet.
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return false;
  }
}

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
