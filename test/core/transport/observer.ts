/**
 * What a member of the mesh can work out who only listens: the handshake hash of a routed handshake, from
 * the mesh secret, the responder's public Noise key and the two messages (`wire.md` 4.3).
 */
import { concatBytes, utf8 } from "../../../src/base/mod.ts";
import {
  blake2s256,
  createNoiseKeyPair,
  createPacketCipher,
  deriveSessionKeys,
  handshakePrologue,
  hmacBlake2s,
} from "../../../src/core/crypto/mod.ts";

const MESSAGE_AT = 18 + 68;

/**
 * The handshake hash.
 *
 * @param captured Datagrams of which the first two routed handshakes are looked at.
 * @param responderPrivate Used for its public half only.
 */
export function observeHandshake(
  captured: readonly Uint8Array[],
  meshSecret: Uint8Array,
  responderPrivate: Uint8Array,
): Uint8Array {
  const [first, second] = captured.filter(isRoutedHandshake);
  if (first === undefined || second === undefined) throw new Error("No handshake was captured");
  return hashHandshake(first, second, meshSecret, createNoiseKeyPair(responderPrivate).publicKey);
}

/**
 * Computes compat keys from every two handshake messages in a capture that can belong together, and tries every
 * packet with them.
 *
 * @param responderKeys Public Noise keys of the nodes that may have been called.
 * @returns What packets could be opened, decrypted.
 */
export function openCapture(
  captured: readonly Uint8Array[],
  meshSecret: Uint8Array,
  responderKeys: readonly Uint8Array[],
): Uint8Array[] {
  const cipher = createPacketCipher({ memoryBytes: 1024 * 1024, keySlots: 4 });
  const at = cipher.allocate(8_192);
  const packets = captured
    .map((datagram) => datagram[0] === 0x52 ? datagram.subarray(18) : datagram)
    .filter((packet) => packet[0] === 0x45 && packet.length >= 84 && packet.length <= 8_192);
  const opened: Uint8Array[] = [];
  for (const hash of handshakeHashes(captured, meshSecret, responderKeys)) {
    for (const role of ["initiator", "responder"] as const) {
      const keys = deriveSessionKeys(hash, role);
      const slot = cipher.createKey(keys.sendKey);
      for (const packet of packets) {
        cipher.memory.set(packet, at);
        const length = packet.length - 84;
        if (!cipher.openPacket(slot, at, length, keys.noncePrefix)) continue;
        opened.push(cipher.memory.slice(at + 68, at + 68 + length));
      }
      cipher.destroyKey(slot);
    }
  }
  return opened;
}

function* handshakeHashes(
  captured: readonly Uint8Array[],
  meshSecret: Uint8Array,
  responderKeys: readonly Uint8Array[],
): Generator<Uint8Array> {
  const handshakes = captured.filter(isRoutedHandshake);
  for (const [i, first] of handshakes.entries()) {
    for (const second of handshakes.slice(i + 1)) {
      if (!isAnswer(first, second)) continue;
      for (const key of responderKeys) yield hashHandshake(first, second, meshSecret, key);
    }
  }
}

function isRoutedHandshake(datagram: Uint8Array): boolean {
  return datagram[0] === 0x52 && datagram.length > MESSAGE_AT;
}

/** True when the second message goes back to where the first came from. */
function isAnswer(first: Uint8Array, second: Uint8Array): boolean {
  const [one, two] = [viewOf(first), viewOf(second)];
  // Source is a routing id of 4 bytes, the lower half of a node id; the destination is a whole one.
  return one.getUint32(6, true) === two.getUint32(10, true) &&
    one.getUint32(10, true) === two.getUint32(6, true);
}

function hashHandshake(
  first: Uint8Array,
  second: Uint8Array,
  meshSecret: Uint8Array,
  responderKey: Uint8Array,
): Uint8Array {
  const view = viewOf(first);
  const prologue = handshakePrologue(view.getUint32(6, true), view.getUint32(10, true));
  const name = blake2s256(utf8("Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s"));
  let hash = name;
  const mix = (data: Uint8Array) => {
    hash = blake2s256(concatBytes(hash, data));
  };
  mix(prologue);
  mix(responderKey);
  // The second output of HKDF over the secret goes into the hash; the chaining key is still public.
  const temporary = hmacBlake2s(name, meshSecret);
  const one = hmacBlake2s(temporary, Uint8Array.of(1));
  mix(hmacBlake2s(temporary, concatBytes(one, Uint8Array.of(2))));
  for (const packet of [first, second]) {
    const message = packet.subarray(MESSAGE_AT);
    mix(message.subarray(0, 32));
    mix(message.subarray(32));
  }
  return hash;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
