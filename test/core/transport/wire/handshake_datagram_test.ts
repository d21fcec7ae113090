import assert from "node:assert/strict";
import { highHalf, lowHalf, parseId } from "../../../../src/base/mod.ts";
import {
  encodeHandshakeDatagram,
  handshakeDatagramBytes,
} from "../../../../src/core/transport/wire/handshake_datagram.ts";
import vectors from "../../../../docs/vectors/sealed.json" with { type: "json" };

Deno.test("encodeHandshakeDatagram() makes the datagram that the vector repeats behind its token", () => {
  const { initiator, responder, message1 } = vectors.handshake;
  const retried = vectors.datagrams.find(({ kind }) => kind === "retried");
  const [source, destination] = [parseId(initiator.node_id), parseId(responder.node_id)];
  assert.ok(source !== undefined && destination !== undefined);
  const relayTo = { low: lowHalf(destination), high: highHalf(destination) };
  const message = Uint8Array.fromHex(message1);
  const datagram = encodeHandshakeDatagram(message, lowHalf(source), relayTo);
  assert.equal(datagram.toHex(), retried?.datagram);
  assert.equal(datagram.length, handshakeDatagramBytes(message.length, true));
});

Deno.test("encodeHandshakeDatagram() leaves the routing header out of a direct one", () => {
  const message = new Uint8Array(48).fill(7);
  const datagram = encodeHandshakeDatagram(message, 1, undefined);
  assert.equal(datagram.length, 116);
  assert.equal(handshakeDatagramBytes(48, false), 116);
  assert.equal(datagram.subarray(0, 4).toHex(), "454e0110");
  assert.equal(datagram[64], 48);
  assert.deepEqual(datagram.subarray(68), message);
});
