/**
 * Handshakes in both roles and both forms (`wire.md` 4).
 *
 * A packet is tried as the answer to an attempt of ours first, on a copy, then as somebody's first
 * message; so crossing attempts and forged answers cannot spoil one. Everything that fails is dropped
 * without an answer and counted.
 */

import { type Clock, highHalf, lowHalf, NetError } from "../../../base/mod.ts";
import {
  createNoiseInitiator,
  createNoiseResponder,
  decodeMessage1Payload,
  decodeSealedBlock,
  deriveSealedSessionId,
  deriveSessionKeys,
  encodeRetried,
  handshakePrologue,
  negotiationError,
  type NegotiationFault,
  type NoiseInitiator,
  type NoiseKeyPair,
  type NoiseResponder,
  type SealedBlockReading,
} from "../../crypto/mod.ts";
import type { AddressGuard } from "./address_guard.ts";
import type { TransportCounters } from "../counters.ts";
import { type Attempt, HandshakeAttempts, handshakeName } from "./handshake_attempts.ts";
import type { HandshakeBudget } from "./handshake_budget.ts";
import { encodeHandshakeDatagram, handshakeDatagramBytes } from "../wire/handshake_datagram.ts";
import type { HandshakeResult, HandshakeTarget, SealingOptions } from "./handshake_types.ts";
import type { PacketSender } from "../packet_sender.ts";
import type { RoutingHeader } from "../wire/routing_header.ts";
import { type Agreement, SealingTerms } from "./sealing_terms.ts";
import type { SocketAddress } from "../types.ts";

const ABSENT: SealedBlockReading = { kind: "absent" };

/** What {@linkcode Handshaker} needs. */
export interface HandshakerDeps {
  readonly sender: PacketSender;
  readonly counters: TransportCounters;
  readonly clock: Clock;
  readonly guard: AddressGuard;
  readonly budget: HandshakeBudget;
  /** Installs the session of a handshake that a peer began; false refuses it. */
  readonly onAccepted: (result: HandshakeResult) => boolean;
  /** A peer's handshake was refused for what it says of itself. */
  readonly onNegotiationFailed: (nodeId: bigint, fault: NegotiationFault) => void;
  /** Message 2 to that peer has left. */
  readonly onAnswered: (result: HandshakeResult) => void;
  /**
   * Installs the session of a handshake that this node began. The attempt resolves with it, or, where a
   * promise is returned, when that settles.
   */
  readonly onInitiated: (result: HandshakeResult) => Promise<void> | undefined;
}

/** Keys and names of this node in handshakes. */
export interface HandshakerOptions {
  readonly nodeId: bigint;
  readonly noiseKeys: NoiseKeyPair;
  readonly meshSecret: Uint8Array;
  /** Node ids whose direct handshakes are accepted. */
  readonly expected: readonly bigint[];
  /** Offers and takes sealed sessions; left out, every session is compat. */
  readonly sealing?: SealingOptions;
}

/** Runs handshakes. */
export class Handshaker {
  readonly #deps: HandshakerDeps;
  readonly #options: HandshakerOptions;
  readonly #routingId: number;
  readonly #terms: SealingTerms;
  readonly #attempts: HandshakeAttempts;

