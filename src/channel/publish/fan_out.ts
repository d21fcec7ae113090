/**
 * Sends events to the subscribers of a channel (`identity-and-channels.md` 13, features CH-07, CH-12, CH-13).
 *
 * What there is room for leaves before the call returns; subscribers of a reliable channel that have none
 * are waited for, a bounded number at a time. Who is no longer entitled is told to the caller, who takes it
 * from the roster.
 */
import { toNetError } from "../../base/mod.ts";
import type { FailurePolicy, PublishTally } from "./publish_report.ts";
import type { ChannelRoster, QueueGroup, RosterMember } from "./roster.ts";

/** The way to one subscriber of one channel. */
export interface SubscriberLink {
  /** True when what there is no room for is worth waiting for. */
  readonly isPatient: boolean;
  /**
   * Sends events from `start` on as far as there is room; of what was refused before, nothing overtakes.
   *
   * @returns How many left.
   * @throws NetError when the subscriber can't be reached, or an event is too large for it.
   */
  trySend(events: readonly Uint8Array[], start: number): number;
  /**
   * Sends the events from `start` on, waiting for room.
   *
   * @throws NetError as above, `backpressure` when there was no room for too long.
   */
  send(
    events: readonly Uint8Array[],
    start: number,
    signal: AbortSignal | undefined,
  ): Promise<void>;
}

/** What the caller knows of members. */
export interface FanOutDeps {
  /** Whether a member may still get events of the channel. */
  readonly isEntitled: (
    roster: ChannelRoster<SubscriberLink>,
    member: RosterMember<SubscriberLink>,
  ) => boolean;
  /** Makes the way to a member; throws NetError when there is none. */
  readonly linkOf: (member: RosterMember<SubscriberLink>) => SubscriberLink;
  /** A member may get no more events. */
  readonly onFallen: (member: RosterMember<SubscriberLink>) => void;
}

/** Options of {@linkcode FanOut.send}. */
export interface FanOutOptions {
  readonly policy: FailurePolicy;
  /** Subscribers waited for at a time. */
  readonly inflightMax: number;
  readonly signal?: AbortSignal;
}

type Member = RosterMember<SubscriberLink>;

/** A member with events still to be sent. */
interface Waiting {
  readonly member: Member;
  readonly link: SubscriberLink;
  readonly events: readonly Uint8Array[];
  readonly start: number;
}

/** Sends to all subscribers. */
export class FanOut {
  readonly #deps: FanOutDeps;

  constructor(deps: FanOutDeps) {
    this.#deps = deps;
  }

  /**
   * Sends events to every subscriber of a channel.
   *
   * @returns `undefined` when all is done; else what has to be waited for.
   */
  send(
    roster: ChannelRoster<SubscriberLink>,
    events: readonly Uint8Array[],
    tally: PublishTally,
    options: FanOutOptions,
  ): Promise<void> | undefined {
    const fallen: Member[] = [];
    const waiting: Waiting[] = [];
    this.#toAll(roster, events, tally, options, fallen, waiting);
    for (const group of roster.groups.values()) {
      this.#toGroup(roster, group, events, tally, options, fallen, waiting);
    }
    for (const member of fallen) this.#deps.onFallen(member);
    if (waiting.length === 0 || tally.endsWith(options.policy)) return undefined;
    return waitForAll(waiting, tally, options);
  }

  #toAll(
    roster: ChannelRoster<SubscriberLink>,
    events: readonly Uint8Array[],
    tally: PublishTally,
    { policy }: FanOutOptions,
    fallen: Member[],
    waiting: Waiting[],
  ): void {
    for (const member of roster.broadcast) {
      if (!this.#deps.isEntitled(roster, member)) {
        fallen.push(member);
        continue;
      }
      tally.attempted += events.length;
      try {
        const link = member.link ??= this.#deps.linkOf(member);
        const sent = link.trySend(events, 0);
        tally.delivered += sent;
        if (sent === events.length) continue;
        if (link.isPatient) waiting.push({ member, link, events, start: sent });
        else tally.fail(member.peer, "backpressure", noRoom(events.length - sent));
      } catch (error) {
        noteFailure(tally, member, error);
      }
      if (tally.endsWith(policy)) return;
    }
  }

  /** Each event to one member; a member that has no room, or can't be reached, is passed over. */
  #toGroup(
    roster: ChannelRoster<SubscriberLink>,
    group: QueueGroup<SubscriberLink>,
    events: readonly Uint8Array[],
    tally: PublishTally,
    { policy }: FanOutOptions,
    fallen: Member[],
    waiting: Waiting[],
  ): void {
    for (const event of events) {
      if (tally.endsWith(policy)) return;
      const one = [event];
      const { members } = group;
      let patient: Waiting | undefined;
      let refused: { readonly member: Member; readonly error: unknown } | undefined;
      let isSent = false;
      let candidates = 0;
      for (let tries = members.length; tries > 0 && !isSent; tries--) {
        if (group.next >= members.length) group.next = 0;
        const member = members[group.next];
        group.next += 1;
        if (member === undefined) break;
        if (!this.#deps.isEntitled(roster, member)) {
          if (!fallen.includes(member)) fallen.push(member);
          continue;
        }
        candidates += 1;
        try {
          const link = member.link ??= this.#deps.linkOf(member);
          isSent = link.trySend(one, 0) === 1;
          if (isSent) break;
          if (link.isPatient) patient ??= { member, link, events: one, start: 0 };
          else refused ??= { member, error: undefined };
        } catch (error) {
          refused ??= { member, error };
        }
      }
      if (candidates === 0) continue;
      tally.attempted += 1;
      if (isSent) tally.delivered += 1;
      else if (patient !== undefined) waiting.push(patient);
      else if (refused?.error !== undefined) noteFailure(tally, refused.member, refused.error);
      else if (refused !== undefined) tally.fail(refused.member.peer, "backpressure", noRoom(1));
    }
  }
}

/** Waits for subscribers, a few at a time. */
async function waitForAll(
  waiting: readonly Waiting[],
  tally: PublishTally,
  { policy, inflightMax, signal }: FanOutOptions,
): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let at = next++; at < waiting.length && !tally.endsWith(policy); at = next++) {
      const one = waiting[at];
      if (one === undefined) return;
      try {
        await one.link.send(one.events, one.start, signal);
        tally.delivered += one.events.length - one.start;
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        noteFailure(tally, one.member, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inflightMax, waiting.length) }, work));
}

function noteFailure(tally: PublishTally, { peer }: Member, error: unknown): void {
  const { code, message } = toNetError(error, "Cannot send to subscriber");
  tally.fail(peer, code, message);
}

function noRoom(count: number): string {
  return `Cannot send ${count === 1 ? "event" : `${count} events`}: the subscriber has no room now`;
}
