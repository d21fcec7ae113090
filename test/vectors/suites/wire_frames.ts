/** Layouts: packet header, event frames, routing header, route-hop envelope, pingwaves. */

import assert from "node:assert/strict";
import { concatBytes, highHalf, joinHalves, lowHalf } from "../../../src/base/mod.ts";
import { classifyDatagram, DatagramClass } from "../../../src/core/transport/wire/classify.ts";
import { decodeEvents } from "../../../src/core/transport/wire/event_frame.ts";
import {
  HEADER_BYTES,
  headerAad,
  PacketHeader,
  PacketReject,
  readHeader,
  validateHeader,
  writeHeader,
} from "../../../src/core/transport/wire/header.ts";
import {
  decodePingwave,
  encodePingwave,
  forwardPingwave,
} from "../../../src/core/transport/wire/pingwave.ts";
import { encodeRouteHop, openRouteHop } from "../../../src/core/transport/wire/route_hop.ts";
import {
  forwardRoutingHeader,
  readRoutingHeader,
  ROUTING_HEADER_BYTES,
  RoutingHeader,
  writeRoutingHeader,
} from "../../../src/core/transport/wire/routing_header.ts";
import type { CaseCheck, VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  hexBytes,
  integerOf,
  listOf,
  numberOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { headerOf } from "./_header_fields.ts";

/** Suites of this file by vector file. */
export const WIRE_FRAME_SUITES: Readonly<Record<string, VectorSuite>> = {
  "wire/header.json": () => ({
    "vectors.encode": checkHeader,
    "vectors.validate": checkHeaderValidity,
  }),
  "wire/eventframe.json": () => ({ vectors: checkEvents }),
  "wire/routing.json": () => ({
    "vectors.encode": checkRoutingHeader,
    "vectors.forward": checkRoutingForward,
  }),
  "wire/routehop.json": () => ({ vectors: checkRouteHop }),
  "wire/pingwave.json": () => ({ vectors: createPingwaveCheck() }),
  "wire/pingwave_live.json": () => ({ vectors: checkLivePingwave }),
};

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkHeader(vector: VectorObject): void {
  const fields = recordOf(vector, "fields");
  const bytes = bytesOf(vector, "bytes");
  const header = headerOf(fields);
  const written = new Uint8Array(HEADER_BYTES);
  writeHeader(viewOf(written), 0, header);
  assert.equal(written.toHex(), bytes.toHex());
  const read = new PacketHeader();
  readHeader(viewOf(bytes), 0, read);
  assert.deepEqual(read, header);
  assert.equal(headerAad(bytes).toHex(), textOf(vector, "aad"));
  checkHeaderValidity(vector);
}

function checkHeaderValidity(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const reject = validateHeader(viewOf(bytes), 0, bytes.length);
  assert.equal(reject === PacketReject.None, booleanOf(vector, "valid"), `reason ${reject}`);
}

function checkEvents(vector: VectorObject): void {
  const events = decodeEvents(bytesOf(vector, "payload"), numberOf(vector, "event_count"));
  const expected = listOf(vector, "events").map((event) => hexBytes(event, "event").toHex());
  assert.deepEqual(events.map((event) => event.toHex()), expected);
}

function checkRoutingHeader(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const destination = integerOf(vector, "dest_id");
  const header = Object.assign(new RoutingHeader(), {
    ttl: numberOf(vector, "ttl"),
    hopCount: numberOf(vector, "hop_count"),
    flags: numberOf(vector, "flags"),
    source: numberOf(vector, "src_id"),
    destinationLow: lowHalf(destination),
    destinationHigh: highHalf(destination),
  });
  const written = new Uint8Array(bytes.length);
  writeRoutingHeader(viewOf(written), 0, header);
  assert.equal(written.toHex(), bytes.toHex());
  const read = new RoutingHeader();
  readRoutingHeader(viewOf(bytes), 0, read);
  assert.deepEqual(read, header);
  assert.equal(joinHalves(read.destinationLow, read.destinationHigh), destination);
}

function checkRoutingForward(vector: VectorObject): void {
  // The inner packet is what no relay looks at.
  const inner = Uint8Array.fromHex("696e6e6572");
  const bytes = concatBytes(bytesOf(vector, "in_header"), inner);
  const before = bytes.toHex();
  const isForwarded = booleanOf(vector, "forwarded");
  assert.equal(forwardRoutingHeader(bytes, 0), isForwarded);
  if (!isForwarded) {
    assert.equal(bytes.toHex(), before);
    return;
  }
  const isInnerUnchanged = bytes.subarray(ROUTING_HEADER_BYTES).toHex() === inner.toHex();
  assert.equal(isInnerUnchanged, booleanOf(vector, "inner_unchanged"));
  assert.equal(bytes.subarray(0, ROUTING_HEADER_BYTES).toHex(), textOf(vector, "out_header"));
}

function checkRouteHop(vector: VectorObject): void {
  const key = bytesOf(vector, "key");
  const routed = concatBytes(bytesOf(vector, "routing_header"), bytesOf(vector, "inner"));
  const hopSessionId = integerOf(vector, "hop_session_id");
  const hopSequence = integerOf(vector, "hop_sequence");
  const envelope = encodeRouteHop(key, { hopSessionId, hopSequence, routed });
  assert.equal(envelope.toHex(), textOf(vector, "envelope"));
  const opened = openRouteHop(key, bytesOf(vector, "envelope"));
  assert.equal(opened?.hopSessionId, hopSessionId);
  assert.equal(opened?.hopSequence, hopSequence);
  assert.equal(opened?.routed.toHex(), routed.toHex());
}

/** The cases pass through one node in order: what it has seen before it does not forward again. */
function createPingwaveCheck(): CaseCheck {
  const seen = new Set<string>();
  return (vector) => {
    const bytes = bytesOf(vector, "in");
    const forwarded = receivePingwave(bytes, seen) ? bytes.toHex() : null;
    assert.equal(forwarded !== null, booleanOf(vector, "forwarded"));
    assert.equal(forwarded, has(vector, "out") ? textOf(vector, "out") : null);
  };
}

/** What a node does with a pingwave of a direct peer: true when it passes `bytes`, now changed, on. */
function receivePingwave(bytes: Uint8Array, seen: Set<string>): boolean {
  if (classifyDatagram(viewOf(bytes), 0, bytes.length) !== DatagramClass.Pingwave) return false;
  if (decodePingwave(bytes) === undefined) return false;
  const key = bytes.subarray(0, 40).toHex();
  if (seen.has(key)) return false;
  seen.add(key);
  return forwardPingwave(bytes);
}

function checkLivePingwave(vector: VectorObject): void {
  const packet = bytesOf(vector, "packet");
  assert.equal(classifyDatagram(viewOf(packet), 0, packet.length), DatagramClass.Pingwave);
  const pingwave = decodePingwave(packet);
  assert.ok(pingwave !== undefined, "is a valid pingwave");
  assert.equal(pingwave.originId, integerOf(vector, "origin"));
  assert.equal(pingwave.sequence, integerOf(vector, "seq"));
  assert.equal(pingwave.ttl, numberOf(vector, "ttl"));
  assert.equal(pingwave.hopCount, numberOf(vector, "hops"));
  assert.equal(pingwave.timestampUs, integerOf(vector, "tsUs"));
  assert.equal(pingwave.capabilityHash, integerOf(vector, "capHash"));
  assert.equal(pingwave.capabilityVersion, numberOf(vector, "capVer"));
  assert.equal(pingwave.load, numberOf(vector, "load"));
  assert.equal(pingwave.health, numberOf(vector, "health"));
  assert.equal(packet.subarray(64).toHex(), textOf(vector, "caps"));
  assert.equal(encodePingwave(pingwave).toHex(), packet.toHex());
}
