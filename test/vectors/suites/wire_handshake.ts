/** Handshakes, replayed from whichever sides their private keys are known of. */

import assert from "node:assert/strict";
import { concatBytes, highHalf, lowHalf, utf8 } from "../../../src/base/mod.ts";
import {
  blake2s256,
  createNoiseInitiator,
  createNoiseKeyPair,
  createNoiseResponder,
  handshakePrologue,
  hmacBlake2s,
} from "../../../src/core/crypto/mod.ts";
import {
  FLAG_HANDSHAKE,
  HEADER_BYTES,
  PacketHeader,
  PacketReject,
  validatePacket,
  writeHeader,
} from "../../../src/core/transport/wire/header.ts";
import {
  ROUTING_HEADER_BYTES,
  RoutingHeader,
  writeRoutingHeader,
} from "../../../src/core/transport/wire/routing_header.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, has, integerOf, textOf, type VectorObject } from "../vector_reader.ts";
import { checkSessionKeys } from "./_session_keys.ts";

/** Suites of this file by vector file. */
export const WIRE_HANDSHAKE_SUITES: Readonly<Record<string, VectorSuite>> = {
  "wire/handshake.json": () => ({ vectors: checkHandshake }),
};

const PROTOCOL = utf8("Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s");
const PUBLIC_KEY_BYTES = 32;
const HANDSHAKE_TTL = 16;

function checkHandshake(vector: VectorObject): void {
  const prologue = handshakePrologue(
    lowHalf(integerOf(vector, "initiator_node_id")),
    lowHalf(integerOf(vector, "responder_node_id")),
  );
  assert.equal(prologue.toHex(), textOf(vector, "prologue"));
  const messages = [bytesOf(vector, "msg1"), bytesOf(vector, "msg2")] as const;
  const hash = transcriptHash(vector, prologue, messages);
  assert.equal(hash.toHex(), textOf(vector, "handshake_hash"));
  checkInitiator(vector, prologue, messages);
  checkResponder(vector, prologue, messages);
  checkFraming(vector, messages);
  checkSessionKeys(vector, hash);
}

/** The hash needs no private key, so it can be checked for captured handshakes too (`wire.md` 4.3). */
function transcriptHash(
  vector: VectorObject,
  prologue: Uint8Array,
  messages: readonly Uint8Array[],
): Uint8Array {
  const start = blake2s256(PROTOCOL);
  const mix = (hash: Uint8Array, data: Uint8Array) => blake2s256(concatBytes(hash, data));
  let hash = mix(mix(start, prologue), bytesOf(vector, "responder_static_public"));
  // The psk token mixes the second output of HKDF(chaining key, psk) into the hash.
  const extracted = hmacBlake2s(start, bytesOf(vector, "psk"));
  const first = hmacBlake2s(extracted, Uint8Array.of(1));
  hash = mix(hash, hmacBlake2s(extracted, concatBytes(first, Uint8Array.of(2))));
  for (const message of messages) {
    hash = mix(hash, message.subarray(0, PUBLIC_KEY_BYTES));
    hash = mix(hash, message.subarray(PUBLIC_KEY_BYTES));
  }
  return hash;
}

function checkInitiator(
  vector: VectorObject,
  prologue: Uint8Array,
  [message1, message2]: readonly [Uint8Array, Uint8Array],
): void {
  if (!has(vector, "initiator_ephemeral_private")) return;
  const initiator = createNoiseInitiator({
    prologue,
    psk: bytesOf(vector, "psk"),
    responderStatic: bytesOf(vector, "responder_static_public"),
    ephemeral: createNoiseKeyPair(bytesOf(vector, "initiator_ephemeral_private")),
  });
  const written = initiator.writeMessage1(payloadOf(vector, "msg1_payload"));
  assert.equal(written.toHex(), message1.toHex());
  const read = initiator.readMessage2(message2);
  assert.equal(read?.payload.toHex(), payloadOf(vector, "msg2_payload").toHex());
  assert.equal(initiator.handshakeHash.toHex(), textOf(vector, "handshake_hash"));
}

function checkResponder(
  vector: VectorObject,
  prologue: Uint8Array,
  [message1, message2]: readonly [Uint8Array, Uint8Array],
): void {
  if (!has(vector, "responder_static_private")) return;
  const staticKey = createNoiseKeyPair(bytesOf(vector, "responder_static_private"));
  assert.equal(staticKey.publicKey.toHex(), textOf(vector, "responder_static_public"));
  const ephemeral = has(vector, "responder_ephemeral_private")
    ? createNoiseKeyPair(bytesOf(vector, "responder_ephemeral_private"))
    : undefined;
  const psk = bytesOf(vector, "psk");
  const responder = createNoiseResponder({ prologue, psk, staticKey, ephemeral });
  const read = responder.readMessage1(message1);
  assert.equal(read?.payload.toHex(), payloadOf(vector, "msg1_payload").toHex());
  const written = responder.writeMessage2(payloadOf(vector, "msg2_payload"));
  assert.equal(written.length, message2.length);
  if (ephemeral === undefined) return;
  assert.equal(written.toHex(), message2.toHex());
  assert.equal(responder.handshakeHash.toHex(), textOf(vector, "handshake_hash"));
}

/** The packets around both messages, and the routing headers around those (`wire.md` 4.2, 4.5). */
function checkFraming(vector: VectorObject, messages: readonly Uint8Array[]): void {
  const initiator = integerOf(vector, "initiator_node_id");
  const responder = integerOf(vector, "responder_node_id");
  const ways = [[initiator, responder], [responder, initiator]] as const;
  for (const [i, [source, destination]] of ways.entries()) {
    const message = messages[i] ?? assert.fail();
    const packet = handshakePacket(message);
    const routingHeader = handshakeRoutingHeader(source, destination);
    const expected = {
      [`packet${i + 1}`]: packet,
      [`routing_header${i + 1}`]: routingHeader,
      [`routed_packet${i + 1}`]: concatBytes(routingHeader, packet),
    };
    for (const [field, bytes] of Object.entries(expected)) {
      if (has(vector, field)) assert.equal(bytes.toHex(), textOf(vector, field), field);
    }
  }
}

function handshakePacket(message: Uint8Array): Uint8Array {
  const packet = new Uint8Array(HEADER_BYTES + message.length);
  const view = new DataView(packet.buffer);
  const header = new PacketHeader();
  header.flags = FLAG_HANDSHAKE;
  header.payloadLength = message.length;
  writeHeader(view, 0, header);
  packet.set(message, HEADER_BYTES);
  assert.equal(validatePacket(view, 0, packet.length), PacketReject.None);
  return packet;
}

function handshakeRoutingHeader(source: bigint, destination: bigint): Uint8Array {
  const bytes = new Uint8Array(ROUTING_HEADER_BYTES);
  const header = new RoutingHeader();
  header.ttl = HANDSHAKE_TTL;
  header.source = lowHalf(source);
  header.destinationLow = lowHalf(destination);
  header.destinationHigh = highHalf(destination);
  writeRoutingHeader(new DataView(bytes.buffer), 0, header);
  return bytes;
}

function payloadOf(vector: VectorObject, field: string): Uint8Array {
  return has(vector, field) ? bytesOf(vector, field) : new Uint8Array(0);
}
