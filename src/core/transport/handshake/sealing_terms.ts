/**
 * What this node says of itself in handshakes, what it asks of others, and whether the two agree
 * (`sealed.md` 2).
 */
import {
  encodeMessage1Payload,
  encodeSealedBlock,
  judgeNegotiation,
  type NegotiationResult,
  type SealedBlock,
  type SealedBlockReading,
} from "../../crypto/mod.ts";
import type { SealingOptions, SealingPolicy } from "./handshake_types.ts";
import type { SessionForm } from "../types.ts";

/** Who makes the terms. */
export interface SealingTermsOptions {
  readonly nodeId: bigint;
  /** Public key of this node's Noise static pair. */
  readonly noisePublicKey: Uint8Array;
  /** Left out, every session is compat. */
  readonly sealing?: SealingOptions;
}

/** A negotiation that did not fail. */
export type Agreement = Exclude<NegotiationResult, { readonly kind: "failed" }>;

const NO_PAYLOAD = new Uint8Array(0);
const ANYBODY: SealingPolicy = { isRequired: false };

/** The terms of one node. */
export class SealingTerms {
  readonly #options: SealingTermsOptions;

  constructor(options: SealingTermsOptions) {
    this.#options = options;
  }

  /** True when no compat session with that node is acceptable. */
  isRequired(nodeId: bigint): boolean {
    return this.#policyOf(nodeId).isRequired;
  }

  /** What message 1 to that node says. */
  message1Payload(nodeId: bigint, form: SessionForm): Uint8Array {
    if (form === "direct") return NO_PAYLOAD;
    return encodeMessage1Payload(this.#options.nodeId, this.#block(nodeId));
  }

  /** What message 2 to that node says. */
  message2Payload(nodeId: bigint, agreement: Agreement): Uint8Array {
    const block = agreement.kind === "compat" ? undefined : this.#block(nodeId);
    return block === undefined ? NO_PAYLOAD : encodeSealedBlock(block);
  }

  /**
   * Judges what a node said of itself.
   *
   * @param dialledNoiseKey The static key it was dialled by, if it was.
   */
  judge(
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

  #policyOf(nodeId: bigint): SealingPolicy {
    return this.#options.sealing?.policyOf(nodeId) ?? ANYBODY;
  }

  #block(nodeId: bigint): SealedBlock | undefined {
    const { sealing, noisePublicKey } = this.#options;
    if (sealing === undefined) return undefined;
    return { isRequired: this.isRequired(nodeId), entityId: sealing.entityId, noisePublicKey };
  }
}
