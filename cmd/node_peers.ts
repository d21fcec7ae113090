/** `net node peers`: who the running node is connected to. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatDuration, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** How often `--watch` looks. */
const WATCH_MS = 1_000;

/** Clears the screen and goes to its top; only on a terminal. */
const CLEAR = "\x1b[2J\x1b[H";

interface PeersFlags extends SharedFlags {
  readonly watch?: boolean;
}

/** The verb. */
export const nodePeersCommand = buildCommand<PeersFlags, [], NetContext>({
  docs: {
    brief: "List the peers of the running node",
    fullDescription:
      "Lists the peers of the running node; with --watch again every second, until " +
      "Ctrl-C.\n\nEXAMPLES\n  net node peers\n  net node peers --watch\n  net node peers --json",
  },
  parameters: {
    flags: bareRecord({
      watch: {
        kind: "boolean" as const,
        brief: "Print them again every second",
        optional: true as const,
        withNegated: false as const,
      },
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    const { io } = this;
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        for (;;) {
          const result = recordOf(await node.call("node.peers", {}, { signal }));
          if (flags.watch && io.isStdoutTerminal && !output.isJson) io.writeOut(CLEAR);
          output.result("node.peers", result, () => {
            const peers = listOf(result.peers);
            return peers.length === 0 ? "no peers" : peerTable(peers);
          });
          if (!flags.watch) return;
          await pause(WATCH_MS, signal);
        }
      } finally {
        await node.close();
      }
    }, flags.watch ? {} : { timeoutMs: ANSWER_MS });
  },
});

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Table of peers, one row each. */
export function peerTable(peers: readonly unknown[]): string {
  const rows = peers.map(recordOf).map((peer) => {
    const rttMs = numberOf(peer.rtt_ms);
    const idleMs = numberOf(peer.idle_ms);
    return [
      textOf(peer.node_id),
      textOf(peer.address),
      textOf(peer.state),
      textOf(peer.trust),
      rttMs === undefined ? "-" : `${rttMs.toFixed(1)} ms`,
      idleMs === undefined ? "-" : formatDuration(idleMs),
    ];
  });
  return formatTable([["NODE", "ADDRESS", "STATE", "TRUST", "RTT", "IDLE"], ...rows]);
}
