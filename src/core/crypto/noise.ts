/**
 * The handshake: Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s (`wire.md` 4.1).
 *
 * Pure state machines over two messages. Framing, retries and whom to expect belong to the transport;
 * session keys come from the handshake hash in `session_keys.ts`. The initiator stays anonymous: Noise
 * says only that it holds the mesh secret.
 */
import { concatBytes, NetError, utf8 } from "../../base/mod.ts";
import { KEY_BYTES } from "./_okp_keys.ts";
import { NOISE_TAG_BYTES, NoiseState, type SplitKeys } from "./_noise_state.ts";
import { createNoiseKeyPair, type NoiseKeyPair } from "./x25519.ts";

export type { SplitKeys } from "./_noise_state.ts";

/** Shortest message: an ephemeral key and the tag of an empty payload. */
export const NOISE_MESSAGE_BYTES_MIN = KEY_BYTES + NOISE_TAG_BYTES;
/** Longest message: what a packet's payload can hold (`wire.md` 3.2); Noise itself ends at 65535. */
export const NOISE_MESSAGE_BYTES_MAX = 8108;
/** Longest payload of a handshake message. */
export const NOISE_PAYLOAD_BYTES_MAX = NOISE_MESSAGE_BYTES_MAX - NOISE_MESSAGE_BYTES_MIN;

const PROLOGUE_LABEL = utf8("net-handshake-v1");

/** What an authentic handshake message carried. */
export interface NoisePayload {
  readonly payload: Uint8Array;
}

/** Options of {@linkcode createNoiseInitiator}. */
export interface CreateNoiseInitiatorOptions {
  /** From {@linkcode handshakePrologue}; empty for the point-to-point adapter (`wire.md` 14). */
  readonly prologue: Uint8Array;
  /** Mesh secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** The responder's public Noise key, 32 bytes. */
  readonly responderStatic: Uint8Array;
  /** Fresh when left out; given only by tests and vectors. */
  readonly ephemeral?: NoiseKeyPair;
}

/** Options of {@linkcode createNoiseResponder}. */
export interface CreateNoiseResponderOptions {
  readonly prologue: Uint8Array;
  /** Mesh secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** Our own static key. */
  readonly staticKey: NoiseKeyPair;
  /** Fresh when left out; given only by tests and vectors. */
  readonly ephemeral?: NoiseKeyPair;
}

/** What both sides know once the handshake is complete. */
interface NoiseOutcome {
  /** True after message 2 was written or read. */
  readonly isComplete: boolean;
  /** Hash of the transcript, 32 bytes; throws TypeError before completion. */
  readonly handshakeHash: Uint8Array;
  /** Keys of Split(), for sealed sessions only (`sealed.md` 2); throws TypeError before completion. */
  readonly splitKeys: SplitKeys;
}

/** The side that connects. */
export interface NoiseInitiator extends NoiseOutcome {
  /**
   * Message 1: 48 bytes plus the payload.
   *
   * @throws RangeError when the payload is longer than {@linkcode NOISE_PAYLOAD_BYTES_MAX}.
   * @throws NetError `config_invalid` when the responder's key is of low order.
   * @throws TypeError when it was written before.
   */
  writeMessage1(payload: Uint8Array): Uint8Array;
  /**
   * Reads message 2. A message that is not authentic gives `undefined` and leaves the attempt as it was.
   *
   * @throws TypeError before message 1 was written.
   */
  readMessage2(message: Uint8Array): NoisePayload | undefined;
}

/** The side that is connected to. */
export interface NoiseResponder extends NoiseOutcome {
  /** Reads message 1. A message that is not authentic gives `undefined`; another one may be tried. */
  readMessage1(message: Uint8Array): NoisePayload | undefined;
  /**
   * Message 2: 48 bytes plus the payload.
   *
   * @throws RangeError when the payload is longer than {@linkcode NOISE_PAYLOAD_BYTES_MAX}.
   * @throws TypeError before message 1 was read, or when it was written before.
   */
  writeMessage2(payload: Uint8Array): Uint8Array;
}

