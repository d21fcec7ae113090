/**
 * The portable UDP socket over `Deno.listenDatagram`.
 *
 * Bound to `::` it serves IPv4 as well; addresses are given and taken in their plain form. Kernel
 * buffers are enlarged where the platform allows it, because the default loses bursts.
 */

import { listenFault } from "../../../base/mod.ts";
import { canonicalHost, isIpv6Host } from "../address.ts";
import { SOCKET_BUFFER_BYTES } from "../limits.ts";
import { ReceiveFailures } from "./receive_failures.ts";
import type { DatagramHandler, DatagramSocket, SocketCounters } from "./socket.ts";
import { enlargeSocketBuffers } from "./socket_buffers.ts";
import type { SocketAddress } from "../types.ts";

/**
 * Binds a UDP socket.
 *
 * @param local Address to bind; port 0 lets the system choose.
 * @throws NetError `address_in_use` or `network`.
 */
export function openUdpSocket(local: SocketAddress): DatagramSocket {
  return createUdpSocket(bindUdp(local));
}

/**
 * Binds and enlarges the kernel's buffers; for sockets that do their own sending and receiving.
 *
 * @throws NetError `address_in_use` or `network`.
 */
export function bindUdp(local: SocketAddress): Deno.DatagramConn {
  const connection = listen(local);
  enlargeSocketBuffers((connection.addr as Deno.NetAddr).port, SOCKET_BUFFER_BYTES);
  return connection;
}

/** The portable socket over a bound one. */
export function createUdpSocket(connection: Deno.DatagramConn): DatagramSocket {
  return new UdpSocket(connection, boundAddress(connection));
}

/** Where it is bound, in canonical text. */
export function boundAddress(connection: Deno.DatagramConn): SocketAddress {
  const bound = connection.addr as Deno.NetAddr;
  return { host: canonicalHost(bound.hostname), port: bound.port };
}

function listen(local: SocketAddress): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({
      transport: "udp",
      hostname: local.host,
      port: local.port,
      reuseAddress: false,
    });
  } catch (error) {
    const { host, port } = local;
    throw listenFault(error, { what: "Cannot bind UDP", host, port, flag: "--udp" });
  }
}

class UdpSocket implements DatagramSocket {
  readonly localAddress: SocketAddress;
  readonly counters: SocketCounters = { sendErrors: 0, receiveErrors: 0 };
  readonly #connection: Deno.DatagramConn;
  readonly #isIpv6: boolean;
  /** Addresses in the form the runtime wants them; the last one is most often the next one too. */
  #lastTarget: SocketAddress | undefined;
  #lastNative: Deno.NetAddr | undefined;
  readonly #failures = new ReceiveFailures();
  #isClosed = false;

  constructor(connection: Deno.DatagramConn, localAddress: SocketAddress) {
    this.#connection = connection;
    this.localAddress = localAddress;
    this.#isIpv6 = isIpv6Host(localAddress.host);
  }

  start(
    buffer: Uint8Array,
    onDatagram: DatagramHandler,
    onBroken: (error: unknown) => void = () => {},
  ): void {
    void this.#receive(buffer, onDatagram, onBroken);
  }

  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void {
    if (this.#isClosed) return onSent();
    if (to !== this.#lastTarget) {
      this.#lastTarget = to;
      const hostname = this.#isIpv6 && !isIpv6Host(to.host) ? `::ffff:${to.host}` : to.host;
      this.#lastNative = { transport: "udp", hostname, port: to.port };
    }
    // The runtime reads the bytes when its event loop turns, not before this returns.
    this.#connection.send(bytes, this.#lastNative as Deno.NetAddr).then(onSent, () => {
      this.counters.sendErrors += 1;
      onSent();
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failures.stop();
    this.#connection.close();
  }

  async #receive(
    buffer: Uint8Array,
    onDatagram: DatagramHandler,
    onBroken: (error: unknown) => void,
  ): Promise<void> {
    let nativeHost = "";
    let from: SocketAddress = { host: "", port: 0 };
    while (!this.#isClosed) {
      let datagram: Uint8Array;
      let source: Deno.NetAddr;
      try {
        const received = await this.#connection.receive(buffer);
        datagram = received[0];
        source = received[1] as Deno.NetAddr;
        this.#failures.onReceived();
      } catch (error) {
        if (this.#isClosed) return;
        // Errors of earlier sends surface here; the socket stays usable. One that is gone does not.
        this.counters.receiveErrors += 1;
        const isGone = error instanceof Deno.errors.BadResource;
        if (isGone || !await this.#failures.onFailure()) return onBroken(error);
        continue;
      }
      if (source.hostname !== nativeHost || source.port !== from.port) {
        nativeHost = source.hostname;
        from = { host: canonicalHost(nativeHost), port: source.port };
      }
      onDatagram(datagram.length, from);
    }
  }
}
