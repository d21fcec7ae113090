/** What a point-to-point adapter is made with. */
import type { Clock, SocketAddress } from "../../../../base/mod.ts";
import { isUsableNoiseKey, type NoiseKeyPair } from "../../../../core/crypto/mod.ts";
import type { DatagramSocket } from "../../../../core/transport/mod.ts";
import type { Log } from "../../../../observe/mod.ts";
import { refused, refuseUnknown, requireAbove0, requireWhole } from "../../option_checks.ts";

/** What it needs. */
export interface NetAdapterDeps {
  readonly clock: Clock;
  /** Binds the socket; called at each start, and the adapter closes it. */
  readonly openSocket: () => DatagramSocket;
  readonly log?: Log;
}

/** Its options; both ends have the same secret, and opposite roles. */
export interface NetAdapterOptions {
  /** The initiator calls, and calls again when the peer is silent. */
  readonly role: "initiator" | "responder";
  /** Where the peer is. */
  readonly peer: SocketAddress;
  /** The secret of both, 32 bytes. */
  readonly psk: Uint8Array;
  /** The responder's public key, 32 bytes: for the initiator. */
  readonly peerPublicKey?: Uint8Array;
  /** Its own key: for the responder. */
  readonly staticKey?: NoiseKeyPair;
  /** What packets are marked as. The reference repeats nothing in either case, and neither does this. */
  readonly isReliable?: boolean;
  readonly heartbeatMs?: number;
  /** After so much silence the peer counts as gone. */
  readonly sessionTimeoutMs?: number;
  /** Received events kept per shard; the oldest go. */
  readonly eventsMax?: number;
  /**
   * `stream` keeps events under the shard of the producer, `zero` all under shard 0 with ids that repeat, as the
   * reference does.
   */
  readonly filing?: "stream" | "zero";
}

const EVENTS_MAX = 1 << 24;
const KEYS: readonly (keyof NetAdapterOptions)[] = [
  "role",
  "peer",
  "psk",
  "peerPublicKey",
  "staticKey",
  "isReliable",
  "heartbeatMs",
  "sessionTimeoutMs",
  "eventsMax",
  "filing",
];

/** @throws BusError `config` naming what does not fit. */
export function checkNetOptions(options: NetAdapterOptions): void {
  refuseUnknown("option of the net adapter", options, KEYS);
  const { role, psk, peerPublicKey, staticKey, filing = "stream" } = options;
  if (role !== "initiator" && role !== "responder") {
    throw refused("role", role, "initiator or responder");
  }
  if (filing !== "stream" && filing !== "zero") throw refused("filing", filing, "stream or zero");
  if (psk.length !== 32) throw refused("psk", `${psk.length} bytes`, "32 bytes");
  if (role === "initiator") {
    const isUsable = peerPublicKey?.length === 32 && isUsableNoiseKey(peerPublicKey);
    if (!isUsable) {
      throw refused("peerPublicKey", "no usable key", "32 bytes of the responder's key");
    }
  } else if (staticKey === undefined) {
    throw refused("staticKey", "left out", "the key pair whose public half the initiator has");
  }
  if (options.heartbeatMs !== undefined) requireAbove0("heartbeatMs", options.heartbeatMs);
  if (options.sessionTimeoutMs !== undefined) {
    requireAbove0("sessionTimeoutMs", options.sessionTimeoutMs);
  }
  if (options.eventsMax !== undefined) requireWhole("eventsMax", options.eventsMax, 1, EVENTS_MAX);
}
