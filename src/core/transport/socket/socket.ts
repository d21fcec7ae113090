/**
 * The socket as the transport needs it. Implementations: the portable UDP socket, the batched one for
 * Linux, an in-memory network in the tests.
 */

import type { SocketAddress } from "../types.ts";

/** Counters every socket keeps. */
export interface SocketCounters {
  /** Datagrams the operating system refused to send. */
  sendErrors: number;
  /** Receive calls that failed and were repeated. */
  receiveErrors: number;
}

/** Counters of a socket that handles datagrams in batches. */
export interface BatchedSocketCounters extends SocketCounters {
  /** Calls that received or sent at least one datagram, or tried to send. */
  receiveCalls: number;
  sendCalls: number;
  /** Datagrams dropped because too many waited to be sent. */
  sendQueueDrops: number;
  /** Times the kernel took no more for now. */
  sendBlocks: number;
  /** Runs of datagrams the kernel refused to take as one. */
  joinsRefused: number;
}

/**
 * Takes one datagram.
 *
 * @param length Its bytes.
 * @param from The same object for consecutive datagrams of one source.
 * @param offset Where it starts in the receive buffer; 0 when left out.
 */
export type DatagramHandler = (length: number, from: SocketAddress, offset?: number) => void;

/** A bound datagram socket. */
export interface DatagramSocket {
  /** Where it is bound; the host is `0.0.0.0` or `::` when bound to every address. */
  readonly localAddress: SocketAddress;
  readonly counters: SocketCounters;
  /** Bytes of receive memory the socket makes use of; one largest datagram when left out. */
  readonly receiveBytes?: number;
  /**
   * Starts receiving into `buffer`. A datagram's bytes are the handler's until it returns; it may
   * change them.
   *
   * @param onBroken Told, once, when receiving failed so often or so finally that it was given up.
   */
  start(
    buffer: Uint8Array,
    onDatagram: DatagramHandler,
    onBroken?: (error: unknown) => void,
  ): void;
  /**
   * Sends one datagram; `onSent` is called when `bytes` may be overwritten, at once or later.
   *
   * A datagram that cannot be sent is dropped and counted, as the network itself would.
   */
  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void;
  /** Closes the socket; idempotent. */
  close(): void;
  /** Resolves when nothing of a closed socket runs any more; at once when left out. */
  readonly closed?: Promise<void>;
}
