/**
 * Seals and opens packets in place inside one WebAssembly memory (`wire.md` 3 and 5).
 *
 * The transport receives into and builds in this memory, so that no byte is copied for the cipher.
 * It knows nothing of counters and replay windows: the caller writes the nonce and owns them.
 */
import { NetError } from "../../base/mod.ts";
import type { NativeAead } from "./native_aead.ts";
import { CHACHA_SCRATCH_BYTES, instantiateChacha } from "./wasm/chacha.ts";
import { createFixedMemory } from "./wasm/instantiate.ts";

const HEADER_BYTES = 68;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** Slabs of 8 MiB and what waits for acknowledgements; memory that nobody touched costs nothing. */
const MEMORY_BYTES_DEFAULT = 64 * 1024 * 1024;
const MEMORY_BYTES_MAX = 2 ** 31;
/** Two keys for each of 4096 sessions. */
const KEY_SLOTS_DEFAULT = 8192;
/** From this payload on the system's library is faster than WebAssembly, where it is at hand. */
const NATIVE_BYTES_MIN = 768;
const NONCE_AT = 12;
/** The nonce is cut out of the additional data: header bytes 0..12 and 24..68. */
const NONCE_END = 24;
const HOP_COUNT_AT = 6;
/** Bytes of the nonce that the session gives. */
const PREFIX_BYTES = 4;

/** Options of {@linkcode createPacketCipher}. */
export interface CreatePacketCipherOptions {
  /** Size of the memory in bytes, rounded up to 64 KiB; 64 MiB by default. */
  readonly memoryBytes?: number;
  /** Keys that can exist at the same time; 8192 by default. */
  readonly keySlots?: number;
  /** The system's cipher for large packets; WebAssembly does them all when left out. */
  readonly native?: NativeAead;
}

/** One cipher and the memory it works in; one per process is enough. */
export interface PacketCipher {
  /** The whole memory; it never grows, so this view and views of it stay valid. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /**
   * Carves a permanent region out of the memory, for slabs at start.
   *
   * @param bytes Length of the region.
   * @param align Alignment in bytes, a power of two; 16 by default.
   * @returns Offset of the region in {@linkcode PacketCipher.memory}.
   * @throws RangeError when the memory is exhausted or an argument is out of range.
   */
  allocate(bytes: number, align?: number): number;
  /**
   * Copies a 32-byte key into a free slot.
   *
   * @returns The slot, for the other calls.
   * @throws RangeError when the key has another length.
   * @throws NetError `limit` when all slots are in use.
   */
  createKey(key: Uint8Array): number;
  /**
   * Overwrites a key with zeros and frees its slot.
   *
   * @throws RangeError when the slot holds no key.
   */
  destroyKey(slot: number): void;
  /**
   * The 32 bytes of a key, for deriving others; the view is valid until slots change.
   *
   * @throws RangeError when the slot holds no key.
   */
  readKey(slot: number): Uint8Array<ArrayBuffer>;
  /**
   * Encrypts the payload and writes the 16-byte tag behind it. The header with its nonce must be
   * complete.
   *
   * @param offset Where the 68-byte header starts.
   * @param payloadLength Bytes between header and tag.
   * @param sourceAt Where the plaintext lies, apart from the packet; in its place when left out.
   * @throws RangeError when the slot holds no key, or packet or plaintext leave the memory.
   */
  sealPacket(slot: number, offset: number, payloadLength: number, sourceAt?: number): void;
  /**
   * Verifies the tag, then decrypts the payload in place.
   *
   * @param payloadLength Bytes between header and tag.
   * @param noncePrefix Stands for nonce bytes 0..4 (u32, little-endian); the counter is the header's.
   * @returns False when the packet is not authentic; its payload is undefined then.
   * @throws RangeError when the slot holds no key or the packet leaves the memory.
   */
  openPacket(slot: number, offset: number, payloadLength: number, noncePrefix: number): boolean;
}

