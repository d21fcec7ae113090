/** Two transports of ours, each in its own process and connected: what `_rust_pair.ts` is to Rust. */
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import type { MeshOperations } from "./_mesh_process.ts";

const MIB = 1024 * 1024;
const RECEIVE_TIMEOUT_MS = 50_000;

/** A connected pair. */
export interface MeshPair extends AsyncDisposable {
  readonly source: LineProcess<MeshOperations>;
  readonly target: LineProcess<MeshOperations>;
  readonly sourceId: bigint;
  readonly targetId: bigint;
}

/** Options of {@linkcode measureMeshStream}. */
export interface MeshStreamOptions {
  readonly eventCount: number;
  readonly eventBytes: number;
  /** Events handed over per call, default 64. */
  readonly perCall?: number;
  /** Default 1 MiB. */
  readonly windowBytes?: number;
  /** Streams to spread them over, default 1. */
  readonly streams?: number;
}

/** What one stream run gave. */
export interface MeshStreamFigures {
  readonly eventsPerSecond: number;
  /** Event bytes per second, in units of 10^6. */
  readonly megabytesPerSecond: number;
  /** Packets that had to be sent again. */
  readonly resent: number;
}

/** Starts two processes and connects them. */
export async function openMeshPair(
  options: { readonly pollMicroseconds?: number } = {},
): Promise<MeshPair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./_mesh_process.ts", import.meta.url);
  const source = stack.use(startLineProcess<MeshOperations>(program, { name: "source" }));
  const target = stack.use(startLineProcess<MeshOperations>(program, { name: "target" }));
  const psk = crypto.getRandomValues(new Uint8Array(32));
  const { nodeId: sourceId } = await source.call("start", { psk, ...options });
  const info = await target.call("start", { psk, ...options });
  await source.call("dial", info);
  const owned = stack.move();
  return {
    source,
    target,
    sourceId,
    targetId: info.nodeId,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * Sends events over a reliable stream of its own and times their arrival.
 *
 * @throws {Error} When not all events arrive.
 */
export async function measureMeshStream(
  pair: MeshPair,
  options: MeshStreamOptions,
): Promise<MeshStreamFigures> {
  const { eventCount, eventBytes } = options;
  await pair.target.call("reset", {});
  const receiving = pair.target.call("receive", { eventCount, timeoutMs: RECEIVE_TIMEOUT_MS });
  const sent = await pair.source.call("send", {
    peer: pair.targetId,
    streamId: BigInt(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0),
    eventCount,
    eventBytes,
    perCall: options.perCall ?? 64,
    windowBytes: options.windowBytes ?? MIB,
    streams: options.streams,
  });
  const got = await receiving;
  if (got.events !== eventCount) {
    throw new Error(`Cannot measure our stream: ${got.events} of ${eventCount} events came`);
  }
  return {
    eventsPerSecond: got.events / got.seconds,
    megabytesPerSecond: got.bytes / got.seconds / 1e6,
    resent: sent.resent,
  };
}

/** Round trips of a 64-byte event over a stream each way; microseconds, sorted. */
export async function measureMeshPingPong(pair: MeshPair, count: number): Promise<number[]> {
  await pair.target.call("echo", { peer: pair.sourceId });
  const { targetId: peer } = pair;
  return (await pair.source.call("pingPong", { peer, count, eventBytes: 64 })).microseconds;
}

/** What one blob run gave, in 10^6 bytes per second. */
export interface MeshBlobFigures {
  readonly putMegabytesPerSecond: number;
  readonly fetchMegabytesPerSecond: number;
}

/** Stores a blob in memory on the target and fetches it to the source. */
export async function measureMeshBlobFetch(
  pair: MeshPair,
  sizeBytes: number,
): Promise<MeshBlobFigures> {
  const put = await pair.target.call("put", { sizeBytes });
  const got = await pair.source.call("fetch", { blobRef: put.blobRef });
  return {
    putMegabytesPerSecond: sizeBytes / put.seconds / 1e6,
    fetchMegabytesPerSecond: got.sizeBytes / got.seconds / 1e6,
  };
}
