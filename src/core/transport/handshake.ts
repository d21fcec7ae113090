/**
 * Handshakes in both roles and both forms (`wire.md` 4).
 *
 * A packet is tried as the answer to an attempt of ours first, on a copy, then as somebody's first
 * message; so crossing attempts and forged answers cannot spoil one. Everything that fails is dropped
 * without an answer and counted.
 */

import type { Clock } from "../../base/mod.ts";
import { highHalf, idToHex, lowHalf, NetError } from "../../base/mod.ts";
import {
  createNoiseInitiator,
  createNoiseResponder,
  decodeMessage1Payload,
  decodeSealedBlock,
  deriveSealedSessionId,
  deriveSessionKeys,
  encodeMessage1Payload,
  encodeSealedBlock,
  handshakePrologue,
  judgeNegotiation,
  negotiationError,
  type NegotiationFault,
  type NegotiationResult,
  type NoiseInitiator,
  type NoiseKeyPair,
  type NoiseResponder,
  type SealedBlock,
  type SealedBlockReading,
  type SessionKeys,
  type SplitKeys,
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

/** What a sealed session is made from (`sealed.md` 2). */
export interface SealedHandshake {
  /** What the peer says of itself; believed only after its proof. */
  readonly peer: SealedBlock;
  /** Consumed by the session. */
  readonly splitKeys: SplitKeys;
  readonly handshakeHash: Uint8Array;
}

/** Id of a session, and its keys if it is a compat one. */
export type HandshakeKeys =
  & Pick<SessionKeys, "sessionIdLow" | "sessionIdHigh" | "noncePrefix">
  & Partial<Pick<SessionKeys, "sendKey" | "receiveKey">>;

/** Outcome of a completed handshake. */
export interface HandshakeResult {
  readonly nodeId: bigint;
  readonly keys: HandshakeKeys;
  /** Set when both sides agreed on a sealed session. */
  readonly sealed?: SealedHandshake;
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
  readonly finish: (outcome: HandshakeResult | NetError | Promise<HandshakeResult>) => void;
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

/** Who this node is on sealed sessions, and what it asks of others. */
export interface SealingOptions {
  readonly entityId: Uint8Array;
  /** What is known of a node; an unknown one may be anybody and seal or not. */
  readonly policyOf: (nodeId: bigint) => SealingPolicy;
}

/** What is asked of one node. */
export interface SealingPolicy {
  readonly knownEntityId?: Uint8Array;
  /** No compat session with it is acceptable. */
  readonly isRequired: boolean;
}

const ANYBODY: SealingPolicy = { isRequired: false };
const ABSENT: SealedBlockReading = { kind: "absent" };

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
    const { isRequired } = this.#policyOf(target.nodeId);
    if (target.form === "direct" && isRequired) {
      return Promise.reject(negotiationError(target.nodeId, "not_supported"));
    }
    const noise = createNoiseInitiator({
      prologue: handshakePrologue(this.#routingId, lowHalf(target.nodeId)),
      psk: this.#options.meshSecret,
      responderStatic: target.noisePublicKey,
    });
    const message = noise.writeMessage1(this.#message1Payload(target.form, isRequired));
    const forget = this.#remember(target, {
      target,
      noise,
      ephemeral: message.subarray(0, EPHEMERAL_BYTES).toHex(),
      finish: (outcome) => {
        cancel();
        forget();
        if (outcome instanceof Promise) {
          // Message 2 is here; from now on only the proof, which has its own patience, can fail.
          outcome.then(resolve, reject).finally(() => {
            signal?.removeEventListener("abort", onAbort);
          });
          return;
        }
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
      if (this.#policyOf(nodeId).isRequired) continue;
      const noise = this.#responder(lowHalf(nodeId));
      if (noise.readMessage1(message) === undefined) continue;
      const who = { nodeId, form: "direct", address: from, isRelayed: false } as const;
      this.#answer(noise, message, who, { kind: "compat" });
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
    const negotiation = this.#judge(nodeId, message1.reading);
    if (negotiation.kind === "failed") {
      counters.drop_handshake_negotiation_total += 1;
      this.#deps.onNegotiationFailed(nodeId, negotiation.fault);
      return;
    }
    const who = { nodeId, form: "routed", address: from, isRelayed } as const;
    this.#answer(noise, message, who, negotiation);
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
    const payload = attempt.noise.readMessage2(message)?.payload;
    if (payload === undefined) return false;
    const { target, noise } = attempt;
    const reading = target.form === "routed" ? decodeSealedBlock(payload) : ABSENT;
    const negotiation = this.#judge(target.nodeId, reading, target.noisePublicKey);
    if (negotiation.kind === "failed") {
      this.#deps.counters.drop_handshake_negotiation_total += 1;
      attempt.finish(negotiationError(target.nodeId, negotiation.fault));
      return true;
    }
    this.#deps.counters.handshakes_completed_total += 1;
    const result: HandshakeResult = {
      nodeId: target.nodeId,
      ...keysOf(noise, "initiator", negotiation),
      isInitiator: true,
      ephemeral: attempt.ephemeral,
      form: target.form,
      address: from,
      isRelayed,
    };
    const proven = this.#deps.onInitiated(result);
    attempt.finish(proven === undefined ? result : proven.then(() => result));
    return true;
  }

  #message1Payload(form: SessionForm, isRequired: boolean): Uint8Array {
    const { nodeId, noiseKeys, sealing } = this.#options;
    if (form === "direct") return NO_PAYLOAD;
    if (sealing === undefined) return nodeIdBytes(nodeId);
    const { entityId } = sealing;
    return encodeMessage1Payload(nodeId, {
      isRequired,
      entityId,
      noisePublicKey: noiseKeys.publicKey,
    });
  }

  #policyOf(nodeId: bigint): SealingPolicy {
    return this.#options.sealing?.policyOf(nodeId) ?? ANYBODY;
  }

  #judge(
    nodeId: bigint,
    reading: SealedBlockReading,
    dialledNoiseKey?: Uint8Array,
  ): NegotiationResult {
    const { sealing } = this.#options;
    if (sealing === undefined) return { kind: "compat" };
    const ownEntityId = sealing.entityId;
    const policy = sealing.policyOf(nodeId);
    return judgeNegotiation(reading, { nodeId, ownEntityId, dialledNoiseKey, ...policy });
  }

  #answer(
    noise: NoiseResponder,
    message1: Uint8Array,
    who: Pick<HandshakeResult, "nodeId" | "form" | "address" | "isRelayed">,
    negotiation: Agreement,
  ): void {
    const { noiseKeys, sealing } = this.#options;
    const message2 = noise.writeMessage2(
      negotiation.kind === "compat" || sealing === undefined ? NO_PAYLOAD : encodeSealedBlock({
        isRequired: this.#policyOf(who.nodeId).isRequired,
        entityId: sealing.entityId,
        noisePublicKey: noiseKeys.publicKey,
      }),
    );
    const result: HandshakeResult = {
      ...who,
      ...keysOf(noise, "responder", negotiation),
      isInitiator: false,
      ephemeral: message1.subarray(0, EPHEMERAL_BYTES).toHex(),
    };
    if (!this.#deps.onAccepted(result)) return;
    this.#deps.counters.handshakes_completed_total += 1;
    const relayTo = who.form === "routed" ? halves(who.nodeId) : undefined;
    this.#deps.sender.sendHandshake(message2, { address: who.address, relayTo }, HANDSHAKE_TTL);
    this.#deps.onAnswered(result);
  }
}

/** A negotiation that did not fail. */
type Agreement = Exclude<NegotiationResult, { readonly kind: "failed" }>;

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

function nodeIdBytes(nodeId: bigint): Uint8Array {
  const bytes = new Uint8Array(NODE_ID_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, nodeId, true);
  return bytes;
}
