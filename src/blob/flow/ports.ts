/** What moves blobs needs of the node around it: its store and the mesh, each as small as it can be. */
import type { HoldOptions } from "../blob_store.ts";
import type { ChunkStanding, OverflowOffer, OverflowReply } from "../policy/mod.ts";
import type { HoldReply, HoldRequest } from "./hold_wire.ts";

/** The chunks of this node. */
export interface FlowStore {
  /** Bytes; a capacity of `Infinity` bounds nothing. */
  room(): {
    readonly usedBytes: number;
    readonly capacityBytes: number;
    readonly freeBytes: number;
  };
  has(hash: Uint8Array): Promise<number | undefined>;
  /** Verified bytes; does not count as a read. */
  read(hash: Uint8Array): Promise<Uint8Array | undefined>;
  /** Durable when it resolves. */
  add(hash: Uint8Array, bytes: Uint8Array): Promise<"stored" | "present">;
  standing(hash: Uint8Array): Promise<ChunkStanding | undefined>;
  hold(hashes: readonly Uint8Array[], options: HoldOptions): Promise<void>;
  release(owner: string, hashes?: readonly Uint8Array[]): Promise<number>;
  /** Removes a chunk that nothing keeps, young or not; its size, or `undefined` when it stays. */
  discard(hash: Uint8Array): Promise<number | undefined>;
  /**
   * Chunks that are here, the oldest first, from where the last call ended or from the beginning again; those that are
   * pinned, staged, or held as a replica left out, and without `isReferredToo` those that a blob refers to.
   */
  oldest(options: { readonly limit: number; readonly isReferredToo: boolean }): Promise<
    readonly { readonly hash: Uint8Array; readonly size: number }[]
  >;
  /** Of these chunks, those that are here. */
  present(hashes: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /** Sizes of those of these chunks that some reference here names, by hash in hex. */
  sizes(hashes: readonly Uint8Array[]): Promise<ReadonlyMap<string, number>>;
  /**
   * Removes the copy of a chunk though a blob refers to it, unless it is pinned, held or in use; its size, or
   * `undefined` when it stays.
   */
  drop(hash: Uint8Array): Promise<number | undefined>;
  /** Holds by owners whose names begin so; without a size where the chunk is not here. */
  heldBy(ownerPrefix: string): Promise<
    readonly {
      readonly hash: Uint8Array;
      readonly owner: string;
      readonly expiresAtMs: number | undefined;
      readonly size: number | undefined;
    }[]
  >;
  /** Chunks that only others hold for this node. */
  readonly spilled: SpillMemory;
}

/** One chunk of this node's blobs that a peer holds in its stead. */
export interface Spill {
  readonly hash: Uint8Array;
  readonly size: number;
  readonly holder: bigint;
  /** Unix milliseconds of the last promise. */
  readonly provenAtMs: number;
}

/** Keeps over restarts who holds what. */
export interface SpillMemory {
  write(spills: readonly Spill[]): Promise<void>;
  /** Forgets what a peer holds, or what all do. */
  remove(hash: Uint8Array, holder?: bigint): Promise<void>;
  holders(hash: Uint8Array): Promise<readonly bigint[]>;
  /** Those promised before then, the oldest first. */
  oldest(beforeMs: number, limit: number): Promise<readonly Spill[]>;
  /** Those of chunks that no blob here refers to any more. */
  unneeded(limit: number): Promise<readonly Spill[]>;
  count(): Promise<number>;
}

/** A node that is known. */
export interface FlowPeer {
  readonly nodeId: bigint;
  /** Of its announcement, as far as they are believed. */
  readonly tags: readonly string[];
  readonly isConnected: boolean;
  readonly rttMs?: number;
}

/** Options of {@linkcode FlowMesh.fetch}. */
export interface FlowFetchOptions {
  /** Asked first, in this order. */
  readonly sources: readonly bigint[];
  /** Asks nobody else. */
  readonly isOnlyThese?: boolean;
  /** The most the chunk may measure. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** The nodes around this one. */
export interface FlowMesh {
  readonly nodeId: bigint;
  /** Tags of this node's own announcement. */
  ownTags(): readonly string[];
  /** Everybody who announced something, this node left out. */
  peers(): Iterable<FlowPeer>;
  peer(nodeId: bigint): FlowPeer | undefined;
  /** Says tags in the place of those that the same source said before; false when they do not fit. */
  say(source: string, tags: readonly string[]): boolean;
  /** Fetches and verifies a chunk; throws when nobody gives it. */
  fetch(hash: Uint8Array, options: FlowFetchOptions): Promise<Uint8Array>;
  /** Offers a chunk; throws when there is no answer. */
  offer(peer: bigint, offer: OverflowOffer, signal: AbortSignal): Promise<OverflowReply>;
  /** Asks a peer for its proof and its promise; throws when there is no answer. */
  hold(peer: bigint, request: HoldRequest, signal: AbortSignal): Promise<HoldReply>;
}
