/** `net node status`: identity, addresses and peers of the running node. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatDuration, formatFields, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { peerTable } from "./node_peers.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const nodeStatusCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show the running node: identity, addresses, peers",
    fullDescription: "Shows the running node: identity, addresses, peers.\n\n" +
      "EXAMPLES\n  net node status\n  net node status --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const status = recordOf(await node.call("node.status", {}, { signal }));
        output.result("node.status", status, () => statusText(status));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

/** Human text of a `node.status` result. */
export function statusText(status: Readonly<Record<string, unknown>>): string {
  const peers = listOf(status.peers);
  const uptime = numberOf(status.uptime_secs);
  const fields = formatFields([
    ["node", textOf(status.node_id)],
    ["entity", textOf(status.entity_id)],
    ["noise key", textOf(status.noise_public_key)],
    ["version", textOf(status.version)],
    [
      "running",
      uptime === undefined
        ? undefined
        : `${formatDuration(uptime * 1000)}, pid ${textOf(status.pid)}`,
    ],
    ["socket", textOf(status.socket)],
    ["udp", listOf(status.udp).map(textOf).join(", ")],
    ["tcp", textOf(status.tcp)],
    ["data", textOf(status.data_dir) || "in memory"],
    ["peers", String(peers.length)],
  ]);
  return peers.length === 0 ? fields : `${fields}\n\n${peerTable(peers)}`;
}
