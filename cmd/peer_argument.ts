/** The argument that names a peer, in every verb that takes one. */
import type { NetContext } from "./context.ts";
import { connectNode } from "./connect.ts";
import { listOf, recordOf, textOf } from "./format.ts";

/** Time a node has to answer while somebody waits for a completion. */
const PROPOSE_MS = 500;

/** Ids of the running node's peers that begin with `partial`; none when no node answers. */
export async function proposePeers(
  this: NetContext,
  partial: string,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(PROPOSE_MS);
  try {
    const node = await connectNode(this, this.typed ?? {}, signal);
    try {
      const { peers } = recordOf(await node.call("node.peers", {}, { signal }));
      const ids = listOf(peers).map((peer) => textOf(recordOf(peer).node_id));
      return ids.filter((id) => id.startsWith(partial.toLowerCase()));
    } finally {
      await node.close();
    }
  } catch {
    // Whoever presses Tab wants proposals or nothing.
    return [];
  }
}

const PEER = {
  parse: String,
  placeholder: "PEER",
  proposeCompletions: proposePeers,
} as const;

/** A peer that must be named. */
export const PEER_ARGUMENT = {
  ...PEER,
  brief: "Node id of the peer, or its first digits",
} as const;

/** A peer that may be left out; `otherwise` says what happens then. */
export function optionalPeer(otherwise: string) {
  return {
    ...PEER,
    optional: true,
    brief: `Node id or its first digits; default: ${otherwise}`,
  } as const;
}
