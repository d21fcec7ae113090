/**
 * What is asked of the sessions with each node: whether they must be sealed, and whose key must prove it
 * (`sealed.md` 4).
 *
 * Pins are what nodes proved. What was only told of a node (a ticket, a signed announcement, which any
 * member of the mesh can make for as many nodes as it likes) is kept apart: it never pushes a pin out.
 */
import type { SealingPolicy } from "../core/transport/mod.ts";

/** Nodes of each kind: as many as peers. */
export const POLICIES_MAX = 4_096;

/** Policies by node. */
export class SealingPolicies {
  /** The longest unproven first. */
  readonly #pins = new Map<bigint, Uint8Array>();
  /** The longest untold first. */
  readonly #told = new Map<bigint, SealingPolicy>();

  /** The policy of a node; `undefined` when nothing is known of it. */
  get(nodeId: bigint): SealingPolicy | undefined {
    const pin = this.#pins.get(nodeId);
    return pin === undefined ? this.#told.get(nodeId) : { knownEntityId: pin, isRequired: true };
  }

  /** A node proved who it is; false when it had before. */
  pin(nodeId: bigint, entityId: Uint8Array): boolean {
    const isNew = !this.#pins.has(nodeId);
    renew(this.#pins, nodeId, entityId);
    this.#told.delete(nodeId);
    return isNew;
  }

  /** Something was told of a node; what it proved, and that it has to seal, stays. */
  tell(nodeId: bigint, policy: SealingPolicy): void {
    if (this.#pins.has(nodeId)) return;
    const isRequired = policy.isRequired || this.#told.get(nodeId)?.isRequired === true;
    renew(this.#told, nodeId, { ...policy, isRequired });
  }

  /** Forgets a node; false when nothing was known of it. */
  forget(nodeId: bigint): boolean {
    const wasTold = this.#told.delete(nodeId);
    return this.#pins.delete(nodeId) || wasTold;
  }
}

function renew<T>(kept: Map<bigint, T>, nodeId: bigint, value: T): void {
  kept.delete(nodeId);
  if (kept.size >= POLICIES_MAX) {
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      break;
    }
  }
  kept.set(nodeId, value);
}
