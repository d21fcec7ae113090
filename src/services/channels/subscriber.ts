/**
 * The subscriber's side of channels: finds publishers, keeps asking them, and hands events to the programs of
 * this machine (`identity-and-channels.md` 10 and 13).
 *
 * Of one channel a node has one subscription per publisher, however many programs read it.
 */
import { Emitter, NetError, utf8 } from "../../base/mod.ts";
import {
  AckReason,
  Attachment,
  ATTACHMENTS_MAX,
  type ChannelEvent,
  type ChannelId,
  LOCAL_SUBSCRIPTIONS_MAX,
  OfferBook,
  QUEUE_GROUP_BYTES_MAX,
  requireChannelId,
  type SubscriberLink,
} from "../../channel/mod.ts";
import { type AskCounters, Asker, type MembershipAnswer } from "./asker.ts";
import type { ChannelParts } from "./channel_deps.ts";
import { ChannelReceiver } from "./receiver.ts";
import { ChannelSubscription, type SubscribeOptions } from "./subscription.ts";
import { type AttachedChannel, type ReadCounters, WantedChannel } from "./wanted_channel.ts";

/** What {@linkcode ChannelSubscriber} needs beside the shared parts. */
export interface ChannelSubscriberDeps extends ChannelParts {
  /** Programs of this machine want what this node publishes on a channel, or no longer. */
  readonly onOwnWanted: (id: ChannelId, queueGroup: string | undefined, isWanted: boolean) => void;
}

/** How often what is due is looked for, and how many requests leave at once. */
const TICK_MS = 250;
const ASKS_PER_TICK = 64;

/** Subscribes. */
export class ChannelSubscriber {
  readonly offers = new OfferBook();
  readonly counters: AskCounters & ReadCounters = createCounters();
  /** Every event that came from another node, before its readers take it; its bytes are not to be changed. */
  readonly onEvent = new Emitter<[event: ChannelEvent]>();
  readonly #deps: ChannelSubscriberDeps;
  readonly #asker: Asker;
  readonly #wanted = new Map<string, WantedChannel>();
  /** Peers with a session. */
  readonly #connected = new Set<bigint>();
  #attachments = 0;
  #readers = 0;
  #cancelTick: (() => void) | undefined;
  #isStopped = false;

  constructor(deps: ChannelSubscriberDeps) {
    this.#deps = deps;
    this.#asker = new Asker(deps, this.counters);
  }

  /** Subscriptions of programs of this machine. */
  get readers(): number {
    return this.#readers;
  }

  /** Channels at publishers. */
  get attachments(): number {
    return this.#attachments;
  }

  /** Events that slow readers missed, of subscriptions that are open. */
  get readersDropped(): number {
    let dropped = 0;
    for (const { readers } of this.#wanted.values()) {
      for (const { queue } of readers) dropped += queue.dropped;
    }
    return dropped;
  }

  /** Every channel that is wanted. */
  values(): Iterable<WantedChannel> {
    return this.#wanted.values();
  }

