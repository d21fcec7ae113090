/**
 * Memory that frames being joined may take, of one peer and of all: claimed with the first part of a frame,
 * because its sender alone decides when the rest comes.
 */
import { JOIN_BYTES_MAX, JOIN_BYTES_PER_PEER_MAX } from "./limits.ts";

/** Options of {@linkcode JoinBudget}. */
export interface JoinBudgetOptions {
  readonly bytesMax?: number;
  readonly bytesPerPeerMax?: number;
}

/** Shared by all links of a node. */
export class JoinBudget {
  readonly #bytesMax: number;
  readonly #bytesPerPeerMax: number;
  /** Of peers that have any. */
  readonly #byPeer = new Map<bigint, number>();
  #bytes = 0;

  constructor(options: JoinBudgetOptions = {}) {
    this.#bytesMax = options.bytesMax ?? JOIN_BYTES_MAX;
    this.#bytesPerPeerMax = options.bytesPerPeerMax ?? JOIN_BYTES_PER_PEER_MAX;
  }

  /** Bytes claimed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes claimed for one peer. */
  bytesOf(peer: bigint): number {
    return this.#byPeer.get(peer) ?? 0;
  }

  /** Claims bytes for a frame of a peer; false when there are not as many. */
  claim(peer: bigint, bytes: number): boolean {
    const ofPeer = this.bytesOf(peer) + bytes;
    if (ofPeer > this.#bytesPerPeerMax || this.#bytes + bytes > this.#bytesMax) return false;
    this.#byPeer.set(peer, ofPeer);
    this.#bytes += bytes;
    return true;
  }

  /** Gives them back. */
  release(peer: bigint, bytes: number): void {
    const left = this.bytesOf(peer) - bytes;
    if (left > 0) this.#byPeer.set(peer, left);
    else this.#byPeer.delete(peer);
    this.#bytes -= bytes;
  }
}
