/**
 * The four messages that open a BTSP session (`validation.md` 8): the client shows by its answer that it knows the
 * family's seed. The server shows nothing of the kind: the protocol has no message for it.
 *
 * Pure: JSON in, JSON out. Keys are read as base64 or as lists of numbers, because members write both, and
 * answered in the form they came in.
 */
import { equalBytesConstantTime, fromHex, type RandomBytes, toHex } from "../../base/mod.ts";
import { createNoiseKeyPair, type NoiseKeyPair } from "../../core/crypto/mod.ts";
import { type BtspCipher, readCipher } from "./cipher.ts";
import { answerChallenge, deriveSessionKeys, type SessionKeys } from "./keys.ts";

/** The version spoken here. */
export const BTSP_VERSION = 1;

/** Longest message of a handshake: two lists of 32 numbers and some names, with room. */
export const HANDSHAKE_BYTES_MAX = 4096;

const KEY_BYTES = 32;
const SESSION_ID_BYTES = 16;

/** A session that both sides agreed on; the keys are secret. */
export interface BtspSession {
  readonly cipher: BtspCipher;
  readonly keys: SessionKeys;
}

/** Why a handshake ended, as the other side is told. */
export type HandshakeFailure = "malformed" | "unsupported_version" | "family_verification";

/** One step of a side: what to send, and where that leads. */
export type HandshakeStep =
  | { readonly kind: "send"; readonly message: string; readonly isLast: boolean }
  | { readonly kind: "fail"; readonly reason: HandshakeFailure; readonly message: string };

type Form = "base64" | "list";

/** The server's side of one handshake. */
export class ServerHandshake {
  readonly #handshakeKey: Uint8Array;
  readonly #random: RandomBytes;
  readonly #canBeClear: boolean;
  #hello:
    | { form: Form; clientKey: Uint8Array; pair: NoiseKeyPair; challenge: Uint8Array }
    | undefined;
  #session: BtspSession | undefined;

  /**
   * @param canBeClear False where somebody else may be on the line: which cipher a client wants is not part of
   * what it proves, so a wish for none may be anybody's, and is answered with the strongest.
   */
  constructor(handshakeKey: Uint8Array, random: RandomBytes, canBeClear: boolean) {
    this.#handshakeKey = handshakeKey;
    this.#random = random;
    this.#canBeClear = canBeClear;
  }

  /** What was agreed on, after the last message. */
  get session(): BtspSession | undefined {
    return this.#session;
  }

  /** Takes the client's next message. Never throws. */
  take(bytes: Uint8Array): HandshakeStep {
    const message = parse(bytes);
    if (message === undefined) return fail("malformed");
    return this.#hello === undefined ? this.#greet(message) : this.#verify(message);
  }

  #greet(message: Readonly<Record<string, unknown>>): HandshakeStep {
    if (message.version !== BTSP_VERSION) return fail("unsupported_version");
    const client = readBytes(message.client_ephemeral_pub, KEY_BYTES);
    if (client === undefined) return fail("malformed");
    const [pair, challenge] = [createNoiseKeyPair(), this.#random(KEY_BYTES)];
    const { form, bytes: clientKey } = client;
    this.#hello = { form, clientKey, pair, challenge };
    return send({
      version: BTSP_VERSION,
      server_ephemeral_pub: writeBytes(pair.publicKey, form),
      challenge: writeBytes(challenge, form),
    });
  }

  #verify(message: Readonly<Record<string, unknown>>): HandshakeStep {
    if (this.#hello === undefined || this.#session !== undefined) return fail("malformed");
    const { clientKey, pair, challenge } = this.#hello;
    const answer = readBytes(message.response, KEY_BYTES);
    const wanted = readCipher(message.preferred_cipher ?? "chacha20");
    if (answer === undefined || wanted === undefined) return fail("malformed");
    const isWeak = wanted === "null" && !this.#canBeClear;
    const cipher = isWeak ? "chacha20" : wanted;
    const right = answerChallenge(this.#handshakeKey, challenge, clientKey, pair.publicKey);
    if (!equalBytesConstantTime(right, answer.bytes)) return fail("family_verification");
    const shared = pair.agree(clientKey);
    if (shared === undefined) return fail("malformed");
    const sessionId = this.#random(SESSION_ID_BYTES);
    this.#session = { cipher, keys: deriveSessionKeys(shared, sessionId) };
    return send({
      // Its own spelling where it has shown one; members that write lists have a longer one.
      cipher: isWeak
        ? answer.form === "list" ? "chacha20_poly1305" : cipher
        : message.preferred_cipher ?? cipher,
      session_id: answer.form === "list" ? writeBytes(sessionId, "list") : toHex(sessionId),
    }, true);
  }
}

/** The client's side of one handshake. */
export class ClientHandshake {
  readonly #handshakeKey: Uint8Array;
  readonly #pair: NoiseKeyPair = createNoiseKeyPair();
  readonly #cipher: BtspCipher;
  #serverKey: Uint8Array | undefined;

