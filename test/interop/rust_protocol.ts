/**
 * What a test and its Rust peer process say to each other: one JSON document per line, requests
 * `{id, op, args}` and answers `{id, result}` or `{id, error}`.
 *
 * 64-bit numbers travel as `{"$n": decimal}` and bytes as `{"$b": base64}`. Both ends are ours and
 * trusted, so this is not a hostile-input decoder.
 */

/** How a node of the peer is made. */
export interface RustNodeOptions {
  /** Mesh secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** Default `127.0.0.1:0`. */
  readonly bind?: string;
  readonly heartbeatIntervalMs?: number;
  readonly sessionTimeoutMs?: number;
  readonly numShards?: number;
  /** ed25519 seed, 32 bytes. */
  readonly seed?: Uint8Array;
  readonly requireSignedCapabilities?: boolean;
}

/** Who a node is; its Noise key is new on every start. */
export interface RustNodeInfo {
  /** Handle for further calls. */
  readonly node: number;
  readonly nodeId: bigint;
  /** `ip:port`. */
  readonly address: string;
  /** Noise static public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** ed25519 public key, 32 bytes. */
  readonly entityId: Uint8Array;
}

/** A stream by name, as the calls below take it. */
export interface StreamName {
  readonly node: number;
  readonly peer: bigint;
  readonly streamId: bigint;
}

/**
 * How a batch is sent: `once` fails on backpressure, `retry` and `blocking` use the core's own
 * loops, `spin` tries again on the next turn of the event loop.
 */
export type SendMode = "once" | "retry" | "blocking" | "spin";

/** One event as the peer received it. */
export interface ReceivedEvent {
  /** Packet number in its stream. */
  readonly sequence: number;
  /** Position in the packet. */
  readonly index: number;
  readonly shard: number;
  readonly bytes: Uint8Array;
}

/** Counters of one stream of the Rust core. */
export interface StreamStats {
  readonly txSeq: bigint;
  readonly rxSeq: bigint;
  readonly inboundPending: bigint;
  readonly active: boolean;
  readonly backpressureEvents: bigint;
  readonly txCreditRemaining: number;
  readonly txWindow: number;
  readonly creditGrantsReceived: bigint;
  readonly creditGrantsSent: bigint;
}

/** A part of the bytes that {@linkcode fillPattern} makes of a seed. */
export interface PatternPart {
  readonly seed: number;
  /** First byte, and the one behind the last. */
  readonly start: number;
  readonly end: number;
}

/** How far a pattern was sent. */
export interface PatternSent {
  /** Where the next event would have begun. */
  readonly end: number;
  readonly seconds: number;
  /** What the core said when it took no more; null when all of it was taken. */
  readonly failure: string | null;
}

/** What came of a stream, put back in order by sequence and index. */
export interface StreamReceived {
  readonly sizeBytes: number;
  /** SHA-256 of the bytes in order, each event once. */
  readonly hash: Uint8Array;
  /** Events the core delivered again. */
  readonly duplicates: number;
  /** Events that came behind one with a higher sequence. */
  readonly disordered: number;
  readonly seconds: number;
}

/** Bytes given as they are, or made by {@linkcode fillPattern} in the peer. */
export type BlobSource =
  | { readonly bytes: Uint8Array }
  | { readonly sizeBytes: number; readonly seed: number };

/** What a stored blob is called. */
export interface StoredBlob {
  /** Encoded BlobRef, Small up to 4 MiB, else Manifest. */
  readonly ref: Uint8Array;
  /** BLAKE3 of the whole. */
  readonly hash: Uint8Array;
  readonly sizeBytes: number;
  /** Time inside the store call alone, hashing by the caller left out. */
  readonly seconds: number;
}

/** What a fetch brought. */
export interface FetchedBlob {
  /** BLAKE3 of the whole. */
  readonly hash: Uint8Array;
  readonly sizeBytes: number;
  readonly seconds: number;
  /** Present when asked for. */
  readonly bytes: Uint8Array | null;
}

