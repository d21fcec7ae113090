/**
 * Noise keys that nodes proved to hold on sealed sessions. What a node announced is forgotten with its session;
 * by its key it is reached again all the same, through others where its own way broke.
 */
import type { ProvenPeer } from "../../core/transport/mod.ts";
import type { NoiseIdentity } from "./peer_knowledge.ts";

/** Nodes remembered, as many as the transport holds peers: 4,096 × about 200 B. */
const PROVEN_MAX = 4_096;

/** Keys by node. */
export class ProvenKeys {
  /** The longest unproven first. */
  readonly #keys = new Map<bigint, NoiseIdentity>();

  /** A node proved who it is. */
  note({ nodeId, entityId, noisePublicKey }: ProvenPeer): void {
    this.#keys.delete(nodeId);
    if (this.#keys.size >= PROVEN_MAX) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    this.#keys.set(nodeId, { entityId, noisePublicKey, version: 0n });
  }

  /** The key of a node. */
  get(nodeId: bigint): NoiseIdentity | undefined {
    return this.#keys.get(nodeId);
  }
}
