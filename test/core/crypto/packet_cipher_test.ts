import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { NetError } from "../../../src/base/mod.ts";
import { createPacketCipher } from "../../../src/core/crypto/packet_cipher.ts";
import { checkPackets } from "./packet_vector_checks.ts";
import { createSeededSource } from "./random_bytes.ts";

const HEADER_BYTES = 68;
const TAG_BYTES = 16;
const cipher = createPacketCipher({ memoryBytes: 1 << 18, keySlots: 8 });
/** Packets lie between guards that must never change. */
const GUARD_BYTES = 64;
const region = cipher.allocate(10_000 + 2 * GUARD_BYTES, 1);

function aadOf(header: Uint8Array): Uint8Array<ArrayBuffer> {
  const aad = new Uint8Array(56);
  aad.set(header.subarray(0, 12));
  aad[6] = 0;
  aad.set(header.subarray(24), 12);
  return aad;
}

function prefixOf(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset).getUint32(12, true);
}

function referenceSeal(
  key: Uint8Array,
  header: Uint8Array,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const sealed = chacha20poly1305(key, header.slice(12, 24), aadOf(header)).encrypt(payload);
  const packet = new Uint8Array(HEADER_BYTES + sealed.length);
  packet.set(header);
  packet.set(sealed, HEADER_BYTES);
  return packet;
}

/** Seals at `at` and returns the packet; fails when a byte around it changed. */
function seal(slot: number, at: number, header: Uint8Array, payload: Uint8Array): Uint8Array {
  const size = HEADER_BYTES + payload.length + TAG_BYTES;
  cipher.memory.fill(0xa5, at - GUARD_BYTES, at + size + GUARD_BYTES);
  cipher.memory.set(header, at);
  cipher.memory.set(payload, at + HEADER_BYTES);
  cipher.sealPacket(slot, at, payload.length);
  checkGuards(at, size);
  return cipher.memory.slice(at, at + size);
}

function checkGuards(at: number, size: number): void {
  const before = cipher.memory.subarray(at - GUARD_BYTES, at);
  const behind = cipher.memory.subarray(at + size, at + size + GUARD_BYTES);
  assert.ok(before.every((byte) => byte === 0xa5) && behind.every((byte) => byte === 0xa5));
}

Deno.test("sealPacket() and openPacket() equal the reference for all lengths to 1024 and beyond", () => {
  const source = createSeededSource(0xc0de);
  const lengths = Array.from({ length: 1025 }, (_, i) => i);
  for (let i = 0; i < 100; i++) lengths.push(1025 + source.below(7976));
  lengths.push(8104, 8108, 9000);
  for (const length of lengths) {
    const key = source.bytes(32);
    const header = source.bytes(HEADER_BYTES);
    const payload = source.bytes(length);
    const slot = cipher.createKey(key);
    const at = region + GUARD_BYTES + source.below(17);
    const packet = seal(slot, at, header, payload);
    assert.ok(Buffer.compare(packet, referenceSeal(key, header, payload)) === 0, `seal ${length}`);
    assert.equal(cipher.openPacket(slot, at, length, prefixOf(header)), true, `open ${length}`);
    checkGuards(at, packet.length);
    const opened = cipher.memory.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
    assert.ok(Buffer.compare(opened, payload) === 0, `plaintext ${length}`);
    cipher.destroyKey(slot);
  }
});

Deno.test("openPacket() refuses every flipped bit but hop_count and prefix, and changes nothing", () => {
  const source = createSeededSource(21);
  const at = region + GUARD_BYTES;
  for (const length of [0, 5, 64, 300]) {
    const slot = cipher.createKey(source.bytes(32));
    const header = source.bytes(HEADER_BYTES);
    const packet = seal(slot, at, header, source.bytes(length));
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const byte = bit >> 3;
      const changed = packet.slice();
      changed[byte] = (changed[byte] ?? 0) ^ (1 << (bit & 7));
      cipher.memory.set(changed, at);
      const isFree = byte === 6 || (byte >= 12 && byte < 16);
      assert.equal(cipher.openPacket(slot, at, length, prefixOf(header)), isFree, `bit ${bit}`);
      if (!isFree) {
        assert.ok(Buffer.compare(cipher.memory.subarray(at, at + packet.length), changed) === 0);
      }
    }
    cipher.destroyKey(slot);
  }
});

Deno.test("openPacket() refuses another prefix, another length and another key", () => {
  const source = createSeededSource(22);
  const at = region + GUARD_BYTES;
  const slot = cipher.createKey(source.bytes(32));
  const other = cipher.createKey(source.bytes(32));
  const header = source.bytes(HEADER_BYTES);
  seal(slot, at, header, source.bytes(100));
  const prefix = prefixOf(header);
  for (let bit = 0; bit < 32; bit++) {
    assert.equal(cipher.openPacket(slot, at, 100, (prefix ^ (1 << bit)) >>> 0), false);
  }
  for (const length of [0, 1, 84, 99, 101, 116]) {
    assert.equal(cipher.openPacket(slot, at, length, prefix), false);
  }
  assert.equal(cipher.openPacket(other, at, 100, prefix), false);
  assert.equal(cipher.openPacket(slot, at, 100, prefix), true);
  cipher.destroyKey(slot);
  cipher.destroyKey(other);
});

