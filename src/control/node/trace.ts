/** Probes a peer some times and sums up: the way there, round-trip times, loss. */
import { idToHex, NetError, parseId } from "../../base/mod.ts";
import { formatAddress } from "../../core/transport/mod.ts";
import type { Node } from "../../node.ts";
import type { CallContext } from "../method.ts";

/** Patience for one probe and pause between two. */
const PROBE_TIMEOUT_MS = 1_000;
const PROBE_PAUSE_MS = 200;

/**
 * Traces a peer; each probe is told as progress.
 *
 * @throws NetError `usage` for what is no id, `not_found` for an unknown peer.
 */
export async function tracePeer(
  node: Node,
  peerText: string,
  count: number,
  context: CallContext,
): Promise<object> {
  const nodeId = parseId(peerText);
  if (nodeId === undefined) {
    throw new NetError("usage", `Cannot trace "${peerText}": must be a node id of 16 hex digits`);
  }
  const { transport } = node.mesh;
  const peer = transport.peer(nodeId);
  if (peer === undefined) {
    throw new NetError("not_found", `Cannot trace ${idToHex(nodeId)}: it is no peer of this node`, {
      next: "see net node peers for the nodes that are connected",
    });
  }
  const times: number[] = [];
  for (let probe = 1; probe <= count; probe++) {
    context.signal.throwIfAborted();
    const rttMs = await transport.ping(nodeId, PROBE_TIMEOUT_MS);
    if (rttMs !== undefined) times.push(rttMs);
    context.progress({ probe, rtt_ms: rttMs === undefined ? null : round(rttMs) });
    if (probe < count) await new Promise((resolve) => setTimeout(resolve, PROBE_PAUSE_MS));
  }
  const id = idToHex(nodeId);
  const sum = times.reduce((a, b) => a + b, 0);
  return {
    node_id: id,
    // A relayed peer's own address is unknown; what is known is the relay's.
    hops: peer.isRelayed
      ? [{ node_id: null, address: formatAddress(peer.address) }, { node_id: id, address: null }]
      : [{ node_id: id, address: formatAddress(peer.address) }],
    sent: count,
    received: times.length,
    loss: round(1 - times.length / count),
    rtt_ms: times.length === 0 ? null : {
      min: round(Math.min(...times)),
      avg: round(sum / times.length),
      max: round(Math.max(...times)),
    },
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
