/**
 * Who sends which identity proof when, and from when on a sealed session may carry data
 * (`sealed.md` 3).
 *
 * Pure: time and messages are handed in, messages to send come out. The initiator repeats, the
 * responder only answers; so a responder never sends more than message 2 and one proof to somebody
 * who has not shown that it holds the session's keys.
 */
import { equalBytes } from "../../../base/mod.ts";
import type { Identity } from "../identity.ts";
import type { SessionRole } from "../session_keys.ts";
import {
  checkProof,
  encodeProof,
  type IdentityProof,
  oppositeRole,
  type ProofFault,
  type ProofSubject,
  signProof,
} from "./proof.ts";

/** Milliseconds between two proofs of the initiator. */
export const PROOF_REPEAT_MS = 250;
/** Milliseconds after message 2 in which the peer has to prove itself. */
export const PROOF_TIMEOUT_MS = 5_000;

/** How far a session is. */
export type ProofState =
  /** The peer is nobody yet. */
  | "pending"
  /** Responder only: the peer has proven itself, but may not yet have seen our proof. */
  | "proven"
  /** Both have proven themselves: data may flow. */
  | "open"
  /** The session has to end. */
  | "failed";

/** Why an exchange fails. */
export type ProofFailure = ProofFault | "timeout";

/** Options of {@linkcode ProofExchange}. */
export interface ProofExchangeOptions {
  /** Our own role in the handshake. */
  readonly role: SessionRole;
  readonly identity: Pick<Identity, "entityId" | "sign">;
  readonly handshakeHash: Uint8Array;
  /** Entity id in the peer's block. */
  readonly peerEntityId: Uint8Array;
  /** Our reset tag for this session, 16 bytes. */
  readonly resetTag: Uint8Array;
  /** When message 2 was written or read, milliseconds. */
  readonly now: number;
}

/**
 * The exchange of one session. Every method that returns bytes means: send these as one message of
 * subprotocol 0x2200.
 */
export class ProofExchange {
  readonly #isInitiator: boolean;
  readonly #deadline: number;
  #state: ProofState = "pending";
  #failure: ProofFailure | undefined;
  #repeatAt: number;
  readonly #proofs: Proofs;

  /** @throws RangeError when hash, entity id or tag has a wrong length. */
  constructor(options: ProofExchangeOptions) {
    const { role, identity, handshakeHash, peerEntityId, resetTag, now } = options;
    const { entityId } = identity;
    this.#isInitiator = role === "initiator";
    const subject = { role, handshakeHash, entityId, peerEntityId };
    this.#proofs = {
      ours: { role, resetTag, signature: signProof(identity, subject) },
      theirs: {
        role: oppositeRole(role),
        handshakeHash,
        entityId: peerEntityId,
        peerEntityId: entityId,
      },
      verified: undefined,
    };
    this.#deadline = now + PROOF_TIMEOUT_MS;
    this.#repeatAt = now + PROOF_REPEAT_MS;
  }

  get state(): ProofState {
    return this.#state;
  }

  /** Why the state is `failed`. */
  get failure(): ProofFailure | undefined {
    return this.#failure;
  }

  /** True when the peer's identity is verified, whether or not data may flow. */
  get isPeerProven(): boolean {
    return this.#state === "proven" || this.#state === "open";
  }

  /** The tag that a RESET of the peer must carry; `undefined` before its proof. */
  get peerResetTag(): Uint8Array | undefined {
    return this.#proofs.verified?.resetTag;
  }

  /** When {@linkcode ProofExchange.tick} has something to do; `undefined` when it never will. */
  get nextTickAt(): number | undefined {
    if (this.#state === "proven") return this.#lastDeadline;
    if (this.#state !== "pending") return undefined;
    return this.#isInitiator ? Math.min(this.#repeatAt, this.#deadline) : this.#deadline;
  }

  /** The first proof; sent right after message 2 was written or read. */
  start(): Uint8Array {
    return encode(this.#proofs);
  }

  /**
   * Takes a proof that came on the session.
   *
   * @returns Our answer, if there is one. Look at the state afterwards.
   */
  onProof(proof: IdentityProof): Uint8Array | undefined {
    const proofs = this.#proofs;
    if (this.#state === "failed") return undefined;
    // Later copies are compared, not verified: a signature costs, and honest ones never change.
    if (proofs.verified === undefined || !isSame(proofs.verified, proof)) {
      const fault = checkProof(proof, proofs.theirs);
      if (fault !== undefined) {
        this.#fail(fault);
        return undefined;
      }
      proofs.verified ??= proof;
    }
    if (this.#isInitiator) {
      if (!proof.isAck || this.#state === "open") return undefined;
      this.#state = "open";
      // Tells the responder that it has its answer; if this is lost, the next packet does.
      return encode(proofs);
    }
    if (proof.isAck) this.#state = "open";
    else if (this.#state === "pending") this.#state = "proven";
    return encode(proofs);
  }

  /**
   * Notes an authentic packet of another kind: an initiator sends such only once it has our proof.
   *
   * @returns False when the packet has to be dropped because the peer is not proven yet.
   */
  onOtherPacket(): boolean {
    if (this.#state === "proven") this.#state = "open";
    return this.#state === "open";
  }

  /** Does what time asks for: repeats the initiator's proof, or gives up. */
  tick(now: number): Uint8Array | undefined {
    // An initiator that proved itself and fell silent would stay half open for ever.
    if (this.#state === "proven" && now >= this.#lastDeadline) this.#fail("timeout");
    if (this.#state !== "pending") return undefined;
    if (now >= this.#deadline) {
      this.#fail("timeout");
      return undefined;
    }
    if (!this.#isInitiator || now < this.#repeatAt) return undefined;
    this.#repeatAt = now + PROOF_REPEAT_MS;
    return encode(this.#proofs);
  }

  /**
   * True when the exchange is done with: both are proven, and nobody repeats a proof after it would have
   * timed out. All that is left of it then is the peer's reset tag.
   */
  isOver(now: number): boolean {
    return this.#state === "open" && (this.#isInitiator || now >= this.#deadline);
  }

  /** Our answer to its last proof may reach the initiator at its own deadline, and has to be answered. */
  get #lastDeadline(): number {
    return this.#deadline + PROOF_TIMEOUT_MS;
  }

  #fail(failure: ProofFailure): void {
    this.#state = "failed";
    this.#failure = failure;
  }
}

/** The two proofs of an exchange. */
interface Proofs {
  readonly ours: Omit<IdentityProof, "isAck">;
  readonly theirs: ProofSubject;
  /** The peer's proof once it was verified. */
  verified: IdentityProof | undefined;
}

function encode({ ours, verified }: Proofs): Uint8Array {
  return encodeProof({ ...ours, isAck: verified !== undefined });
}

function isSame(left: IdentityProof, right: IdentityProof): boolean {
  return left.role === right.role && equalBytes(left.signature, right.signature) &&
    equalBytes(left.resetTag, right.resetTag);
}
