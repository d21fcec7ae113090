/** Payloads of the transport's own events and of the keep-alive datagram. */

import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../src/core/transport/address.ts";
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
  missingBitmap,
  type SequenceRange,
} from "../../../src/core/transport/wire/control_frames.ts";
import {
  decodeKeepAlive,
  decodeReflexResponse,
  decodeRendezvous,
  encodeKeepAlive,
  encodeReflexResponse,
  encodeRendezvous,
  type Rendezvous,
} from "../../../src/core/transport/wire/nat_frames.ts";
import {
  decodeRouteWithdrawal,
  encodeRouteWithdrawal,
} from "../../../src/core/transport/wire/withdrawal_frame.ts";
import type { SocketAddress } from "../../../src/core/transport/types.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  integer,
  integerOf,
  listOf,
  numberOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const WIRE_CONTROL_SUITES: Readonly<Record<string, VectorSuite>> = {
  "wire/control.json": () => ({
    "vectors.stream_window_0b00": checkGrant,
    "vectors.stream_nack_0b01": checkNack,
    "vectors.stream_reset_0b02": checkReset,
    "vectors.stream_ack_ranges_0b03": checkSack,
    "vectors.route_withdraw_0c01": checkRouteWithdrawal,
    "vectors.reflex_0d00": checkReflex,
    "vectors.rendezvous_0d01": checkRendezvous,
    "vectors.keepalive_datagram": checkKeepAlive,
  }),
};

function checkGrant(vector: VectorObject): void {
  const grant = {
    streamId: integerOf(vector, "stream_id"),
    totalConsumed: integerOf(vector, "total_consumed"),
    ackSequence: integerOf(vector, "ack_seq"),
  };
  assert.equal(encodeGrant(grant).toHex(), textOf(vector, "bytes"));
  assert.deepEqual(decodeGrant(bytesOf(vector, "bytes")), grant);
}

function checkNack(vector: VectorObject): void {
  const nack = {
    streamId: integerOf(vector, "stream_id"),
    nextExpected: integerOf(vector, "next_expected"),
    missingBitmap: integerOf(vector, "missing_bitmap"),
  };
  assert.equal(encodeNack(nack).toHex(), textOf(vector, "bytes"));
  assert.deepEqual(decodeNack(bytesOf(vector, "bytes")), nack);
  if (!has(vector, "missing")) return;
  const missing = listOf(vector, "missing").map((sequence) => integer(sequence, "missing"));
  assert.deepEqual(listMissing(nack), missing);
  assert.equal(missingBitmap(nack.nextExpected, missing), nack.missingBitmap);
}

function checkReset(vector: VectorObject): void {
  const streamId = integerOf(vector, "stream_id");
  assert.equal(encodeReset(streamId).toHex(), textOf(vector, "bytes"));
  assert.equal(decodeReset(bytesOf(vector, "bytes")), streamId);
}

function checkSack(vector: VectorObject): void {
  const decoded = decodeSack(bytesOf(vector, "bytes"));
  assert.equal(decoded !== undefined, booleanOf(vector, "valid"));
  if (!has(vector, "ranges")) return;
  const sack = {
    streamId: integerOf(vector, "stream_id"),
    ackSequence: integerOf(vector, "ack_seq"),
    ranges: listOf(vector, "ranges").map(rangeOf),
  };
  if (decoded === undefined) {
    assert.throws(() => encodeSack(sack), RangeError);
    return;
  }
  assert.deepEqual(decoded, sack);
  assert.equal(encodeSack(sack).toHex(), textOf(vector, "bytes"));
}

function rangeOf(value: unknown): SequenceRange {
  assert.ok(Array.isArray(value) && value.length === 2, "a range is two numbers");
  return [integer(value[0], "range start"), integer(value[1], "range end")];
}

function checkRouteWithdrawal(vector: VectorObject): void {
  const withdrawal = {
    destination: integerOf(vector, "dest"),
    sequence: integerOf(vector, "seq"),
  };
  assert.equal(encodeRouteWithdrawal(withdrawal).toHex(), textOf(vector, "bytes"));
  assert.deepEqual(decodeRouteWithdrawal(bytesOf(vector, "bytes")), withdrawal);
}

function checkReflex(vector: VectorObject): void {
  if (has(vector, "request")) {
    assert.equal(textOf(vector, "request"), "");
    return;
  }
  const bytes = bytesOf(vector, "bytes");
  const address = addressOf(vector, "response_addr");
  assert.equal(encodeReflexResponse(address).toHex(), bytes.toHex());
  const decoded = decodeReflexResponse(bytes);
  assert.deepEqual(decoded, address);
  assert.equal(formatAddress(decoded ?? assert.fail()), textOf(vector, "response_addr"));
}

function checkRendezvous(vector: VectorObject): void {
  const message = rendezvousOf(vector);
  assert.equal(encodeRendezvous(message).toHex(), textOf(vector, "bytes"));
  assert.deepEqual(decodeRendezvous(bytesOf(vector, "bytes")), message);
}

function rendezvousOf(vector: VectorObject): Rendezvous {
  const kind = textOf(vector, "kind");
  switch (kind) {
    case "request":
      return {
        kind,
        target: integerOf(vector, "target"),
        punchId: numberOf(vector, "punch_id"),
        selfReflex: addressOf(vector, "self_reflex"),
      };
    case "introduce":
      return {
        kind,
        peer: integerOf(vector, "peer"),
        peerReflex: addressOf(vector, "peer_reflex"),
        fireAtMs: integerOf(vector, "fire_at_ms"),
      };
    case "ack":
      return {
        kind,
        fromPeer: integerOf(vector, "from_peer"),
        toPeer: integerOf(vector, "to_peer"),
        punchId: numberOf(vector, "punch_id"),
      };
    case "reject":
      return {
        kind,
        target: integerOf(vector, "target"),
        punchId: numberOf(vector, "punch_id"),
        reason: numberOf(vector, "reason"),
      };
    default:
      throw new TypeError(`Cannot read vector: "${kind}" is no rendezvous message`);
  }
}

function checkKeepAlive(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const keepAlive = {
    senderNodeId: integerOf(vector, "sender_node_id"),
    punchId: numberOf(vector, "punch_id"),
  };
  const view = new DataView(bytes.buffer);
  assert.equal(classifyDatagram(view, 0, bytes.length), DatagramClass.KeepAlive);
  assert.equal(encodeKeepAlive(keepAlive).toHex(), bytes.toHex());
  assert.deepEqual(decodeKeepAlive(bytes), keepAlive);
}

function addressOf(vector: VectorObject, field: string): SocketAddress {
  const address = parseAddress(textOf(vector, field));
  assert.ok(address !== undefined, `${field} is an address`);
  return address;
}