/**
 * Creates a cipher with its own memory.
 *
 * @throws RangeError when the options do not fit together.
 *
 * @example
 * ```ts
 * import { createPacketCipher } from "./packet_cipher.ts";
 * const cipher = createPacketCipher({ memoryBytes: 1 << 20, keySlots: 2 });
 * const slot = cipher.createKey(new Uint8Array(32).fill(7));
 * const packet = cipher.allocate(68 + 5 + 16);
 * cipher.sealPacket(slot, packet, 5);
 * console.assert(cipher.openPacket(slot, packet, 5, 0));
 * ```
 */
export function createPacketCipher(options: CreatePacketCipherOptions = {}): PacketCipher {
  const keySlots = options.keySlots ?? KEY_SLOTS_DEFAULT;
  const memoryBytes = options.memoryBytes ?? MEMORY_BYTES_DEFAULT;
  const regionsStart = CHACHA_SCRATCH_BYTES + keySlots * KEY_BYTES;
  if (!isLength(keySlots, MEMORY_BYTES_MAX / KEY_BYTES) || keySlots === 0) {
    throw new RangeError(`Cannot create packet cipher: keySlots is ${keySlots}`);
  }
  if (!isLength(memoryBytes, MEMORY_BYTES_MAX) || memoryBytes < regionsStart) {
    throw new RangeError(
      `Cannot create packet cipher: memoryBytes is ${memoryBytes}, must be at least ${regionsStart}`,
    );
  }
  const { memory: wasmMemory, bytes: memory } = createFixedMemory(memoryBytes);
  const wasm = instantiateChacha(wasmMemory);
  const end = memory.length;
  /** 1 for each slot that holds a key. */
  const isUsed = new Uint8Array(keySlots);
  /** Stack of free slots, lowest on top at first. */
  const free = new Uint32Array(keySlots);
  for (let i = 0; i < keySlots; i++) free[i] = keySlots - 1 - i;
  let freeCount = keySlots;
  let regionsEnd = regionsStart;
  const { native } = options;
  /** Slots whose keys the system's cipher holds: setting a key again costs as much as sealing 100 bytes. */
  let sealingSlot = -1;
  let openingSlot = -1;

  function checkPacket(slot: number, offset: number, payloadLength: number): void {
    // `>>> 0` keeps exactly the unsigned 32-bit integers; `end` is at most 2^31.
    if (isUsed[slot] !== 1) throw new RangeError(`Cannot use key slot ${slot}: it holds no key`);
    if (
      offset >>> 0 !== offset || payloadLength >>> 0 !== payloadLength || offset < regionsStart ||
      offset + payloadLength + (HEADER_BYTES + TAG_BYTES) > end
    ) {
      throw new RangeError(
        `Cannot reach packet: offset is ${offset}, payload length is ${payloadLength}, must lie ` +
          `in ${regionsStart}..${end}`,
      );
    }
  }

  function keyBytes(slot: number): Uint8Array<ArrayBuffer> {
    return memory.subarray(keyOf(slot), keyOf(slot) + KEY_BYTES);
  }

  function checkSource(at: number, length: number): void {
    if (at >>> 0 === at && at >= regionsStart && at + length <= end) return;
    throw new RangeError(
      `Cannot reach plaintext: it starts at ${at}, must lie in ${regionsStart}..${end}`,
    );
  }

  return {
    memory,
    allocate(bytes, align = 16) {
      if (!isLength(bytes, end) || !isLength(align, 65536) || (align & (align - 1)) !== 0) {
        throw new RangeError(`Cannot allocate region: size is ${bytes}, alignment is ${align}`);
      }
      const start = Math.ceil(regionsEnd / Math.max(align, 1)) * Math.max(align, 1);
      if (start + bytes > end) {
        throw new RangeError(
          `Cannot allocate region: ${bytes} bytes wanted, ${Math.max(end - start, 0)} are left`,
        );
      }
      regionsEnd = start + bytes;
      return start;
    },
    createKey(key) {
      if (key.length !== KEY_BYTES) {
        throw new RangeError(`Cannot create key: length is ${key.length}, must be ${KEY_BYTES}`);
      }
      const slot = freeCount === 0 ? undefined : free[freeCount - 1];
      if (slot === undefined) {
        throw new NetError("limit", `Cannot create key: all ${keySlots} slots are in use`, {
          next: "close idle sessions, then try again",
        });
      }
      freeCount--;
      isUsed[slot] = 1;
      memory.set(key, keyOf(slot));
      return slot;
    },
    destroyKey(slot) {
      if (isUsed[slot] !== 1) throw new RangeError(`Cannot destroy key: slot ${slot} holds none`);
      memory.fill(0, keyOf(slot), keyOf(slot) + KEY_BYTES);
      if (slot === sealingSlot || slot === openingSlot) {
        native?.wipe();
        sealingSlot = openingSlot = -1;
      }
      isUsed[slot] = 0;
      free[freeCount++] = slot;
    },
    readKey(slot) {
      if (isUsed[slot] !== 1) throw new RangeError(`Cannot read key: slot ${slot} holds none`);
      return keyBytes(slot);
    },
    sealPacket(slot, offset, payloadLength, sourceAt = offset + HEADER_BYTES) {
      checkPacket(slot, offset, payloadLength);
      const payloadAt = offset + HEADER_BYTES;
      if (sourceAt !== payloadAt) checkSource(sourceAt, payloadLength);
      if (native !== undefined && payloadLength >= NATIVE_BYTES_MIN) {
        loadHeader(native, memory, offset);
        const key = slot === sealingSlot ? null : keyBytes(slot);
        const target = memory.subarray(payloadAt);
        sealingSlot = slot;
        native.seal(
          key,
          sourceAt === payloadAt ? target : memory.subarray(sourceAt),
          target,
          payloadLength,
        );
        copyTag(native.tag, 0, memory, payloadAt + payloadLength);
        return;
      }
      if (sourceAt !== payloadAt) {
        memory.copyWithin(payloadAt, sourceAt, sourceAt + payloadLength);
      }
      wasm.sealPacket(keyOf(slot), offset, payloadLength);
    },
    openPacket(slot, offset, payloadLength, noncePrefix) {
      checkPacket(slot, offset, payloadLength);
      if (native === undefined || payloadLength < NATIVE_BYTES_MIN) {
        return wasm.openPacket(keyOf(slot), offset, payloadLength, noncePrefix) === 1;
      }
      const payloadAt = offset + HEADER_BYTES;
      loadHeader(native, memory, offset);
      for (let i = 0; i < PREFIX_BYTES; i++) native.nonce[i] = noncePrefix >>> (8 * i);
      copyTag(memory, payloadAt + payloadLength, native.tag, 0);
      const key = slot === openingSlot ? null : keyBytes(slot);
      openingSlot = slot;
      return native.open(key, memory.subarray(payloadAt), payloadLength);
    },
  };
}

function keyOf(slot: number): number {
  return CHACHA_SCRATCH_BYTES + slot * KEY_BYTES;
}

/** Takes nonce and additional data out of a header (`wire.md` 5); byte by byte, because that is faster. */
function loadHeader({ nonce, aad }: NativeAead, memory: Uint8Array, at: number): void {
  for (let i = 0; i < NONCE_AT; i++) aad[i] = memory[at + i] as number;
  for (let i = NONCE_END; i < HEADER_BYTES; i++) {
    aad[i - (NONCE_END - NONCE_AT)] = memory[at + i] as number;
  }
  aad[HOP_COUNT_AT] = 0;
  for (let i = 0; i < NONCE_END - NONCE_AT; i++) nonce[i] = memory[at + NONCE_AT + i] as number;
}

function copyTag(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < TAG_BYTES; i++) to[toAt + i] = from[fromAt + i] as number;
}

function isLength(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max;
}
