/** The argument that names a peer, in every verb that takes one. */
import { proposeFrom } from "./proposals.ts";

/** Ids of the running node's peers. */
export const proposePeers = proposeFrom({ method: "node.peers", list: "peers", field: "node_id" });

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
