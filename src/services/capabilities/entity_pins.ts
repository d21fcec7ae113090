/** The entity of each node that proved who it is, or spoke for itself (`identity-and-channels.md` 11). */

/** Nodes remembered: as many as the transport holds peers. */
const PINS_MAX = 4_096;

/** Entities by node; the first one counts. */
export class EntityPins {
  /** The longest unheard of first. */
  readonly #pins = new Map<bigint, Uint8Array>();

  /** The entity of a node. */
  get(nodeId: bigint): Uint8Array | undefined {
    return this.#pins.get(nodeId);
  }

  /** Remembers a node's entity; what is known already stays. */
  pin(nodeId: bigint, entityId: Uint8Array): void {
    const known = this.#pins.get(nodeId);
    if (known !== undefined) {
      this.#pins.delete(nodeId);
      this.#pins.set(nodeId, known);
      return;
    }
    if (this.#pins.size >= PINS_MAX) {
      // Peers say something every few minutes; one that comes back is pinned again by what it says first.
      for (const oldest of this.#pins.keys()) {
        this.#pins.delete(oldest);
        break;
      }
    }
    this.#pins.set(nodeId, entityId);
  }
}
