/**
 * FNV-1a of 64 bits, as two halves of 32 (`capabilities.md` 17): fast for the short texts of a hash ring,
 * and the same everywhere. Not for anything that an attacker chooses to collide.
 */

const ENCODER = new TextEncoder();

/** A running hash. */
export class Fnv64 {
  high = 0xcbf29ce4;
  low = 0x84222325;

  /** Starts over, or goes on from another one. */
  reset(from?: Fnv64): this {
    this.high = from?.high ?? 0xcbf29ce4;
    this.low = from?.low ?? 0x84222325;
    return this;
  }

  /** Takes in the UTF-8 bytes of a text. */
  text(text: string): this {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) {
        for (const byte of ENCODER.encode(text.slice(i))) this.byte(byte);
        return this;
      }
      this.byte(unit);
    }
    return this;
  }

  /** Takes in one byte. */
  byte(byte: number): void {
    const low = (this.low ^ byte) >>> 0;
    // The prime is 2^40 + 0x1b3; all products stay below 2^53.
    const product = low * 0x1b3;
    const carry = Math.floor(product / 0x1_0000_0000);
    this.high = (this.high * 0x1b3 + ((low << 8) >>> 0) + carry) >>> 0;
    this.low = product >>> 0;
  }
}
