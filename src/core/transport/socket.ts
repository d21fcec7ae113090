/**
 * The socket as the transport needs it. Implementations: the portable UDP socket here, an in-memory
 * network in the tests.
 */

import type { SocketAddress } from "./types.ts";

/** Counters every socket keeps. */
export interface SocketCounters {
  /** Datagrams the operating system refused to send. */
  sendErrors: number;
  /** Receive calls that failed and were repeated. */
  receiveErrors: number;
}

/** A bound datagram socket. */
export interface DatagramSocket {
  /** Where it is bound; the host is `0.0.0.0` or `::` when bound to every address. */
  readonly localAddress: SocketAddress;
  readonly counters: SocketCounters;
  /**
   * Starts receiving into `buffer`; `onDatagram` gets the length of the datagram at its start.
   *
   * `from` is the same object for consecutive datagrams of one source.
   */
  start(buffer: Uint8Array, onDatagram: (length: number, from: SocketAddress) => void): void;
  /**
   * Sends one datagram; `onSent` is called when `bytes` may be overwritten, at once or later.
   *
   * A datagram that cannot be sent is dropped and counted, as the network itself would.
   */
  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void;
  /** Closes the socket; idempotent. */
  close(): void;
}
