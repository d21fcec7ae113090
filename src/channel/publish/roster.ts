/**
 * Who gets the events of which channel (`identity-and-channels.md` 13, feature CH-07): of each channel the
 * peers that get all of them, and queue groups of which one member in turn gets each.
 *
 * What it takes to send to a peer hangs on its entry and is not looked at here.
 */
import { highHalf, lowHalf } from "../../base/mod.ts";
import type { ChannelId } from "../channel_id.ts";
import { CHAINS_MAX, ROSTER_ENTRIES_MAX } from "../limits.ts";
import type { ChainStanding } from "./chain_standing.ts";

/** One peer on one channel. */
export interface RosterMember<Link> {
  readonly peer: bigint;
  /** Halves of the peer's id, for looks that must cost nothing. */
  readonly peerLow: number;
  readonly peerHigh: number;
  readonly channel: ChannelId;
  /** `undefined` for one that gets everything. */
  readonly queueGroup: string | undefined;
  /** What let it in; `undefined` where nothing was asked for. */
  readonly standing: ChainStanding | undefined;
  /** When it last subscribed. */
  readonly renewedAt: number;
  /** What it takes to send to it, made when it is first needed. */
  link: Link | undefined;
  /** Revocations of the AuthGuard when it was last asked about this member: no more, no need to ask again. */
  revocationsSeen: number;
}

/** Members that share events. */
export interface QueueGroup<Link> {
  readonly members: RosterMember<Link>[];
  /** Whose turn is next; may be beyond the end. */
  next: number;
}

/** The subscribers of one channel. */
export interface ChannelRoster<Link> {
  readonly channel: ChannelId;
  /** Halves of the channel's hash. */
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly byPeer: Map<bigint, RosterMember<Link>>;
  /** Those that get everything, in no particular order. */
  readonly broadcast: RosterMember<Link>[];
  readonly groups: Map<string, QueueGroup<Link>>;
}

/** What a peer asked for and got. */
export interface Subscription {
  readonly channel: ChannelId;
  readonly peer: bigint;
  readonly queueGroup: string | undefined;
  readonly standing: ChainStanding | undefined;
}

/** Options of {@linkcode Roster}. */
export interface RosterOptions {
  readonly entriesMax?: number;
  readonly chainsMax?: number;
}

/** Subscribers of all channels. */
export class Roster<Link> {
  readonly #channels = new Map<string, ChannelRoster<Link>>();
  readonly #byPeer = new Map<bigint, Set<ChannelRoster<Link>>>();
  readonly #entriesMax: number;
  readonly #chainsMax: number;
  #size = 0;
  #chains = 0;

  constructor(options: RosterOptions = {}) {
    this.#entriesMax = options.entriesMax ?? ROSTER_ENTRIES_MAX;
    this.#chainsMax = options.chainsMax ?? CHAINS_MAX;
  }

  /** Pairs of peer and channel. */
  get size(): number {
    return this.#size;
  }

  /** Entries that were let in by a chain. */
  get chains(): number {
    return this.#chains;
  }

  /** Peers subscribed to anything. */
  get peers(): number {
    return this.#byPeer.size;
  }

  /** Subscribers of a channel; `undefined` when there are none. */
  get(name: string): ChannelRoster<Link> | undefined {
    return this.#channels.get(name);
  }

  /** Every channel with subscribers. */
  values(): Iterable<ChannelRoster<Link>> {
    return this.#channels.values();
  }

  /** Number of channels a peer is subscribed to. */
  channelsOf(peer: bigint): number {
    return this.#byPeer.get(peer)?.size ?? 0;
  }

