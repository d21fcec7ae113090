/** Packs events into packets and hands them to the socket, as many at a time as there are buffers. */
import type { PacketCipher } from "../../../../core/crypto/mod.ts";
import {
  type DatagramSocket,
  FLAG_HEARTBEAT,
  FLAG_RELIABLE,
  FRAME_PREFIX_BYTES,
  HEADER_BYTES,
  HEARTBEAT_BYTES,
  MAX_DATAGRAM,
  MAX_EVENTS,
  MAX_PAYLOAD,
  PacketHeader,
  type SocketAddress,
  TAG_BYTES,
  writeEventFrame,
} from "../../../../core/transport/mod.ts";
import { SEND_SLOTS } from "./limits.ts";
import type { PointSession } from "./point_session.ts";

/** Buffers of one adapter; a buffer is free again when the socket is done with it. */
export class PacketWriter {
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #free: number[] = [];
  readonly #header = new PacketHeader();
  #waiters: (() => void)[] = [];

  constructor(cipher: PacketCipher) {
    this.#memory = cipher.memory;
    this.#view = new DataView(cipher.memory.buffer);
    for (let i = 0; i < SEND_SLOTS; i++) this.#free.push(cipher.allocate(MAX_DATAGRAM));
  }

  /** Resolves when all that was given to the socket has left, or the signal fires. */
  async drain(signal: AbortSignal): Promise<void> {
    while (this.#free.length < SEND_SLOTS) {
      await this.#change();
      signal.throwIfAborted();
    }
  }

  /** Resolves when a packet can be built. */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#free.length === 0) {
      await this.#change();
      signal.throwIfAborted();
    }
  }

  /** Sends one packet with as many of the events from `from` on as it holds; the first that is not in it. */
  sendEvents(
    socket: DatagramSocket,
    to: SocketAddress,
    session: PointSession,
    stream: number,
    events: readonly { readonly raw: Uint8Array }[],
    options: { readonly from: number; readonly isReliable: boolean },
  ): number {
    const slot = this.#take();
    const start = slot + HEADER_BYTES;
    let at = start;
    let next = options.from;
    for (; next < events.length && next - options.from < MAX_EVENTS; next++) {
      const raw = events[next]?.raw ?? new Uint8Array();
      if (at - start + FRAME_PREFIX_BYTES + raw.length > MAX_PAYLOAD) break;
      at = writeEventFrame(this.#memory, at, raw);
    }
    const sequence = session.nextSequence(stream);
    this.#reset(options.isReliable ? FLAG_RELIABLE : 0);
    this.#header.streamLow = stream;
    this.#header.sequenceLow = sequence >>> 0;
    this.#header.sequenceHigh = Math.floor(sequence / 2 ** 32);
    this.#header.payloadLength = at - start;
    this.#header.eventCount = next - options.from;
    session.seal(this.#view, slot, this.#header);
    this.#send(socket, to, slot, at - slot + TAG_BYTES);
    return next;
  }

  /** Sends a heartbeat, unless every buffer is waiting: then traffic says enough. */
  sendHeartbeat(socket: DatagramSocket, to: SocketAddress, session: PointSession): void {
    if (this.#free.length === 0) return;
    const slot = this.#take();
    this.#reset(FLAG_HEARTBEAT);
    session.seal(this.#view, slot, this.#header);
    this.#send(socket, to, slot, HEARTBEAT_BYTES);
  }

  #reset(flags: number): void {
    Object.assign(this.#header, new PacketHeader(), { flags });
  }

  #take(): number {
    const slot = this.#free.pop();
    if (slot === undefined) throw new Error("Cannot build packet: no buffer is free");
    return slot;
  }

  #send(socket: DatagramSocket, to: SocketAddress, slot: number, length: number): void {
    socket.send(this.#memory.subarray(slot, slot + length), to, () => {
      this.#free.push(slot);
      const waiters = this.#waiters;
      this.#waiters = [];
      for (const wake of waiters) wake();
    });
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