  constructor(deps: HandshakerDeps, options: HandshakerOptions) {
    const { nodeId, noiseKeys, sealing } = options;
    this.#deps = deps;
    this.#options = options;
    this.#routingId = lowHalf(nodeId);
    this.#terms = new SealingTerms({ nodeId, noisePublicKey: noiseKeys.publicKey, sealing });
    this.#attempts = new HandshakeAttempts(deps.clock);
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
    const { nodeId, form } = target;
    if (form === "direct" && this.#terms.isRequired(nodeId)) {
      return Promise.reject(negotiationError(nodeId, "not_supported"));
    }
    const noise = createNoiseInitiator({
      prologue: handshakePrologue(this.#routingId, lowHalf(nodeId)),
      psk: this.#options.meshSecret,
      responderStatic: target.noisePublicKey,
    });
    const message = noise.writeMessage1(this.#terms.message1Payload(nodeId, form));
    const result = this.#attempts.begin({ target, noise, message }, patienceMs, signal);
    const addresses = form === "routed" ? target.addresses : target.addresses.slice(0, 1);
    const datagram = this.#datagram(message, target);
    for (const address of addresses) this.#send(datagram, address);
    return result;
  }

  /**
   * Takes a handshake packet that came without a routing header.
   *
   * @param message Valid only during the call.
   */
  receiveDirect(message: Uint8Array, from: SocketAddress): void {
    const { counters, budget } = this.#deps;
    const attempt = this.#attempts.direct(from);
    if (attempt?.takeTry(from) && this.#complete(attempt, message, from, false)) return;
    const { expected } = this.#options;
    if (expected.length === 0) {
      counters.drop_handshake_refused_total += 1;
      return;
    }
    const datagramBytes = handshakeDatagramBytes(message.length, false);
    const how = { isRelayed: false, isRetried: false };
    if (!budget.admits({ message, from, datagramBytes, cost: expected.length, ...how })) return;
    for (const nodeId of expected) {
      if (this.#terms.isRequired(nodeId)) continue;
      const noise = this.#responder(lowHalf(nodeId));
      if (noise.readMessage1(message) === undefined) continue;
      const who = { nodeId, form: "direct", ...this.#arrival(from, datagramBytes, how) } as const;
      this.#answer(noise, message, who, { kind: "compat" });
      return;
    }
    counters.drop_handshake_refused_total += 1;
  }

  /**
   * Takes a handshake packet that came behind a routing header addressed to us.
   *
   * @param message Valid only during the call.
   * @param isRetried It came behind a token that holds.
   */
  receiveRouted(
    message: Uint8Array,
    header: Readonly<RoutingHeader>,
    from: SocketAddress,
    isRetried = false,
  ): void {
    const { counters, budget } = this.#deps;
    const how = { isRelayed: header.hopCount > 0, isRetried };
    const attempt = this.#attempts.routed(header.source);
    if (attempt?.takeTry(from) && this.#complete(attempt, message, from, how.isRelayed)) return;
    const datagramBytes = handshakeDatagramBytes(message.length, true);
    if (!budget.admits({ message, from, datagramBytes, cost: 1, ...how })) return;
    const noise = this.#responder(header.source);
    const payload = noise.readMessage1(message)?.payload;
    const message1 = payload === undefined ? undefined : decodeMessage1Payload(payload);
    if (message1 === undefined) {
      counters.drop_handshake_refused_total += 1;
      return;
    }
    const { nodeId } = message1;
    if (lowHalf(nodeId) !== header.source || nodeId === this.#options.nodeId) {
      counters.drop_handshake_refused_total += 1;
      return;
    }
    const negotiation = this.#terms.judge(nodeId, message1.reading);
    if (negotiation.kind === "failed") {
      counters.drop_handshake_negotiation_total += 1;
      this.#deps.onNegotiationFailed(nodeId, negotiation.fault);
      return;
    }
    const who = { nodeId, form: "routed", ...this.#arrival(from, datagramBytes, how) } as const;
    this.#answer(noise, message, who, negotiation);
  }

  /**
   * Takes a RETRY: repeats message 1 behind its token, to where it came from.
   *
   * @param ephemeral The 8 bytes of ours that it repeats, which nobody can guess.
   * @returns False when no attempt asked for it.
   */
  receiveRetry(ephemeral: Uint8Array, token: Uint8Array, from: SocketAddress): boolean {
    const attempt = this.#attempts.byEphemeral(ephemeral);
    if (attempt === undefined || !attempt.takeRetry(from)) return false;
    this.#send(encodeRetried(token, this.#datagram(attempt.message, attempt.target)), from);
    return true;
  }

  /** True while an answer to an attempt of ours may come from there. */
  isDialled(address: SocketAddress): boolean {
    return this.#attempts.isDialled(address);
  }

  /** Forgets what time has made meaningless; to be called now and then. */
  sweep(): void {
    this.#deps.budget.sweep();
  }

  /** Ends every attempt. */
  stop(): void {
    const error = new NetError("failed", "Cannot finish handshake: the node is stopping");
    this.#attempts.finishAll(error);
  }

  #responder(initiatorRoutingId: number): NoiseResponder {
    return createNoiseResponder({
      prologue: handshakePrologue(initiatorRoutingId, this.#routingId),
      psk: this.#options.meshSecret,
      staticKey: this.#options.noiseKeys,
    });
  }

  /** The datagram of a message to that node. */
  #datagram(
    message: Uint8Array,
    { nodeId, form }: Pick<HandshakeTarget, "nodeId" | "form">,
  ): Uint8Array<ArrayBuffer> {
    const relayTo = form === "routed" ? halves(nodeId) : undefined;
    return encodeHandshakeDatagram(message, this.#routingId, relayTo);
  }

  #send(datagram: Uint8Array, to: SocketAddress): void {
    this.#deps.counters.handshakes_sent_total += 1;
    this.#deps.sender.sendRaw(datagram, to);
  }

  /** What is known of where a first message came from; it is going to be answered. */
  #arrival(
    from: SocketAddress,
    datagramBytes: number,
    how: { readonly isRelayed: boolean; readonly isRetried: boolean },
  ): Pick<HandshakeResult, "address" | "isAddressProven" | "isRelayed"> {
    const { guard } = this.#deps;
    const isAddressProven = how.isRetried || guard.isProven(from);
    if (!isAddressProven) guard.onReceived(from, datagramBytes);
    return { address: from, isAddressProven, isRelayed: how.isRelayed };
  }

  #complete(
    attempt: Attempt,
    message: Uint8Array,
    from: SocketAddress,
    isRelayed: boolean,
  ): boolean {
    const payload = attempt.noise.readMessage2(message)?.payload;
    if (payload === undefined) return false;
    const { target, noise } = attempt;
    const reading = target.form === "routed" ? decodeSealedBlock(payload) : ABSENT;
    const negotiation = this.#terms.judge(target.nodeId, reading, target.noisePublicKey);
    if (negotiation.kind === "failed") {
      this.#deps.counters.drop_handshake_negotiation_total += 1;
      attempt.finish(negotiationError(target.nodeId, negotiation.fault));
      return true;
    }
    const result: HandshakeResult = {
      nodeId: target.nodeId,
      ...keysOf(noise, "initiator", negotiation),
      isInitiator: true,
      ephemeral: attempt.ephemeral,
      form: target.form,
      address: attempt.routeAddress(from),
      isAddressProven: true,
      isRelayed,
    };
    const proven = this.#deps.onInitiated(result);
    attempt.finish(proven === undefined ? result : proven.then(() => result));
    return true;
  }

  #answer(
    noise: NoiseResponder,
    message1: Uint8Array,
    who: Pick<HandshakeResult, "nodeId" | "form" | "address" | "isAddressProven" | "isRelayed">,
    negotiation: Agreement,
  ): void {
    const { guard, onAccepted, onAnswered } = this.#deps;
    const message2 = noise.writeMessage2(this.#terms.message2Payload(who.nodeId, negotiation));
    const result: HandshakeResult = {
      ...who,
      ...keysOf(noise, "responder", negotiation),
      isInitiator: false,
      ephemeral: handshakeName(message1),
    };
    if (!onAccepted(result)) return;
    const datagram = this.#datagram(message2, who);
    if (!who.isAddressProven && !guard.mayAnswer(who.address, datagram.length)) return;
    this.#send(datagram, who.address);
    onAnswered(result);
  }
}

function keysOf(
  noise: NoiseInitiator | NoiseResponder,
  role: "initiator" | "responder",
  negotiation: Agreement,
): Pick<HandshakeResult, "keys" | "sealed"> {
  const { handshakeHash } = noise;
  if (negotiation.kind === "compat") return { keys: deriveSessionKeys(handshakeHash, role) };
  return {
    keys: deriveSealedSessionId(handshakeHash),
    sealed: { peer: negotiation.peer, splitKeys: noise.splitKeys, handshakeHash },
  };
}

function halves(nodeId: bigint): { readonly low: number; readonly high: number } {
  return { low: lowHalf(nodeId), high: highHalf(nodeId) };
}
