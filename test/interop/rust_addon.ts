/**
 * The part of the Rust core's Node addon that the live peer tests use, as types, and its loader.
 *
 * The package ships no declarations: argument order, option names and results below were found by
 * calling release 0.36.0 (`spec/wire.md` 4, 7 and `spec/dataforts.md` 12, 23). Loading happens in
 * the peer's own process only (`rust_peer_process.ts`), so that a crash of native code cannot take
 * a test run with it.
 *
 * Behaviour a test has to know, seen with 0.36.0:
 *
 * - Direct sessions: the responder calls `accept(initiator id)` before its `start()` and the
 *   initiator `connect()` at any time; `accept()` after `start()` fails at once. Wrong secret, wrong
 *   key, wrong id and nobody there all look the same: both calls fail after 15.3 s.
 * - `peerCount()` falls only on eviction, 30 session timeouts after the last packet (3.02 s with a
 *   timeout of 100 ms); with that setting it proves liveness after 4 s. `discoveredNodes()` never
 *   falls.
 * - `poll()` takes from all shards, shard by shard, and stops at the limit; an event keeps neither
 *   its peer nor its stream id, only the packet's sequence and the shard (stream id mod shards).
 * - Backpressure is the error text `stream would block: stream queue full`; `sendWithRetry` gives up
 *   with the same text, `sendBlocking` with `stream credit stalled` after about 30 s.
 * - 300,000 unpolled events are kept, a million stall a reliable sender: a test polls.
 * - `bindAddr` with a port in use succeeds, so two processes must not be given the same port.
 * - There is no drop counter for datagrams. That nothing was dropped shows in what arrived:
 *   events by `poll()`, `rxSeq` and `creditGrantsSent` of `streamStats()`.
 */
import { createRequire } from "node:module";
import { Buffer } from "node:buffer";

/** Package that holds the native addon. */
export const RUST_PACKAGE = "@net-mesh/core-linux-x64-gnu";

/** Options of `NetMesh.create`; the two first are required. */
export interface RustMeshOptions {
  /** `ip:port`; port 0 picks a free one. */
  readonly bindAddr: string;
  /** Mesh secret, 64 hex digits. */
  readonly psk: string;
  /** Default 5000. */
  readonly heartbeatIntervalMs?: number;
  /** Default 30000. */
  readonly sessionTimeoutMs?: number;
  /** Receive queues, default 4. */
  readonly numShards?: number;
  /** ed25519 seed, 32 bytes; random when absent. */
  readonly identitySeed?: Buffer;
  readonly requireSignedCapabilities?: boolean;
  readonly permissiveChannels?: boolean;
  readonly autoDirectUpgrade?: boolean;
  readonly tryPortMapping?: boolean;
}

/** Options of `NetMesh.openStream`. */
export interface RustStreamOptions {
  readonly streamId: bigint;
  /** Default `fire_and_forget`. */
  readonly reliability?: "fire_and_forget" | "reliable";
  /** Send window, default 65536, 0 for none. */
  readonly windowBytes?: number;
  readonly fairnessWeight?: number;
}

/** One received event as `poll` returns it. */
export interface RustEvent {
  /** `sequence:index` of the packet it came in. */
  readonly id: string;
  readonly rawBytes: Buffer;
  readonly insertionTs: bigint;
  /** stream id mod number of shards. */
  readonly shardId: number;
}

/** Counters of one stream; null when the stream is not open. */
export interface RustStreamStats {
  readonly txSeq: bigint;
  readonly rxSeq: bigint;
  readonly inboundPending: bigint;
  readonly lastActivityNs: bigint;
  readonly active: boolean;
  readonly backpressureEvents: bigint;
  readonly txCreditRemaining: number;
  readonly txWindow: number;
  readonly creditGrantsReceived: bigint;
  readonly creditGrantsSent: bigint;
}

/** Handle of an opened stream. */
export interface RustStream {
  readonly peerNodeId: bigint;
  readonly streamId: bigint;
}

/** Reference to a blob. */
export interface RustBlobRef {
  readonly uri: string;
  /** Hash of a Small reference, zero bytes for the others. */
  readonly hash: Buffer;
  readonly size: bigint;
  readonly version: number;
  readonly isTree: boolean;
  readonly isChunked: boolean;
  encode(): Buffer;
}

/** Chunk store; `store` takes Small and Manifest references and checks every hash. */
export interface RustBlobAdapter {
  store(ref: RustBlobRef, bytes: Buffer): Promise<void>;
  fetch(ref: RustBlobRef): Promise<Buffer>;
  exists(ref: RustBlobRef): Promise<boolean>;
  /** A tree of chunks of 4 MiB. */
  storeStreamTreeFromBytes(bytes: Buffer, encoding: RustEncoding): Promise<RustBlobRef>;
}

/** How chunks are protected. */
export interface RustEncoding {
  readonly kind: string;
}

