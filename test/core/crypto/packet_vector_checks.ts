/**
 * Checks of `wire/packets.json` for the packet cipher; each returns how many cases it ran.
 *
 * Header validation and framing of events belong to the transport's checks.
 */
import assert from "node:assert/strict";
import { createPacketCipher } from "../../../src/core/crypto/packet_cipher.ts";
import { arrayOf, bytesOf, recordOf, textOf } from "./json_access.ts";

const HEADER_BYTES = 68;
const OVERHEAD_BYTES = HEADER_BYTES + 16;

/** Runs the cases of `wire/packets.json`: sealing, opening, and mutations to accept or refuse. */
export function checkPackets(content: unknown): number {
  const vectors = recordOf(recordOf(content)["vectors"]);
  const cipher = createPacketCipher({ memoryBytes: 1 << 17, keySlots: 4 });
  const at = cipher.allocate(16384);
  let cases = 0;

  function open(key: Uint8Array, packet: Uint8Array, prefix: number): Uint8Array | undefined {
    const slot = cipher.createKey(key);
    const length = packet.length - OVERHEAD_BYTES;
    cipher.memory.set(packet, at);
    const isAuthentic = cipher.openPacket(slot, at, length, prefix);
    cipher.destroyKey(slot);
    const start = at + HEADER_BYTES;
    return isAuthentic ? cipher.memory.slice(start, start + length) : undefined;
  }

  function checkSeal(key: Uint8Array, packet: Uint8Array, plaintext: Uint8Array): void {
    const slot = cipher.createKey(key);
    cipher.memory.set(packet.subarray(0, HEADER_BYTES), at);
    cipher.memory.set(plaintext, at + HEADER_BYTES);
    cipher.sealPacket(slot, at, plaintext.length);
    cipher.destroyKey(slot);
    assert.equal(cipher.memory.slice(at, at + packet.length).toHex(), packet.toHex());
  }

  for (const item of arrayOf(vectors["offline"]).map(recordOf)) {
    const key = bytesOf(item["key"]);
    const packet = bytesOf(item["packet"]);
    const plaintext = framesOf(item["events"]);
    const prefix = prefixOf(textOf(item["session_id"]));
    assert.deepEqual(open(key, packet, prefix), plaintext, textOf(item["name"]));
    checkSeal(key, packet, plaintext);
    cases++;
  }
  for (const item of arrayOf(vectors["live"]).map(recordOf)) {
    const key = bytesOf(item["key"]);
    const packet = bytesOf(item["packet"]);
    const plaintext = bytesOf(item["plaintext"]);
    const prefix = prefixOf(textOf(item["session_id"]));
    assert.deepEqual(open(key, packet, prefix), plaintext, textOf(item["name"]));
    checkSeal(key, packet, plaintext);
    cases++;
  }
  const mutations = recordOf(vectors["mutations"]);
  const key = bytesOf(mutations["key"]);
  const mutated = arrayOf(mutations["cases"]).map(recordOf);
  const intact = mutated.find((item) => item["accept"] === true);
  for (const item of mutated) {
    // The receiver takes the prefix from its session, so from a packet nobody changed.
    const sessionId = bytesOf(intact?.["packet"]).subarray(24, 32);
    const view = new DataView(sessionId.buffer, sessionId.byteOffset);
    const prefix = (view.getUint32(0, true) ^ view.getUint32(4, true)) >>> 0;
    const opened = open(key, bytesOf(item["packet"]), prefix);
    assert.equal(opened !== undefined, item["accept"], textOf(item["name"]));
    cases++;
  }
  return cases;
}

/** Nonce prefix of a session (`wire.md` 5). */
function prefixOf(sessionId: string): number {
  const id = BigInt(sessionId);
  return Number((id ^ (id >> 32n)) & 0xffffffffn);
}

/** Event frames of a list of hex texts, or of a text like `8104 x 7a`. */
function framesOf(events: unknown): Uint8Array<ArrayBuffer> {
  const run = typeof events === "string" ? /^(\d+) x ([0-9a-f]{2})$/.exec(events) : null;
  const list = run === null
    ? arrayOf(events).map(bytesOf)
    : [new Uint8Array(Number(run[1])).fill(parseInt(run[2] ?? "", 16))];
  const frames = new Uint8Array(list.reduce((sum, event) => sum + 4 + event.length, 0));
  let at = 0;
  for (const event of list) {
    new DataView(frames.buffer).setUint32(at, event.length, true);
    frames.set(event, at + 4);
    at += 4 + event.length;
  }
  return frames;
}
