/** What the parts of port mapping speak in (`nrpc.md` 16). */
import { NetError, type SocketAddress } from "../../../base/mod.ts";

/** Languages in which a gateway is asked, in the order they are tried. */
export const PORT_MAP_PROTOCOLS = ["pcp", "nat-pmp", "upnp"] as const;

/** One of them. */
export type PortMapProtocol = typeof PORT_MAP_PROTOCOLS[number];

/** The gateway, and this machine as the gateway sees it. Both are IPv4 in canonical text. */
export interface GatewayPlace {
  readonly gateway: string;
  readonly internalHost: string;
}

/** A UDP port to be reachable from outside. */
export interface PortMapRequest extends GatewayPlace {
  readonly internalPort: number;
  /** Wanted outside; the gateway may give another one. */
  readonly externalPort: number;
  /** At least 1. */
  readonly leaseSeconds: number;
}

/** What a gateway granted. */
export interface PortMapping {
  readonly protocol: PortMapProtocol;
  readonly external: SocketAddress;
  readonly internalHost: string;
  readonly internalPort: number;
  readonly gateway: string;
  /** 0 for one that never ends by itself. */
  readonly leaseSeconds: number;
}

/** Why a gateway gave no mapping. */
export type PortMapReason =
  /** No default gateway on this system, or none with a private address. */
  | "no-gateway"
  /** Nothing that counts as an answer came in time. */
  | "silent"
  /** It speaks another version, or not this language. */
  | "unsupported"
  /** It answered with an error. */
  | "refused"
  /** Every external port that was tried is taken. */
  | "conflict"
  /** Its answer makes no sense. */
  | "malformed"
  /** Its own outside address is private, shared or none: another NAT stands behind it. */
  | "double-nat"
  /** This machine could not ask. */
  | "network";

/** A gateway gave no mapping. */
export class PortMapError extends NetError {
  readonly reason: PortMapReason;

  constructor(reason: PortMapReason, message: string, options: { readonly cause?: unknown } = {}) {
    super(reason === "network" ? "network" : "unreachable", message, {
      cause: options.cause,
      next: NEXT[reason],
    });
    this.reason = reason;
  }
}

/** Asks a gateway in one language. */
export interface PortMapClient {
  readonly protocol: PortMapProtocol;
  /**
   * Asks for a mapping, or for the renewal of the one it gave before.
   *
   * @throws PortMapError when there is none; the signal's reason once aborted.
   */
  map(request: PortMapRequest, options?: PortMapOptions): Promise<PortMapping>;
  /**
   * Takes a mapping back.
   *
   * @throws PortMapError when the gateway did not confirm it.
   */
  unmap(mapping: PortMapping, options?: PortMapOptions): Promise<void>;
}

/** Options of what waits for a gateway. */
export interface PortMapOptions {
  readonly signal?: AbortSignal;
}

/** What is counted of talking to gateways. */
export interface PortMapCounters {
  datagrams_sent_total: number;
  /** Answers from somebody else than the gateway. */
  dropped_source_total: number;
  /** Answers of the gateway that can't be read or answer something else. */
  dropped_answer_total: number;
  http_requests_total: number;
}

/** Counters at their start. */
export function createPortMapCounters(): PortMapCounters {
  return {
    datagrams_sent_total: 0,
    dropped_source_total: 0,
    dropped_answer_total: 0,
    http_requests_total: 0,
  };
}

const NEXT: Readonly<Record<PortMapReason, string>> = {
  "no-gateway": "forward the UDP port by hand at the router, or rely on punching and relays",
  "silent": "switch NAT-PMP, PCP or UPnP on at the router, or forward the UDP port by hand",
  "unsupported": "switch NAT-PMP, PCP or UPnP on at the router, or forward the UDP port by hand",
  "refused": "allow this machine to open ports at the router, or forward the UDP port by hand",
  "conflict": "choose another port with --udp, or take the other mapping away at the router",
  "malformed": "update the router, or forward the UDP port by hand",
  "double-nat": "the router stands behind another NAT: rely on punching and relays",
  "network": "check the network of this machine",
};
