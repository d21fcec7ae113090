/**
 * What this node promised to keep for peers, so that they could give their own copy up. A promise is a hold in the
 * ledger with an end; here it is in memory too, because between the last look at it and the removal of a chunk
 * nothing may happen: two nodes that promise each other the same chunk must not both drop it.
 */
import { idToHex, parseId, toHex } from "../../base/mod.ts";
import { LEASE_MS, LEASES_MAX } from "./limits.ts";
import type { FlowStore } from "./ports.ts";

const OWNER = "overflow:";

interface Lease {
  readonly size: number;
  /** Peers, and when each promise ends, in Unix milliseconds. */
  readonly ends: Map<bigint, number>;
}

/** The promises of one node. */
export class LeaseBook {
  readonly #store: Pick<FlowStore, "hold" | "release" | "heldBy">;
  readonly #leases = new Map<string, Lease>();
  /** Chunks whose copy goes at this moment. */
  readonly #dropping = new Set<string>();
  #bytes = 0;

  constructor(store: Pick<FlowStore, "hold" | "release" | "heldBy">) {
    this.#store = store;
  }

  /** Chunks promised. */
  get size(): number {
    return this.#leases.size;
  }

  /** Bytes promised. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what was promised before a restart. */
  async load(): Promise<void> {
    for (const { hash, owner, expiresAtMs, size } of await this.#store.heldBy(OWNER)) {
      const peer = parseId(owner.slice(OWNER.length));
      if (peer === undefined) continue;
      if (size !== undefined) this.#note(toHex(hash), size, peer, expiresAtMs ?? Infinity);
    }
  }

  /** True while somebody counts on this node for a chunk. */
  isLeased(hex: string, wallMs: number): boolean {
    const lease = this.#leases.get(hex);
    return lease !== undefined && [...lease.ends.values()].some((end) => end > wallMs);
  }

  /** True when the peer counts on this node for the chunk. */
  isLeasedTo(hex: string, peer: bigint): boolean {
    return this.#leases.get(hex)?.ends.has(peer) ?? false;
  }

  /** Promises a chunk that is here, durably; false when it just goes or there are too many promises. */
  async grant(hash: Uint8Array, size: number, peer: bigint, wallMs: number): Promise<boolean> {
    const hex = toHex(hash);
    const isKnown = this.#leases.has(hex);
    if (this.#dropping.has(hex) || (!isKnown && this.#leases.size >= LEASES_MAX)) return false;
    const expiresAtMs = wallMs + LEASE_MS;
    this.#note(hex, size, peer, expiresAtMs);
    await this.#store.hold([hash], {
      reason: "replica",
      owner: OWNER + idToHex(peer),
      expiresAtMs,
    });
    return true;
  }

  /** The peer does not count on this node any more. */
  async release(hash: Uint8Array, peer: bigint): Promise<void> {
    const hex = toHex(hash);
    const lease = this.#leases.get(hex);
    if (lease === undefined || !lease.ends.delete(peer)) return;
    if (lease.ends.size === 0) this.#forget(hex, lease);
    await this.#store.release(OWNER + idToHex(peer), [hash]);
  }

  /** Removes a copy unless somebody counts on it; what `drop` gives, `undefined` when it was not called. */
  async drop<T>(hex: string, wallMs: number, drop: () => Promise<T>): Promise<T | undefined> {
    if (this.isLeased(hex, wallMs) || this.#dropping.has(hex)) return undefined;
    this.#dropping.add(hex);
    try {
      return await drop();
    } finally {
      this.#dropping.delete(hex);
    }
  }

  /** Forgets promises that are over. */
  sweep(wallMs: number): void {
    for (const [hex, lease] of this.#leases) {
      for (const [peer, end] of lease.ends) if (end <= wallMs) lease.ends.delete(peer);
      if (lease.ends.size === 0) this.#forget(hex, lease);
    }
  }

  #note(hex: string, size: number, peer: bigint, end: number): void {
    const lease = this.#leases.get(hex) ?? { size, ends: new Map() };
    if (!this.#leases.has(hex)) this.#bytes += size;
    lease.ends.set(peer, end);
    this.#leases.set(hex, lease);
  }

  #forget(hex: string, { size }: Lease): void {
    if (this.#leases.delete(hex)) this.#bytes -= size;
  }
}
