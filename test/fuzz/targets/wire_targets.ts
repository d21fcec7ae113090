/** Decoders of the wire format: headers, event frames, control events, pingwaves, envelopes. */

import assert from "node:assert/strict";
import { decodeAddress, encodeAddress } from "../../../src/core/transport/address.ts";
import { classifyDatagram, DatagramClass } from "../../../src/core/transport/wire/classify.ts";
import {
  decodeGrant,
  decodeNack,
  decodeReset,
  decodeSack,
  encodeGrant,
  encodeNack,
  encodeReset,
  encodeSack,
  listMissing,
} from "../../../src/core/transport/wire/control_frames.ts";
import {
  decodeKeepAlive,
  decodeReflexResponse,
  decodeRendezvous,
  encodeKeepAlive,
  encodeReflexResponse,
  encodeRendezvous,
} from "../../../src/core/transport/wire/nat_frames.ts";
import {
  decodeRouteWithdrawal,
  encodeRouteWithdrawal,
} from "../../../src/core/transport/wire/withdrawal_frame.ts";
import { decodeEvents, encodeEvents } from "../../../src/core/transport/wire/event_frame.ts";
import {
  HEADER_BYTES,
  headerAad,
  MAX_EVENTS,
  MAX_PAYLOAD,
  PacketHeader,
  PacketReject,
  readHeader,
  validatePacket,
  writeHeader,
} from "../../../src/core/transport/wire/header.ts";
import {
  decodePingwave,
  encodePingwave,
  forwardPingwave,
} from "../../../src/core/transport/wire/pingwave.ts";
import {
  encodeRouteHop,
  openRouteHop,
  peekRouteHopSession,
} from "../../../src/core/transport/wire/route_hop.ts";
import {
  forwardRoutingHeader,
  readRoutingHeader,
  ROUTING_HEADER_BYTES,
  RoutingHeader,
  writeRoutingHeader,
} from "../../../src/core/transport/wire/routing_header.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(1);
const CORPUS = 32;
const KEY = new Uint8Array(32).fill(5);
const GPU_AT = 64;

/** Valid inputs, many of them. */
function many(draw: () => Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: CORPUS }, draw);
}

/** A decoder of a format with one encoding per value: what it accepts comes back byte for byte. */
function exact<T>(
  draw: () => T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T | undefined,
): CreateTarget {
  return () => ({
    corpus: many(() => encode(draw())),
    feed: (bytes) => {
      const value = decode(bytes);
      if (value !== undefined) assertSame(encode(value), bytes);
      return value;
    },
  });
}

function drawAddress() {
  return random.below(2) === 0
    ? { host: random.bytes(4).join("."), port: random.below(65_536) }
    : { host: `2001:db8::${(1 + random.below(0xfffe)).toString(16)}`, port: random.below(65_536) };
}

function drawHeader(): Uint8Array {
  const header = new PacketHeader();
  for (const field of Object.keys(header) as (keyof PacketHeader)[]) header[field] = random.u32();
  header.flags = random.pick([0, 1, 0x10, 0x20, 0x40, 0x41]);
  const isHeartbeat = (header.flags & 0x20) !== 0;
  header.payloadLength = isHeartbeat ? 0 : random.below(200);
  header.eventCount = random.below(4);
  const bytes = random.bytes(HEADER_BYTES + header.payloadLength + 16);
  writeHeader(new DataView(bytes.buffer), 0, header);
  return bytes;
}

function headerTarget(): FuzzTarget {
  return {
    corpus: many(drawHeader),
    feed: (bytes) => {
      const view = new DataView(bytes.buffer);
      if (validatePacket(view, 0, bytes.length) !== PacketReject.None) return undefined;
      const header = new PacketHeader();
      readHeader(view, 0, header);
      assert.ok(header.payloadLength <= MAX_PAYLOAD && header.eventCount <= MAX_EVENTS);
      assert.ok(HEADER_BYTES + header.payloadLength <= bytes.length);
      const again = new Uint8Array(HEADER_BYTES);
      writeHeader(new DataView(again.buffer), 0, header);
      assertSame(again, bytes.subarray(0, HEADER_BYTES));
      assert.equal(headerAad(bytes).length, 56);
      return header;
    },
  };
}

