/**
 * Queues datagrams and sends many per call (`sendmmsg`).
 *
 * Nothing is copied: the kernel reads the bytes where the caller built them, and the caller gets them
 * back when the call is done. Runs of datagrams of one size to one target become one message that the
 * kernel cuts again (GSO), where the route allows it.
 */

import {
  addressOf,
  CONTROL_LEVEL_UDP,
  CONTROL_TYPE_SEGMENT,
  Errno,
  type Libc,
  MESSAGE_WORDS,
  MessageWord,
  VECTOR_WORDS,
  writePointer,
} from "./_linux_libc.ts";
import type { NativeTarget } from "./_linux_sockaddr.ts";
import type { BatchedSocketCounters } from "./socket.ts";

/** Datagrams that wait at most; beyond it they are dropped and counted. More than a sender has slots. */
export const SEND_QUEUE_MAX = 1024;
/** As many waiting datagrams or bytes are sent at once instead of at the end of the turn. */
const FULL_DATAGRAMS = 64;
const FULL_BYTES = 65_536;

/** Messages of one call. */
const MESSAGES_MAX = 64;
/** The kernel cuts a message into at most this many datagrams. */
const JOINED_MAX = 64;
/** Largest payload of an IPv4 datagram, and of a message to be cut. */
const JOINED_BYTES_MAX = 65_507;

/** Words of a name and of a control buffer: `cmsghdr` of 4 words and 2 bytes of data, padded. */
const NAME_WORDS = 8;
const CONTROL_WORDS = 6;
const CONTROL_BYTES = 24;
const CONTROL_LENGTH = 18;

/** How an attempt to send the queue ended. */
export type SendOutcome = "empty" | "blocked";

/** The sending half of a batched socket. */
export class BatchSender {
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #counters: BatchedSocketCounters;
  readonly #words: Uint32Array;
  /** Pointer to each message, to go on after some were sent. */
  readonly #messages: Deno.PointerValue;
  readonly #vectorsAt: number;
  readonly #namesAt: number;
  readonly #controlsAt: number;
  readonly #base: number;
  /** Datagrams in each message. */
  readonly #runs = new Uint16Array(MESSAGES_MAX);
  /** The queue: a ring of `SEND_QUEUE_MAX`. */
  readonly #bytes = new Array<Uint8Array | undefined>(SEND_QUEUE_MAX).fill(undefined);
  readonly #targets = new Array<NativeTarget | undefined>(SEND_QUEUE_MAX).fill(undefined);
  readonly #onSent = new Array<(() => void) | undefined>(SEND_QUEUE_MAX).fill(undefined);
  #head = 0;
  #count = 0;
  /** Bytes queued since the last attempt to send. */
  #pendingBytes = 0;
  #isSending = false;
  /** The buffer most datagrams lie in, and where it is. */
  #lastBuffer: ArrayBufferLike | undefined;
  #lastBase = 0;

  constructor(
    deps: {
      readonly libc: Libc;
      readonly descriptor: number;
      readonly counters: BatchedSocketCounters;
    },
  ) {
    this.#libc = deps.libc;
    this.#descriptor = deps.descriptor;
    this.#counters = deps.counters;
    const vectorsAt = this.#vectorsAt = MESSAGES_MAX * MESSAGE_WORDS;
    const namesAt = this.#namesAt = vectorsAt + SEND_QUEUE_MAX * VECTOR_WORDS;
    const controlsAt = this.#controlsAt = namesAt + MESSAGES_MAX * NAME_WORDS;
    const words = this.#words = new Uint32Array(controlsAt + MESSAGES_MAX * CONTROL_WORDS);
    const base = this.#base = addressOf(words.buffer);
    for (let i = 0; i < MESSAGES_MAX; i++) {
      const message = i * MESSAGE_WORDS;
      writePointer(words, message + MessageWord.Name, base + 4 * (namesAt + i * NAME_WORDS));
      const control = controlsAt + i * CONTROL_WORDS;
      writePointer(words, message + MessageWord.Control, base + 4 * control);
      words[control] = CONTROL_LENGTH;
      words[control + 2] = CONTROL_LEVEL_UDP;
      words[control + 3] = CONTROL_TYPE_SEGMENT;
    }
    this.#messages = Deno.UnsafePointer.of(words);
  }

  /** True when sending now costs no more per datagram than sending later. */
  get isFull(): boolean {
    return this.#count >= FULL_DATAGRAMS || this.#pendingBytes >= FULL_BYTES;
  }

  /** Datagrams waiting. */
  get waiting(): number {
    return this.#count;
  }

