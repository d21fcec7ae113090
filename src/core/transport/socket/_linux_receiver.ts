/**
 * Receives many datagrams per call (`recvmmsg`) straight into the memory they are opened in.
 *
 * The memory is cut into slots, one per message. With joining (GRO) on, a message may hold many
 * datagrams of one source behind each other, all of one size but the last; they are told apart by the
 * size the kernel gives in a control message.
 */

import {
  addressOf,
  CONTROL_LEVEL_UDP,
  CONTROL_TYPE_GRO,
  Errno,
  type Libc,
  MESSAGE_WORDS,
  MessageWord,
  MSG_TRUNC,
  SOCKADDR_BYTES_MAX,
  VECTOR_WORDS,
  writePointer,
} from "./_linux_libc.ts";
import type { SourceTable } from "./_linux_sockaddr.ts";
import type { BatchedSocketCounters, DatagramHandler } from "./socket.ts";

/** Messages of one call. */
export const RECEIVE_MESSAGES = 64;
/** A slot holds the largest datagram, and the largest run of joined ones. */
export const RECEIVE_SLOT_BYTES = 65_536;

/** Without a datagram for this long, joining is turned off. */
const QUIET_MS = 50;
/** How long arrivals are looked for after joining was turned off. */
const SETTLE_MS = 0.05;

/** Bytes handed over between two pauses: about 50 µs of opening packets. */
const PAUSE_BYTES = 65_536;

/** Words of a name and of a control buffer. */
const NAME_WORDS = 8;
const CONTROL_WORDS = 8;
/** `cmsghdr` (16 bytes) and its 4 bytes of data. */
const CONTROL_BYTES_MIN = 20;

/** Nothing was waiting. */
export const RECEIVED_NONE = -1;

/** The receiving half of a batched socket. */
export class BatchReceiver {
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #sources: SourceTable;
  readonly #counters: BatchedSocketCounters;
  readonly #onPause: () => void;
  readonly #slots: number;
  readonly #words: Uint32Array;
  readonly #messages: Deno.PointerValue;
  readonly #namesAt: number;
  readonly #controlsAt: number;
  #isJoining = false;
  #isStopped = false;

  /** @param buffer Cut into slots; has to be kept alive by the caller, because the kernel writes there. */
  constructor(
    deps: {
      readonly libc: Libc;
      readonly descriptor: number;
      readonly sources: SourceTable;
      readonly counters: BatchedSocketCounters;
      /** Called now and then within a batch, so that answers do not wait for its end. */
      readonly onPause: () => void;
    },
    buffer: Uint8Array,
  ) {
    this.#libc = deps.libc;
    this.#descriptor = deps.descriptor;
    this.#sources = deps.sources;
    this.#counters = deps.counters;
    this.#onPause = deps.onPause;
    const slotBytes = Math.min(RECEIVE_SLOT_BYTES, buffer.length);
    const whole = Math.floor(buffer.length / Math.max(slotBytes, 1));
    const slots = this.#slots = Math.max(1, Math.min(RECEIVE_MESSAGES, whole));
    const vectorsAt = slots * MESSAGE_WORDS;
    const namesAt = this.#namesAt = vectorsAt + slots * VECTOR_WORDS;
    const controlsAt = this.#controlsAt = namesAt + slots * NAME_WORDS;
    const words = this.#words = new Uint32Array(controlsAt + slots * CONTROL_WORDS);
    const base = addressOf(words.buffer);
    const start = addressOf(buffer.buffer) + buffer.byteOffset;
    for (let i = 0; i < slots; i++) {
      const vector = vectorsAt + i * VECTOR_WORDS;
      writePointer(words, vector, start + i * slotBytes);
      words[vector + 2] = slotBytes;
      const message = i * MESSAGE_WORDS;
      writePointer(words, message + MessageWord.Name, base + 4 * (namesAt + i * NAME_WORDS));
      writePointer(words, message + MessageWord.Vector, base + 4 * vector);
      words[message + MessageWord.VectorLength] = 1;
      const control = base + 4 * (controlsAt + i * CONTROL_WORDS);
      writePointer(words, message + MessageWord.Control, control);
    }
    this.#reset(slots);
    this.#messages = Deno.UnsafePointer.of(words);
  }

  /** True while the kernel may join datagrams. */
  get isJoining(): boolean {
    return this.#isJoining;
  }

