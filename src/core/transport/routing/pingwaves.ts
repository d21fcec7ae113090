/**
 * Pingwaves in and out (`wire.md` 10; promises W8, 91, 92): what is learned from them, whom they are
 * passed on to, and when this node sends its own.
 *
 * They are not authenticated. Only those from a neighbour's own address count, and what they say is
 * believed no further than `node_table.ts` allows.
 */

import { type Clock, highHalf, lowHalf } from "../../../base/mod.ts";
import { type ConductTable, Misconduct } from "../peers/conduct.ts";
import type { TransportCounters } from "../counters.ts";
import { PINGWAVE_TTL } from "../limits.ts";
import { fanOut, fanOutStart } from "./fan_out.ts";
import { NEWCOMERS_MAX, PINGWAVE_FAN_OUT } from "../mesh_limits.ts";
import { Freshness, NodeWord } from "./node_table.ts";
import type { PacketSender } from "../packet_sender.ts";
import type { Peer } from "../peers/peers.ts";
import {
  encodePingwave,
  forwardPingwave,
  type Pingwave,
  PINGWAVE_BYTES,
  PingwaveReject,
  validatePingwave,
} from "../wire/pingwave.ts";
import { PingwaveSchedule } from "./pingwave_schedule.ts";
import { type RateLimits, STRANGERS, TrafficKind } from "../peers/rate_limits.ts";
import type { Routing } from "./routing.ts";

/** What this node says of itself in its pingwaves; what is left out is 0. */
export type PingwaveFacts = Partial<
  Pick<
    Pingwave,
    | "capabilityHash"
    | "capabilityVersion"
    | "load"
    | "health"
    | "hasGpu"
    | "modelSlots"
    | "memoryTier"
    | "toolsBitmap"
    | "customFlags"
  >
>;

/** What {@linkcode Pingwaves} needs. */
export interface PingwavesDeps {
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly sender: PacketSender;
  readonly routing: Routing;
  readonly rates: RateLimits;
  readonly conduct: ConductTable;
}

/** Offsets inside a pingwave that are read without decoding it. */
const SEQUENCE_AT = 32;
const TTL_AT = 40;
const HOPS_AT = 41;
const SENT_AT = 42;
const VERSION_AT = 58;
const LOAD_AT = 62;
const HEALTH_AT = 63;

/** Learns from, passes on and sends pingwaves. */
export class Pingwaves {
  readonly #deps: PingwavesDeps;
  readonly #nodeId: bigint;
  readonly #low: number;
  readonly #high: number;
  readonly #schedule: PingwaveSchedule;
  readonly #word = new NodeWord();
  #facts: PingwaveFacts = {};
  #sequence = 0n;
  /** The pingwave of the running round; one sequence for all neighbours. */
  #round: Uint8Array<ArrayBuffer> | undefined;
  #newcomers: Peer[] = [];

  constructor(deps: PingwavesDeps, nodeId: bigint) {
    this.#deps = deps;
    this.#nodeId = nodeId;
    this.#low = lowHalf(nodeId);
    this.#high = highHalf(nodeId);
    this.#schedule = new PingwaveSchedule(deps.clock, () => this.#sendEvent());
  }

  /** Sends nothing more on its own. */
  stop(): void {
    this.#schedule.stop();
  }

  // --- Sending ---------------------------------------------------------------------------------

  /** A heartbeat interval begins: the pingwave that each neighbour gets in its turn is made. */
  beginRound(): void {
    this.#round = this.#create();
  }

