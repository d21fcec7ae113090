/** One search for ways to a peer, as the ways that are tried see it, and the handshake that ends them. */
import { NetError } from "../../../base/mod.ts";
import type { MeshTransport } from "../mesh_transport.ts";
import type { PathLog } from "./path_log.ts";
import { type NatClass, NatError } from "./types.ts";
import type { SocketAddress } from "../types.ts";

/** What is known of a node to be reached. */
export interface PeerKnowledge {
  readonly natClass: NatClass;
  /** The address it announced. */
  readonly reflex: SocketAddress | undefined;
  /** It announced that its gateway maps that address. */
  readonly isMapped: boolean;
  /** Where it was reached before. */
  readonly addresses: readonly SocketAddress[];
  /** Its Noise static key; `undefined` when this node never learned it. */
  readonly noisePublicKey: Uint8Array | undefined;
}

/** What the connector does with a transport. */
export type ConnectorTransport = Pick<
  MeshTransport,
  "nodeId" | "dial" | "leaveRelay" | "peer" | "peers" | "routes" | "ping" | "queryReflex"
>;

/** One connection being sought. */
export interface Search {
  readonly peer: bigint;
  readonly known: PeerKnowledge;
  readonly noisePublicKey: Uint8Array;
  readonly addresses: readonly SocketAddress[];
  readonly coordinators: readonly bigint[];
  readonly mayReplace: boolean;
  readonly log: PathLog;
  readonly signal: AbortSignal;
}

/** Patience of handshakes without a punch; the last one is for slow ways. */
export const DIAL_PATIENCE_MS: readonly number[] = [500, 1_000, 2_000];

/**
 * Dials with growing patience until somebody answers, or the session came about otherwise.
 *
 * @returns What the last attempt failed with; `undefined` when one was answered.
 */
export async function dialPatiently(
  transport: Pick<MeshTransport, "dial">,
  { peer, noisePublicKey, signal }: Pick<Search, "peer" | "noisePublicKey" | "signal">,
  addresses: readonly SocketAddress[],
  patienceMs: readonly number[],
  isThere: () => boolean,
): Promise<unknown> {
  let failure: unknown = new NetError("timeout", "no time was left");
  for (const ms of patienceMs) {
    if (signal.aborted || isThere()) break;
    try {
      await transport.dial({ nodeId: peer, noisePublicKey, addresses, form: "routed" }, ms, signal);
      return undefined;
    } catch (error) {
      failure = error;
      if (error instanceof NetError && error.code === "handshake_refused") break;
    }
  }
  return failure;
}

/** What a failed handshake says of the way. */
export function errorOf(failure: unknown, signal: AbortSignal): NatError {
  if (signal.aborted) return new NatError("peer-not-reachable", "no time was left");
  if (failure instanceof NetError && failure.code === "handshake_refused") {
    return new NatError("transport", failure.message, { cause: failure });
  }
  if (failure === undefined) {
    return new NatError("peer-not-reachable", "another node stood in between");
  }
  return new NatError("peer-not-reachable", "no answer to the handshake", { cause: failure });
}
