import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { openNativeAead } from "../../../src/core/crypto/native_aead.ts";
import { createPacketCipher } from "../../../src/core/crypto/packet_cipher.ts";
import { createSeededSource } from "./random_bytes.ts";

const HEADER_BYTES = 68;
const TAG_BYTES = 16;

/** Runs with the system's cipher, or says why not. */
function withNative(run: (native: NonNullable<ReturnType<typeof openNativeAead>>) => void): void {
  using native = openNativeAead();
  if (native === undefined) console.log("skipped: this system has no libcrypto.so.3 to call");
  else run(native);
}

function flip(bytes: Uint8Array, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
}

function lengthsOf(source: ReturnType<typeof createSeededSource>): number[] {
  const lengths = Array.from({ length: 1025 }, (_, i) => i);
  for (let i = 0; i < 200; i++) lengths.push(1025 + source.below(7084));
  return [...lengths, 8104, 8108];
}

Deno.test("NativeAead equals the reference for all lengths to 1024 and beyond", () => {
  withNative((native) => {
    const source = createSeededSource(0xfeed);
    const memory = new Uint8Array(32_768);
    const targetAt = 16_000;
    const [from, to] = [memory.subarray(1_000), memory.subarray(targetAt)];
    for (const length of lengthsOf(source)) {
      const [key, plaintext] = [source.bytes(32), source.bytes(length)];
      native.nonce.set(source.bytes(12));
      native.aad.set(source.bytes(56));
      const expected = chacha20poly1305(key, native.nonce.slice(), native.aad.slice())
        .encrypt(plaintext);
      from.set(plaintext);
      native.seal(key, from, to, length);
      const sealed = Buffer.concat([memory.subarray(targetAt, targetAt + length), native.tag]);
      assert.ok(Buffer.compare(sealed, expected) === 0, `seal ${length}`);
      assert.equal(native.open(key, to, length), true, `open ${length}`);
      const opened = memory.subarray(targetAt, targetAt + length);
      assert.ok(Buffer.compare(opened, plaintext) === 0, `plaintext ${length}`);
      // Sealed again with the key that is set already, in place; a forged tag is refused.
      native.seal(null, to, to, length);
      const again = Buffer.concat([memory.subarray(targetAt, targetAt + length), native.tag]);
      assert.ok(Buffer.compare(again, expected) === 0, `same key ${length}`);
      flip(native.tag, source.below(16));
      assert.equal(native.open(null, to, length), false, `forged ${length}`);
    }
  });
});

Deno.test("createPacketCipher() with and without the system's cipher makes the same packets", () => {
  withNative((native) => {
    const source = createSeededSource(77);
    const ciphers = [
      createPacketCipher({ memoryBytes: 1 << 17, keySlots: 4 }),
      createPacketCipher({ memoryBytes: 1 << 17, keySlots: 4, native }),
    ];
    const [plain, fast] = ciphers.map((cipher) => {
      const regionAt = cipher.allocate(32_768);
      return { cipher, regionAt, packetAt: regionAt + 3, sourceAt: regionAt + 12_001 };
    });
    assert.ok(plain !== undefined && fast !== undefined);
    for (const length of lengthsOf(source)) {
      const [keyA, keyB, header] = [source.bytes(32), source.bytes(32), source.bytes(HEADER_BYTES)];
      const plaintext = source.bytes(length);
      const isApart = source.below(2) === 0;
      const prefix = new DataView(header.buffer, header.byteOffset).getUint32(12, true);
      const size = HEADER_BYTES + length + TAG_BYTES;
      const packets = [plain, fast].map(({ cipher, packetAt, sourceAt }) => {
        const slots = [cipher.createKey(keyA), cipher.createKey(keyB)] as const;
        const [slot] = slots;
        cipher.memory.set(header, packetAt);
        cipher.memory.set(plaintext, isApart ? sourceAt : packetAt + HEADER_BYTES);
        cipher.sealPacket(slot, packetAt, length, isApart ? sourceAt : undefined);
        const packet = cipher.memory.slice(packetAt, packetAt + size);
        if (isApart) {
          const kept = cipher.memory.subarray(sourceAt, sourceAt + length);
          assert.ok(Buffer.compare(kept, plaintext) === 0, `source ${length}`);
        }
        // Another key in between, a changed hop count, a changed bit.
        assert.equal(cipher.openPacket(slots[1], packetAt, length, prefix), false);
        cipher.memory.set(packet, packetAt);
        flip(cipher.memory, packetAt + 6);
        assert.equal(cipher.openPacket(slot, packetAt, length, prefix), true, `open ${length}`);
        const opened = cipher.memory.subarray(
          packetAt + HEADER_BYTES,
          packetAt + HEADER_BYTES + length,
        );
        assert.ok(Buffer.compare(opened, plaintext) === 0, `plaintext ${length}`);
        for (const at of [0, 24, 67, size - 1]) {
          cipher.memory.set(packet, packetAt);
          flip(cipher.memory, packetAt + at);
          assert.equal(cipher.openPacket(slot, packetAt, length, prefix), false, `byte ${at}`);
        }
        cipher.memory.set(packet, packetAt);
        assert.equal(cipher.openPacket(slot, packetAt, length, (prefix ^ 1) >>> 0), false);
        for (const one of slots) cipher.destroyKey(one);
        return packet;
      });
      assert.ok(
        Buffer.compare(packets[0] ?? header, packets[1] ?? plaintext) === 0,
        `packet ${length}`,
      );
    }
  });
});

Deno.test("sealPacket() refuses a source outside the memory and among the keys", () => {
  const cipher = createPacketCipher({ memoryBytes: 1 << 16, keySlots: 4 });
  const slot = cipher.createKey(new Uint8Array(32));
  const at = cipher.allocate(4_096);
  for (const sourceAt of [0, 2_048, -1, 0.5, NaN, cipher.memory.length - 99]) {
    assert.throws(() => cipher.sealPacket(slot, at, 100, sourceAt), RangeError);
  }
  cipher.sealPacket(slot, at, 100, cipher.memory.length - 100);
});
