/** The handshake of the point-to-point adapter: Noise with an empty prologue and configured roles (`wire.md` 14). */
import type { Clock } from "../../../../base/mod.ts";
import {
  createNoiseInitiator,
  createNoiseResponder,
  deriveSessionKeys,
  type NoiseInitiator,
  type SessionKeys,
} from "../../../../core/crypto/mod.ts";
import { encodeHandshakeDatagram } from "../../../../core/transport/mod.ts";
import { BusError } from "../../error.ts";
import {
  HANDSHAKE_ATTEMPTS,
  HANDSHAKE_PAUSE_MS,
  HANDSHAKE_TIMEOUT_MS,
  HANDSHAKES_PER_SECOND,
} from "./limits.ts";
import type { NetAdapterOptions } from "./options.ts";

/** What an introduction needs. */
export interface IntroductionDeps {
  readonly clock: Clock;
  readonly options: NetAdapterOptions;
  readonly send: (datagram: Uint8Array) => void;
}

const NO_PROLOGUE = new Uint8Array();
const NO_PAYLOAD = new Uint8Array();

interface Attempt {
  readonly noise: NoiseInitiator;
  readonly settle: (keys: SessionKeys | undefined) => void;
}

/** Both roles of the handshake. */
export class Introduction {
  readonly #deps: IntroductionDeps;
  /** Reads the peer's message if one of ours waits for it. */
  #attempt: Attempt | undefined;
  #isStopped = false;
  #wake = () => {};
  #windowStartMs = -Infinity;
  #inWindow = 0;

  constructor(deps: IntroductionDeps) {
    this.#deps = deps;
  }

  /** Calls the peer, at most three times. @throws BusError `transient` when nobody answers. */
  async call(): Promise<SessionKeys> {
    for (let attempt = 1; attempt <= HANDSHAKE_ATTEMPTS && !this.#isStopped; attempt++) {
      const keys = await this.#callOnce();
      if (keys !== undefined) return keys;
      if (attempt < HANDSHAKE_ATTEMPTS) await this.#pause(attempt * HANDSHAKE_PAUSE_MS);
    }
    const { host, port } = this.#deps.options.peer;
    throw new BusError("transient", `Cannot reach peer at ${host}:${port}: it did not answer`, {
      next: "see that the peer runs, has the same secret, and is the owner of the given key",
    });
  }

  /**
   * Takes a handshake message of the peer; the responder's keys when it was a good one.
   *
   * @returns False when it was refused, true when a call of ours got its answer.
   */
  take(message: Uint8Array): SessionKeys | boolean {
    const { clock, options, send } = this.#deps;
    if (!this.#isAllowed(clock.now())) return false;
    if (options.role === "initiator") return this.#finish(message);
    const { psk, staticKey } = options;
    if (staticKey === undefined) return false;
    const noise = createNoiseResponder({ prologue: NO_PROLOGUE, psk, staticKey });
    if (noise.readMessage1(message) === undefined) return false;
    send(encodeHandshakeDatagram(noise.writeMessage2(NO_PAYLOAD), 0, undefined));
    return deriveSessionKeys(noise.handshakeHash, "responder");
  }

  /** Gives up what goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#attempt?.settle(undefined);
    this.#wake();
  }

  #finish(message: Uint8Array): boolean {
    const attempt = this.#attempt;
    if (attempt?.noise.readMessage2(message) === undefined) return false;
    attempt.settle(deriveSessionKeys(attempt.noise.handshakeHash, "initiator"));
    return true;
  }

  async #callOnce(): Promise<SessionKeys | undefined> {
    const { clock, options, send } = this.#deps;
    const noise = createNoiseInitiator({
      prologue: NO_PROLOGUE,
      psk: options.psk,
      responderStatic: options.peerPublicKey ?? new Uint8Array(32),
    });
    const { promise, resolve } = Promise.withResolvers<SessionKeys | undefined>();
    const cancel = clock.after(HANDSHAKE_TIMEOUT_MS, () => resolve(undefined));
    this.#attempt = { noise, settle: resolve };
    send(encodeHandshakeDatagram(noise.writeMessage1(NO_PAYLOAD), 0, undefined));
    const keys = await promise;
    cancel();
    this.#attempt = undefined;
    return keys;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #isAllowed(nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = nowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    return this.#inWindow <= HANDSHAKES_PER_SECOND;
  }
}