  /**
   * Subscribes to a channel.
   *
   * @throws NetError `usage` for what is no channel or group, `conflict` when another program of this machine
   * is in another queue group of the channel, `limit` when there are too many subscriptions.
   */
  subscribe(name: string, options: SubscribeOptions = {}): ChannelSubscription {
    const id = requireChannelId(name);
    requireGroup(options.queueGroup);
    if (this.#readers >= LOCAL_SUBSCRIPTIONS_MAX) {
      throw new NetError("limit", `Cannot subscribe to "${name}": there are too many readers`, {
        next: "end others first",
      });
    }
    const wanted = this.#want(id, options);
    const subscription = new ChannelSubscription(id, options, (it) => this.#leave(wanted, it));
    wanted.readers.push(subscription);
    wanted.chain = options.chain ?? wanted.chain;
    this.#readers += 1;
    this.#onReadersChanged(wanted);
    // A token given later may open what was closed.
    if (options.chain !== undefined) this.#askSoon(wanted.attached.values());
    this.#wake();
    return subscription;
  }

  /** Ends every subscription. */
  stop(): void {
    for (const { readers } of [...this.#wanted.values()]) {
      for (const reader of [...readers]) reader.close();
    }
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  /** The way of this node's own events to the programs that want them. */
  localLink(id: ChannelId, isPatient: boolean): SubscriberLink {
    const { clock, transport } = this.#deps;
    const wanted = this.#wanted.get(id.name);
    if (wanted !== undefined) return wanted.localLink(clock, transport.nodeId, isPatient);
    throw new NetError("unreachable", `Cannot hand events of "${id.name}" out: nobody reads it`);
  }

  // --- What other services want ----------------------------------------------------------------

  /** See `Asker.ask`. */
  ask(
    peer: bigint,
    channel: ChannelId,
    onAnswer: (answer: MembershipAnswer) => void,
  ): (() => void) | undefined {
    return this.#asker.ask(peer, channel, onAnswer);
  }

  /** Tells a publisher that a service wants a channel no more. */
  withdraw(peer: bigint, channel: ChannelId): void {
    this.#asker.unsubscribe(peer, channel);
    this.#wake();
  }

  // --- What others say -------------------------------------------------------------------------

  /** An answer came. */
  onAck(from: bigint, nonce: bigint, isAccepted: boolean, reason: AckReason): void {
    const attached = this.#asker.onAck(from, nonce, isAccepted, reason);
    if (attached === undefined) return;
    if (attached.attachment.state === "refused") attached.receiver.close();
    attached.wanted.tell(attached, false);
    this.#wake();
  }

  /** A peer runs channels, or prefixes of channels, with these hashes. */
  onOffer(from: bigint, hashes: readonly bigint[]): void {
    this.offers.onOffer(from, hashes);
    this.#onOffersChanged(from);
  }

  /**
   * A node announced these tags; none when nothing it announced holds any more. Those of a node without a
   * session are looked at when there is one: others can make up any number of such nodes.
   */
  onAnnouncement(peer: bigint, tags: readonly string[]): void {
    if (!this.#connected.has(peer)) return;
    this.offers.onAnnouncement(peer, tags);
    this.#onOffersChanged(peer);
  }

  /** A session with a peer opened: whatever is wanted of it is asked for. */
  onPeerConnected(peer: bigint): void {
    this.#connected.add(peer);
    this.offers.onAnnouncement(peer, this.#deps.facts.tagsOf(peer) ?? []);
    for (const wanted of this.#wanted.values()) {
      this.#attach(wanted, peer);
      wanted.attached.get(peer)?.attachment.askSoon(this.#deps.clock.now());
    }
    this.#wake();
  }

  /** A session with a peer was lost, and with it what was subscribed on it; perhaps another took its place. */
  onPeerLost(peer: bigint, isGone: boolean): void {
    this.#asker.forget(peer);
    if (isGone) this.#connected.delete(peer);
    for (const wanted of this.#wanted.values()) {
      const attached = wanted.attached.get(peer);
      if (attached === undefined) continue;
      attached.attachment.onLost(this.#deps.clock.now());
      if (!isGone) continue;
      wanted.tell(attached, true);
      this.#detach(attached, false);
    }
    if (isGone) this.offers.forget(peer);
    this.#wake();
  }

  // --- Who is asked ----------------------------------------------------------------------------

  #want(id: ChannelId, { queueGroup }: SubscribeOptions): WantedChannel {
    const known = this.#wanted.get(id.name);
    if (known !== undefined) {
      if (known.queueGroup === queueGroup) return known;
      const asked = queueGroup === undefined ? "" : ` in group "${queueGroup}"`;
      const now = known.queueGroup === undefined ? "no group" : `group "${known.queueGroup}"`;
      throw new NetError(
        "conflict",
        `Cannot subscribe to "${id.name}"${asked}: this node is subscribed to it in ${now}`,
        { next: "end that subscription, ask for the same group, or use another node" },
      );
    }
    for (const other of this.#wanted.values()) {
      if (other.id.streamId !== id.streamId) continue;
      throw new NetError(
        "conflict",
        `Cannot subscribe to "${id.name}": its events look like those of "${other.id.name}"`,
        { next: "rename one of the two channels" },
      );
    }
    const wanted = new WantedChannel(id, queueGroup, this.counters);
    this.#wanted.set(id.name, wanted);
    return wanted;
  }

  #leave(wanted: WantedChannel, subscription: ChannelSubscription): void {
    if (!wanted.remove(subscription)) return;
    this.#readers -= 1;
    if (wanted.readers.length === 0) this.#wanted.delete(wanted.id.name);
    this.#onReadersChanged(wanted);
  }

  #onReadersChanged(wanted: WantedChannel): void {
    const { transport, onOwnWanted } = this.#deps;
    onOwnWanted(wanted.id, wanted.queueGroup, wanted.isWantedOf(transport.nodeId));
    const { readers, offerHashes } = wanted;
    const named = readers.flatMap(({ options }) => options.from ?? []);
    const isOpen = readers.some(({ options }) => options.from === undefined);
    const offering = isOpen ? this.offers.offering(offerHashes) : [];
    for (const peer of new Set([...wanted.attached.keys(), ...named, ...offering])) {
      this.#attach(wanted, peer);
    }
  }

  /** Attaches the channel to a publisher, or detaches it, as it is wanted now. */
  #attach(wanted: WantedChannel, peer: bigint): void {
    const attached = wanted.attached.get(peer);
    const isWanted = this.#connected.has(peer) &&
      wanted.readers.some(({ options }) =>
        options.from?.includes(peer) ?? this.offers.isOffering(peer, wanted.offerHashes)
      );
    if (!isWanted) {
      if (attached !== undefined) this.#detach(attached, true);
      return;
    }
    if (attached !== undefined || this.#attachments >= ATTACHMENTS_MAX) return;
    this.#attachments += 1;
    wanted.attached.set(peer, this.#createAttached(wanted, peer));
  }

  #createAttached(wanted: WantedChannel, peer: bigint): AttachedChannel {
    const { clock, transport, facts } = this.#deps;
    const attached: AttachedChannel = {
      wanted,
      peer,
      attachment: new Attachment(clock.now()),
      receiver: new ChannelReceiver(transport, {
        peer,
        channel: wanted.id,
        isOurs: () => facts.isOurs(peer),
        take: (sequence, index, bytes, onTaken) => {
          const channel = wanted.id.name;
          const event = { channel, publisher: peer, sequence, index, bytes };
          this.onEvent.emit(event);
          wanted.take(event, onTaken);
        },
        onEnd: () => {
          // The publisher gave up on us, or lost us: what it knows of us is to be renewed.
          attached.attachment.askSoon(clock.now());
          this.#wake();
        },
      }),
    };
    return attached;
  }

  #detach(attached: AttachedChannel, isTold: boolean): void {
    const { wanted, peer, receiver } = attached;
    wanted.attached.delete(peer);
    this.#attachments -= 1;
    receiver.close();
    if (isTold) this.#asker.unsubscribe(peer, wanted.id);
    this.#wake();
  }

  #onOffersChanged(peer: bigint): void {
    if (!this.#connected.has(peer)) return;
    for (const wanted of this.#wanted.values()) {
      this.#attach(wanted, peer);
      const attached = wanted.attached.get(peer);
      const isOffered = this.offers.isOffering(peer, wanted.offerHashes);
      if (attached === undefined || !isOffered) continue;
      const { state, reason } = attached.attachment;
      if (state === "refused" && reason === AckReason.UnknownChannel) this.#askSoon([attached]);
    }
    this.#wake();
  }

  // --- When they are asked ---------------------------------------------------------------------

  #askSoon(all: Iterable<AttachedChannel>): void {
    for (const { attachment } of all) attachment.askSoon(this.#deps.clock.now());
  }

  /** Asks what is due, and comes back as long as there is anything to do. */
  #tick(): void {
    const now = this.#deps.clock.now();
    const unanswered = this.#asker.expire((peer, { name }) =>
      this.#wanted.get(name)?.attached.has(peer) ?? false
    );
    for (const attached of unanswered) attached.wanted.tell(attached, false);
    let asks = 0;
    for (const { attached } of this.#wanted.values()) {
      for (const one of attached.values()) {
        if (asks >= ASKS_PER_TICK || this.#asker.isFull) break;
        if (!one.attachment.isDue(now)) continue;
        asks += 1;
        this.#asker.subscribe(one);
      }
    }
    this.#cancelTick = undefined;
    if (this.#isBusy) this.#wakeAfter(TICK_MS);
  }

  get #isBusy(): boolean {
    return this.#wanted.size > 0 || this.#asker.isWaiting;
  }

  /** Looks at once, behind whatever runs now. */
  #wake(): void {
    if (!this.#isBusy) return;
    this.#cancelTick?.();
    this.#wakeAfter(0);
  }

  #wakeAfter(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancelTick = this.#deps.clock.after(delayMs, () => this.#tick());
  }
}

function requireGroup(group: string | undefined): void {
  if (group === undefined) return;
  const { length } = utf8(group);
  if (length >= 1 && length <= QUEUE_GROUP_BYTES_MAX) return;
  throw new NetError(
    "usage",
    `Cannot join queue group: its name has ${length} bytes, must be 1 to ${QUEUE_GROUP_BYTES_MAX}`,
    { next: "give a short name with --group" },
  );
}

function createCounters(): AskCounters & ReadCounters {
  return {
    subscribes_sent_total: 0,
    acks_accepted_total: 0,
    acks_refused_total: 0,
    acks_missed_total: 0,
    drop_ack_unknown_total: 0,
    peer_auth_rejections_total: 0,
    events_received_total: 0,
    bytes_received_total: 0,
    drop_no_reader_total: 0,
    drop_reader_slow_total: 0,
  };
}
