/**
 * A token chain that let somebody in, looked at again whenever something is sent on the strength of it
 * (`identity-and-channels.md` 6 and 13, feature CH-13).
 *
 * Signatures don't change and are not verified again. What can change is the second, the revocation floors
 * and the channel's roots, so that between two changes the last verdict holds: at full rate a look costs a
 * few comparisons.
 */
import { equalBytes } from "../../base/mod.ts";
import {
  encodeTokenChain,
  recheckTokenChain,
  type RevocationCheck,
  type TokenAction,
  type TokenChain,
  verifyTokenChain,
} from "../token/mod.ts";

/** Floors that can be seen to have changed. */
export interface RevocationFloors extends RevocationCheck {
  /** Grows with every floor that is raised. */
  readonly revision: number;
}

/** What the present says; the same for everything sent in one go. */
export interface StandingMoment {
  /** Unix seconds, whole. */
  readonly nowSeconds: number;
  readonly skewSeconds?: number;
  readonly revocations: RevocationFloors;
}

/** What a chain was good for. */
export interface StandingQuestion {
  readonly presenter: Uint8Array;
  readonly action: TokenAction;
  readonly channelHash: bigint;
  readonly roots: readonly Uint8Array[];
}

/** A chain whose signatures hold. */
export class ChainStanding {
  readonly #chain: TokenChain;
  readonly #question: StandingQuestion;
  #checkedSeconds: number;
  #checkedRevision: number;
  #holds = true;

  private constructor(chain: TokenChain, question: StandingQuestion, moment: StandingMoment) {
    this.#chain = chain;
    this.#question = question;
    this.#checkedSeconds = moment.nowSeconds;
    this.#checkedRevision = moment.revocations.revision;
  }

  /** Verifies a chain, signatures and all; `undefined` when it proves nothing of the kind. */
  static verify(
    bytes: Uint8Array,
    question: StandingQuestion,
    moment: StandingMoment,
  ): ChainStanding | undefined {
    const verdict = verifyTokenChain(bytes, { ...question, ...moment });
    return verdict.ok ? new ChainStanding(verdict.chain, question, moment) : undefined;
  }

  /** Whether this is the same chain for the same question, so that its signatures hold. */
  isOf(bytes: Uint8Array, question: StandingQuestion): boolean {
    const { presenter, action, channelHash, roots } = this.#question;
    return equalBytes(encodeTokenChain(this.#chain), bytes) && action === question.action &&
      channelHash === question.channelHash && equalBytes(presenter, question.presenter) &&
      roots === question.roots;
  }

  /** Whether the chain still proves it. */
  holds(moment: StandingMoment): boolean {
    const { nowSeconds, revocations } = moment;
    if (nowSeconds === this.#checkedSeconds && revocations.revision === this.#checkedRevision) {
      return this.#holds;
    }
    this.#checkedSeconds = nowSeconds;
    this.#checkedRevision = revocations.revision;
    this.#holds = recheckTokenChain(this.#chain, { ...this.#question, ...moment }).ok;
    return this.#holds;
  }
}
