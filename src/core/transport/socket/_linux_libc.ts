/**
 * The few C library calls the batched socket is made of, and the numbers Linux gives them.
 *
 * Only for 64-bit little-endian Linux, where the structures have the layout written down here.
 */

/** Error numbers a caller decides on. */
export const Errno = {
  Interrupted: 4,
  InputOutput: 5,
  Again: 11,
  Invalid: 22,
  MessageSize: 90,
  NoProtocolOption: 92,
  NotSupported: 95,
  NoBuffers: 105,
} as const;

/** Address families. */
export const AF_INET = 2;
export const AF_INET6 = 10;
/** Bytes of the larger of `sockaddr_in` and `sockaddr_in6`. */
export const SOCKADDR_BYTES_MAX = 28;

const POLLIN = 1;
const SHUT_RDWR = 2;
const SOL_UDP = 17;
const UDP_GRO = 104;
/** `cmsghdr` of a segment size: level and type, as the kernel reads and writes them. */
export const CONTROL_LEVEL_UDP = SOL_UDP;
export const CONTROL_TYPE_SEGMENT = 103;
export const CONTROL_TYPE_GRO = UDP_GRO;

/** `struct mmsghdr`: 64 bytes; places of its fields in 32-bit words. */
export const MESSAGE_WORDS = 16;
export const MessageWord = {
  Name: 0,
  NameLength: 2,
  Vector: 4,
  VectorLength: 6,
  Control: 8,
  ControlLength: 10,
  Flags: 12,
  Length: 14,
} as const;

/** `struct iovec`: base and length, 64 bits each, in 32-bit words. */
export const VECTOR_WORDS = 4;

/** `recvmmsg` and `sendmmsg` never wait. */
const MSG_DONTWAIT = 0x40;
/** The datagram was longer than its buffer. */
export const MSG_TRUNC = 0x20;

const SYMBOLS = {
  recvmmsg: { parameters: ["i32", "pointer", "u32", "i32", "pointer"], result: "i32" },
  sendmmsg: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  sched_yield: { parameters: [], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  pollAside: {
    name: "poll",
    parameters: ["buffer", "u64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

/** Opened C library; used from one thread. */
export interface Libc {
  /** Datagrams received into `count` messages, or −1. */
  receive(descriptor: number, messages: Deno.PointerValue, count: number): number;
  /** Messages sent of `count`, or −1. */
  send(descriptor: number, messages: Deno.PointerValue, count: number): number;
  /** True when there is something to read. */
  isReadable(descriptor: number): boolean;
  /**
   * Waits on another thread until there is something to read, at most `limitMs`; false when nothing
   * came. Ends early when waiting fails or {@linkcode Libc.wake} is called. One call at a time.
   */
  waitReadable(descriptor: number, limitMs: number): Promise<boolean>;
  /** Ends waiting for a socket that is about to be closed. */
  wake(descriptor: number): void;
  /** Lets others that wait for this processor run, if there are any. */
  yield(): void;
  /** Turns joining of equal datagrams (GRO) on or off; false where the kernel has none. */
  setJoining(descriptor: number, isOn: boolean): boolean;
  /** The socket address a descriptor is bound to; `undefined` when it is no socket. */
  localAddress(descriptor: number): Uint32Array | undefined;
  /** Number of the last error. */
  errno(): number;
  close(): void;
}

/**
 * Opens the C library.
 *
 * @throws Error when there is none, or it lacks a call.
 */
export function openLibc(): Libc {
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  const { symbols } = library;
  const errnoAt = symbols.__errno_location();
  if (errnoAt === null) {
    library.close();
    throw new Error("Cannot use the C library: it has no errno");
  }
  // The other thread writes into this while it waits, so it has to live as long as the library is open.
  const waiting = new Int32Array(32);
  const waitingBytes = new Uint8Array(waiting.buffer);
  // The place belongs to the thread, and this object stays on it.
  const errnoView = new Deno.UnsafePointerView(errnoAt);
  const option = new Int32Array(1);
  const optionBytes = new Uint8Array(option.buffer);
  return {
    receive: (descriptor, messages, count) =>
      symbols.recvmmsg(descriptor, messages, count, MSG_DONTWAIT, null),
    send: (descriptor, messages, count) =>
      symbols.sendmmsg(descriptor, messages, count, MSG_DONTWAIT),
    isReadable: (descriptor) => symbols.poll(pollRequest(descriptor), 1n, 0) !== 0,
    waitReadable: async (descriptor, limitMs) => {
      waiting[0] = descriptor;
      waiting[1] = POLLIN;
      return await symbols.pollAside(waitingBytes, 1n, limitMs) !== 0;
    },
    // For an unconnected UDP socket it reports an error, and wakes whoever waits nevertheless.
    wake: (descriptor) => void symbols.shutdown(descriptor, SHUT_RDWR),
    yield: () => void symbols.sched_yield(),
    setJoining: (descriptor, isOn) => {
      option[0] = isOn ? 1 : 0;
      return symbols.setsockopt(descriptor, SOL_UDP, UDP_GRO, optionBytes, 4) === 0;
    },
    localAddress: (descriptor) => {
      const words = new Uint32Array(8);
      const length = new Uint8Array(Uint32Array.of(words.byteLength).buffer);
      const status = symbols.getsockname(descriptor, new Uint8Array(words.buffer), length);
      return status === 0 ? words : undefined;
    },
    errno: () => errnoView.getInt32(),
    close: () => library.close(),
  };
}

/** `struct pollfd`: descriptor, wanted events, events. */
function pollRequest(descriptor: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Int32Array.of(descriptor, POLLIN).buffer);
}

/** Writes `address` as the 64-bit pointer in two words. */
export function writePointer(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0;
  words[at + 1] = Math.floor(address / 0x1_0000_0000);
}

/** Address of a buffer's first byte; 0 for one without bytes. */
export function addressOf(buffer: ArrayBufferLike): number {
  const pointer = Deno.UnsafePointer.of(new Uint8Array(buffer as ArrayBuffer));
  // User space ends at 2^47 (2^52 at most), so the number is exact.
  return Number(Deno.UnsafePointer.value(pointer));
}