  /** Queues a datagram; false when the queue is full. */
  push(bytes: Uint8Array, target: NativeTarget, onSent: () => void): boolean {
    if (this.#count >= SEND_QUEUE_MAX) return false;
    const place = (this.#head + this.#count) % SEND_QUEUE_MAX;
    this.#bytes[place] = bytes;
    this.#targets[place] = target;
    this.#onSent[place] = onSent;
    this.#count += 1;
    this.#pendingBytes += bytes.length;
    return true;
  }

  /** The oldest waiting datagram, for sending it another way; call {@linkcode BatchSender.skip} then. */
  get first(): Uint8Array | undefined {
    return this.#count === 0 ? undefined : this.#bytes[this.#head];
  }

  /** The target of {@linkcode BatchSender.first}. */
  get firstTarget(): NativeTarget | undefined {
    return this.#count === 0 ? undefined : this.#targets[this.#head];
  }

  /** Takes the first `count` datagrams out of the queue and gives their bytes back. */
  skip(count: number): void {
    for (let i = 0; i < count && this.#count > 0; i++) {
      const place = this.#head;
      const onSent = this.#onSent[place];
      this.#bytes[place] = undefined;
      this.#targets[place] = undefined;
      this.#onSent[place] = undefined;
      this.#head = (place + 1) % SEND_QUEUE_MAX;
      this.#count -= 1;
      onSent?.();
    }
  }

  /** Sends what waits; `blocked` when the kernel takes no more now. */
  flush(): SendOutcome {
    // Whoever gets bytes back may send at once; its datagram joins the queue this loop works on.
    if (this.#isSending) return "empty";
    this.#isSending = true;
    this.#pendingBytes = 0;
    try {
      while (this.#count > 0) {
        const messages = this.#build();
        const sent = this.#libc.send(this.#descriptor, this.#messages, messages);
        this.#counters.sendCalls += 1;
        if (sent > 0) {
          let datagrams = 0;
          for (let i = 0; i < sent; i++) datagrams += this.#runs[i] as number;
          this.skip(datagrams);
        } else if (!this.#recover(this.#libc.errno())) return "blocked";
      }
      return "empty";
    } finally {
      this.#isSending = false;
    }
  }

  /** Decides what becomes of a first message that was refused; false when it has to wait. */
  #recover(errno: number): boolean {
    if (errno === Errno.Interrupted) return true;
    if (errno === Errno.Again || errno === Errno.NoBuffers) return false;
    const run = this.#runs[0] as number;
    const target = this.#targets[this.#head];
    const size = this.#bytes[this.#head]?.length ?? 0;
    const isAboutJoining = errno === Errno.Invalid || errno === Errno.InputOutput ||
      errno === Errno.MessageSize || errno === Errno.NotSupported ||
      errno === Errno.NoProtocolOption;
    if (run > 1 && isAboutJoining && target !== undefined) {
      // Larger than the route's packets, or a device that cannot: send them one by one from now on.
      const isSizeToBlame = errno === Errno.Invalid || errno === Errno.MessageSize;
      target.joinedBytesMax = isSizeToBlame ? Math.min(target.joinedBytesMax, size - 1) : 0;
      this.#counters.joinsRefused += 1;
      return true;
    }
    this.#counters.sendErrors += run;
    this.skip(run);
    return true;
  }

  /** Describes the queue's first datagrams to the kernel; returns the number of messages. */
  #build(): number {
    const words = this.#words;
    let messages = 0;
    let taken = 0;
    while (messages < MESSAGES_MAX && taken < this.#count) {
      const message = messages * MESSAGE_WORDS;
      const vector = this.#vectorsAt + taken * VECTOR_WORDS;
      const place = (this.#head + taken) % SEND_QUEUE_MAX;
      const target = this.#targets[place] as NativeTarget;
      const run = this.#writeRun(taken, target);
      this.#runs[messages] = run;
      words.set(target.words, this.#namesAt + messages * NAME_WORDS);
      words[message + MessageWord.NameLength] = target.length;
      writePointer(words, message + MessageWord.Vector, this.#base + 4 * vector);
      words[message + MessageWord.VectorLength] = run;
      words[message + MessageWord.ControlLength] = run > 1 ? CONTROL_BYTES : 0;
      if (run > 1) {
        words[this.#controlsAt + messages * CONTROL_WORDS + 4] = words[vector + 2] as number;
      }
      taken += run;
      messages += 1;
    }
    return messages;
  }

  /** Writes the vectors of the datagrams from `from` on that go in one message; returns how many. */
  #writeRun(from: number, target: NativeTarget): number {
    const words = this.#words;
    const left = this.#count - from;
    let size = 0;
    let total = 0;
    let run = 0;
    while (run < JOINED_MAX && run < left) {
      const place = (this.#head + from + run) % SEND_QUEUE_MAX;
      const bytes = this.#bytes[place] as Uint8Array;
      const { length } = bytes;
      if (run === 0) size = length;
      else {
        if (this.#targets[place] !== target || length > size || length === 0) break;
        if (size > target.joinedBytesMax || total + length > JOINED_BYTES_MAX) break;
      }
      const vector = this.#vectorsAt + (from + run) * VECTOR_WORDS;
      if (bytes.buffer !== this.#lastBuffer) {
        this.#lastBuffer = bytes.buffer;
        this.#lastBase = addressOf(bytes.buffer);
      }
      writePointer(words, vector, this.#lastBase + bytes.byteOffset);
      words[vector + 2] = length;
      total += length;
      run += 1;
      // Only the last one may be shorter.
      if (length < size) break;
    }
    return run;
  }
}
