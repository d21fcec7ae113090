/** `net node peers`: who the running node is connected to. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatDuration, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const nodePeersCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List the peers of the running node",
    fullDescription: "Lists the peers of the running node.\n\n" +
      "EXAMPLES\n  net node peers\n  net node peers --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(await node.call("node.peers", {}, { signal }));
        output.result("node.peers", result, () => {
          const peers = listOf(result.peers);
          return peers.length === 0 ? "no peers" : peerTable(peers);
        });
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

/** Table of peers, one row each. */
export function peerTable(peers: readonly unknown[]): string {
  const rows = peers.map(recordOf).map((peer) => {
    const rttMs = numberOf(peer.rtt_ms);
    const idleMs = numberOf(peer.idle_ms);
    return [
      textOf(peer.node_id),
      textOf(peer.address),
      textOf(peer.state),
      textOf(peer.form),
      rttMs === undefined ? "-" : `${rttMs.toFixed(1)} ms`,
      idleMs === undefined ? "-" : formatDuration(idleMs),
    ];
  });
  return formatTable([["NODE", "ADDRESS", "STATE", "FORM", "RTT", "IDLE"], ...rows]);
}
