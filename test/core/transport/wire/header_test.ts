import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AAD_BYTES,
  FLAG_HANDSHAKE,
  FLAG_HEARTBEAT,
  FLAG_RELIABLE,
  HEADER_BYTES,
  headerAad,
  HEARTBEAT_BYTES,
  MAX_DATAGRAM,
  MAX_EVENT_BYTES,
  MAX_EVENTS,
  MAX_PAYLOAD,
  PacketHeader,
  PacketReject,
  readHeader,
  TAG_BYTES,
  validateHeader,
  validatePacket,
  writeHeader,
} from "../../../../src/core/transport/wire/header.ts";

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);

const headers = fc.record({
  flags: u8,
  priority: u8,
  hopTtl: u8,
  hopCount: u8,
  fragFlags: u8,
  subprotocol: u16,
  channelHash: u16,
  noncePrefix: u32,
  counterLow: u32,
  counterHigh: u32,
  sessionLow: u32,
  sessionHigh: u32,
  streamLow: u32,
  streamHigh: u32,
  sequenceLow: u32,
  sequenceHigh: u32,
  originLow: u32,
  originHigh: u32,
  subnetId: u32,
  fragmentId: u16,
  fragmentOffset: u16,
  payloadLength: fc.nat(MAX_PAYLOAD),
  eventCount: fc.nat(MAX_EVENTS),
}).map((fields) => Object.assign(new PacketHeader(), fields));

function packet(fields: Partial<PacketHeader>, length: number): DataView {
  const view = new DataView(new ArrayBuffer(Math.max(length, HEADER_BYTES)));
  writeHeader(view, 0, Object.assign(new PacketHeader(), fields));
  return view;
}

Deno.test("header constants add up", () => {
  assert.equal(HEADER_BYTES + MAX_PAYLOAD + TAG_BYTES, MAX_DATAGRAM);
  assert.equal(MAX_EVENT_BYTES + 4, MAX_PAYLOAD);
  assert.equal(MAX_EVENTS, Math.floor(MAX_PAYLOAD / 4));
  assert.equal(HEADER_BYTES + TAG_BYTES, HEARTBEAT_BYTES);
});

Deno.test("readHeader() gives back what writeHeader() wrote, at any offset", () => {
  fc.assert(fc.property(headers, fc.nat(40), (header, at) => {
    const bytes = new Uint8Array(at + HEADER_BYTES + 3).fill(0xa5);
    const view = new DataView(bytes.buffer);
    writeHeader(view, at, header);
    const read = new PacketHeader();
    readHeader(view, at, read);
    assert.deepEqual(read, header);
    assert.equal(validateHeader(view, at, HEADER_BYTES), PacketReject.None);
    assert.ok(bytes.subarray(0, at).every((byte) => byte === 0xa5));
    assert.ok(bytes.subarray(at + HEADER_BYTES).every((byte) => byte === 0xa5));
  }));
});

Deno.test("writeHeader() overwrites every field of a reused header", () => {
  const view = new DataView(new Uint8Array(HEADER_BYTES).fill(0xff).buffer);
  writeHeader(view, 0, new PacketHeader());
  assert.equal(
    new Uint8Array(view.buffer).toHex(),
    "454e0100" + "00".repeat(HEADER_BYTES - 4),
  );
});

Deno.test("validatePacket() wants exactly the declared length", () => {
  const view = packet({ payloadLength: 5, eventCount: 1, flags: FLAG_RELIABLE }, 100);
  assert.equal(validatePacket(view, 0, 89), PacketReject.None);
  assert.equal(validatePacket(view, 0, 90), PacketReject.LengthMismatch);
  assert.equal(validatePacket(view, 0, 88), PacketReject.LengthMismatch);
  assert.equal(validatePacket(view, 0, 67), PacketReject.TooShort);
});

Deno.test("validatePacket() wants 84 bytes of a heartbeat", () => {
  const heartbeat = packet({ flags: FLAG_HEARTBEAT }, 100);
  assert.equal(validatePacket(heartbeat, 0, 84), PacketReject.None);
  assert.equal(validatePacket(heartbeat, 0, 85), PacketReject.LengthMismatch);
  assert.equal(validatePacket(heartbeat, 0, 83), PacketReject.LengthMismatch);
  const stuffed = packet({ flags: FLAG_HEARTBEAT, payloadLength: 1 }, 100);
  assert.equal(validatePacket(stuffed, 0, 84), PacketReject.LengthMismatch);
  assert.equal(validatePacket(stuffed, 0, 85), PacketReject.LengthMismatch);
});

Deno.test("validatePacket() lets a handshake be longer but not shorter than its message", () => {
  const handshake = packet({ flags: FLAG_HANDSHAKE, payloadLength: 48 }, 200);
  assert.equal(validatePacket(handshake, 0, 116), PacketReject.None);
  assert.equal(validatePacket(handshake, 0, 117), PacketReject.None);
  assert.equal(validatePacket(handshake, 0, 115), PacketReject.LengthMismatch);
});

Deno.test("validatePacket() names what is wrong with the header", () => {
  const view = packet({}, 84);
  view.setUint16(0, 0x4e46, true);
  assert.equal(validatePacket(view, 0, 84), PacketReject.BadMagic);
  view.setUint16(0, 0x4e45, true);
  view.setUint8(2, 2);
  assert.equal(validatePacket(view, 0, 84), PacketReject.BadVersion);
  assert.equal(
    validatePacket(packet({ payloadLength: MAX_PAYLOAD + 1 }, 84), 0, 84),
    PacketReject.PayloadTooLong,
  );
  assert.equal(
    validatePacket(packet({ eventCount: MAX_EVENTS + 1 }, 84), 0, 84),
    PacketReject.TooManyEvents,
  );
});

Deno.test("validatePacket() never throws and never passes a payload that is not there", () => {
  const datagrams = fc.uint8Array({ maxLength: 200 });
  const likely = fc.tuple(headers, fc.nat(200)).map(([header, length]) => {
    const bytes = new Uint8Array(HEADER_BYTES);
    writeHeader(new DataView(bytes.buffer), 0, header);
    return bytes.slice(0, length);
  });
  fc.assert(fc.property(fc.oneof(datagrams, likely), (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (validatePacket(view, 0, bytes.length) !== PacketReject.None) return;
    const header = new PacketHeader();
    readHeader(view, 0, header);
    assert.ok(HEADER_BYTES + header.payloadLength <= bytes.length);
  }));
});

Deno.test("headerAad() leaves out the nonce and zeroes hop_count, nothing else", () => {
  fc.assert(fc.property(headers, fc.nat(9), (header, at) => {
    const bytes = new Uint8Array(at + HEADER_BYTES);
    writeHeader(new DataView(bytes.buffer), at, header);
    const aad = headerAad(bytes, at);
    assert.equal(aad.length, AAD_BYTES);
    const other = Object.assign(new PacketHeader(), header, {
      hopCount: 0,
      noncePrefix: 0,
      counterLow: 0,
      counterHigh: 0,
    });
    const same = new Uint8Array(HEADER_BYTES);
    writeHeader(new DataView(same.buffer), 0, other);
    assert.equal(aad.toHex(), same.toHex().slice(0, 24) + same.toHex().slice(48));
  }));
  assert.throws(() => headerAad(new Uint8Array(67)), RangeError);
  assert.throws(() => headerAad(new Uint8Array(68), 1), RangeError);
});