/** Every operation: its arguments and its result. */
export interface RustOperations {
  create: [RustNodeOptions, RustNodeInfo];
  accept: [{ node: number; peer: bigint }, string];
  connect: [{ node: number; address: string; publicKey: Uint8Array; peer: bigint }, null];
  connectVia: [
    { node: number; peer: bigint; publicKey: Uint8Array; coordinator: bigint },
    null,
  ];
  addRoute: [{ node: number; peer: bigint; address: string }, null];
  setReflex: [{ node: number; address: string }, null];
  /** Asks its peers where they see it; the class that comes of it. */
  classify: [{ node: number }, string];
  /** The class that another node announced. */
  peerClass: [{ node: number; peer: bigint }, string];
  traversal: [
    { node: number },
    { punchesAttempted: bigint; punchesSucceeded: bigint; relayFallbacks: bigint },
  ];
  start: [{ node: number }, null];
  shutdown: [{ node: number }, null];
  counts: [{ node: number }, { peers: number; discovered: number; rssBytes: number }];
  push: [{ node: number; address: string; event: Uint8Array }, boolean];
  openStream: [
    StreamName & { isReliable: boolean; windowBytes?: number },
    null,
  ];
  send: [StreamName & { events: readonly Uint8Array[]; mode?: SendMode }, null];
  closeStream: [StreamName, null];
  streamStats: [StreamName, StreamStats | null];
  poll: [{ node: number; limit: number }, ReceivedEvent[]];
  sendMany: [
    StreamName & { eventCount: number; eventBytes: number; perCall: number; mode?: SendMode },
    { seconds: number; refused: number },
  ];
  receiveMany: [
    { node: number; eventCount: number; timeoutMs: number },
    { events: number; bytes: number; seconds: number },
  ];
  /** Sends a part of a pattern in packets of `perCall` events. */
  sendPattern: [
    StreamName & PatternPart & {
      readonly eventBytes: number;
      readonly perCall: number;
      readonly mode?: SendMode;
    },
    PatternSent,
  ];
  /**
   * Takes the events of the only stream that uses its shard until `sizeBytes` different ones are there,
   * or nothing came for `timeoutMs`.
   */
  receiveStream: [
    { node: number; streamId: bigint; sizeBytes: number; timeoutMs: number },
    StreamReceived,
  ];
  probeReflex: [{ node: number; peer: bigint }, string];
  /** Serves RPC calls of `service` by giving the body back. */
  serveEcho: [{ node: number; service: string }, null];
  /** Calls one after the other; microseconds each took, sorted. */
  callMany: [
    { node: number; peer: bigint; service: string; count: number; bodyBytes: number },
    { microseconds: number[] },
  ];
  announce: [{ node: number; capabilities: Readonly<Record<string, unknown>> }, null];
  openStore: [{ folder?: string }, number];
  serve: [{ node: number; store: number }, null];
  /** Stores a folder of this machine. */
  putFolder: [{ node: number; store: number; folder: string }, { ref: Uint8Array }];
  /** Makes the folder that a peer has. */
  fetchFolder: [
    { node: number; peer: bigint; ref: Uint8Array; output: string },
    { files: bigint; bytes: bigint },
  ];
  put: [{ store: number; source: BlobSource }, StoredBlob];
  /** As a tree, with parity when a code is given. */
  putTree: [
    { store: number; source: BlobSource; code?: { data: number; parity: number } },
    StoredBlob,
  ];
  has: [{ store: number; ref: Uint8Array }, boolean];
  get: [{ store: number; ref: Uint8Array; wantBytes?: boolean }, FetchedBlob];
  fetch: [
    { node: number; peer?: bigint; ref: Uint8Array; wantBytes?: boolean },
    FetchedBlob,
  ];
}

/** Name of an operation. */
export type RustOperation = keyof RustOperations;
/** Arguments of an operation. */
export type RustArguments<Name extends RustOperation> = RustOperations[Name][0];
/** Result of an operation. */
export type RustResult<Name extends RustOperation> = RustOperations[Name][1];

/** One request line. */
export interface RustRequest {
  readonly id: number;
  readonly op: string;
  readonly args: unknown;
}

/** One answer line. */
export interface RustAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** One document as a line with its line end. */
export function encodeLine(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(pack(value))}\n`);
}

/** Reads a line made by {@linkcode encodeLine}. */
export function decodeLine(line: string): unknown {
  return JSON.parse(line, (_key, value) => {
    if (typeof value?.$n === "string") return BigInt(value.$n);
    if (typeof value?.$b === "string") return Uint8Array.fromBase64(value.$b);
    return value;
  });
}

/** Lines of a byte stream, until it ends. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending: string[] = [];
  for await (const bytes of stream) {
    const parts = decoder.decode(bytes, { stream: true }).split("\n");
    for (const [index, part] of parts.entries()) {
      pending.push(part);
      if (index === parts.length - 1) break;
      const line = pending.join("");
      pending = [];
      if (line !== "") yield line;
    }
  }
}

/** Fills `bytes` with a pseudo-random pattern that depends on `seed` alone (xorshift32). */
export function fillPattern(bytes: Uint8Array, seed: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let state = (seed ^ 0x9e3779b9) | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
  const words = bytes.length >>> 2;
  for (let i = 0; i < words; i++) view.setUint32(i * 4, next(), true);
  for (let i = words * 4; i < bytes.length; i++) bytes[i] = next();
}

function pack(value: unknown): unknown {
  if (typeof value === "bigint") return { $n: value.toString() };
  if (value instanceof Uint8Array) return { $b: value.toBase64() };
  if (Array.isArray(value)) return value.map(pack);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}