  /**
   * Lets the kernel join datagrams from now on.
   *
   * Sizes are only given while joining is on, so nobody else may read the socket until
   * {@linkcode BatchReceiver.leaveJoining} has succeeded.
   */
  enterJoining(): void {
    this.#isJoining = this.#libc.setJoining(this.#descriptor, true);
  }

  /**
   * Turns joining off, unless something comes just then: it may have been joined before.
   *
   * What the kernel was joining at that moment arrives within a microsecond. Should it be held up for
   * longer than we look, the run is read as one datagram, which whoever checks it drops.
   */
  leaveJoining(): void {
    this.#isJoining = false;
    this.#libc.setJoining(this.#descriptor, false);
    const until = performance.now() + SETTLE_MS;
    do {
      if (this.#libc.isReadable(this.#descriptor)) return this.enterJoining();
    } while (performance.now() < until);
  }

  /**
   * Sleeps until there is something to read while joining is on; turns it off when it is quiet.
   *
   * The runtime cannot wake us then, because it would read a run of datagrams as one. Its own waiting
   * is faster by about 40 µs, so it is worth getting back to.
   */
  async sleepJoining(): Promise<void> {
    const isWoken = await this.#libc.waitReadable(this.#descriptor, QUIET_MS);
    if (!isWoken && !this.#isStopped) this.leaveJoining();
  }

  /** Ends the loop over datagrams that may be running. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Receives what is waiting, at most one batch, and hands it over.
   *
   * @returns Datagrams handed over, or {@linkcode RECEIVED_NONE} when nothing was waiting.
   */
  receive(onDatagram: DatagramHandler): number {
    const count = this.#libc.receive(this.#descriptor, this.#messages, this.#slots);
    if (count <= 0) {
      const errno = this.#libc.errno();
      if (errno === Errno.Interrupted) return 0;
      if (errno !== Errno.Again) this.#counters.receiveErrors += 1;
      return RECEIVED_NONE;
    }
    this.#counters.receiveCalls += 1;
    let datagrams = 0;
    let bytes = 0;
    for (let i = 0; i < count && !this.#isStopped; i++) {
      datagrams += this.#deliver(i, onDatagram);
      bytes += this.#words[i * MESSAGE_WORDS + MessageWord.Length] as number;
      if (bytes < PAUSE_BYTES) continue;
      bytes = 0;
      this.#onPause();
    }
    this.#reset(count);
    return datagrams;
  }

  #deliver(index: number, onDatagram: DatagramHandler): number {
    const words = this.#words;
    const message = index * MESSAGE_WORDS;
    const length = words[message + MessageWord.Length] as number;
    const from = this.#sources.find(words, this.#namesAt + index * NAME_WORDS);
    const isCut = ((words[message + MessageWord.Flags] as number) & MSG_TRUNC) !== 0;
    if (from === undefined || isCut) {
      this.#counters.receiveErrors += 1;
      return 0;
    }
    const start = index * RECEIVE_SLOT_BYTES;
    const size = this.#joinedSize(index);
    if (size === 0 || size >= length) {
      onDatagram(length, from, start);
      return 1;
    }
    let datagrams = 0;
    for (let at = 0; at < length && !this.#isStopped; at += size) {
      onDatagram(Math.min(size, length - at), from, start + at);
      datagrams += 1;
    }
    return datagrams;
  }

  /** Size of the joined datagrams; 0 when there is only one. */
  #joinedSize(index: number): number {
    const words = this.#words;
    const length = words[index * MESSAGE_WORDS + MessageWord.ControlLength] as number;
    if (length < CONTROL_BYTES_MIN) return 0;
    const control = this.#controlsAt + index * CONTROL_WORDS;
    const isGro = words[control + 2] === CONTROL_LEVEL_UDP &&
      words[control + 3] === CONTROL_TYPE_GRO;
    return isGro ? words[control + 4] as number : 0;
  }

  /** Makes the first `count` messages ready to be received into again. */
  #reset(count: number): void {
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      const message = i * MESSAGE_WORDS;
      words[message + MessageWord.NameLength] = SOCKADDR_BYTES_MAX;
      words[message + MessageWord.ControlLength] = CONTROL_WORDS * 4;
      words[message + MessageWord.Flags] = 0;
    }
  }
}
