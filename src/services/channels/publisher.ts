/**
 * The publisher's side of channels: what this node sends to whom (`identity-and-channels.md` 9 and 13). Who is
 * let in is `subscribers.ts`.
 */
import { NetError } from "../../base/mod.ts";
import {
  type ChannelConfig,
  type ChannelId,
  ChannelRegistry,
  CHANNELS_MAX,
  createChannelConfig,
  type FailurePolicy,
  FanOut,
  INFLIGHT_MAX,
  type PublishReport,
  PublishTally,
  requireChannelId,
  type StandingMoment,
  type SubscriberLink,
} from "../../channel/mod.ts";
import { MAX_EVENT_BYTES } from "../../core/transport/mod.ts";
import type { ChannelParts, ChannelPolicies } from "./channel_deps.ts";
import { PublishedChannel } from "./published_channel.ts";
import { StreamLink } from "./stream_link.ts";
import { type ChannelMember, Subscribers } from "./subscribers.ts";

/** Options of a publish. */
export interface PublishOptions {
  /** `best_effort` when left out. */
  readonly onFailure?: FailurePolicy;
  /** Subscribers that are waited for at a time; 32 when left out. */
  readonly maxInflight?: number;
  readonly signal?: AbortSignal;
}

/** What {@linkcode ChannelPublisher} needs beside the shared parts. */
export interface ChannelPublisherDeps extends ChannelParts {
  /** Tags this node announces. */
  readonly ownTags: () => readonly string[];
  /** The way to the programs of this machine that are subscribed to a channel. */
  readonly localLink: (channel: ChannelId, isPatient: boolean) => SubscriberLink;
  /**
   * A channel was registered without being asked for: somebody published on it. Settles when those who wait
   * for such a channel had time to subscribe; `undefined` when there is nobody.
   */
  readonly onOpened: (config: ChannelConfig) => Promise<void> | undefined;
}

/** Counters of what was published. */
export interface PublisherCounters {
  events_published_total: number;
  deliveries_total: number;
  delivery_failures_total: number;
  publishes_denied_total: number;
  events_refused_rate_total: number;
}

/** Publishes, and knows to whom. */
export class ChannelPublisher {
  readonly registry = new ChannelRegistry();
  readonly subscribers: Subscribers;
  readonly counters: PublisherCounters = {
    events_published_total: 0,
    deliveries_total: 0,
    delivery_failures_total: 0,
    publishes_denied_total: 0,
    events_refused_rate_total: 0,
  };
  readonly #deps: ChannelPublisherDeps;
  readonly #policies: ChannelPolicies;
  readonly #channels = new Map<string, PublishedChannel>();
  readonly #fanOut: FanOut;
  /** What holds for the fan-out that runs now. */
  #current: PublishedChannel | undefined;
  #moment: StandingMoment;

