/** Packet headers as vector files write them. */

import assert from "node:assert/strict";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import {
  PACKET_MAGIC,
  PACKET_VERSION,
  PacketHeader,
} from "../../../src/core/transport/wire/header.ts";
import { bytesOf, has, integerOr, type VectorObject } from "../vector_reader.ts";

/** The header with these fields; those left out are 0. Magic and version have to be the codec's own. */
export function headerOf(fields: VectorObject): PacketHeader {
  assert.equal(integerOr(fields, "magic", BigInt(PACKET_MAGIC)), BigInt(PACKET_MAGIC));
  assert.equal(integerOr(fields, "version", BigInt(PACKET_VERSION)), BigInt(PACKET_VERSION));
  const small = (field: string) => Number(integerOr(fields, field, 0n));
  const [session, stream, sequence, origin] = ["sid", "stream", "seq", "origin"].map((field) => {
    const value = integerOr(fields, field, 0n);
    return { low: lowHalf(value), high: highHalf(value) };
  });
  const header = Object.assign(new PacketHeader(), {
    flags: small("flags"),
    priority: small("priority"),
    hopTtl: small("hopTtl"),
    hopCount: small("hopCount"),
    fragFlags: small("fragFlags"),
    subprotocol: small("subproto"),
    channelHash: small("channelHash"),
    sessionLow: session?.low,
    sessionHigh: session?.high,
    streamLow: stream?.low,
    streamHigh: stream?.high,
    sequenceLow: sequence?.low,
    sequenceHigh: sequence?.high,
    originLow: origin?.low,
    originHigh: origin?.high,
    subnetId: small("subnet"),
    fragmentId: small("fragId"),
    fragmentOffset: small("fragOff"),
    payloadLength: small("payloadLen"),
    eventCount: small("eventCount"),
  });
  if (has(fields, "nonce")) setNonce(header, bytesOf(fields, "nonce"));
  return header;
}

/** Sets prefix and counter from the 12 bytes of a nonce. */
export function setNonce(header: PacketHeader, nonce: Uint8Array): void {
  const view = new DataView(nonce.buffer, nonce.byteOffset, 12);
  header.noncePrefix = view.getUint32(0, true);
  header.counterLow = view.getUint32(4, true);
  header.counterHigh = view.getUint32(8, true);
}