function routingHeaderTarget(): FuzzTarget {
  return {
    corpus: many(() => {
      const bytes = random.bytes(ROUTING_HEADER_BYTES + HEADER_BYTES);
      bytes.set([0x52, 0x54]);
      return bytes;
    }),
    feed: (bytes) => {
      const view = new DataView(bytes.buffer);
      if (classifyDatagram(view, 0, bytes.length) !== DatagramClass.Routed) return undefined;
      const header = new RoutingHeader();
      readRoutingHeader(view, 0, header);
      const again = bytes.slice();
      writeRoutingHeader(new DataView(again.buffer), 0, header);
      bytes[4] = (bytes[4] ?? 0) & 0x0f;
      assertSame(again, bytes);
      assert.equal(forwardRoutingHeader(again, 0), header.ttl > 0);
      assertSame(again.subarray(ROUTING_HEADER_BYTES), bytes.subarray(ROUTING_HEADER_BYTES));
      return header;
    },
  };
}

function classifyTarget(): FuzzTarget {
  const classes = new Set<number>(Object.values(DatagramClass));
  return {
    corpus: [[0x45, 0x4e], [0x52, 0x54], [0x48, 0x52], [0x50, 0x48], [0x4e, 0x53], [1, 2]].flatMap(
      (magic) =>
        [14, 72, 84, 116, 142].map((length) => {
          const bytes = random.bytes(length);
          bytes.set(magic);
          return bytes;
        }),
    ),
    feed: (bytes) => {
      const found = classifyDatagram(new DataView(bytes.buffer), 0, bytes.length);
      assert.ok(classes.has(found));
      return found === DatagramClass.Unknown ? undefined : found;
    },
  };
}

function pingwaveTarget(): FuzzTarget {
  return {
    corpus: many(() =>
      encodePingwave({
        originId: random.u64(),
        sequence: random.u64(),
        ttl: random.below(5),
        hopCount: random.below(16),
        timestampUs: random.u64(),
        health: random.below(4),
      })
    ),
    feed: (bytes) => {
      const pingwave = decodePingwave(bytes);
      if (pingwave === undefined) return undefined;
      const again = encodePingwave(pingwave);
      // The one byte that is normalised.
      bytes[GPU_AT] = bytes[GPU_AT] === 0 ? 0 : 1;
      assertSame(again, bytes);
      assert.equal(forwardPingwave(bytes), pingwave.ttl > 0);
      return pingwave;
    },
  };
}

function eventFramesTarget(): FuzzTarget {
  return {
    corpus: many(() =>
      encodeEvents(Array.from({ length: random.below(9) }, () => random.bytes(random.below(40))))
    ),
    // Every event is an array of its own.
    growth: { factor: 32, base: 512 },
    feed: (bytes, input) => {
      const events = decodeEvents(bytes, input.below(65_536));
      assert.ok(events.length <= MAX_EVENTS);
      if (bytes.length > MAX_PAYLOAD) return events;
      const again = encodeEvents(events);
      assertSame(again, bytes.subarray(0, again.length));
      return events;
    },
  };
}

function sackTarget(): FuzzTarget {
  return {
    corpus: many(() => {
      let at = BigInt(random.below(1000));
      const ackSequence = at;
      const ranges = Array.from({ length: 1 + random.below(16) }, () => {
        const start = at + 1n + BigInt(random.below(9));
        at = start + 1n + BigInt(random.below(9));
        return [start, at] as const;
      });
      return encodeSack({ streamId: random.u64(), ackSequence, ranges: ranges.reverse() });
    }),
    feed: (bytes) => {
      const sack = decodeSack(bytes);
      if (sack === undefined) return undefined;
      assertSame(encodeSack(sack), bytes);
      let below = 1n << 64n;
      for (const [start, end] of sack.ranges) {
        assert.ok(start < end && end < below && start > sack.ackSequence);
        below = start;
      }
      return sack;
    },
  };
}