  /** Sends the round's pingwave to a neighbour. */
  sendRound(peer: Peer): void {
    if (this.#round === undefined || !peer.isNeighbour) return;
    // It has just been sent when it leaves, not when the round began.
    const view = new DataView(this.#round.buffer);
    view.setBigUint64(SENT_AT, this.#wallMicroseconds(), true);
    this.#deps.sender.sendRaw(this.#round, peer.address);
  }

  /** A neighbour is new, or back. */
  announceTo(peer: Peer): void {
    if (this.#newcomers.length < NEWCOMERS_MAX) this.#newcomers.push(peer);
    this.#schedule.trigger();
  }

  /** What this node can do has changed: says so soon. */
  announceFacts(facts: PingwaveFacts): void {
    this.#facts = facts;
    this.#schedule.triggerLater();
  }

  /** One event pingwave: to newcomers and to as many others as one is passed on to. */
  #sendEvent(): void {
    const { sender, routing: { neighbours } } = this.#deps;
    const pingwave = this.#create();
    const count = fanOut(neighbours.size, PINGWAVE_FAN_OUT);
    const isToAll = count >= neighbours.size;
    const start = isToAll ? 0 : this.#startOf(this.#low, Number(this.#sequence & 0xffff_ffffn));
    for (let i = 0; i < count; i++) {
      const peer = neighbours.at((start + i) % neighbours.size);
      if (peer?.isNeighbour) sender.sendRaw(pingwave, peer.address);
    }
    if (!isToAll) {
      for (const peer of this.#newcomers) {
        if (peer.isNeighbour) sender.sendRaw(pingwave, peer.address);
      }
    }
    // The second round is for them too.
    if (!this.#schedule.isSecondDue) this.#newcomers = [];
  }

  #create(): Uint8Array<ArrayBuffer> {
    this.#sequence += 1n;
    return encodePingwave({
      ...this.#facts,
      originId: this.#nodeId,
      sequence: this.#sequence,
      ttl: PINGWAVE_TTL,
      timestampUs: this.#wallMicroseconds(),
    });
  }

  #wallMicroseconds(): bigint {
    return BigInt(Math.floor(this.#deps.clock.wallMs() * 1000));
  }

  // --- Receiving -------------------------------------------------------------------------------

  /**
   * Takes a pingwave in and passes it on.
   *
   * @param memory Where it lies; changed in place when it is passed on.
   * @param from The neighbour it came from.
   */
  receive(
    memory: Uint8Array,
    view: DataView,
    at: number,
    from: Peer | undefined,
    now: number,
  ): void {
    const { counters, conduct, rates, routing } = this.#deps;
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    const isOwn = low === this.#low && high === this.#high;
    if (isOwn || validatePingwave(memory, at, PINGWAVE_BYTES) !== PingwaveReject.None) {
      counters.drop_pingwave_invalid_total += 1;
      // Our own come back to us all the time.
      if (!isOwn) conduct.note(from?.slot ?? STRANGERS, Misconduct.Malformed);
      return;
    }
    if (from === undefined || !from.isNeighbour) {
      counters.drop_pingwave_unowned_total += 1;
      return;
    }
    const word = this.#read(view, at, from);
    const freshness = routing.nodes.judge(word, now);
    if (freshness === Freshness.Stale) counters.drop_pingwave_stale_total += 1;
    else if (freshness === Freshness.NoRoom) counters.drop_pingwave_limit_total += 1;
    else if (!rates.take(from.slot, TrafficKind.Pingwave, PINGWAVE_BYTES, now)) {
      counters.drop_pingwave_rate_total += 1;
      conduct.note(from.slot, Misconduct.Flood);
    } else {
      routing.nodes.note(word, now, routing.hops);
      routing.onPingwave(from, low, high, word.hops, word.latencyMs, now);
      if (freshness === Freshness.Copy) {
        // It tells of another way, and was passed on before.
        counters.drop_pingwave_seen_total += 1;
        return;
      }
      counters.pingwaves_accepted_total += 1;
      if (view.getUint8(at + TTL_AT) > 0) this.#passOn(memory, at, from, word, now);
    }
  }

  #read(view: DataView, at: number, from: Peer): NodeWord {
    const word = this.#word;
    word.low = view.getUint32(at, true);
    word.high = view.getUint32(at + 4, true);
    word.sequenceLow = view.getUint32(at + SEQUENCE_AT, true);
    word.sequenceHigh = view.getUint32(at + SEQUENCE_AT + 4, true);
    const seconds = view.getUint32(at + SENT_AT + 4, true) * 4_294.967296;
    word.sentAtMs = seconds * 1000 + view.getUint32(at + SENT_AT, true) / 1000;
    word.hops = view.getUint8(at + HOPS_AT);
    word.via = from.slot;
    word.isOwnWord = from.low === word.low && from.high === word.high;
    word.latencyMs = Math.max(0, this.#deps.clock.wallMs() - word.sentAtMs);
    word.capabilityVersion = view.getUint32(at + VERSION_AT, true);
    word.load = view.getUint8(at + LOAD_AT);
    word.health = view.getUint8(at + HEALTH_AT);
    return word;
  }

  /** Passes a pingwave on to neighbours, but not back and not towards its origin (split horizon). */
  #passOn(memory: Uint8Array, at: number, from: Peer, word: NodeWord, now: number): void {
    const { counters, sender, routing } = this.#deps;
    const { neighbours } = routing;
    const { size } = neighbours;
    const count = fanOut(size, PINGWAVE_FAN_OUT);
    const isToAll = count >= size;
    if (!isToAll) counters.pingwaves_fan_out_limited_total += 1;
    const start = isToAll ? 0 : this.#startOf(word.low, word.sequenceLow);
    const towardOrigin = routing.nextHop(word.low, word.high, now);
    const bytes = memory.subarray(at, at + PINGWAVE_BYTES);
    let isChanged = false;
    for (let i = 0; i < count; i++) {
      const peer = neighbours.at((start + i) % size);
      if (peer === undefined || peer === from || peer === towardOrigin || !peer.isNeighbour) {
        continue;
      }
      if (!isChanged) isChanged = forwardPingwave(bytes);
      counters.pingwaves_forwarded_total += 1;
      sender.sendRaw(bytes, peer.address);
    }
  }

  #startOf(originLow: number, sequenceLow: number): number {
    const { size } = this.#deps.routing.neighbours;
    return fanOutStart(originLow, sequenceLow, size, PINGWAVE_FAN_OUT);
  }
}
