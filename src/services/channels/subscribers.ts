/**
 * The peers that are let in to this node's channels, and those that are not (`identity-and-channels.md` 10 to
 * 12): decides on requests, keeps roster and AuthGuard together, and forgets who is gone.
 */
import { idToHex, RateTable } from "../../base/mod.ts";
import {
  AckReason,
  AuthDomain,
  AuthGuard,
  AuthVerdict,
  CHAIN_RATE,
  ChainStanding,
  type ChannelId,
  type ChannelRegistry,
  type ChannelRoster,
  decideSubscribe,
  encodeMembership,
  LEASE_MS,
  RefusalThrottle,
  Roster,
  type RosterMember,
  type StandingMoment,
  type StandingQuestion,
  SUBPROTOCOL_MEMBERSHIP,
  type SubscribeMessage,
  type SubscribeRefusal,
  type SubscriberLink,
  type Subscription,
  THROTTLED_PEERS_MAX,
  type Visibility,
} from "../../channel/mod.ts";
import { isReplyChannel } from "../../rpc/mod.ts";
import type { ChannelParts, ChannelPolicies } from "./channel_deps.ts";
import { StreamLink } from "./stream_link.ts";

/** Counters of who was let in. */
export interface SubscriberCounters {
  subscribes_accepted_total: number;
  unsubscribes_total: number;
  /** Members that lost what had let them in. */
  members_fallen_total: number;
  /** Members of our kind that did not renew. */
  members_lapsed_total: number;
  throttles_total: number;
  readonly refused: Record<SubscribeRefusal | "chain_rate" | "roster_full", number>;
}

/** What {@linkcode Subscribers} needs beside the shared parts. */
export interface SubscribersDeps extends ChannelParts {
  readonly registry: ChannelRegistry;
}

const STREAM_ID = BigInt(SUBPROTOCOL_MEMBERSHIP);
/** After its session was replaced, a node of ours has so long to renew. */
const REPLACED_LEASE_MS = 10_000;

/** One peer on one channel of this node. */
export type ChannelMember = RosterMember<SubscriberLink>;

/** Subscribers of all channels of this node. */
export class Subscribers {
  readonly counters = createCounters();
  readonly roster = new Roster<SubscriberLink>();
  readonly guard = new AuthGuard();
  readonly #deps: SubscribersDeps;
  readonly #policies: ChannelPolicies;
  readonly #throttle = new RefusalThrottle();
  readonly #verifications = new RateTable(CHAIN_RATE, THROTTLED_PEERS_MAX);
  /** Peers of ours whose session was replaced, and when. */
  readonly #replaced = new Map<bigint, number>();

  constructor(deps: SubscribersDeps, policies: ChannelPolicies) {
    this.#deps = deps;
    this.#policies = policies;
  }

  /** What the clock and the revocations say now. */
  moment(): StandingMoment {
    const { clock, tokens } = this.#deps;
    return { nowSeconds: Math.floor(clock.wallMs() / 1_000), revocations: tokens.revocations };
  }