Deno.test("openPacket() takes any bytes", () => {
  const slot = cipher.createKey(new Uint8Array(32));
  const at = region + GUARD_BYTES;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 84, maxLength: 600 }), fc.nat(), (bytes, prefix) => {
      cipher.memory.set(bytes, at);
      assert.equal(cipher.openPacket(slot, at, bytes.length - 84, prefix >>> 0), false);
      assert.ok(Buffer.compare(cipher.memory.subarray(at, at + bytes.length), bytes) === 0);
    }),
    { seed: 5 },
  );
  cipher.destroyKey(slot);
});

Deno.test("sealPacket() leaves no keystream behind", () => {
  const fresh = createPacketCipher({ memoryBytes: 1 << 16, keySlots: 1 });
  const before = fresh.memory.slice(0, 2048);
  const slot = fresh.createKey(new Uint8Array(32).fill(9));
  const at = fresh.allocate(2000);
  for (const length of [0, 10, 192, 193, 448, 700, 1500]) {
    fresh.sealPacket(slot, at, length);
    assert.ok(fresh.openPacket(slot, at, length, 0));
    assert.ok(Buffer.compare(fresh.memory.subarray(0, 2048), before) === 0, `length ${length}`);
  }
});

Deno.test("createKey() uses every slot once, then reports the limit; destroyKey() wipes", () => {
  const small = createPacketCipher({ memoryBytes: 1 << 16, keySlots: 3 });
  const pristine = small.memory.slice();
  const key = new Uint8Array(32).fill(0x77);
  const slots = [small.createKey(key), small.createKey(key), small.createKey(key)];
  assert.equal(new Set(slots).size, 3);
  assert.throws(
    () => small.createKey(key),
    (error) => error instanceof NetError && error.code === "limit",
  );
  for (const slot of slots) small.destroyKey(slot);
  assert.ok(Buffer.compare(small.memory, pristine) === 0);
  const [first = -1] = slots;
  assert.throws(() => small.destroyKey(first), RangeError);
  assert.throws(() => small.sealPacket(first, small.allocate(100), 0), RangeError);
  assert.throws(() => small.createKey(key.subarray(1)), RangeError);
  assert.equal(slots.includes(small.createKey(key)), true);
});

Deno.test("allocate() aligns, never overlaps and reports exhaustion", () => {
  const small = createPacketCipher({ memoryBytes: 1 << 16, keySlots: 1 });
  const first = small.allocate(3, 1);
  const second = small.allocate(10);
  const third = small.allocate(100, 4096);
  assert.ok(second >= first + 3 && second % 16 === 0);
  assert.ok(third >= second + 10 && third % 4096 === 0);
  assert.equal(small.memory.length, 1 << 16);
  assert.throws(() => small.allocate(1 << 16), RangeError);
  for (const [bytes, align] of [[-1, 16], [1.5, 16], [8, 3], [8, -16], [NaN, 16]] as const) {
    assert.throws(() => small.allocate(bytes, align), RangeError);
  }
  const left = (1 << 16) - third - 100;
  assert.equal(small.allocate(left, 1), third + 100);
  assert.throws(() => small.allocate(1, 1), RangeError);
});

Deno.test("sealPacket() and openPacket() throw outside the memory and inside the key store", () => {
  const small = createPacketCipher({ memoryBytes: 1 << 16, keySlots: 4 });
  const slot = small.createKey(new Uint8Array(32));
  const end = small.memory.length;
  const bad = [
    [0, 0],
    [2048, 0],
    [-1, 0],
    [end - 83, 0],
    [end - 84, 1],
    [4096, -1],
    [4096, 2 ** 32],
    [4096, 0.5],
    [NaN, 0],
    [4096, end],
  ] as const;
  for (const [offset, length] of bad) {
    assert.throws(() => small.sealPacket(slot, offset, length), RangeError);
    assert.throws(() => small.openPacket(slot, offset, length, 0), RangeError);
  }
  for (const wrong of [-1, 3, 4, 1e9, 0.5, NaN]) {
    assert.throws(() => small.sealPacket(wrong, 4096, 0), RangeError);
  }
  small.sealPacket(slot, end - 84, 0);
  assert.equal(small.openPacket(slot, end - 84, 0, 0), true);
});

Deno.test("createPacketCipher() throws when its options do not fit together", () => {
  const bad = [
    { keySlots: 0 },
    { keySlots: -1 },
    { keySlots: 1.5 },
    { memoryBytes: 1000 },
    { memoryBytes: 2 ** 40 },
    { memoryBytes: 65536, keySlots: 4096 },
  ];
  for (const options of bad) assert.throws(() => createPacketCipher(options), RangeError);
});

Deno.test("createPacketCipher() agrees with wire/packets.json", async () => {
  const folder = Deno.env.get("NET_VECTORS") ??
    new URL("../../../../shared/vectors", import.meta.url).pathname;
  let content: string;
  try {
    content = await Deno.readTextFile(`${folder}/wire/packets.json`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`skipped: ${folder}/wire/packets.json does not exist, set NET_VECTORS`);
    return;
  }
  assert.ok(checkPackets(JSON.parse(content)) >= 0);
});
