/**
 * What a member of the mesh can work out who only listens: the handshake hash of a routed handshake, from
 * the mesh secret, the responder's public Noise key and the two messages (`wire.md` 4.3).
 */
import { concatBytes, utf8 } from "../../../src/base/mod.ts";
import {
  blake2s256,
  createNoiseKeyPair,
  handshakePrologue,
  hmacBlake2s,
} from "../../../src/core/crypto/mod.ts";

const MESSAGE_AT = 18 + 68;

/**
 * The handshake hash.
 *
 * @param responderPrivate Used for its public half only.
 */
export function observeHandshake(
  captured: readonly Uint8Array[],
  meshSecret: Uint8Array,
  responderPrivate: Uint8Array,
): Uint8Array {
  const [first, second] = captured.filter((bytes) =>
    bytes[0] === 0x52 && bytes.length > MESSAGE_AT
  );
  if (first === undefined || second === undefined) throw new Error("No handshake was captured");
  const view = new DataView(first.buffer, first.byteOffset);
  const prologue = handshakePrologue(view.getUint32(6, true), view.getUint32(10, true));
  const name = blake2s256(utf8("Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s"));
  let hash = name;
  const mix = (data: Uint8Array) => {
    hash = blake2s256(concatBytes(hash, data));
  };
  mix(prologue);
  mix(createNoiseKeyPair(responderPrivate).publicKey);
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
