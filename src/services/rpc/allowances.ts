/** What may be on its way to each peer in large frames, shared by all links to it while there are any. */
import { LargeAllowance } from "../../rpc/mod.ts";

interface Shared {
  readonly allowance: LargeAllowance;
  users: number;
}

/** Allowances by peer. */
export class Allowances {
  readonly #byPeer = new Map<bigint, Shared>();

  /** Peers that have one. */
  get size(): number {
    return this.#byPeer.size;
  }

  /** The allowance of a peer; {@linkcode Allowances.release} has to follow. */
  acquire(peer: bigint): LargeAllowance {
    let shared = this.#byPeer.get(peer);
    if (shared === undefined) {
      shared = { allowance: new LargeAllowance(), users: 0 };
      this.#byPeer.set(peer, shared);
    }
    shared.users += 1;
    return shared.allowance;
  }

  /** One link fewer goes to the peer. */
  release(peer: bigint): void {
    const shared = this.#byPeer.get(peer);
    if (shared === undefined) return;
    shared.users -= 1;
    if (shared.users === 0) this.#byPeer.delete(peer);
  }
}
