/** What happens to peers that the planes above may want to know. */
import { Emitter } from "../../base/mod.ts";
import type { ProvenPeer, SocketAddress } from "./types.ts";

/** One emitter for each kind; `MeshTransport` says what they mean. */
export class MeshEvents {
  readonly peerChange = new Emitter<[peer: bigint, isConnected: boolean]>();
  readonly proven = new Emitter<[peer: ProvenPeer]>();
  readonly moved = new Emitter<[peer: bigint, address: SocketAddress]>();
  readonly silence = new Emitter<[peer: bigint]>();
  readonly suspicion = new Emitter<[peer: bigint, isSuspected: boolean]>();
}
