/** Messages of traversing NATs, computed and captured. */
import assert from "node:assert/strict";
import { parseAddress, type SocketAddress } from "../../../src/core/transport/mod.ts";
import {
  decodeKeepAlive,
  decodeReflexResponse,
  decodeRendezvous,
  encodeKeepAlive,
  encodeReflexResponse,
  encodeRendezvous,
  type Rendezvous,
} from "../../../src/core/transport/wire/nat_frames.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  integer,
  numberOf,
  objectOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { textsOf } from "./_hex_texts.ts";

/** Suites of this file by vector file. */
export const NRPC_NAT_SUITES: Readonly<Record<string, VectorSuite>> = {
  "nrpc/nat.json": (document) => {
    const file = objectOf(document, "the file");
    const named = Object.entries(file).filter(([, value]) => typeof value === "object")
      .filter(([name]) => name !== "captured_live")
      .map(([name, value]) => ({ ...objectOf(value, name), name }));
    return {
      messages: { cases: named, check: checkMessage },
      captured_live: { cases: textsOf(file, "captured_live"), check: checkCaptured },
    };
  },
};

function checkMessage(vector: VectorObject): void {
  const name = textOf(vector, "name");
  const bytes = bytesOf(vector, "hex");
  if (name.startsWith("reflex_response")) {
    const address = addressOf(vector, "addr");
    assert.deepEqual(decodeReflexResponse(bytes), address);
    assert.deepEqual(encodeReflexResponse(address), bytes);
    return;
  }
  if (name === "keepalive") {
    const senderNodeId = integer(BigInt(textOf(vector, "sender")).toString(), "sender");
    const keepAlive = { senderNodeId, punchId: numberOf(vector, "punch_id") };
    assert.deepEqual(decodeKeepAlive(bytes), keepAlive);
    assert.deepEqual(encodeKeepAlive(keepAlive), bytes);
    return;
  }
  const message = expectedMessage(name, vector);
  assert.deepEqual(decodeRendezvous(bytes), message);
  assert.deepEqual(encodeRendezvous(message), bytes);
}

function expectedMessage(name: string, vector: VectorObject): Rendezvous {
  const idOf = (field: string) => BigInt(textOf(vector, field));
  switch (name) {
    case "punch_request":
      return {
        kind: "request",
        target: idOf("target"),
        punchId: numberOf(vector, "punch_id"),
        selfReflex: addressOf(vector, "self_reflex"),
      };
    case "punch_introduce":
      return {
        kind: "introduce",
        peer: idOf("peer"),
        peerReflex: addressOf(vector, "peer_reflex"),
        fireAtMs: BigInt(textOf(vector, "fire_at_ms")),
      };
    case "punch_ack":
      return {
        kind: "ack",
        fromPeer: idOf("from_peer"),
        toPeer: idOf("to_peer"),
        punchId: numberOf(vector, "punch_id"),
      };
    default: {
      assert.equal(name, "punch_reject");
      assert.equal(textOf(vector, "reason"), "rate-limited");
      const punchId = numberOf(vector, "punch_id");
      return { kind: "reject", target: idOf("target"), punchId, reason: 1 };
    }
  }
}

function addressOf(vector: VectorObject, field: string): SocketAddress {
  const address = parseAddress(textOf(vector, field));
  assert.ok(address !== undefined, field);
  return address;
}

/** Reasons that the core was seen to refuse with. */
const REASONS: readonly [RegExp, number][] = [
  [/no_reflex|unknown/, 2],
  [/differs/, 4],
  [/fifth/, 1],
];

function checkCaptured(vector: VectorObject): void {
  const name = textOf(vector, "name");
  const bytes = bytesOf(vector, "hex");
  if (name === "keepalive_from_core") {
    const keepAlive = decodeKeepAlive(bytes);
    assert.ok(keepAlive !== undefined);
    return assert.deepEqual(encodeKeepAlive(keepAlive), bytes);
  }
  const message = decodeRendezvous(bytes);
  assert.ok(message !== undefined);
  assert.deepEqual(encodeRendezvous(message), bytes);
  const kind = ["introduce", "reject", "ack"].find((word) => name.startsWith(word));
  assert.equal(message.kind, kind);
  if (message.kind !== "reject") return;
  assert.equal(message.reason, REASONS.find(([pattern]) => pattern.test(name))?.[1]);
}
