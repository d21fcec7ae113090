import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodePingwave,
  encodePingwave,
  forwardPingwave,
  PINGWAVE_BYTES,
  PingwaveReject,
  validatePingwave,
} from "../../../../src/core/transport/wire/pingwave.ts";

const u8 = fc.nat(0xff);
const u32 = fc.nat(0xffff_ffff);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const pingwaves = fc.record({
  originId: u64,
  originTail: fc.uint8Array({ minLength: 24, maxLength: 24 }),
  sequence: u64,
  ttl: u8,
  hopCount: fc.nat(15),
  timestampUs: u64,
  capabilityHash: u64,
  capabilityVersion: u32,
  load: u8,
  health: fc.nat(3),
  hasGpu: fc.boolean(),
  modelSlots: u8,
  memoryTier: u8,
  toolsBitmap: u8,
  customFlags: u32,
});
const MINIMAL = { originId: 1n, sequence: 1n, ttl: 3, timestampUs: 0n };

Deno.test("decodePingwave() gives back what encodePingwave() wrote", () => {
  fc.assert(fc.property(pingwaves, (pingwave) => {
    const bytes = encodePingwave(pingwave);
    assert.equal(bytes.length, PINGWAVE_BYTES);
    const { originTail, ...rest } = decodePingwave(bytes) ?? assert.fail();
    const { originTail: tail, ...fields } = pingwave;
    assert.deepEqual(rest, { ...fields });
    assert.equal(originTail.toHex(), tail.toHex());
  }));
});

Deno.test("encodePingwave() leaves what is not given at zero", () => {
  const bytes = encodePingwave({ originId: 0x0102n, sequence: 3n, ttl: 3, timestampUs: 5n });
  const expected = new Uint8Array(PINGWAVE_BYTES);
  expected.set([2, 1]);
  expected.set([3], 32);
  expected.set([3, 0, 5], 40);
  assert.deepEqual(bytes, expected);
});

Deno.test("encodePingwave() refuses what receivers drop", () => {
  assert.throws(() => encodePingwave({ ...MINIMAL, health: 4 }), RangeError);
  assert.throws(() => encodePingwave({ ...MINIMAL, hopCount: 16 }), RangeError);
  assert.throws(() => encodePingwave({ ...MINIMAL, originTail: new Uint8Array(23) }), RangeError);
});

Deno.test("validatePingwave() names what is wrong", () => {
  const bytes = encodePingwave(MINIMAL);
  assert.equal(validatePingwave(bytes), PingwaveReject.None);
  assert.equal(validatePingwave(bytes.subarray(1)), PingwaveReject.BadLength);
  assert.equal(validatePingwave(new Uint8Array(73)), PingwaveReject.BadLength);
  bytes[41] = 16;
  assert.equal(validatePingwave(bytes), PingwaveReject.TooManyHops);
  bytes[41] = 15;
  bytes[63] = 4;
  assert.equal(validatePingwave(bytes), PingwaveReject.BadHealth);
});

Deno.test("validatePingwave() reads at an offset", () => {
  const slab = new Uint8Array(200).fill(0xff);
  slab.set(encodePingwave(MINIMAL), 50);
  assert.equal(validatePingwave(slab, 50, PINGWAVE_BYTES), PingwaveReject.None);
});

Deno.test("forwardPingwave() changes three bytes and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 100, maxLength: 100 }), fc.nat(20), (bytes, at) => {
      const before = bytes.slice();
      const ttl = before[at + 40] ?? 0;
      assert.equal(forwardPingwave(bytes, at), ttl > 0);
      const expected = before.slice();
      if (ttl > 0) {
        expected[at + 40] = ttl - 1;
        expected[at + 41] = Math.min((before[at + 41] ?? 0) + 1, 255);
        expected[at + 64] = before[at + 64] === 0 ? 0 : 1;
      }
      assert.deepEqual(bytes, expected);
    }),
  );
});

Deno.test("decodePingwave() takes any bytes without throwing", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    decodePingwave(bytes);
  }));
});
