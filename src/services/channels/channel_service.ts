/**
 * The channel service: what this node publishes, and what its programs are subscribed to
 * (`identity-and-channels.md` 8 to 13).
 *
 * It runs the publisher's and the subscriber's side on one transport, tells others which channels there are,
 * and keeps their configurations over restarts. The rules are in `channel`.
 */
import { NetError, toNetError } from "../../base/mod.ts";
import {
  ADVERTISED_MAX,
  type ChannelConfig,
  type ChannelId,
  CHANNELS_PER_PEER_MAX,
  channelTag,
  decodeMembership,
  encodeMembership,
  type GatedChannel,
  type MembershipFault,
  OFFERED_MAX,
  offerHash,
  type PublishReport,
  SUBPROTOCOL_MEMBERSHIP,
  TAG_CHANNELS,
} from "../../channel/mod.ts";
import type { SubprotocolMessage } from "../../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet, MetricRegistry } from "../../observe/mod.ts";
import type {
  ChannelAnnouncements,
  ChannelMemory,
  ChannelParts,
  ChannelPolicies,
  ChannelTransport,
} from "./channel_deps.ts";
import type { MembershipAnswer } from "./asker.ts";
import { ChannelPublisher, type PublishOptions } from "./publisher.ts";
import { ChannelSubscriber } from "./subscriber.ts";
import type { ChannelSubscription, SubscribeOptions } from "./subscription.ts";

/** What {@linkcode ChannelService} needs. */
export interface ChannelServiceDeps extends Omit<ChannelParts, "transport"> {
  /** Its transport is asked for when the service starts. */
  readonly mesh: { readonly transport: ChannelTransport };
  readonly metrics: MetricRegistry;
  readonly memory: ChannelMemory;
  readonly announcements: ChannelAnnouncements;
  /** Told when channels or their reach have changed. */
  readonly onChannelsChanged?: () => void;
}

const STREAM_ID = BigInt(SUBPROTOCOL_MEMBERSHIP);
const SWEEP_MS = 5_000;
/**
 * The first event on a channel that nobody configured waits so long for those who wait for the channel: they
 * hear of it, ask and are let in within two round trips.
 */
const OPENING_MS = 150;

/** How a node treats what nobody configured, unless told otherwise. */
export const DEFAULT_CHANNEL_POLICIES: ChannelPolicies = {
  unregistered: "warn",
  defaultVisibility: "global",
  channelsPerPeerMax: CHANNELS_PER_PEER_MAX,
};

