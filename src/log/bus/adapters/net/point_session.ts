/** One session of the point-to-point adapter: keys, counters and what came already (`wire.md` 4.3, 5). */
import { type PacketCipher, ReplayWindow, type SessionKeys } from "../../../../core/crypto/mod.ts";
import { type PacketHeader, writeHeader } from "../../../../core/transport/mod.ts";

const HALF = 2 ** 32;

/** Seals what leaves and opens what comes, in the cipher's memory. */
export class PointSession {
  /** When an authentic packet came last. */
  heardAtMs: number;
  readonly #cipher: PacketCipher;
  readonly #keys: SessionKeys;
  readonly #sendKey: number;
  readonly #receiveKey: number;
  readonly #seen = new ReplayWindow();
  readonly #sequences = new Map<number, number>();
  #counter = 0;

  constructor(cipher: PacketCipher, keys: SessionKeys, nowMs: number) {
    this.#cipher = cipher;
    this.#keys = keys;
    this.#sendKey = cipher.createKey(keys.sendKey);
    this.#receiveKey = cipher.createKey(keys.receiveKey);
    this.heardAtMs = nowMs;
  }

  /** True when the packet says it belongs to this session. */
  owns(header: PacketHeader): boolean {
    return header.sessionLow === this.#keys.sessionIdLow >>> 0 &&
      header.sessionHigh === this.#keys.sessionIdHigh >>> 0;
  }

  /** Number of the next packet of a stream. */
  nextSequence(stream: number): number {
    const sequence = this.#sequences.get(stream) ?? 0;
    this.#sequences.set(stream, sequence + 1);
    return sequence;
  }

  /** Completes the header at `offset` and seals the packet; the payload is in its place. */
  seal(view: DataView, offset: number, header: PacketHeader): void {
    const counter = this.#counter++;
    header.noncePrefix = this.#keys.noncePrefix;
    header.counterLow = counter >>> 0;
    header.counterHigh = Math.floor(counter / HALF);
    header.sessionLow = this.#keys.sessionIdLow;
    header.sessionHigh = this.#keys.sessionIdHigh;
    writeHeader(view, offset, header);
    this.#cipher.sealPacket(this.#sendKey, offset, header.payloadLength);
  }

  /** Opens a packet in place; false when it is not authentic, or came before. */
  open(offset: number, header: PacketHeader): boolean {
    const { payloadLength, counterLow, counterHigh } = header;
    const isAuthentic = this.#cipher.openPacket(
      this.#receiveKey,
      offset,
      payloadLength,
      this.#keys.noncePrefix,
    );
    return isAuthentic && this.#seen.accept(counterLow, counterHigh);
  }

  /** Forgets the keys. */
  destroy(): void {
    this.#cipher.destroyKey(this.#sendKey);
    this.#cipher.destroyKey(this.#receiveKey);
  }
}
