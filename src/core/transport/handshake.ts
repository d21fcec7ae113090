/**
 * Handshakes in both roles and both forms (`wire.md` 4).
 *
 * A packet is tried as the answer to an attempt of ours first, on a copy, then as somebody's first
 * message; so crossing attempts and forged answers cannot spoil one. Everything that fails is dropped
 * without an answer and counted.
 */

import type { Clock } from "../../base/mod.ts";
import { highHalf, idToHex, joinHalves, lowHalf, NetError } from "../../base/mod.ts";
import {
  createNoiseInitiator,
  createNoiseResponder,
  deriveSessionKeys,
  handshakePrologue,
  type NoiseInitiator,
  type NoiseKeyPair,
  type NoiseResponder,
  type SessionKeys,
} from "../crypto/mod.ts";
import { addressKey } from "./address.ts";
import type { TransportCounters } from "./counters.ts";
import { HandshakeLimiter } from "./limiters.ts";
import { HANDSHAKE_TTL } from "./limits.ts";
import type { PacketSender } from "./packet_sender.ts";
import type { RoutingHeader } from "./routing_header.ts";
import type { SessionForm, SocketAddress } from "./types.ts";

/** A node to shake hands with. */
export interface HandshakeTarget {
  readonly nodeId: bigint;
  /** Its Noise static key. */
  readonly noisePublicKey: Uint8Array;
  /** Message 1 goes to all of them; the first answer decides. A direct handshake uses the first. */
  readonly addresses: readonly SocketAddress[];
  readonly form: SessionForm;
}

/** Outcome of a completed handshake. */
export interface HandshakeResult {
  readonly nodeId: bigint;
  readonly keys: SessionKeys;
  readonly isInitiator: boolean;
  /** Ephemeral key of message 1, hex: names the handshake. */
  readonly ephemeral: string;
  readonly form: SessionForm;
  readonly address: SocketAddress;
  /** True when a relay stood in between. */
  readonly isRelayed: boolean;
}

interface Attempt {
  readonly target: HandshakeTarget;
  readonly noise: NoiseInitiator;
  readonly ephemeral: string;
  readonly finish: (outcome: HandshakeResult | NetError) => void;
}

const EPHEMERAL_BYTES = 32;
const NODE_ID_BYTES = 8;
const NO_PAYLOAD = new Uint8Array(0);

/** What {@linkcode Handshaker} needs. */
export interface HandshakerDeps {
  readonly sender: PacketSender;
  readonly counters: TransportCounters;
  readonly clock: Clock;
  /** Installs the session of a handshake that a peer began; false refuses it. */
  readonly onAccepted: (result: HandshakeResult) => boolean;
  /** Installs the session of a handshake that this node began, before `attempt` resolves. */
  readonly onInitiated: (result: HandshakeResult) => void;
}

/** Keys and names of this node in handshakes. */
export interface HandshakerOptions {
  readonly nodeId: bigint;
  readonly noiseKeys: NoiseKeyPair;
  readonly meshSecret: Uint8Array;
  /** Node ids whose direct handshakes are accepted. */
  readonly expected: readonly bigint[];
}

/** Runs handshakes. */
export class Handshaker {
  readonly #deps: HandshakerDeps;
  readonly #options: HandshakerOptions;
  readonly #routingId: number;
  readonly #limiter: HandshakeLimiter;
  /** Routed attempts by the routing id of their target: one in flight each. */
  readonly #routed = new Map<number, Attempt>();
  /** Direct attempts by address: one in flight each. */
  readonly #direct = new Map<string, Attempt>();

  constructor(deps: HandshakerDeps, options: HandshakerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#routingId = lowHalf(options.nodeId);
    this.#limiter = new HandshakeLimiter(deps.clock.now());
  }

