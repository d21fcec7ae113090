/** Whole encrypted packets: header, authenticated data, sealing, opening, and what must not open. */

import assert from "node:assert/strict";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import { createPacketCipher, type PacketCipher } from "../../../src/core/crypto/mod.ts";
import { decodeEvents, encodeEvents } from "../../../src/core/transport/wire/event_frame.ts";
import {
  FLAG_HANDSHAKE,
  HEADER_BYTES,
  headerAad,
  MAX_DATAGRAM,
  PacketHeader,
  PacketReject,
  readHeader,
  TAG_BYTES,
  validatePacket,
  writeHeader,
} from "../../../src/core/transport/wire/header.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  hexBytes,
  integerOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";
import { headerOf, setNonce } from "./_header_fields.ts";

/** Suites of this file by vector file. */
export const WIRE_PACKET_SUITES: Readonly<Record<string, VectorSuite>> = {
  "wire/packets.json": (document) => {
    const lab = createLab();
    return {
      "vectors.offline": (vector) => checkPacket(lab, vector, recordOf(vector, "fields")),
      "vectors.mutations.cases": (vector) => {
        const key = hexBytes(valueAt(document, "vectors.mutations.key"), "mutations.key");
        checkMutation(lab, key, vector);
      },
      "vectors.live": (vector) => {
        const fields = recordOf(vector, "header");
        assert.equal(textOf(fields, "sid"), textOf(vector, "session_id"));
        checkPacket(lab, vector, fields);
      },
    };
  },
};

/** A cipher with room for one datagram. */
interface Lab {
  readonly cipher: PacketCipher;
  readonly view: DataView;
  readonly at: number;
}

function createLab(): Lab {
  const cipher = createPacketCipher({ memoryBytes: 1 << 17, keySlots: 4 });
  return {
    cipher,
    view: new DataView(cipher.memory.buffer),
    at: cipher.allocate(MAX_DATAGRAM + 64),
  };
}

function checkPacket(lab: Lab, vector: VectorObject, fields: VectorObject): void {
  const key = bytesOf(vector, "key");
  const packet = bytesOf(vector, "packet");
  const events = eventsOf(vector);
  const payload = encodeEvents(events);
  if (has(vector, "plaintext")) assert.equal(payload.toHex(), textOf(vector, "plaintext"));

  const nonce = nonceOf(integerOf(vector, "session_id"), integerOf(vector, "counter"));
  if (has(vector, "nonce")) assert.equal(nonce.toHex(), textOf(vector, "nonce"));
  const header = headerOf(fields);
  const session = integerOf(vector, "session_id");
  header.sessionLow = lowHalf(session);
  header.sessionHigh = highHalf(session);
  if (has(fields, "nonce")) assert.equal(nonce.toHex(), textOf(fields, "nonce"));
  setNonce(header, nonce);
  if (has(fields, "payloadLen")) assert.equal(header.payloadLength, payload.length);
  if (has(fields, "eventCount")) assert.equal(header.eventCount, events.length);
  header.payloadLength = payload.length;
  header.eventCount = events.length;

  assert.equal(seal(lab, key, header, payload).toHex(), packet.toHex());
  assert.equal(headerAad(packet).toHex(), textOf(vector, "aad"));
  const opened = receive(lab, key, packet);
  assert.ok(opened !== undefined, "opens");
  assert.deepEqual(opened.map((event) => event.toHex()), events.map((event) => event.toHex()));
  const read = new PacketHeader();
  readHeader(new DataView(packet.buffer), 0, read);
  assert.deepEqual(read, header);
}

function checkMutation(lab: Lab, key: Uint8Array, vector: VectorObject): void {
  const opened = receive(lab, key, bytesOf(vector, "packet"));
  assert.equal(opened !== undefined, booleanOf(vector, "accept"));
}

function seal(lab: Lab, key: Uint8Array, header: PacketHeader, payload: Uint8Array): Uint8Array {
  const { cipher, view, at } = lab;
  writeHeader(view, at, header);
  cipher.memory.set(payload, at + HEADER_BYTES);
  const slot = cipher.createKey(key);
  cipher.sealPacket(slot, at, payload.length);
  cipher.destroyKey(slot);
  return cipher.memory.slice(at, at + HEADER_BYTES + payload.length + TAG_BYTES);
}

/** The events a receiver hands up, or `undefined` when it drops the datagram. */
function receive(lab: Lab, key: Uint8Array, packet: Uint8Array): Uint8Array[] | undefined {
  const { cipher, view, at } = lab;
  if (packet.length > MAX_DATAGRAM) return undefined;
  cipher.memory.set(packet, at);
  if (validatePacket(view, at, packet.length) !== PacketReject.None) return undefined;
  const header = new PacketHeader();
  readHeader(view, at, header);
  if ((header.flags & FLAG_HANDSHAKE) !== 0) return undefined;
  // The prefix follows from the session, whatever the nonce field says (`wire.md` 5).
  const prefix = (header.sessionLow ^ header.sessionHigh) >>> 0;
  const slot = cipher.createKey(key);
  const isAuthentic = cipher.openPacket(slot, at, header.payloadLength, prefix);
  cipher.destroyKey(slot);
  if (!isAuthentic) return undefined;
  const start = at + HEADER_BYTES;
  const plaintext = cipher.memory.subarray(start, start + header.payloadLength);
  return decodeEvents(plaintext, header.eventCount);
}

function nonceOf(sessionId: bigint, counter: bigint): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(0, lowHalf(sessionId) ^ highHalf(sessionId), true);
  view.setBigUint64(4, counter, true);
  return nonce;
}

/** Events are a list of hex texts, or one long event written as `8104 x 7a`. */
function eventsOf(vector: VectorObject): Uint8Array[] {
  const { events } = vector;
  if (Array.isArray(events)) return events.map((event) => hexBytes(event, "event"));
  const [, count, byte] = /^(\d{1,4}) x ([0-9a-f]{2})$/.exec(textOf(vector, "events")) ?? [];
  assert.ok(count !== undefined && byte !== undefined, "events are a list or COUNT x BYTE");
  return [new Uint8Array(Number(count)).fill(parseInt(byte, 16))];
}
