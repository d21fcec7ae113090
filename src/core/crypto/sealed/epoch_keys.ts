/**
 * The keys of a sealed session from epoch to epoch (`sealed.md` 2): which key seals, which one opens,
 * when both move on.
 *
 * One side drives: only the handshake's initiator begins an epoch, the responder follows at the first
 * authentic packet of the new one. So the initiator is never behind and at most one epoch ahead, and
 * the parity bit, together with the packet counter on the responder's side, names exactly one key. If
 * both could begin epochs, a side that had just begun one could not tell packets of the epoch before
 * from packets of the epoch after, and a session could lock up for good.
 *
 * Sealing, opening and the replay window are the caller's. Old keys are overwritten, but JavaScript may
 * have copied them before, so this is an effort and no guarantee.
 */
import { NetError } from "../../../base/mod.ts";
import type { SplitKeys } from "../noise.ts";
import type { SessionRole } from "../session_keys.ts";
import { deriveChainKey, deriveNextChainKey, derivePacketKey } from "./key_schedule.ts";

/** Header flag that carries the epoch's parity. Authenticated; relays and the Rust core ignore it. */
export const FLAG_EPOCH_PARITY = 0x40;
/** Packets of both directions after which an epoch ends. */
export const EPOCH_PACKETS = 2 ** 20;
/** Milliseconds after its first packet at which an epoch ends. */
export const EPOCH_MS = 120_000;
/** Milliseconds for which packets of the previous epoch still open once the peer has moved on. */
export const EPOCH_PREVIOUS_MS = 5_000;
/**
 * Most key slots one session can hold: sending, current, previous and next receiving; and two chain keys,
 * which lie there because an array of its own costs seven times as much. A silent session holds four.
 */
export const SEALED_KEY_SLOTS_MAX = 6;

/** The part of a packet cipher that keys live in. */
export interface KeySlots {
  /** Copies a 32-byte key into a free slot; throws NetError `limit` when there is none. */
  createKey(key: Uint8Array): number;
  /** Overwrites the key and frees its slot. */
  destroyKey(slot: number): void;
  /** The key itself, valid until slots change. */
  readKey(slot: number): Uint8Array;
}

/** Slots in the order in which they are made. */
type Slots = [number, number, number, number];

/** Options of {@linkcode EpochKeys}. */
export interface EpochKeysOptions {
  readonly role: SessionRole;
  /** What Split() gave; both arrays are overwritten with zeros. */
  readonly splitKeys: SplitKeys;
  /** Final transcript hash, 32 bytes; stays as it is. */
  readonly handshakeHash: Uint8Array;
  /** {@linkcode EPOCH_PACKETS} when left out; smaller in tests. */
  readonly epochPackets?: number;
}

/**
 * Both directions of one session. There is one object per session and nothing but numbers in it.
 *
 * Sending: seal with `sendSlot`, set {@linkcode FLAG_EPOCH_PARITY} when `sendParity` is 1, then call
 * `onSent`. Receiving: ask `receiveSlot` before opening, and call `onAuthentic` once tag and replay
 * window have accepted the packet; in between, call nothing else.
 *
 * @example
 * ```ts
 * import { createPacketCipher } from "../packet_cipher.ts";
 * import { EpochKeys } from "./epoch_keys.ts";
 * const cipher = createPacketCipher({ memoryBytes: 1 << 20, keySlots: 8 });
 * const keys = new EpochKeys(cipher, {
 *   role: "initiator",
 *   splitKeys: {
 *     initiatorToResponder: new Uint8Array(32).fill(1),
 *     responderToInitiator: new Uint8Array(32).fill(2),
 *   },
 *   handshakeHash: new Uint8Array(32),
 * });
 * console.assert(keys.sendParity === 0 && keys.receiveSlot(1, 0, 0) === undefined);
 * keys.destroy();
 * ```
 */