  constructor(handshakeKey: Uint8Array, cipher: BtspCipher = "chacha20") {
    this.#handshakeKey = handshakeKey;
    this.#cipher = cipher;
  }

  /** The first message. */
  hello(): string {
    const key = writeBytes(this.#pair.publicKey, "base64");
    return JSON.stringify({ version: BTSP_VERSION, client_ephemeral_pub: key });
  }

  /** The answer to the server's first message; a text says what is wrong with it. */
  answer(bytes: Uint8Array): { readonly message: string } | string {
    const message = parse(bytes);
    if (typeof message?.error === "string") return `the node refused: ${reasonOf(message)}`;
    const server = readBytes(message?.server_ephemeral_pub, KEY_BYTES);
    const challenge = readBytes(message?.challenge, KEY_BYTES);
    if (server === undefined || challenge === undefined) return "the node's answer is not BTSP";
    this.#serverKey = server.bytes;
    const { publicKey } = this.#pair;
    const answer = answerChallenge(this.#handshakeKey, challenge.bytes, publicKey, server.bytes);
    const fields = { response: writeBytes(answer, "base64"), preferred_cipher: this.#cipher };
    return { message: JSON.stringify(fields) };
  }

  /** The session that the server's last message opens; a text says what is wrong with it. */
  finish(bytes: Uint8Array): BtspSession | string {
    const message = parse(bytes);
    if (typeof message?.error === "string") return `the node refused: ${reasonOf(message)}`;
    const cipher = readCipher(message?.cipher);
    const sessionId = readSessionId(message?.session_id);
    // A weaker cipher than asked for would be somebody else's wish.
    if (sessionId === undefined || cipher !== this.#cipher || this.#serverKey === undefined) {
      return "the node's answer is not BTSP";
    }
    const shared = this.#pair.agree(this.#serverKey);
    return shared === undefined
      ? "the node's key is of no use"
      : { cipher, keys: deriveSessionKeys(shared, sessionId) };
  }
}

function send(fields: object, isLast = false): HandshakeStep {
  return { kind: "send", message: JSON.stringify(fields), isLast };
}

function fail(reason: HandshakeFailure): HandshakeStep {
  return { kind: "fail", reason, message: JSON.stringify({ error: "handshake_failed", reason }) };
}

function reasonOf(message: Readonly<Record<string, unknown>>): string {
  return typeof message.reason === "string" ? message.reason.slice(0, 64) : "no reason given";
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    return isRecord ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function readBytes(
  value: unknown,
  length: number,
): { readonly bytes: Uint8Array; readonly form: Form } | undefined {
  if (typeof value === "string") {
    try {
      const bytes = Uint8Array.fromBase64(value);
      return bytes.length === length ? { bytes, form: "base64" } : undefined;
    } catch {
      return undefined;
    }
  }
  if (!Array.isArray(value) || value.length !== length) return undefined;
  const isBytes = value.every((item) => Number.isInteger(item) && item >= 0 && item <= 255);
  return isBytes ? { bytes: Uint8Array.from(value), form: "list" } : undefined;
}

/** Sixteen bytes as hex, base64 or numbers; 32 hex digits are no base64 of sixteen bytes. */
function readSessionId(value: unknown): Uint8Array | undefined {
  const hex = typeof value === "string" ? fromHex(value, SESSION_ID_BYTES) : undefined;
  return hex ?? readBytes(value, SESSION_ID_BYTES)?.bytes;
}

function writeBytes(bytes: Uint8Array, form: Form): string | number[] {
  return form === "list" ? [...bytes] : bytes.toBase64();
}