function nackTarget(): FuzzTarget {
  return {
    corpus: many(() =>
      encodeNack({
        streamId: random.u64(),
        nextExpected: random.u64(),
        missingBitmap: random.u64(),
      })
    ),
    growth: { factor: 64, base: 2_048 },
    feed: (bytes) => {
      const nack = decodeNack(bytes);
      if (nack === undefined) return undefined;
      assertSame(encodeNack(nack), bytes);
      const missing = listMissing(nack);
      assert.ok(missing.length <= 65);
      return missing;
    },
  };
}

function addressTarget(): FuzzTarget {
  return {
    corpus: many(() => encodeAddress(drawAddress())),
    feed: (bytes) => {
      const address = decodeAddress(bytes);
      // IPv4 inside IPv6 comes back as IPv4, so only the meaning round-trips.
      if (address !== undefined) assert.deepEqual(decodeAddress(encodeAddress(address)), address);
      return address;
    },
  };
}

function rendezvousTarget(): FuzzTarget {
  const kinds = [
    () => ({
      kind: "request",
      target: random.u64(),
      punchId: random.u32(),
      selfReflex: drawAddress(),
    } as const),
    () => ({
      kind: "introduce",
      peer: random.u64(),
      peerReflex: drawAddress(),
      fireAtMs: random.u64(),
    } as const),
    () => ({
      kind: "ack",
      fromPeer: random.u64(),
      toPeer: random.u64(),
      punchId: random.u32(),
    } as const),
    () => ({
      kind: "reject",
      target: random.u64(),
      punchId: random.u32(),
      reason: random.below(256),
    } as const),
  ];
  return {
    corpus: many(() => encodeRendezvous(random.pick(kinds)())),
    feed: (bytes) => {
      const message = decodeRendezvous(bytes);
      if (message !== undefined) {
        assert.deepEqual(decodeRendezvous(encodeRendezvous(message)), message);
      }
      return message;
    },
  };
}

function reflexTarget(): FuzzTarget {
  return {
    corpus: many(() => encodeReflexResponse(drawAddress())),
    feed: (bytes) => {
      const address = decodeReflexResponse(bytes);
      if (address !== undefined) {
        assert.deepEqual(decodeReflexResponse(encodeReflexResponse(address)), address);
      }
      return address;
    },
  };
}

function routeHopTarget(): FuzzTarget {
  return {
    corpus: many(() =>
      encodeRouteHop(KEY, {
        hopSessionId: random.u64(),
        hopSequence: random.u64(),
        routed: random.bytes(18 + random.below(200)),
      })
    ),
    feed: (bytes) => {
      const before = bytes.slice();
      const hop = openRouteHop(KEY, bytes);
      assert.equal(hop === undefined || peekRouteHopSession(bytes) === hop.hopSessionId, true);
      if (hop !== undefined) assertSame(encodeRouteHop(KEY, hop), before);
      return hop;
    },
  };
}

/** The table of this area. */
export const WIRE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  classify: classifyTarget,
  header: headerTarget,
  routing_header: routingHeaderTarget,
  pingwave: pingwaveTarget,
  event_frames: eventFramesTarget,
  grant: exact(
    () => ({
      streamId: random.u64(),
      totalConsumed: random.u64(),
      ackSequence: random.u64(),
    }),
    encodeGrant,
    decodeGrant,
  ),
  nack: nackTarget,
  reset: exact(() => random.u64(), encodeReset, decodeReset),
  sack: sackTarget,
  route_withdrawal: exact(
    () => ({ destination: random.u64(), sequence: random.u64() }),
    encodeRouteWithdrawal,
    decodeRouteWithdrawal,
  ),
  keep_alive: exact(
    () => ({ senderNodeId: random.u64(), punchId: random.u32() }),
    encodeKeepAlive,
    decodeKeepAlive,
  ),
  address: addressTarget,
  reflex: reflexTarget,
  rendezvous: rendezvousTarget,
  route_hop: routeHopTarget,
};