  constructor(deps: ChannelPublisherDeps, policies: ChannelPolicies) {
    this.#deps = deps;
    this.#policies = policies;
    const subscribers = new Subscribers({ ...deps, registry: this.registry }, policies);
    this.subscribers = subscribers;
    this.#moment = subscribers.moment();
    this.#fanOut = new FanOut({
      isEntitled: (roster, member) => {
        const visibility = this.#current?.config.visibility ?? "global";
        return subscribers.isEntitled(roster, member, visibility, this.#moment);
      },
      linkOf: (member) => this.#linkOf(member),
      onFallen: (member) => subscribers.onFallen(member),
    });
  }

  // --- Channels --------------------------------------------------------------------------------

  /** Registers a channel or prefix, or changes its rules: members that the old ones let in ask again. */
  configure(config: ChannelConfig): void {
    this.registry.set(config);
    this.#onRulesChanged(config);
  }

  /** Removes a channel or prefix; false when it was not there. */
  remove(name: string): boolean {
    const config = this.registry.get(name);
    if (config === undefined) return false;
    this.registry.delete(name);
    this.#onRulesChanged(config);
    return true;
  }

  /** Sets the chain this node publishes with on a channel; `undefined` takes it away. */
  setPublishChain(name: string, chain: Uint8Array | undefined): void {
    this.#published(requireChannelId(name)).chain = chain;
  }

  /** What was published on a channel; `undefined` when nothing was. */
  published(name: string): PublishedChannel | undefined {
    return this.#channels.get(name);
  }

  /** Names that were published on. */
  publishedNames(): string[] {
    return [...this.#channels.keys()];
  }

  /**
   * Looks whether this node may publish on a channel; one that nobody registered is open to it.
   *
   * @throws NetError `not_allowed`.
   */
  requireAllowed(name: string): void {
    if (this.registry.resolve(name) === undefined) return;
    this.#pass(this.#published(requireChannelId(name)));
  }

  // --- Publishing ------------------------------------------------------------------------------

  /**
   * Publishes events, many per packet where they fit.
   *
   * @throws NetError `not_allowed` when this node may not, `not_found` for a channel that is not registered
   * where that is demanded, `limit` when the rate has room for none of them or one is too large, and what
   * {@linkcode PublishTally.finish} throws.
   */
  async publish(
    name: string,
    events: readonly Uint8Array[],
    options: PublishOptions = {},
  ): Promise<PublishReport> {
    const { onFailure: policy = "best_effort", maxInflight: inflightMax = INFLIGHT_MAX, signal } =
      options;
    signal?.throwIfAborted();
    const published = this.#published(requireChannelId(name));
    events.forEach((event, index) => requireSize(name, event, index));
    this.#pass(published);
    if (published.opening !== undefined) await published.opening;
    const tally = new PublishTally();
    const admitted = published.admit(events.length, this.#deps.clock.now());
    tally.refused = events.length - admitted;
    this.counters.events_refused_rate_total += tally.refused;
    if (admitted === 0 && events.length > 0) throw published.rateError();
    const sent = admitted === events.length ? events : events.slice(0, admitted);
    tally.events = admitted;
    const roster = this.subscribers.roster.get(name);
    if (roster !== undefined) {
      this.#current = published;
      const waiting = this.#fanOut.send(roster, sent, tally, { policy, inflightMax, signal });
      this.#current = undefined;
      if (waiting !== undefined) await waiting;
    }
    this.#count(published, sent, tally);
    return tally.finish(policy, name);
  }

  #pass(published: PublishedChannel): void {
    this.#moment = this.subscribers.moment();
    const { identity, tokens, ownTags } = this.#deps;
    const { config, gate, id } = published;
    if (config.requiresToken && published.chain === undefined) {
      published.keptChain ??= tokens.publishChain(id.hash);
    }
    const chain = published.chain ?? published.keptChain;
    try {
      gate.pass({ entityId: identity.entityId, tags: ownTags(), chain }, this.#moment);
    } catch (error) {
      this.counters.publishes_denied_total += 1;
      // A better one may have come meanwhile.
      published.keptChain = undefined;
      throw error;
    }
  }

  #count(published: PublishedChannel, sent: readonly Uint8Array[], tally: PublishTally): void {
    const { counters } = published;
    counters.events_total += sent.length;
    for (const { length } of sent) counters.bytes_total += length;
    counters.deliveries_total += tally.delivered;
    counters.failures_total += tally.errors.length;
    this.counters.events_published_total += sent.length;
    this.counters.deliveries_total += tally.delivered;
    this.counters.delivery_failures_total += tally.errors.length;
  }

  /** The state of a channel that is published on; one that nobody registered is opened where that is allowed. */
  #published(id: ChannelId): PublishedChannel {
    const known = this.#channels.get(id.name);
    if (known !== undefined) return known;
    const registered = this.registry.resolve(id.name)?.config;
    const config = registered ?? this.#openUnregistered(id);
    const published = new PublishedChannel(id, config, this.#deps.clock.now());
    if (registered === undefined) {
      published.opening = this.#deps.onOpened(config)?.finally(() => published.opening = undefined);
    }
    if (this.#channels.size >= CHANNELS_MAX) {
      // The longest published one starts its counters and its rate afresh.
      for (const oldest of this.#channels.keys()) {
        this.#channels.delete(oldest);
        break;
      }
    }
    this.#channels.set(id.name, published);
    return published;
  }

  #openUnregistered(id: ChannelId): ChannelConfig {
    const { unregistered, defaultVisibility: visibility } = this.#policies;
    if (unregistered === "deny") {
      throw new NetError("not_found", `Cannot publish on "${id.name}": there is no such channel`, {
        next: `make it first with net channel create ${id.name}`,
      });
    }
    const config = createChannelConfig(id.name, { visibility });
    this.registry.set(config);
    if (unregistered === "warn") this.#deps.log.warn("channel_opened", { channel: id.name });
    return config;
  }

  #linkOf({ peer, channel }: ChannelMember): SubscriberLink {
    const config = this.#current?.config ?? this.#published(channel).config;
    const { clock, facts, transport, identity, localLink } = this.#deps;
    if (peer === transport.nodeId) return localLink(channel, config.isReliable);
    return new StreamLink({ clock, transport, originHash: identity.originHash }, {
      peer,
      channel,
      config,
      isKept: facts.isOurs(peer),
    });
  }

  /** Channels that a changed configuration decides about begin anew; who was let in by the old rules asks again. */
  #onRulesChanged(changed: ChannelConfig): void {
    const isConcerned = (name: string) =>
      changed.isPrefix
        ? name.startsWith(changed.name) && this.registry.get(name) === undefined
        : name === changed.name;
    for (const name of [...this.#channels.keys()].filter(isConcerned)) {
      const before = this.#channels.get(name);
      this.#channels.delete(name);
      if (before?.chain === undefined || this.registry.resolve(name) === undefined) continue;
      this.#published(before.id).chain = before.chain;
    }
    const names = Array.from(this.subscribers.roster.values(), ({ channel }) => channel.name);
    for (const name of names.filter(isConcerned)) this.subscribers.onRulesChanged(name);
  }
}

function requireSize(name: string, { length }: Uint8Array, index: number): void {
  if (length <= MAX_EVENT_BYTES) return;
  throw new NetError(
    "limit",
    `Cannot publish on "${name}": the event has ${length} bytes, must be at most ${MAX_EVENT_BYTES}`,
    {
      next: "store it with net blob put and publish its address",
      data: { event_index: index, bytes: length, bytes_max: MAX_EVENT_BYTES },
    },
  );
}