/** Channels of a node. */
export class ChannelService implements Service {
  readonly name = "channels";
  readonly #deps: ChannelServiceDeps;
  readonly #policies: ChannelPolicies;
  readonly #dropped: Record<MembershipFault, number> = {
    empty: 0,
    unknown_kind: 0,
    truncated: 0,
    trailing: 0,
    name: 0,
    text: 0,
  };
  #messages = 0;
  /** Channels and prefixes that stay over a restart. */
  readonly #kept = new Set<string>();
  /** Those that another service of this node runs: neither shown nor told of. */
  readonly #lent = new Set<string>();
  #stops: (() => void)[] = [];
  #publisher: ChannelPublisher | undefined;
  #subscriber: ChannelSubscriber | undefined;

  constructor(deps: ChannelServiceDeps, policies: ChannelPolicies = DEFAULT_CHANNEL_POLICIES) {
    this.#deps = deps;
    this.#policies = policies;
  }

  /** The publisher's side. */
  get publisher(): ChannelPublisher {
    return required(this.#publisher);
  }

  /** The subscriber's side. */
  get subscriber(): ChannelSubscriber {
    return required(this.#subscriber);
  }

  async start(): Promise<void> {
    const { announcements, clock, memory, metrics, mesh: { transport } } = this.#deps;
    this.#createSides({ ...this.#deps, transport });
    for (const config of await memory.readChannels()) {
      this.publisher.configure(config);
      this.#kept.add(config.name);
    }
    this.#advertise();
    this.#deps.onChannelsChanged?.();
    metrics.register("channel", () => this.counters());
    let cancelSweep = () => {};
    const sweep = () => {
      this.publisher.subscribers.sweep();
      cancelSweep = clock.after(SWEEP_MS, sweep);
    };
    cancelSweep = clock.after(SWEEP_MS, sweep);
    this.#stops = [
      () => cancelSweep(),
      transport.onMessage(SUBPROTOCOL_MEMBERSHIP, (message) => this.#receive(message)),
      transport.onPeerChange((peer, isConnected) => this.#onPeerChange(peer, isConnected)),
      announcements.onTags((nodeId, tags) => this.subscriber.onAnnouncement(nodeId, tags)),
    ];
    for (const peer of transport.connectedPeers()) this.subscriber.onPeerConnected(peer);
  }

  stop(): Promise<void> {
    this.#subscriber?.stop();
    for (const stop of this.#stops) stop();
    this.#stops = [];
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  // --- Channels --------------------------------------------------------------------------------

  /** Everything registered, and whether it stays over a restart. */
  channels(): { readonly config: ChannelConfig; readonly isKept: boolean }[] {
    return this.#shown().map((config) => ({ config, isKept: this.#kept.has(config.name) }));
  }

  /** Channels as gateways between subnets want to know them. */
  *gated(): Generator<GatedChannel, void, undefined> {
    for (const { id, config } of this.#publisher?.registry.exact() ?? []) {
      yield { hash: id.hash, visibility: config.visibility };
    }
  }

  /**
   * Registers a channel or prefix, now and over restarts, or changes its rules.
   *
   * @throws NetError `limit` when there are too many, `conflict` when another service runs it.
   */
  async create(config: ChannelConfig): Promise<void> {
    this.#requireOwn(config.name);
    this.publisher.configure(config);
    this.#kept.add(config.name);
    this.#onChanged([config]);
    await this.#deps.memory.writeChannel(config);
  }

  /**
   * Removes a channel or prefix; false when it was not there.
   *
   * @throws NetError `conflict` when another service runs it.
   */
  async remove(name: string): Promise<boolean> {
    this.#requireOwn(name);
    if (!this.publisher.remove(name)) return false;
    this.#onChanged([]);
    if (this.#kept.delete(name)) await this.#deps.memory.removeChannel(name);
    return true;
  }

  /** See {@linkcode ChannelPublisher.publish}. */
  publish(
    name: string,
    events: readonly Uint8Array[],
    options?: PublishOptions,
  ): Promise<PublishReport> {
    return this.publisher.publish(name, events, options);
  }

  /** See {@linkcode ChannelSubscriber.subscribe}. */
  subscribe(name: string, options?: SubscribeOptions): ChannelSubscription {
    return this.subscriber.subscribe(name, options);
  }

  /**
   * Asks a peer for a channel on behalf of another service, which takes its events off the stream itself and
   * repeats the request as it sees fit.
   *
   * @returns Gives the request up; `undefined` when too many wait.
   */
  ask(
    peer: bigint,
    channel: ChannelId,
    onAnswer: (answer: MembershipAnswer) => void,
  ): (() => void) | undefined {
    return this.subscriber.ask(peer, channel, onAnswer);
  }

  /** Tells a peer that such a channel is not wanted any more. */
  withdraw(peer: bigint, channel: ChannelId): void {
    this.subscriber.withdraw(peer, channel);
  }

  /**
   * Registers a channel or prefix that another service of this node runs: peers are let in by the same rules,
   * but it is not told of, and what is sent on it is that service's business.
   *
   * @returns Takes it away again.
   * @throws NetError `limit` when there are too many, `conflict` when it is registered already.
   */
  lend(config: ChannelConfig): () => void {
    const { name } = config;
    if (this.publisher.registry.get(name) !== undefined) {
      throw new NetError("conflict", `Cannot use channel "${name}": it is registered already`, {
        next: `remove it first with net channel rm ${name}`,
      });
    }
    this.publisher.configure(config);
    this.#lent.add(name);
    return () => {
      if (this.#lent.delete(name)) this.publisher.remove(name);
    };
  }

  /** Peers subscribed to a channel, this node left out. */
  *peersOn(name: string): Generator<bigint, void, undefined> {
    const { nodeId } = this.#deps.mesh.transport;
    for (const peer of this.#publisher?.subscribers.roster.get(name)?.byPeer.keys() ?? []) {
      if (peer !== nodeId) yield peer;
    }
  }

  #requireOwn(name: string): void {
    if (!this.#lent.has(name)) return;
    throw new NetError("conflict", `Cannot change channel "${name}": calls go over it`, {
      next: "choose another name, or end the service that is called",
    });
  }

  #shown(): ChannelConfig[] {
    return this.publisher.registry.values().filter(({ name }) => !this.#lent.has(name));
  }

  #createSides(parts: ChannelParts): void {
    const publisher = this.#publisher = new ChannelPublisher({
      ...parts,
      ownTags: () => this.#deps.announcements.ownTags(),
      localLink: (channel, isPatient) => subscriber.localLink(channel, isPatient),
      onOpened: (config) => {
        const told = this.#onChanged([config]);
        if (told === 0) return undefined;
        return new Promise((resolve) => void parts.clock.after(OPENING_MS, resolve));
      },
    }, this.#policies);
    const subscriber = this.#subscriber = new ChannelSubscriber({
      ...parts,
      onOwnWanted: (id, queueGroup, isWanted) => {
        if (isWanted) publisher.subscribers.addOwn(id, queueGroup);
        else publisher.subscribers.removeOwn(id.name);
      },
    });
  }

  // --- Others ----------------------------------------------------------------------------------

  #receive({ payload, from }: SubprotocolMessage): void {
    this.#messages += 1;
    const decoded = decodeMembership(payload);
    if (!decoded.ok) {
      this.#dropped[decoded.fault] += 1;
      return;
    }
    const { message } = decoded;
    const { subscribers } = this.publisher;
    switch (message.kind) {
      case "subscribe":
        return subscribers.onSubscribe(from, message);
      case "unsubscribe":
        return subscribers.onUnsubscribe(from, message.nonce, message.channel);
      case "ack":
        return this.subscriber.onAck(from, message.nonce, message.isAccepted, message.reason);
      case "offer":
        return this.subscriber.onOffer(from, message.hashes);
    }
  }

  #onPeerChange(peer: bigint, isConnected: boolean): void {
    const { mesh: { transport }, clock } = this.#deps;
    const { subscribers } = this.publisher;
    if (isConnected) {
      this.subscriber.onPeerConnected(peer);
      const offered = this.#offered();
      if (offered.length > ADVERTISED_MAX) this.#offer([peer], offered);
      return;
    }
    // A session that took another one's place is told of as lost and there again in one go.
    clock.soon(() => {
      const isGone = !transport.connectedPeers().includes(peer);
      if (isGone) subscribers.onPeerLost(peer);
      else subscribers.onPeerReplaced(peer);
      if (isGone) this.subscriber.onPeerLost(peer, true);
    });
    this.subscriber.onPeerLost(peer, false);
  }

  /** Channels were added, or taken away; says how many peers were told at once. */
  #onChanged(added: readonly ChannelConfig[]): number {
    this.#advertise();
    this.#deps.onChannelsChanged?.();
    if (added.length === 0) return 0;
    // Peers that know what to do with it need not wait for the next announcement.
    const peers = this.#deps.mesh.transport.connectedPeers().filter((peer) =>
      this.#deps.facts.isOurs(peer)
    );
    this.#offer(peers, added.map(({ name }) => offerHash(name)));
    return peers.length;
  }

  #offered(): bigint[] {
    return this.#shown().map(({ name }) => offerHash(name));
  }

  #offer(peers: readonly bigint[], hashes: readonly bigint[]): void {
    for (let start = 0; start < hashes.length; start += OFFERED_MAX) {
      const part = hashes.slice(start, start + OFFERED_MAX);
      const bytes = encodeMembership({ kind: "offer", hashes: part });
      for (const peer of peers) {
        if (!this.#deps.facts.isOurs(peer)) continue;
        this.#deps.mesh.transport.sendMessage(peer, SUBPROTOCOL_MEMBERSHIP, STREAM_ID, bytes);
      }
    }
  }

  /** Says in the announcement which channels there are, as many as fit. */
  #advertise(): void {
    const { announcements, log } = this.#deps;
    const tags = this.#offered().map(channelTag);
    for (let count = Math.min(tags.length, ADVERTISED_MAX);; count = Math.floor(count / 2)) {
      try {
        announcements.setTags([TAG_CHANNELS, ...tags.slice(0, count)]);
        return;
      } catch (error) {
        const isTooLong = error instanceof NetError && error.code === "limit";
        if (!isTooLong) throw error;
        log.warn("channels_not_advertised", {
          count,
          reason: toNetError(error, "Cannot announce").message,
        });
        if (count === 0) return;
      }
    }
  }

  /** All counters of channels. */
  counters(): CounterSet {
    const { publisher, subscriber } = this;
    const { refused, ...membership } = publisher.subscribers.counters;
    const guard = publisher.subscribers.guard.counters;
    const named = (prefix: string, counts: Readonly<Record<string, number>>) =>
      Object.fromEntries(
        Object.entries(counts).map(([name, count]) => [`${prefix}_${name}_total`, count]),
      );
    return {
      membership_messages_total: this.#messages,
      ...named("drop_membership", this.#dropped),
      ...named("subscribe_refused", refused),
      ...membership,
      ...publisher.counters,
      ...subscriber.counters,
      drop_reader_slow_total: subscriber.counters.drop_reader_slow_total +
        subscriber.readersDropped,
      drop_guard_full_total: guard.drop_full_total,
      registered: publisher.registry.size,
      subscribers: publisher.subscribers.roster.size,
      attachments: subscriber.attachments,
      readers: subscriber.readers,
    };
  }
}

function required<T>(side: T | undefined): T {
  if (side !== undefined) return side;
  throw new NetError("not_ready", "Cannot use channels: the node has not started them");
}
