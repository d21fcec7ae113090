/** Datagrams from the socket: received where packets can be opened, and handed on one by one. */
import { NetError } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { PacketCipher } from "../crypto/mod.ts";
import type { TransportCounters } from "./counters.ts";
import { RECEIVE_BUFFER_BYTES } from "./limits.ts";
import type { PacketReceiver } from "./packet_receiver.ts";
import type { DatagramSocket } from "./socket/socket.ts";

/** What {@linkcode Intake} needs. */
export interface IntakeDeps {
  readonly socket: DatagramSocket;
  readonly cipher: PacketCipher;
  readonly log: Log;
  readonly counters: TransportCounters;
}

/** Takes datagrams from a socket. */
export class Intake {
  readonly #deps: IntakeDeps;
  /** Where they lie in the cipher's memory. */
  readonly #at: number;
  readonly #bytes: number;
  #failure: NetError | undefined;
  #isStopped = false;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
    this.#bytes = deps.socket.receiveBytes ?? RECEIVE_BUFFER_BYTES;
    this.#at = deps.cipher.allocate(this.#bytes, 16);
  }

  /** Why nothing is received any more; `undefined` as long as the socket works. */
  get failure(): NetError | undefined {
    return this.#failure;
  }

  /** Begins to receive. */
  start(receiver: PacketReceiver): void {
    const { socket, cipher, counters, log } = this.#deps;
    const buffer = cipher.memory.subarray(this.#at, this.#at + this.#bytes);
    socket.start(buffer, (length, from, offset = 0) => {
      try {
        if (!this.#isStopped) receiver.receive(this.#at + offset, length, from);
      } catch (error) {
        // A fault of ours in handling one packet must not end receiving.
        counters.rx_failures_total += 1;
        log.error("packet_handler_failed", { error: reasonOf(error) });
      }
    }, (error) => this.#onBroken(error));
  }

  /** Hands nothing on any more; the socket stays open. */
  stop(): void {
    this.#isStopped = true;
  }

  #onBroken(cause: unknown): void {
    this.#failure = new NetError("network", "Cannot receive from the mesh: its socket is broken", {
      cause,
      next: "restart the node",
    });
    this.#deps.log.error("socket_broken", { reason: reasonOf(cause) });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
