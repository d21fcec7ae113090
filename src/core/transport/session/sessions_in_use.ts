/** Which session to use for a peer, if any: asked by whatever sends on one. */
import { type Clock, idToHex, NetError } from "../../../base/mod.ts";
import type { Breakers } from "../peers/breakers.ts";
import type { Peer, PeerTable } from "../peers/peers.ts";
import type { Session } from "./session.ts";

/** What {@linkcode SessionsInUse} needs. */
export interface SessionsInUseDeps {
  readonly clock: Clock;
  readonly peers: PeerTable;
  readonly breakers: Breakers;
}

/** The sessions in use, by peer. */
export class SessionsInUse {
  readonly #deps: SessionsInUseDeps;

  constructor(deps: SessionsInUseDeps) {
    this.#deps = deps;
  }

  /** The session in use with a peer. */
  get(nodeId: bigint): Session | undefined {
    return this.#deps.peers.get(nodeId)?.session;
  }

  /** The same, if the peer's breaker lets something through. */
  sendable(nodeId: bigint): Session | undefined {
    const peer = this.#deps.peers.get(nodeId);
    return peer?.session !== undefined && this.#maySend(peer) ? peer.session : undefined;
  }

  /**
   * The session that streams to a peer are opened on.
   *
   * @throws NetError `unreachable` when there is none, or nothing may be sent to the peer now.
   */
  require(nodeId: bigint): Session {
    const peer = this.#deps.peers.get(nodeId);
    const session = peer?.session;
    // Who has not yet shown that it holds the keys is no peer.
    if (peer === undefined || !session?.isConfirmed) {
      throw new NetError(
        "unreachable",
        `Cannot reach node ${idToHex(nodeId)}: no session with it`,
        {
          next: "see net node peers for the nodes that are connected",
        },
      );
    }
    if (!this.#maySend(peer)) {
      throw new NetError("unreachable", `Cannot reach node ${idToHex(nodeId)}: it is silent`, {
        next: "try again later; see net node peers for its state",
      });
    }
    return session;
  }

  #maySend(peer: Peer): boolean {
    const { breakers, clock } = this.#deps;
    return breakers.allows(peer.slot, peer.lastReceivedAt, clock.now());
  }
}
