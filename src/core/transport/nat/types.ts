/**
 * What finding a way through NATs is spoken of in: classes, actions, paths tried, errors, statistics
 * (`nrpc.md` 16). Terms only.
 */
import { type ErrorCode, NetError, type NetErrorOptions } from "../../../base/mod.ts";
import type { SocketAddress } from "../types.ts";

/** How the NAT in front of a node gives out addresses, as far as peers can tell. */
export type NatClass = "open" | "cone" | "symmetric" | "unknown";

/** What two classes of NAT allow: dial, punch once through a coordinator, or stay relayed. */
export type PairAction = "direct" | "punch" | "relay";

/** Where a stated address comes from: the operator, or a mapping that the gateway granted. */
export type ReflexSource = "operator" | "port_mapping";

/** One kind of way: dialling, dialling a mapped port, punching through a coordinator, a relay. */
export type PathKind = "direct" | "mapped" | "punch" | "relay";

/** What became of a way; `skipped` when it could not even be tried. */
export type PathOutcome = "connected" | "failed" | "skipped";

/** One way that was tried, or that would have been. */
export interface PathAttempt {
  readonly kind: PathKind;
  readonly outcome: PathOutcome;
  /** Where the handshake went; `undefined` when nothing was sent. */
  readonly address: SocketAddress | undefined;
  /** The coordinator of a punch, or the relay. */
  readonly via: bigint | undefined;
  /** Time it took in milliseconds. */
  readonly ms: number;
  /** Why it came out so, in a few words. */
  readonly reason: string;
  /** Kind of failure; `undefined` when it connected. */
  readonly error: NatErrorKind | undefined;
}

/** Every way tried to reach a peer, in order, and what there is now. */
export interface PathReport {
  readonly peer: bigint;
  /** The session there is now. */
  readonly outcome: "direct" | "relayed" | "none";
  readonly ownClass: NatClass;
  /** As the peer announced it. */
  readonly peerClass: NatClass;
  /** What the two classes allow. */
  readonly action: PairAction;
  readonly attempts: readonly PathAttempt[];
}

/** Options of connecting directly. */
export interface ConnectDirectOptions {
  readonly signal?: AbortSignal;
  /** Longest time for all ways together; 20 s when left out. */
  readonly timeoutMs?: number;
  /** The peer's Noise static key, when this node does not know it. */
  readonly noisePublicKey?: Uint8Array;
  /** More addresses to dial, beside the announced one and those known. */
  readonly addresses?: readonly SocketAddress[];
}

/** Statistics of traversal; the names are the specification's. */
export interface NatStats {
  readonly punches_attempted: number;
  readonly punches_succeeded: number;
  /** Attempted and not succeeded, those under way included. */
  readonly punches_failed: number;
  readonly relay_fallbacks: number;
  readonly port_mapping_active: boolean;
  readonly port_mapping_external: string | null;
  readonly port_mapping_renewals: number;
  readonly upgrades_attempted: number;
  readonly upgrades_succeeded: number;
  readonly upgrades_deferred_busy: number;
  readonly punch_timeouts: number;
  readonly punch_rejections: number;
  readonly rendezvous_no_relay: number;
}

/** What is known of the mapping at the gateway, for {@linkcode NatStats}. */
export interface PortMappingState {
  /** Address the gateway gave; `undefined` without a mapping. */
  readonly external: SocketAddress | undefined;
  readonly renewals: number;
}

/** Kinds of failure, as the specification names them. */
export type NatErrorKind =
  | "reflex-timeout"
  | "peer-not-reachable"
  | "transport"
  | "rendezvous-no-relay"
  | "rendezvous-rejected"
  | "punch-failed"
  | "port-map-unavailable"
  | "unsupported";

const CODES: Readonly<Record<NatErrorKind, ErrorCode>> = {
  "reflex-timeout": "timeout",
  "peer-not-reachable": "unreachable",
  transport: "network",
  "rendezvous-no-relay": "unreachable",
  "rendezvous-rejected": "unreachable",
  "punch-failed": "unreachable",
  "port-map-unavailable": "unreachable",
  unsupported: "failed",
};

/**
 * A failure to find a way.
 *
 * @example
 * ```ts
 * import { NatError } from "./types.ts";
 * const error = new NatError("punch-failed", "Cannot reach the peer: no hole opened");
 * console.assert(error.kind === "punch-failed" && error.code === "unreachable");
 * ```
 */
export class NatError extends NetError {
  readonly kind: NatErrorKind;

  constructor(kind: NatErrorKind, message: string, options: NetErrorOptions = {}) {
    super(CODES[kind], message, { ...options, data: { ...options.data, kind } });
    this.kind = kind;
  }
}

/** What others do with the service that finds ways; `NatService` is one. */
export interface NatTraversal {
  /** Class of the NAT in front of this node. */
  readonly classification: NatClass;
  /** Address at which others see this node, or the stated one; `undefined` when unknown. */
  readonly reflexAddress: SocketAddress | undefined;
  /** Tries every way that may lead to the peer without a relay, and says what came of each. */
  connectDirect(peer: bigint, options?: ConnectDirectOptions): Promise<PathReport>;
  /** States the address others are to dial: the class is open then, and nothing is asked any more. */
  setReflexOverride(address: SocketAddress, source: ReflexSource): void;
  /** Takes the stated address back; asking peers begins again. */
  clearReflexOverride(): void;
  /** Says what there is of a mapping at the gateway, for the statistics. */
  notePortMapping(state: PortMappingState): void;
  stats(): NatStats;
}