/**
 * The 32-byte prologue of a mesh handshake.
 *
 * @param initiatorRoutingId Low 32 bits of the initiator's node id.
 * @param responderRoutingId Low 32 bits of the responder's node id.
 */
export function handshakePrologue(
  initiatorRoutingId: number,
  responderRoutingId: number,
): Uint8Array {
  const prologue = new Uint8Array(32);
  prologue.set(PROLOGUE_LABEL);
  const view = new DataView(prologue.buffer);
  view.setUint32(16, initiatorRoutingId, true);
  view.setUint32(24, responderRoutingId, true);
  return prologue;
}

/**
 * Starts a handshake with the owner of a Noise key.
 *
 * @throws RangeError when a key or the mesh secret is not 32 bytes.
 *
 * @example
 * ```ts
 * import { createNoiseInitiator, createNoiseResponder, handshakePrologue } from "./noise.ts";
 * import { createNoiseKeyPair } from "./x25519.ts";
 * const shared = { prologue: handshakePrologue(1, 2), psk: new Uint8Array(32) };
 * const staticKey = createNoiseKeyPair();
 * const initiator = createNoiseInitiator({ ...shared, responderStatic: staticKey.publicKey });
 * const responder = createNoiseResponder({ ...shared, staticKey });
 * responder.readMessage1(initiator.writeMessage1(new Uint8Array(8)));
 * initiator.readMessage2(responder.writeMessage2(new Uint8Array(0)));
 * console.assert(initiator.handshakeHash.toHex() === responder.handshakeHash.toHex());
 * ```
 */
export function createNoiseInitiator(options: CreateNoiseInitiatorOptions): NoiseInitiator {
  return new Initiator(options);
}

/**
 * Waits for a handshake to our Noise key.
 *
 * @throws RangeError when the mesh secret is not 32 bytes.
 */
export function createNoiseResponder(options: CreateNoiseResponderOptions): NoiseResponder {
  return new Responder(options);
}

class Party implements NoiseOutcome {
  protected done: NoiseState | undefined;

  get isComplete(): boolean {
    return this.done !== undefined;
  }

  get handshakeHash(): Uint8Array {
    return this.#complete().hash;
  }

  get splitKeys(): SplitKeys {
    return this.#complete().split();
  }

  #complete(): NoiseState {
    if (this.done !== undefined) return this.done;
    throw new TypeError("Cannot read outcome: handshake is not complete");
  }
}

class Initiator extends Party implements NoiseInitiator {
  readonly #responderStatic: Uint8Array;
  readonly #ephemeral: NoiseKeyPair;
  readonly #start: NoiseState;
  /** The state after message 1; message 2 is tried on copies of it. */
  #sent: NoiseState | undefined;

  constructor(options: CreateNoiseInitiatorOptions) {
    super();
    requireKeyLength("mesh secret", options.psk);
    requireKeyLength("Noise key", options.responderStatic);
    this.#responderStatic = options.responderStatic.slice();
    this.#ephemeral = options.ephemeral ?? createNoiseKeyPair();
    this.#start = NoiseState.start(options.prologue, this.#responderStatic);
    this.#start.mixKeyAndHash(options.psk);
  }

