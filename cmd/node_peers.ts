/** `net node peers`: who the running node is connected to. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import {
  formatCompact,
  formatTable,
  formatTimeMs,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { type Answer, type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** The verb. */
export const nodePeersCommand = buildCommand<WatchFlags, [], NetContext>({
  docs: {
    brief: "List the peers of the running node",
    fullDescription:
      "Lists the peers of the running node: round-trip time, share of packets sent " +
      "again, bytes out and in; with --watch bytes per second. A peer in state relayed is reached " +
      "through another node, whose address is shown. Below the table stands what speaks against a " +
      "peer.\n\n" +
      "EXAMPLES\n  net node peers\n  net node peers --watch\n  net node peers --json",
  },
  parameters: { flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runWatch(this, flags, { method: "node.peers", text: peersText });
  },
});

function peersText({ answer, before, seconds }: Look): string {
  const peers = listOf(answer.peers);
  if (peers.length === 0) return "no peers";
  if (before === undefined) return peerTable(peers);
  return peerTable(peers, { peers: listOf(before.peers), seconds });
}

/** An earlier look at the peers. */
export interface EarlierPeers {
  readonly peers: readonly unknown[];
  readonly seconds: number;
}

/** Table of peers, one row each; bytes per second where an earlier look is given. */
export function peerTable(peers: readonly unknown[], earlier?: EarlierPeers): string {
  const before = new Map(
    (earlier?.peers ?? []).map(recordOf).map((peer) => [textOf(peer.node_id), peer] as const),
  );
  const bytesOf = (peer: Readonly<Record<string, unknown>>, member: string): string => {
    const bytes = numberOf(peer[member]);
    if (bytes === undefined) return "-";
    if (earlier === undefined) return formatCompact(bytes);
    // A peer that came back counts from 0 again.
    const was = numberOf(before.get(textOf(peer.node_id))?.[member]) ?? 0;
    return formatCompact(Math.max(0, bytes - was) / Math.max(0.001, earlier.seconds));
  };
  const rows = peers.map(recordOf).map((peer) => {
    const rttMs = numberOf(peer.rtt_ms);
    const loss = numberOf(peer.loss);
    return [
      textOf(peer.node_id),
      textOf(peer.address),
      peer.relayed === true && peer.state === "connected" ? "relayed" : textOf(peer.state),
      textOf(peer.trust) || "-",
      rttMs === undefined ? "-" : formatTimeMs(rttMs),
      loss === undefined ? "-" : `${(loss * 100).toFixed(loss < 0.1 ? 1 : 0)}%`,
      bytesOf(peer, "bytes_sent"),
      bytesOf(peer, "bytes_received"),
    ];
  });
  const unit = earlier === undefined ? "" : "/s";
  const heading = ["NODE", "ADDRESS", "STATE", "TRUST", "RTT", "LOSS", `OUT${unit}`, `IN${unit}`];
  const table = formatTable([heading, ...rows], { columnsMax: 80 });
  return [table, ...peers.map(recordOf).flatMap(peerNotes)].join("\n");
}

/** Conduct below this makes other peers the preferred next hops. */
const GOOD_SCORE = 50;

/** What an operator should know of a peer beside its row. */
function peerNotes(peer: Answer): string[] {
  const id = textOf(peer.node_id);
  const notes: string[] = [];
  if (peer.trust === "unproven") {
    notes.push(
      peer.relayed === true
        ? `${id}: not sealed: its relay and members of the mesh can read it`
        : `${id}: not sealed: members of the mesh that see it pass can read it`,
    );
  }
  if (peer.has_double === true) notes.push(`${id}: its identity seems to be in use twice`);
  const { score, ...observed } = recordOf(peer.conduct);
  if ((numberOf(score) ?? GOOD_SCORE) < GOOD_SCORE) {
    const faults = ["heartbeats_late", "floods", "spent_ttls", "loops", "malformed"].flatMap(
      (name) => {
        const count = numberOf(observed[name]) ?? 0;
        return count === 0 ? [] : [`${name.replaceAll("_", " ")} ${formatCompact(count)}`];
      },
    );
    notes.push(`${id}: conduct ${textOf(score)} of 100: ${faults.join(", ")}`);
  }
  return notes;
}
