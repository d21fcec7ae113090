/**
 * Datagrams of the sealing's own class (`sealed.md` 5): RESET, RETRY, and first messages behind a token.
 * Each is counted once, by what became of it.
 */
import { decodeSealedDatagram, isRetried } from "../../crypto/mod.ts";
import { classifyDatagram, DatagramClass } from "../wire/classify.ts";
import type { TransportCounters } from "../counters.ts";
import type { Handshaker } from "./handshake.ts";
import {
  FLAG_HANDSHAKE,
  HEADER_BYTES,
  PacketHeader,
  PacketReject,
  readHeader,
  validatePacket,
} from "../wire/header.ts";
import type { RetryGate } from "./retry_gate.ts";
import { readRoutingHeader, ROUTING_HEADER_BYTES, RoutingHeader } from "../wire/routing_header.ts";
import type { SessionResets } from "../session/session_resets.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode SealedDatagrams} needs. */
export interface SealedDatagramsDeps {
  readonly counters: TransportCounters;
  readonly handshaker: Pick<Handshaker, "receiveRetry" | "receiveRouted">;
  readonly resets: Pick<SessionResets, "receive">;
  readonly retries: Pick<RetryGate, "mayCheck" | "verify">;
  /** This node's id, as halves. */
  readonly low: number;
  readonly high: number;
}

/** Takes datagrams of the class `4E 53`. */
export class SealedDatagrams {
  readonly #deps: SealedDatagramsDeps;
  readonly #header = new PacketHeader();
  readonly #routing = new RoutingHeader();

  constructor(deps: SealedDatagramsDeps) {
    this.#deps = deps;
  }

  /**
   * Takes one.
   *
   * @param bytes Valid only during the call.
   */
  receive(bytes: Uint8Array, from: SocketAddress): void {
    const { counters, handshaker, resets, retries } = this.#deps;
    // Before anything is looked at: a flood of tokens costs no more than one of first messages.
    if (isRetried(bytes) && !retries.mayCheck(from)) {
      counters.drop_token_total += 1;
      return;
    }
    const decoded = decodeSealedDatagram(bytes);
    switch (decoded.kind) {
      case "reset":
        if (resets.receive(decoded)) counters.resets_received_total += 1;
        else counters.drop_sealed_datagram_total += 1;
        return;
      case "retry":
        if (handshaker.receiveRetry(decoded.ephemeral, decoded.token, from)) {
          counters.retries_followed_total += 1;
        } else counters.drop_sealed_datagram_total += 1;
        return;
      case "retried":
        this.#receiveRetried(decoded.token, decoded.datagram, from);
        return;
      case "malformed":
        counters.drop_sealed_datagram_total += 1;
    }
  }

  #receiveRetried(token: Uint8Array, datagram: Uint8Array, from: SocketAddress): void {
    const { counters, handshaker, retries } = this.#deps;
    const message = this.#readMessage(datagram);
    if (message === undefined) {
      counters.drop_sealed_datagram_total += 1;
    } else if (!retries.verify(token, message, from)) {
      counters.drop_token_total += 1;
    } else {
      counters.handshakes_retried_total += 1;
      handshaker.receiveRouted(message, this.#routing, from, true);
    }
  }

  /** The message of a routed handshake packet to this node that no relay brought; a copy. */
  #readMessage(datagram: Uint8Array): Uint8Array | undefined {
    const { low, high } = this.#deps;
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
    if (classifyDatagram(view, 0, datagram.length) !== DatagramClass.Routed) return undefined;
    const routing = this.#routing;
    readRoutingHeader(view, 0, routing);
    if (routing.destinationLow !== low || routing.destinationHigh !== high) return undefined;
    const packetBytes = datagram.length - ROUTING_HEADER_BYTES;
    if (routing.hopCount !== 0) return undefined;
    if (validatePacket(view, ROUTING_HEADER_BYTES, packetBytes) !== PacketReject.None) {
      return undefined;
    }
    const header = this.#header;
    readHeader(view, ROUTING_HEADER_BYTES, header);
    if ((header.flags & FLAG_HANDSHAKE) === 0) return undefined;
    const at = ROUTING_HEADER_BYTES + HEADER_BYTES;
    return datagram.slice(at, at + header.payloadLength);
  }
}
