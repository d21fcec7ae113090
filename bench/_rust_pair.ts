/**
 * What the Rust core reaches between two processes of its own on this machine, now: the rival's
 * side of `bench/transport.ts` and `bench/blob.ts`, measured in alternation with ours.
 *
 * The rival runs with what suits it best here: reliable streams with a 1 MiB window, and a retry on
 * the next turn of the event loop when credit is missing (its own retry loop pauses 5 ms and more).
 * Times are taken inside the peer processes; the JSON lines between us are outside of them.
 */
import { type RustNode, type RustPeer, startRustPeer } from "../test/interop/rust_peer.ts";
import type { SendMode } from "../test/interop/rust_protocol.ts";

const MIB = 1024 * 1024;
const RECEIVE_TIMEOUT_MS = 8000;

/** Two connected Rust nodes, each in its own process. */
export interface RustPair extends AsyncDisposable {
  readonly source: RustNode;
  readonly target: RustNode;
  readonly sourcePeer: RustPeer;
  readonly targetPeer: RustPeer;
}

/** Options of {@linkcode measureRustStream}. */
export interface RustStreamOptions {
  readonly eventCount: number;
  readonly eventBytes: number;
  /** Events handed over per call, default 64. */
  readonly perCall?: number;
  /** Default 1 MiB. */
  readonly windowBytes?: number;
  /** Default true. */
  readonly isReliable?: boolean;
  /** Default `spin`. */
  readonly mode?: SendMode;
}

/** What one stream run gave. */
export interface RustStreamFigures {
  /** From the first to the last event received. */
  readonly eventsPerSecond: number;
  /** Event bytes per second, in units of 10^6. */
  readonly megabytesPerSecond: number;
  /** Events that never came; negative when retransmissions were delivered twice. */
  readonly lost: number;
}

/** Options of {@linkcode measureRustBlobFetch}. */
export interface RustBlobOptions {
  /** Size of the blob, default 64 MiB: 16 chunks. */
  readonly sizeBytes?: number;
}

/** What one blob run gave, in 10^6 bytes per second. */
export interface RustBlobFigures {
  /** Storing to memory, hashes included. */
  readonly putMegabytesPerSecond: number;
  /** Fetching over the mesh, hashes checked. */
  readonly fetchMegabytesPerSecond: number;
}

/** Starts two processes with one node each and connects them. */
export async function openRustPair(): Promise<RustPair> {
  await using stack = new AsyncDisposableStack();
  const sourcePeer = stack.use(await startRustPeer());
  const targetPeer = stack.use(await startRustPeer());
  const psk = crypto.getRandomValues(new Uint8Array(32));
  const source = await sourcePeer.createNode({ psk });
  const target = await targetPeer.createNode({ psk });
  const accepted = target.call("accept", { peer: source.nodeId });
  const { address, publicKey, nodeId } = target;
  await source.call("connect", { address, publicKey, peer: nodeId });
  await accepted;
  await Promise.all([source.call("start", {}), target.call("start", {})]);
  const owned = stack.move();
  return {
    source,
    target,
    sourcePeer,
    targetPeer,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * Sends events over a stream of its own and times their arrival.
 *
 * @throws {Error} When fewer than half of the events arrive.
 */
export async function measureRustStream(
  pair: RustPair,
  options: RustStreamOptions,
): Promise<RustStreamFigures> {
  const { eventCount, eventBytes } = options;
  const peer = pair.target.nodeId;
  const streamId = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  const name = { peer, streamId: streamId & 0x1fff_ffffn };
  await pair.source.call("openStream", {
    ...name,
    isReliable: options.isReliable ?? true,
    windowBytes: options.windowBytes ?? MIB,
  });
  const receiving = pair.target.call("receiveMany", { eventCount, timeoutMs: RECEIVE_TIMEOUT_MS });
  await pair.source.call("sendMany", {
    ...name,
    eventCount,
    eventBytes,
    perCall: options.perCall ?? 64,
    mode: options.mode ?? "spin",
  });
  const got = await receiving;
  await pair.source.call("closeStream", name);
  if (got.events < eventCount / 2) {
    throw new Error(`Cannot measure the Rust stream: ${got.events} of ${eventCount} events came`);
  }
  // Duplicates of the last batch must not count as events of the next run.
  await pair.target.receive(1, 200);
  return {
    eventsPerSecond: got.events / got.seconds,
    megabytesPerSecond: got.bytes / got.seconds / 1e6,
    lost: eventCount - got.events,
  };
}

/** Unary calls of 64 bytes, one after the other: its shortest way there and back; microseconds, sorted. */
export async function measureRustCalls(pair: RustPair, count: number): Promise<number[]> {
  const service = `echo-${Math.random().toString(36).slice(2)}`;
  await pair.target.call("serveEcho", { service });
  const options = { peer: pair.target.nodeId, service, bodyBytes: 64 };
  // The first calls teach the caller who serves.
  await pair.source.call("callMany", { ...options, count: 50 });
  return (await pair.source.call("callMany", { ...options, count })).microseconds;
}

/** Stores a blob in memory on the target and fetches it to the source. */
export async function measureRustBlobFetch(
  pair: RustPair,
  options: RustBlobOptions = {},
): Promise<RustBlobFigures> {
  const sizeBytes = options.sizeBytes ?? 64 * MIB;
  const held = await pair.targetPeer.call("openStore", {});
  await pair.target.call("serve", { store: held });
  const own = await pair.sourcePeer.call("openStore", {});
  await pair.source.call("serve", { store: own });
  const seed = Math.floor(Math.random() * 2 ** 31);
  const put = await pair.targetPeer.call("put", { store: held, source: { sizeBytes, seed } });
  const got = await pair.source.call("fetch", { peer: pair.target.nodeId, ref: put.ref });
  if (got.hash.toHex() !== put.hash.toHex()) throw new Error("Rust blob fetch gave other bytes");
  return {
    putMegabytesPerSecond: sizeBytes / put.seconds / 1e6,
    fetchMegabytesPerSecond: sizeBytes / got.seconds / 1e6,
  };
}