/** Counters of traversal, as far as used. */
export interface RustTraversalStats {
  readonly punchesAttempted: bigint;
  readonly punchesSucceeded: bigint;
  readonly relayFallbacks: bigint;
  readonly punchRejections: bigint;
}

/** A node of the Rust core. */
export interface RustMesh {
  nodeId(): bigint;
  localAddr(): string;
  /** Noise static public key, 64 hex digits. */
  publicKey(): string;
  /** ed25519 public key. */
  entityId(): Buffer;
  numShards(): number;
  peerCount(): number;
  discoveredNodes(): number;
  /** Direct responder role, before `start` only; resolves with the initiator's address. */
  accept(nodeId: bigint): Promise<string>;
  /** Direct initiator role, before or after `start`. */
  connect(address: string, publicKeyHex: string, nodeId: bigint): Promise<void>;
  /** Routed handshake through a connected coordinator. */
  connectDirect(nodeId: bigint, publicKey: Buffer, coordinator: bigint): Promise<void>;
  addRoute(nodeId: bigint, address: string): void;
  /** States the address others are to reach this node at, in the next announcement; its class is open then. */
  setReflexOverride(address: string): void;
  /** `open`, `cone`, `symmetric` or `unknown`. */
  natType(): string;
  /** The same of another node, as that announced it. */
  peerNatType(nodeId: bigint): string;
  /** Asks its peers where they see it, now. */
  reclassifyNat(): Promise<void>;
  traversalStats(): RustTraversalStats;
  start(): Promise<void>;
  shutdown(): Promise<void>;
  /** Sends one event to a direct peer's address on stream 0, unreliable. */
  pushTo(address: string, event: Buffer): Promise<boolean>;
  poll(limit?: number): Promise<RustEvent[]>;
  pollShard(shard: number, limit?: number): Promise<RustEvent[]>;
  openStream(nodeId: bigint, options: RustStreamOptions): RustStream;
  /** Fails with a backpressure error when credit is missing; nothing is queued then. */
  sendOnStream(stream: RustStream, events: Buffer[]): Promise<void>;
  /** Retries backpressure with 5..200 ms pauses. */
  sendWithRetry(stream: RustStream, events: Buffer[], retries?: number): Promise<void>;
  sendBlocking(stream: RustStream, events: Buffer[]): Promise<void>;
  closeStream(nodeId: bigint, streamId: bigint): void;
  streamStats(nodeId: bigint, streamId: bigint): RustStreamStats | null;
  announceCapabilities(set: Readonly<Record<string, unknown>>): Promise<void>;
  /** Address of ours that the peer saw at handshake time. */
  probeReflex(nodeId: bigint): Promise<string>;
  /** Installs the transfer engine; needed for fetching too. */
  serveBlobTransfer(adapter: RustBlobAdapter): void;
  fetchBlob(nodeId: bigint, ref: RustBlobRef): Promise<Buffer>;
  fetchBlobDiscovered(ref: RustBlobRef): Promise<Buffer>;
  /** Stores a folder; the reference of its manifest. */
  storeDir(adapter: RustBlobAdapter, folder: string): Promise<RustBlobRef>;
  fetchDir(
    nodeId: bigint,
    ref: RustBlobRef,
    output: string,
  ): Promise<{ readonly files: bigint; readonly bytes: bigint }>;
}

/** RPC over a node. */
export interface RustRpc {
  /** The handler has to give a promise. */
  serve(service: string, handler: (body: Buffer) => Promise<Buffer>): unknown;
  call(nodeId: bigint, service: string, body: Buffer, options: object): Promise<Buffer>;
}

/** What the addon exports, as far as used. */
export interface RustAddon {
  readonly NetMesh: { create(options: RustMeshOptions): Promise<RustMesh> };
  readonly MeshRpc: { fromMesh(mesh: RustMesh): RustRpc };
  /** Log root; the folder is only used by persistent adapters. */
  readonly Redex: new (folder?: string) => unknown;
  readonly MeshBlobAdapter: new (
    redex: unknown,
    id: string,
    options?: { readonly persistent?: boolean },
  ) => RustBlobAdapter;
  readonly Encoding: {
    replicated(): RustEncoding;
    reedSolomon(data: number, parity: number): RustEncoding;
  };
  readonly BlobRef: {
    new (uri: string, hash: Buffer, size: bigint): RustBlobRef;
    fromEncoded(bytes: Buffer): RustBlobRef;
  };
}

/** True on the one platform the addon is built for. */
export function isRustPlatform(): boolean {
  return Deno.build.target === "x86_64-unknown-linux-gnu";
}

/**
 * Loads the addon.
 *
 * @throws {Error} When the package is not installed or built for another platform.
 */
export function loadRustAddon(): RustAddon {
  return createRequire(import.meta.url)(RUST_PACKAGE) as RustAddon;
}

/** Wraps bytes, without a copy, in the Buffer class the addon insists on. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