export class EpochKeys {
  readonly #slots: KeySlots;
  readonly #isDriver: boolean;
  readonly #epochPackets: number;
  #epoch = 0;
  /** Slots of the chain keys of the current epoch. */
  #sendChain: number;
  #receiveChain: number;
  /** Slots of the packet keys of the current epoch. */
  #sendSlot: number;
  #receiveSlot: number;
  /** Slot of the key that opened packets of the epoch before. */
  #previousSlot: number | undefined;
  /** When that goes; `undefined` until the peer was heard in the current epoch. */
  #previousUntil: number | undefined;
  /** Slot of the key that opens packets of the next epoch; follower only, made when a packet asks for it. */
  #nextSlot: number | undefined;
  /** Lowest counter seen in the current epoch: whatever lies below it belongs to the previous one. */
  #floor = 0;
  /** True once a packet of the peer in the current epoch was authentic. */
  #isPeerHere = false;
  /** Packets of the current epoch in both directions, and when the first one passed. */
  #packets = 0;
  #firstAt = 0;
  #isDestroyed = false;
  #deferrals = 0;

  /**
   * @throws RangeError when a key or the hash is not 32 bytes long.
   * @throws NetError `limit` when no two key slots are free.
   */
  constructor(slots: KeySlots, options: EpochKeysOptions) {
    const { role, splitKeys, handshakeHash } = options;
    const { initiatorToResponder, responderToInitiator } = splitKeys;
    this.#slots = slots;
    this.#isDriver = role === "initiator";
    this.#epochPackets = options.epochPackets ?? EPOCH_PACKETS;
    const [send, receive] = this.#isDriver
      ? [initiatorToResponder, responderToInitiator]
      : [responderToInitiator, initiatorToResponder];
    const chains = [deriveChainKey(send, handshakeHash), deriveChainKey(receive, handshakeHash)];
    const made: number[] = [];
    try {
      for (const chain of chains) made.push(slots.createKey(chain));
      for (const chain of chains) made.push(this.#createDerived(derivePacketKey(chain)));
    } catch (error) {
      for (const slot of made) slots.destroyKey(slot);
      throw error;
    } finally {
      for (const secret of [send, receive, ...chains]) secret.fill(0);
    }
    const [sendChain, receiveChain, sendSlot, receiveSlot] = made as Slots;
    this.#sendChain = sendChain;
    this.#receiveChain = receiveChain;
    this.#sendSlot = sendSlot;
    this.#receiveSlot = receiveSlot;
  }

  /** Number of the current epoch, from 0; the same for both directions. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Slot of the key that seals the next packet. */
  get sendSlot(): number {
    return this.#sendSlot;
  }

  /** Parity of the epoch that the next packet belongs to. */
  get sendParity(): 0 | 1 {
    return this.#epoch % 2 === 0 ? 0 : 1;
  }

  /** How often a new epoch had to wait because no key slot was free. */
  get deferrals(): number {
    return this.#deferrals;
  }

  /**
   * Slot of the one key that may open a packet; good until the next call that changes the keys.
   *
   * @param parity 1 when the packet's header has {@linkcode FLAG_EPOCH_PARITY}, else 0.
   * @param counter The packet's counter; it need not be exact beyond 2^53.
   * @param now Milliseconds, as for all calls here.
   * @returns `undefined` when the key is gone or no slot is free: the packet is dropped.
   */
  receiveSlot(parity: number, counter: number, now: number): number | undefined {
    if (this.#isDestroyed) return undefined;
    if (parity === this.sendParity) return this.#receiveSlot;
    if (this.#isDriver || counter < this.#floor) {
      this.sweep(now);
      return this.#previousSlot;
    }
    return this.#nextSlot ??= this.#createNext();
  }

  /**
   * Notes an authentic packet that was never seen before.
   *
   * @param slot What {@linkcode EpochKeys.receiveSlot} gave for it.
   * @param counter The packet's counter.
   */
  onAuthentic(slot: number, counter: number, now: number): void {
    if (this.#isDestroyed || slot === this.#previousSlot) return;
    if (slot === this.#nextSlot) this.#follow(slot, counter, now);
    else if (counter < this.#floor) this.#floor = counter;
    if (!this.#isPeerHere) {
      this.#isPeerHere = true;
      this.#previousUntil = now + EPOCH_PREVIOUS_MS;
    }
    this.#count(now);
  }

  /** Notes a packet that was sealed with {@linkcode EpochKeys.sendSlot}; the next one may get a new key. */
  onSent(now: number): void {
    this.#count(now);
    if (!this.#isDriver || !this.#isPeerHere || this.#isDestroyed) return;
    if (this.#packets >= this.#epochPackets || now - this.#firstAt >= EPOCH_MS) this.#lead(now);
  }

  /** Overwrites the previous key when its time is over; to be called now and then on silent sessions. */
  sweep(now: number): void {
    if (this.#previousUntil !== undefined && now >= this.#previousUntil) this.#dropPrevious();
  }

  /** Overwrites all keys and frees their slots; idempotent. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#slots.destroyKey(this.#sendSlot);
    this.#slots.destroyKey(this.#receiveSlot);
    this.#dropPrevious();
    if (this.#nextSlot !== undefined) this.#slots.destroyKey(this.#nextSlot);
    this.#nextSlot = undefined;
    this.#slots.destroyKey(this.#sendChain);
    this.#slots.destroyKey(this.#receiveChain);
  }

  /** The driver begins the next epoch. The peer may stay in the old one for as long as it is silent. */
  #lead(now: number): void {
    const next = this.#createNext();
    if (next === undefined) {
      // Without a slot the epoch is simply lived once more, so that this isn't tried with each packet.
      this.#packets = 0;
      this.#firstAt = now;
      return;
    }
    this.#moveTo(next);
    this.#isPeerHere = false;
    this.#packets = 0;
  }

  /** The follower goes where the driver is. */
  #follow(next: number, counter: number, now: number): void {
    this.#moveTo(next);
    this.#nextSlot = undefined;
    this.#floor = counter;
    this.#previousUntil = now + EPOCH_PREVIOUS_MS;
    this.#packets = 0;
  }

  #moveTo(next: number): void {
    this.#dropPrevious();
    this.#previousSlot = this.#receiveSlot;
    this.#receiveSlot = next;
    this.#epoch += 1;
    this.#receiveChain = this.#advance(this.#receiveChain);
    this.#sendChain = this.#advance(this.#sendChain);
    // The slot just freed is there for the new key.
    this.#slots.destroyKey(this.#sendSlot);
    this.#sendSlot = this.#createDerived(derivePacketKey(this.#slots.readKey(this.#sendChain)));
  }

  #createNext(): number | undefined {
    const chain = deriveNextChainKey(this.#slots.readKey(this.#receiveChain));
    try {
      return this.#createDerived(derivePacketKey(chain));
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      this.#deferrals += 1;
      return undefined;
    } finally {
      chain.fill(0);
    }
  }

  /** Moves a key that was just derived into a slot. */
  #createDerived(key: Uint8Array): number {
    try {
      return this.#slots.createKey(key);
    } finally {
      key.fill(0);
    }
  }

  /** Replaces a chain key by the next one; the slot it leaves is there for that. */
  #advance(slot: number): number {
    const next = deriveNextChainKey(this.#slots.readKey(slot));
    this.#slots.destroyKey(slot);
    return this.#createDerived(next);
  }

  #dropPrevious(): void {
    if (this.#previousSlot !== undefined) this.#slots.destroyKey(this.#previousSlot);
    this.#previousSlot = undefined;
    this.#previousUntil = undefined;
  }

  #count(now: number): void {
    if (this.#packets === 0) this.#firstAt = now;
    this.#packets += 1;
  }
}