  /**
   * One attempt.
   *
   * @param patienceMs How long to wait for message 2.
   * @throws NetError `timeout` without an answer, `conflict` when superseded by another attempt.
   */
  attempt(
    target: HandshakeTarget,
    patienceMs: number,
    signal?: AbortSignal,
  ): Promise<HandshakeResult> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<HandshakeResult>();
    const noise = createNoiseInitiator({
      prologue: handshakePrologue(this.#routingId, lowHalf(target.nodeId)),
      psk: this.#options.meshSecret,
      responderStatic: target.noisePublicKey,
    });
    const message = noise.writeMessage1(
      target.form === "routed" ? nodeIdBytes(this.#options.nodeId) : NO_PAYLOAD,
    );
    const forget = this.#remember(target, {
      target,
      noise,
      ephemeral: message.subarray(0, EPHEMERAL_BYTES).toHex(),
      finish: (outcome) => {
        cancel();
        forget();
        signal?.removeEventListener("abort", onAbort);
        if (outcome instanceof NetError) reject(outcome);
        else resolve(outcome);
      },
    });
    const onAbort = () => {
      cancel();
      forget();
      reject(signal?.reason);
    };
    const cancel = this.#deps.clock.after(patienceMs, () => {
      forget();
      signal?.removeEventListener("abort", onAbort);
      reject(new NetError("timeout", `Cannot reach node ${idToHex(target.nodeId)}: no answer`));
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    const relayTo = target.form === "routed" ? halves(target.nodeId) : undefined;
    const addresses = target.form === "routed" ? target.addresses : target.addresses.slice(0, 1);
    for (const address of addresses) {
      this.#deps.sender.sendHandshake(message, { address, relayTo }, HANDSHAKE_TTL);
    }
    return promise;
  }

  /** Takes a handshake packet that came without a routing header. */
  receiveDirect(message: Uint8Array, from: SocketAddress): void {
    const { counters, clock } = this.#deps;
    const attempt = this.#direct.get(addressKey(from));
    const { expected } = this.#options;
    const cost = (attempt === undefined ? 0 : 1) + expected.length;
    if (cost === 0) {
      counters.drop_handshake_refused_total += 1;
      return;
    }
    if (!this.#limiter.take(from.host, cost, clock.now())) {
      counters.drop_handshake_rate_total += 1;
      return;
    }
    if (attempt !== undefined && this.#complete(attempt, message, from, false)) return;
    for (const nodeId of expected) {
      const noise = this.#responder(lowHalf(nodeId));
      if (noise.readMessage1(message) === undefined) continue;
      this.#answer(noise, message, { nodeId, form: "direct", address: from, isRelayed: false });
      return;
    }
    counters.drop_handshake_refused_total += 1;
  }

  /** Takes a handshake packet that came behind a routing header addressed to us. */
  receiveRouted(message: Uint8Array, header: RoutingHeader, from: SocketAddress): void {
    const { counters, clock } = this.#deps;
    if (!this.#limiter.take(from.host, 1, clock.now())) {
      counters.drop_handshake_rate_total += 1;
      return;
    }
    const isRelayed = header.hopCount > 0;
    const attempt = this.#routed.get(header.source);
    if (attempt !== undefined && this.#complete(attempt, message, from, isRelayed)) return;
    const noise = this.#responder(header.source);
    const payload = noise.readMessage1(message)?.payload;
    if (payload === undefined || payload.length < NODE_ID_BYTES) {
      counters.drop_handshake_refused_total += 1;
      return;
    }
    const view = new DataView(payload.buffer, payload.byteOffset);
    const low = view.getUint32(0, true);
    const nodeId = joinHalves(low, view.getUint32(4, true));
    if (low !== header.source || nodeId === this.#options.nodeId) {
      counters.drop_handshake_refused_total += 1;
      return;
    }
    this.#answer(noise, message, { nodeId, form: "routed", address: from, isRelayed });
  }

  /** Ends every attempt. */
  stop(): void {
    const error = new NetError("failed", "Cannot finish handshake: the node is stopping");
    for (const attempt of [...this.#routed.values(), ...this.#direct.values()]) {
      attempt.finish(error);
    }
  }

  #responder(initiatorRoutingId: number): NoiseResponder {
    return createNoiseResponder({
      prologue: handshakePrologue(initiatorRoutingId, this.#routingId),
      psk: this.#options.meshSecret,
      staticKey: this.#options.noiseKeys,
    });
  }

  #remember(target: HandshakeTarget, attempt: Attempt): () => void {
    const superseded = new NetError(
      "conflict",
      `Cannot reach node ${idToHex(target.nodeId)}: a newer attempt took over`,
    );
    if (target.form === "routed") {
      const key = lowHalf(target.nodeId);
      this.#routed.get(key)?.finish(superseded);
      this.#routed.set(key, attempt);
      return () => {
        if (this.#routed.get(key) === attempt) this.#routed.delete(key);
      };
    }
    const [address] = target.addresses;
    if (address === undefined) throw new TypeError("Cannot shake hands: no address given");
    const key = addressKey(address);
    this.#direct.get(key)?.finish(superseded);
    this.#direct.set(key, attempt);
    return () => {
      if (this.#direct.get(key) === attempt) this.#direct.delete(key);
    };
  }

  #complete(
    attempt: Attempt,
    message: Uint8Array,
    from: SocketAddress,
    isRelayed: boolean,
  ): boolean {
    if (attempt.noise.readMessage2(message) === undefined) return false;
    this.#deps.counters.handshakes_completed_total += 1;
    const result: HandshakeResult = {
      nodeId: attempt.target.nodeId,
      keys: deriveSessionKeys(attempt.noise.handshakeHash, "initiator"),
      isInitiator: true,
      ephemeral: attempt.ephemeral,
      form: attempt.target.form,
      address: from,
      isRelayed,
    };
    this.#deps.onInitiated(result);
    attempt.finish(result);
    return true;
  }

  #answer(
    noise: NoiseResponder,
    message1: Uint8Array,
    who: Pick<HandshakeResult, "nodeId" | "form" | "address" | "isRelayed">,
  ): void {
    const message2 = noise.writeMessage2(NO_PAYLOAD);
    const isAccepted = this.#deps.onAccepted({
      ...who,
      keys: deriveSessionKeys(noise.handshakeHash, "responder"),
      isInitiator: false,
      ephemeral: message1.subarray(0, EPHEMERAL_BYTES).toHex(),
    });
    if (!isAccepted) return;
    this.#deps.counters.handshakes_completed_total += 1;
    const relayTo = who.form === "routed" ? halves(who.nodeId) : undefined;
    this.#deps.sender.sendHandshake(message2, { address: who.address, relayTo }, HANDSHAKE_TTL);
  }
}

function halves(nodeId: bigint): { readonly low: number; readonly high: number } {
  return { low: lowHalf(nodeId), high: highHalf(nodeId) };
}

function nodeIdBytes(nodeId: bigint): Uint8Array {
  const bytes = new Uint8Array(NODE_ID_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, nodeId, true);
  return bytes;
}
