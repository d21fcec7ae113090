/**
 * Whether this node itself may publish on a channel (`identity-and-channels.md` 13, features CH-05, TK-10):
 * its own announcement has the tags the channel demands, and where tokens are demanded its publish chain
 * holds.
 *
 * A node that is itself one of the channel's roots needs no chain: it could write one for itself at any time.
 */
import { equalBytes, NetError } from "../../base/mod.ts";
import type { ChannelConfig } from "../channel_config.ts";
import type { ChannelId } from "../channel_id.ts";
import { hasEvery } from "../membership/subscribe_decision.ts";
import { ChainStanding, type StandingMoment } from "./chain_standing.ts";

/** What is known of the publisher. */
export interface PublisherFacts {
  readonly entityId: Uint8Array;
  /** Tags it announces. */
  readonly tags: readonly string[];
  /** The chain to publish with; `undefined` when there is none. */
  readonly chain: Uint8Array | undefined;
}

/** Remembers for one channel that the publisher may; asked at every publish. */
export class PublisherGate {
  readonly #channel: ChannelId;
  readonly #config: ChannelConfig;
  #chain: Uint8Array | undefined;
  #standing: ChainStanding | undefined;

  constructor(channel: ChannelId, config: ChannelConfig) {
    this.#channel = channel;
    this.#config = config;
  }

  /**
   * Lets a publish pass.
   *
   * @throws NetError `not_allowed` when the publisher may not.
   */
  pass(facts: PublisherFacts, moment: StandingMoment): void {
    const { publishTags, requiresToken, tokenRoots } = this.#config;
    if (publishTags.length > 0 && !hasEvery(facts.tags, publishTags)) {
      this.#refuse("this node does not announce the tags the channel demands of publishers");
    }
    if (!requiresToken || tokenRoots.some((root) => equalBytes(root, facts.entityId))) return;
    if (facts.chain === undefined) this.#refuse("the channel demands a token to publish");
    if (facts.chain !== this.#chain) {
      this.#chain = facts.chain;
      this.#standing = ChainStanding.verify(facts.chain, {
        presenter: facts.entityId,
        action: "publish",
        channelHash: this.#channel.hash,
        roots: tokenRoots,
      }, moment);
    }
    if (this.#standing?.holds(moment) !== true) this.#refuse("its token is not valid for that");
  }

  #refuse(why: string): never {
    throw new NetError(
      "not_allowed",
      `publish denied by channel ACL: cannot publish on "${this.#channel.name}": ${why}`,
      { next: "give a token chain with net channel publish --token @FILE, or see net channel ls" },
    );
  }
}