  /**
   * Adds a peer to a channel, or renews it, perhaps in another group.
   *
   * @returns `full` when there is no room; then nothing has changed.
   */
  add(
    { channel, peer, queueGroup, standing }: Subscription,
    now: number,
  ): "added" | "renewed" | "full" {
    const known = this.#channels.get(channel.name)?.byPeer.get(peer);
    const chainsAfter = this.#chains + (standing === undefined ? 0 : 1) -
      (known?.standing === undefined ? 0 : 1);
    if (known === undefined && this.#size >= this.#entriesMax) return "full";
    if (chainsAfter > this.#chainsMax && standing !== undefined) return "full";
    const roster = this.#channels.get(channel.name) ?? this.#addChannel(channel);
    const member: RosterMember<Link> = {
      peer,
      peerLow: known?.peerLow ?? lowHalf(peer),
      peerHigh: known?.peerHigh ?? highHalf(peer),
      channel: roster.channel,
      queueGroup,
      standing,
      renewedAt: now,
      link: known?.link,
      revocationsSeen: -1,
    };
    if (known === undefined) this.#size += 1;
    if (known !== undefined && known.queueGroup === queueGroup) replace(roster, known, member);
    else {
      if (known !== undefined) takeOut(roster, known);
      putIn(roster, member);
    }
    roster.byPeer.set(peer, member);
    this.#chains = chainsAfter;
    const channels = this.#byPeer.get(peer);
    if (channels === undefined) this.#byPeer.set(peer, new Set([roster]));
    else channels.add(roster);
    return known === undefined ? "added" : "renewed";
  }

  /** Removes a peer from a channel; gives back its entry if it was there. */
  remove(name: string, peer: bigint): RosterMember<Link> | undefined {
    const roster = this.#channels.get(name);
    const member = roster?.byPeer.get(peer);
    if (roster === undefined || member === undefined) return undefined;
    takeOut(roster, member);
    roster.byPeer.delete(peer);
    this.#size -= 1;
    if (member.standing !== undefined) this.#chains -= 1;
    if (roster.byPeer.size === 0) this.#channels.delete(name);
    const channels = this.#byPeer.get(peer);
    channels?.delete(roster);
    if (channels?.size === 0) this.#byPeer.delete(peer);
    return member;
  }

  /** Removes a peer from every channel. */
  removePeer(peer: bigint): RosterMember<Link>[] {
    const names = Array.from(this.#byPeer.get(peer) ?? [], ({ channel }) => channel.name);
    return names.flatMap((name) => this.remove(name, peer) ?? []);
  }

  /** Removes every peer from a channel. */
  removeChannel(name: string): RosterMember<Link>[] {
    const peers = [...this.#channels.get(name)?.byPeer.keys() ?? []];
    return peers.flatMap((peer) => this.remove(name, peer) ?? []);
  }

  #addChannel(channel: ChannelId): ChannelRoster<Link> {
    const roster: ChannelRoster<Link> = {
      channel,
      hashLow: lowHalf(channel.hash),
      hashHigh: highHalf(channel.hash),
      byPeer: new Map(),
      broadcast: [],
      groups: new Map(),
    };
    this.#channels.set(channel.name, roster);
    return roster;
  }
}

/** The list a member stands in. */
function listOf<Link>(
  { broadcast, groups }: ChannelRoster<Link>,
  { queueGroup }: RosterMember<Link>,
): RosterMember<Link>[] | undefined {
  return queueGroup === undefined ? broadcast : groups.get(queueGroup)?.members;
}

function putIn<Link>(roster: ChannelRoster<Link>, member: RosterMember<Link>): void {
  const list = listOf(roster, member);
  if (list !== undefined) list.push(member);
  else if (member.queueGroup !== undefined) {
    roster.groups.set(member.queueGroup, { members: [member], next: 0 });
  }
}

/** Puts a member in the place of one in the same list. */
function replace<Link>(
  roster: ChannelRoster<Link>,
  before: RosterMember<Link>,
  after: RosterMember<Link>,
): void {
  const list = listOf(roster, before);
  const at = list?.indexOf(before) ?? -1;
  if (list !== undefined && at >= 0) list[at] = after;
}

function takeOut<Link>(roster: ChannelRoster<Link>, member: RosterMember<Link>): void {
  const list = listOf(roster, member);
  const at = list?.indexOf(member) ?? -1;
  if (list === undefined || at < 0) return;
  if (member.queueGroup === undefined) {
    // Their order means nothing, so the last one takes the place.
    const last = list.pop();
    if (last !== undefined && last !== member) list[at] = last;
    return;
  }
  list.splice(at, 1);
  const group = roster.groups.get(member.queueGroup);
  if (group !== undefined && group.next > at) group.next -= 1;
  if (list.length === 0) roster.groups.delete(member.queueGroup);
}