  /** Whether a member may still get events of the channel; asked for every publish. */
  isEntitled(
    roster: ChannelRoster<SubscriberLink>,
    member: ChannelMember,
    visibility: Visibility,
    moment: StandingMoment,
  ): boolean {
    const { standing, channel } = member;
    const { revoked_total } = this.guard.counters;
    if (member.revocationsSeen !== revoked_total) {
      const { peerLow, peerHigh } = member;
      const { hashLow, hashHigh } = roster;
      const verdict = this.guard.check(AuthDomain.NodeId, peerLow, peerHigh, hashLow, hashHigh);
      if (verdict !== AuthVerdict.Allowed) return false;
      member.revocationsSeen = revoked_total;
    }
    if (visibility !== "global" && member.peer !== this.#deps.transport.nodeId) {
      if (!this.#deps.reach.isVisible(visibility, member.peer, channel.hash)) return false;
    }
    return standing === undefined || standing.holds(moment);
  }

  /** A member may get no more events; a node of ours asks again when its stream ends, and hears so. */
  onFallen({ channel, peer, link }: ChannelMember): void {
    this.counters.members_fallen_total += 1;
    this.#deps.log.info("subscriber_removed", { channel: channel.name, peer: idToHex(peer) });
    if (link instanceof StreamLink && this.#deps.facts.isOurs(peer)) link.abort();
    this.#remove(channel.name, peer);
  }

  /** A peer wants the events of a channel. */
  onSubscribe(peer: bigint, message: SubscribeMessage): void {
    const now = this.#deps.clock.now();
    const { channel, queueGroup } = message;
    const { facts, reach, registry } = this.#deps;
    const moment = this.moment();
    const member = this.roster.get(channel.name)?.byPeer.get(peer);
    let isTooFast = false;
    const verify = (chain: Uint8Array, question: StandingQuestion): ChainStanding | undefined => {
      const known = member?.standing;
      if (known?.isOf(chain, question)) return known.holds(moment) ? known : undefined;
      isTooFast = !this.#verifications.take(peer, now);
      return isTooFast ? undefined : ChainStanding.verify(chain, question, moment);
    };
    const decision = decideSubscribe<ChainStanding>(message, {
      isThrottled: this.#throttle.isThrottled(peer, now),
      isSubscribed: member !== undefined,
      channels: this.roster.channelsOf(peer),
      channelsMax: this.#policies.channelsPerPeerMax,
      registry,
      unregistered: this.#policies.unregistered,
      isVisible: ({ visibility }) => reach.isVisible(visibility, peer, channel.hash),
      entityId: facts.entityOf(peer),
      originHash: facts.originHashOf(peer),
      hasTokens: true,
      tags: facts.tagsOf(peer),
      verifyChain: (chain, { presenter, hash: channelHash, roots }) =>
        verify(chain, { presenter, action: "subscribe", channelHash, roots }),
    });
    if (isTooFast) {
      this.counters.refused.chain_rate += 1;
      this.#acknowledge(peer, message.nonce, AckReason.RateLimited);
      return;
    }
    if (!decision.isAccepted) {
      this.counters.refused[decision.refusal] += 1;
      // What the throttle itself and a full list answer says nothing about who asks, nor does it that somebody
      // looks for a service that is not here, or not yet.
      const isNamesake = decision.refusal === "unknown_channel" && isReplyChannel(channel.name);
      if (
        decision.refusal !== "throttled" && decision.refusal !== "too_many_channels" && !isNamesake
      ) {
        if (this.#throttle.onRefused(peer, now)) this.counters.throttles_total += 1;
      }
      this.#acknowledge(peer, message.nonce, decision.reason);
      return;
    }
    const { standing } = decision;
    if (!this.#letIn({ channel, peer, queueGroup, standing }, now)) {
      this.counters.refused.roster_full += 1;
      this.#acknowledge(peer, message.nonce, AckReason.TooManyChannels);
      return;
    }
    this.#throttle.onAccepted(peer);
    this.#replaced.delete(peer);
    this.counters.subscribes_accepted_total += 1;
    this.#acknowledge(peer, message.nonce, AckReason.Ok);
  }

  /** A peer wants no more events of a channel; always granted. */
  onUnsubscribe(peer: bigint, nonce: bigint, channel: ChannelId): void {
    if (this.#remove(channel.name, peer)) this.counters.unsubscribes_total += 1;
    this.#acknowledge(peer, nonce, AckReason.Ok);
  }

  /** A peer's session was lost, or replaced by another one. */
  onPeerLost(peer: bigint): void {
    for (const { channel } of this.roster.removePeer(peer)) {
      this.guard.revoke(AuthDomain.NodeId, peer, channel.name);
    }
    this.#replaced.delete(peer);
  }

  /**
   * A peer has another session in place of the old one. What it subscribed to holds; a node of ours says so
   * again at once, or has restarted and knows nothing of it.
   */
  onPeerReplaced(peer: bigint): void {
    if (this.roster.channelsOf(peer) === 0 || !this.#deps.facts.isOurs(peer)) return;
    this.#replaced.set(peer, this.#deps.clock.now());
  }

  /** To be called every few seconds: puts out who lost what had let them in, and who did not renew. */
  sweep(): void {
    const { clock, facts, transport } = this.#deps;
    const now = clock.now();
    const moment = this.moment();
    this.#throttle.sweep(now);
    for (const { channel, byPeer } of [...this.roster.values()]) {
      for (const member of [...byPeer.values()]) {
        const { peer, renewedAt, standing } = member;
        if (standing !== undefined && !standing.holds(moment)) {
          this.onFallen(member);
          continue;
        }
        const replacedAt = this.#replaced.get(peer);
        const isLate = now - renewedAt > LEASE_MS ||
          (replacedAt !== undefined && renewedAt < replacedAt &&
            now - replacedAt > REPLACED_LEASE_MS);
        // Programs of this machine and nodes of the Rust core never renew.
        if (!isLate || peer === transport.nodeId || !facts.isOurs(peer)) continue;
        this.counters.members_lapsed_total += 1;
        this.#remove(channel.name, peer);
      }
    }
    for (const [peer, replacedAt] of this.#replaced) {
      if (now - replacedAt > REPLACED_LEASE_MS) this.#replaced.delete(peer);
    }
  }

  /** Puts a peer on the list and lets the guard know. */
  #letIn(subscription: Subscription, now: number): boolean {
    const { channel, peer } = subscription;
    if (!this.guard.allow(AuthDomain.NodeId, peer, channel)) return false;
    const outcome = this.roster.add(subscription, now);
    if (outcome !== "full") return true;
    if (!this.roster.get(channel.name)?.byPeer.has(peer)) {
      this.guard.revoke(AuthDomain.NodeId, peer, channel.name);
    }
    return false;
  }

  #remove(name: string, peer: bigint): boolean {
    const member = this.roster.remove(name, peer);
    if (member === undefined) return false;
    this.guard.revoke(AuthDomain.NodeId, peer, name);
    if (member.link instanceof StreamLink) member.link.release();
    return true;
  }

  /**
   * The rules of a channel changed: peers have to ask again, which a node of ours does as soon as its stream
   * ends. Programs of this machine stay.
   */
  onRulesChanged(name: string): void {
    for (const member of [...this.roster.get(name)?.byPeer.values() ?? []]) {
      if (member.link instanceof StreamLink) member.link.abort();
      member.link = undefined;
      if (member.peer !== this.#deps.transport.nodeId) this.#remove(name, member.peer);
    }
  }

  /** Programs of this machine want a channel: they are its subscribers like any peer. */
  addOwn(channel: ChannelId, queueGroup: string | undefined): void {
    const peer = this.#deps.transport.nodeId;
    const subscription = { channel, peer, queueGroup, standing: undefined };
    this.#letIn(subscription, this.#deps.clock.now());
  }

  /** They want it no more. */
  removeOwn(name: string): void {
    this.#remove(name, this.#deps.transport.nodeId);
  }

  #acknowledge(peer: bigint, nonce: bigint, reason: AckReason): void {
    const isAccepted = reason === AckReason.Ok;
    const bytes = encodeMembership({ kind: "ack", nonce, isAccepted, reason });
    this.#deps.transport.sendMessage(peer, SUBPROTOCOL_MEMBERSHIP, STREAM_ID, bytes);
  }
}

function createCounters(): SubscriberCounters {
  return {
    subscribes_accepted_total: 0,
    unsubscribes_total: 0,
    members_fallen_total: 0,
    members_lapsed_total: 0,
    throttles_total: 0,
    refused: {
      throttled: 0,
      too_many_channels: 0,
      unregistered: 0,
      unknown_channel: 0,
      subnet: 0,
      origin: 0,
      no_tokens: 0,
      identity: 0,
      queue_group: 0,
      tags: 0,
      chain: 0,
      chain_rate: 0,
      roster_full: 0,
    },
  };
}
