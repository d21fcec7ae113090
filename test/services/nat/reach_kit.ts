/** A simulated chain of nodes, each with a session with the next one, that reach the others on demand. */
import { silentLog } from "../../../src/observe/mod.ts";
import { Reacher } from "../../../src/services/nat/reacher.ts";
import type { NoiseIdentity } from "../../../src/services/nat/peer_knowledge.ts";
import type { SealingPolicies } from "../../../src/services/sealing_policies.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import type { KitNode, MeshKit } from "../../sim/mesh_kit.ts";

/** Keys that nodes of a {@linkcode MeshKit} announced, by node; what is changed here everybody knows. */
export class AnnouncedKeys {
  readonly #keys = new Map<bigint, NoiseIdentity>();
  /** Nodes whose sessions were required to be sealed, each time. */
  readonly required: bigint[] = [];

  /** A node announces a key, its own when none is given. */
  announce(node: KitNode, number: number, change: Partial<NoiseIdentity> = {}): void {
    const { entityId } = createIdentity(new Uint8Array(32).fill(number));
    const version = (this.#keys.get(node.nodeId)?.version ?? 0n) + 1n;
    this.#keys.set(node.nodeId, { entityId, noisePublicKey: node.publicKey, version, ...change });
  }

  get(nodeId: bigint): NoiseIdentity | undefined {
    return this.#keys.get(nodeId);
  }

  /** Makes what reaches others from a node; what it requires of sessions is told to `policies`. */
  reacher(kit: MeshKit, { transport }: KitNode, policies?: SealingPolicies): Reacher {
    return new Reacher({
      clock: kit.clock,
      log: silentLog,
      transport,
      keyOf: (peer) => this.get(peer),
      requireSealing: (peer, knownEntityId) => {
        this.required.push(peer);
        policies?.tell(peer, { knownEntityId, isRequired: true });
      },
    });
  }
}

/** So long until everybody has heard of everybody through pingwaves. */
export const ROUTES_MS = 12_000;
