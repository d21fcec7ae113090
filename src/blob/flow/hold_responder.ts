/** Answers peers that ask for the proof of a chunk and for the promise to keep it. */
import { type Clock, toHex } from "../../base/mod.ts";
import { readDataClaims } from "../policy/mod.ts";
import { type HoldReply, type HoldRequest, proofOf } from "./hold_wire.ts";
import type { LeaseBook } from "./lease_book.ts";
import { ASKING_PEERS_MAX, PROOFS_PER_PEER_MAX } from "./limits.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";

/** What {@linkcode HoldResponder} needs. */
export interface HoldResponderDeps {
  readonly clock: Clock;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  readonly leases: LeaseBook;
  /** Overflow is on and the store is well: new promises may be given. */
  readonly isOpen: () => boolean;
  /** Bytes that may still be promised. */
  readonly leaseRoomBytes: () => number;
}

/** Counters of what peers asked. */
export interface HoldCounters {
  asked: number;
  proven: number;
  refused: number;
}

const HOUR_MS = 3_600_000;

/** Answers for one node. */
export class HoldResponder {
  readonly counters: HoldCounters = { asked: 0, proven: 0, refused: 0 };
  readonly #deps: HoldResponderDeps;
  /** Proofs of this hour by peer, the one that asked least lately first. */
  readonly #hours = new Map<bigint, { readonly hour: number; count: number }>();

  constructor(deps: HoldResponderDeps) {
    this.#deps = deps;
  }

  /** Answers `from`, which its session proves. */
  async onRequest(from: bigint, request: HoldRequest): Promise<HoldReply> {
    const { store, leases } = this.#deps;
    const { kind, hash, nonce } = request;
    this.counters.asked += 1;
    if (kind === "release") {
      await leases.release(hash, from);
      return { kind: "absent" };
    }
    const size = await store.has(hash);
    if (size === undefined) return { kind: "absent" };
    if (!this.#spend(from) || !await this.#keep(from, request, size)) {
      this.counters.refused += 1;
      return { kind: "refused" };
    }
    const bytes = await store.read(hash);
    if (bytes === undefined) {
      await leases.release(hash, from);
      return { kind: "absent" };
    }
    // Present already, so that this writes nothing; what was not synced yet is now.
    await store.add(hash, bytes);
    this.counters.proven += 1;
    return { kind: "proven", proof: proofOf(nonce, bytes) };
  }

  /** Counts a proof, if the peer has one left in this hour. */
  #spend(peer: bigint): boolean {
    const hour = Math.floor(this.#deps.clock.now() / HOUR_MS);
    const known = this.#hours.get(peer);
    const counted = known?.hour === hour ? known : { hour, count: 0 };
    counted.count += 1;
    this.#hours.delete(peer);
    this.#hours.set(peer, counted);
    const [oldest] = this.#hours.keys();
    if (this.#hours.size > ASKING_PEERS_MAX && oldest !== undefined) this.#hours.delete(oldest);
    return counted.count <= PROOFS_PER_PEER_MAX;
  }

  /** Promises where that was asked for; false when the peer is not to be answered. */
  async #keep(from: bigint, { kind, hash }: HoldRequest, size: number): Promise<boolean> {
    const { clock, mesh, leases, isOpen, leaseRoomBytes } = this.#deps;
    const hex = toHex(hash);
    // What was promised is promised, whatever the policy says now.
    const isKnown = leases.isLeasedTo(hex, from);
    const isPartner = isOpen() && readDataClaims(mesh.peer(from)?.tags ?? []).isOverflowing;
    if (!isKnown && !isPartner) return false;
    if (kind === "prove") return true;
    if (!isKnown && size > leaseRoomBytes()) return false;
    return await leases.grant(hash, size, from, clock.wallMs());
  }
}
