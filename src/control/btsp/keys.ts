/**
 * Keys of BTSP (`validation.md` 8): what a family's seed proves, and what protects one session.
 *
 * The session keys follow the running members rather than the text of the standard, which leaves open what is
 * salt and what is label: the session id is the salt, and each direction has its label.
 */
import { createHmac, hkdfSync } from "node:crypto";
import { concatBytes, utf8 } from "../../base/mod.ts";

const KEY_BYTES = 32;
const HANDSHAKE_SALT = utf8("btsp-v1");
const HANDSHAKE_LABEL = utf8("handshake");
const CLIENT_LABEL = utf8("client-encrypt");
const SERVER_LABEL = utf8("client-decrypt");

/** Keys of one session by direction; secret. */
export interface SessionKeys {
  readonly clientToServer: Uint8Array;
  readonly serverToClient: Uint8Array;
}

/** What proves membership, from the family's seed: 32 bytes, secret. */
export function deriveHandshakeKey(seed: Uint8Array): Uint8Array {
  return hkdf(seed, HANDSHAKE_SALT, HANDSHAKE_LABEL);
}

/** The answer to a challenge: 32 bytes. */
export function answerChallenge(
  handshakeKey: Uint8Array,
  challenge: Uint8Array,
  clientKey: Uint8Array,
  serverKey: Uint8Array,
): Uint8Array {
  return hmacSha256(handshakeKey, concatBytes(challenge, clientKey, serverKey));
}

/**
 * Keys of a session.
 *
 * @param shared What both sides' ephemeral keys agree on, 32 bytes.
 * @param sessionId 16 bytes.
 */
export function deriveSessionKeys(shared: Uint8Array, sessionId: Uint8Array): SessionKeys {
  return {
    clientToServer: hkdf(shared, sessionId, CLIENT_LABEL),
    serverToClient: hkdf(shared, sessionId, SERVER_LABEL),
  };
}

/** HMAC-SHA256; 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(message).digest());
}

function hkdf(secret: Uint8Array, salt: Uint8Array, label: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, label, KEY_BYTES));
}