  writeMessage1(payload: Uint8Array): Uint8Array {
    if (this.#sent !== undefined) {
      throw new TypeError("Cannot write message 1: it was written before");
    }
    requirePayloadLength(payload);
    const shared = this.#ephemeral.agree(this.#responderStatic);
    if (shared === undefined) {
      throw new NetError(
        "config_invalid",
        "Cannot start handshake: the peer's Noise key is of low order",
        { next: "ask the peer's owner for its ticket or Noise key again" },
      );
    }
    const state = this.#start;
    state.mixEphemeral(this.#ephemeral.publicKey);
    state.mixKey(shared);
    const message = concatBytes(this.#ephemeral.publicKey, state.encryptAndHash(payload));
    this.#sent = state;
    return message;
  }

  readMessage2(message: Uint8Array): NoisePayload | undefined {
    if (this.#sent === undefined) {
      throw new TypeError("Cannot read message 2: message 1 is not written");
    }
    if (this.done !== undefined) return undefined;
    const opened = openMessage(this.#sent, this.#ephemeral, message);
    if (opened === undefined) return undefined;
    this.done = opened.state;
    return { payload: opened.payload };
  }
}

class Responder extends Party implements NoiseResponder {
  readonly #staticKey: NoiseKeyPair;
  readonly #ephemeral: NoiseKeyPair | undefined;
  readonly #start: NoiseState;
  #received: OpenedMessage | undefined;

  constructor(options: CreateNoiseResponderOptions) {
    super();
    requireKeyLength("mesh secret", options.psk);
    this.#staticKey = options.staticKey;
    this.#ephemeral = options.ephemeral;
    this.#start = NoiseState.start(options.prologue, options.staticKey.publicKey);
    this.#start.mixKeyAndHash(options.psk);
  }

  readMessage1(message: Uint8Array): NoisePayload | undefined {
    if (this.#received !== undefined) return undefined;
    const opened = openMessage(this.#start, this.#staticKey, message);
    if (opened === undefined) return undefined;
    this.#received = opened;
    return { payload: opened.payload };
  }

  writeMessage2(payload: Uint8Array): Uint8Array {
    if (this.#received === undefined) {
      throw new TypeError("Cannot write message 2: message 1 is not read");
    }
    if (this.done !== undefined) {
      throw new TypeError("Cannot write message 2: it was written before");
    }
    requirePayloadLength(payload);
    const ephemeral = this.#ephemeral ?? createNoiseKeyPair();
    const { state, theirs } = this.#received;
    const shared = ephemeral.agree(theirs);
    // Whether a key is of low order doesn't depend on our half, so readMessage1 has seen to this.
    if (shared === undefined) throw new TypeError("Cannot write message 2: key is of low order");
    state.mixEphemeral(ephemeral.publicKey);
    state.mixKey(shared);
    const message = concatBytes(ephemeral.publicKey, state.encryptAndHash(payload));
    this.done = state;
    return message;
  }
}

/** A message that was authentic, with the state after it and its sender's ephemeral key. */
interface OpenedMessage extends NoisePayload {
  readonly state: NoiseState;
  readonly theirs: Uint8Array;
}

/** Both messages have one shape: `e`, an agreement with one of our keys, then the payload. */
function openMessage(
  before: NoiseState,
  ourKey: NoiseKeyPair,
  message: Uint8Array,
): OpenedMessage | undefined {
  if (message.length < NOISE_MESSAGE_BYTES_MIN || message.length > NOISE_MESSAGE_BYTES_MAX) {
    return undefined;
  }
  const theirs = message.slice(0, KEY_BYTES);
  const shared = ourKey.agree(theirs);
  if (shared === undefined) return undefined;
  const state = before.clone();
  state.mixEphemeral(theirs);
  state.mixKey(shared);
  const payload = state.decryptAndHash(message.subarray(KEY_BYTES));
  return payload === undefined ? undefined : { payload, state, theirs };
}

function requirePayloadLength(payload: Uint8Array): void {
  if (payload.length <= NOISE_PAYLOAD_BYTES_MAX) return;
  throw new RangeError(
    `Cannot write handshake message: payload is ${payload.length} bytes, ` +
      `must be at most ${NOISE_PAYLOAD_BYTES_MAX}`,
  );
}

function requireKeyLength(what: string, key: Uint8Array): void {
  if (key.length === KEY_BYTES) return;
  throw new RangeError(`Cannot start handshake: ${what} has ${key.length} bytes, must be 32`);
}
