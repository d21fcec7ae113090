/** Round trips to a peer, one after the other, summed up as `ping` does. */
import { idToHex, NetError, pause } from "../../base/mod.ts";
import { formatAddress } from "../../core/transport/mod.ts";
import type { CallContext } from "../method.ts";
import { type MeshView, reachFor, type ReachingView } from "./mesh_view.ts";
import { resolvePeer } from "./peer_ref.ts";
import { relayOf } from "./routes.ts";

/** How often and how patiently. */
export interface PingOptions {
  readonly peer: string;
  /** 0 for as long as the caller waits. */
  readonly count: number;
  readonly intervalMs: number;
  /** Time one answer has. */
  readonly timeoutMs: number;
}

/** Sums of round trips; nothing is kept of the single ones. */
export class RoundTrips {
  #sent = 0;
  #received = 0;
  #min = Infinity;
  #max = 0;
  #sum = 0;
  #squares = 0;

  /** Counts one; `undefined` for one that nobody answered. */
  add(rttMs: number | undefined): void {
    this.#sent += 1;
    if (rttMs === undefined) return;
    this.#received += 1;
    this.#min = Math.min(this.#min, rttMs);
    this.#max = Math.max(this.#max, rttMs);
    this.#sum += rttMs;
    this.#squares += rttMs * rttMs;
  }

  /** Counts, and minimum, average, maximum and mean deviation in milliseconds. */
  summary() {
    const [sent, received] = [this.#sent, this.#received];
    const avg = this.#sum / received;
    const mdev = Math.sqrt(Math.max(0, this.#squares / received - avg * avg));
    return {
      sent,
      received,
      loss: sent === 0 ? 0 : round(1 - received / sent),
      rtt_ms: received === 0
        ? null
        : { min: round(this.#min), avg: round(avg), max: round(this.#max), mdev: round(mdev) },
    };
  }
}

/**
 * Pings a node; each round trip is told as progress, with the sums so far. Where there is no session with it,
 * one is made.
 *
 * @throws NetError `unreachable` when there is no session and none can be made.
 */
export async function pingPeer(
  node: ReachingView,
  options: PingOptions,
  context: CallContext,
): Promise<object> {
  const { count, intervalMs, timeoutMs } = options;
  const nodeId = resolvePeer(node, options.peer, "Cannot ping");
  const { transport } = node.mesh;
  const trips = new RoundTrips();
  const failure = nodeId === transport.nodeId
    ? undefined
    : await reachFor(node, nodeId, context.signal);
  let where = requireSession(node, nodeId, failure);
  for (let seq = 1; count === 0 || seq <= count; seq++) {
    context.signal.throwIfAborted();
    const startedAt = performance.now();
    const rttMs = await transport.ping(nodeId, timeoutMs);
    trips.add(rttMs);
    // It may have been lost meanwhile, or have found a better way.
    const peer = transport.peer(nodeId);
    if (peer !== undefined) where = describeWay(node, nodeId) ?? where;
    const rtt_ms = rttMs === undefined ? null : round(rttMs);
    context.progress({ seq, ...where, ...trips.summary(), this_ms: rtt_ms });
    if (seq === count) break;
    const restMs = intervalMs - (performance.now() - startedAt);
    if (restMs > 0) await pause(restMs, context.signal);
  }
  return { ...where, ...trips.summary() };
}

function requireSession(node: MeshView, nodeId: bigint, failure: NetError | undefined) {
  const way = describeWay(node, nodeId);
  if (way !== undefined) return way;
  const id = idToHex(nodeId);
  const why = typeof failure?.data?.why === "string" ? `, and ${failure.data.why}` : "";
  throw new NetError("unreachable", `Cannot ping ${id}: there is no session with it${why}`, {
    cause: failure,
    next: `connect to it with net node connect ${id}, or ask net doctor --peer ${id}`,
  });
}

/** Who it is and how it is reached. */
function describeWay(node: MeshView, nodeId: bigint) {
  const peer = node.mesh.transport.peer(nodeId);
  if (peer === undefined) return undefined;
  const relay = peer.isRelayed ? relayOf(node, nodeId) : undefined;
  return {
    node_id: idToHex(nodeId),
    address: formatAddress(peer.address),
    relayed: peer.isRelayed,
    relay: relay === undefined ? null : idToHex(relay),
    trust: peer.isSealed ? "proven" : "unproven",
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
