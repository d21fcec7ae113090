/**
 * A gateway between subnets at work (`identity-and-channels.md` 14, feature SN-04; promises I1, I2): asked
 * for every relayed packet of the event plane, it lets the ones pass that the channel's reach and the export
 * table allow, and counts the others by reason.
 *
 * A packet belongs to a channel when its stream id is the one its channel hash is published on; the hash
 * alone is not enough, because the Rust core leaves an old one in packets of other streams (`wire.md` 3.3).
 * The stream id holds the whole hash but one bit, so that channels which share the 16 bits are told apart.
 *
 * Nothing is read but the clear header, and that is authenticated between the two ends only: a gateway keeps
 * honest traffic in, it is no wall against members that lie.
 */
import { highHalf, lowHalf } from "../../base/mod.ts";
import { type GatedPacket, GateVerdict, type RelayGate } from "../../core/transport/mod.ts";
import type { SubnetAssignments } from "./assignments.ts";
import type { ExportTable } from "./export_table.ts";
import {
  decideForward,
  type ForwardQuestion,
  type ForwardRefusal,
  ForwardVerdict,
} from "./forward_decision.ts";
import type { Visibility } from "./visibility.ts";

/** A channel this node knows the rules of. */
export interface GatedChannel {
  readonly hash: bigint;
  readonly visibility: Visibility;
}

/** What {@linkcode Gateway} needs. */
export interface GatewayDeps {
  readonly assignments: Pick<SubnetAssignments, "locate">;
  readonly exports: Pick<ExportTable, "targetsOf">;
  /** All channels with rules of their own; read anew behind a {@linkcode Gateway.refresh}. */
  readonly channels: () => Iterable<GatedChannel>;
}

/** What a gateway did. */
export interface GatewayCounters {
  forwarded_total: number;
  drop_ttl_expired_total: number;
  drop_subnet_local_total: number;
  drop_not_ancestor_total: number;
  drop_not_exported_total: number;
  drop_unknown_subnet_total: number;
}

const COUNTER_OF: Readonly<Record<ForwardRefusal, keyof GatewayCounters>> = {
  [ForwardVerdict.TtlExpired]: "drop_ttl_expired_total",
  [ForwardVerdict.SubnetLocal]: "drop_subnet_local_total",
  [ForwardVerdict.NotAncestor]: "drop_not_ancestor_total",
  [ForwardVerdict.NotExported]: "drop_not_exported_total",
  [ForwardVerdict.UnknownSubnet]: "drop_unknown_subnet_total",
};

/** Bit 48 of a stream id, in its high half: set in those that channels are published on. */
const PUBLISH_BIT = 0x1_0000;

/** A channel as packets show it. */
interface Entry {
  readonly streamLow: number;
  readonly streamHigh: number;
  /** `undefined` when several names lead to this stream id. */
  readonly visibility: Visibility | undefined;
  readonly targets: readonly number[] | undefined;
}

/** Decides on what leaves its subnet through this node. */
export class Gateway implements RelayGate {
  readonly counters: GatewayCounters = {
    forwarded_total: 0,
    drop_ttl_expired_total: 0,
    drop_subnet_local_total: 0,
    drop_not_ancestor_total: 0,
    drop_not_exported_total: 0,
    drop_unknown_subnet_total: 0,
  };
  readonly #deps: GatewayDeps;
  /** By channel hash on the wire. */
  #entries: ReadonlyMap<number, readonly Entry[]> | undefined;
  /** Reused for every packet. */
  readonly #question: ForwardQuestion = {
    visibility: undefined,
    targets: undefined,
    source: 0,
    target: undefined,
    hopTtl: 0,
    hopCount: 0,
  };

  constructor(deps: GatewayDeps) {
    this.#deps = deps;
  }

  /** Packets kept in, for whatever reason. */
  get droppedTotal(): number {
    return Object.values(COUNTER_OF).reduce((sum, name) => sum + this.counters[name], 0);
  }

  /** Channels or exports have changed: they are read anew when a packet comes. */
  refresh(): void {
    this.#entries = undefined;
  }

  judge(
    { header, senderLow, senderHigh, destinationLow, destinationHigh }: GatedPacket,
  ): GateVerdict {
    const { channelHash, streamLow, streamHigh, hopTtl } = header;
    const isPublish = (streamHigh & PUBLISH_BIT) !== 0 && (streamLow & 0xffff) === channelHash;
    if (!isPublish) return GateVerdict.Pass;
    const entry = this.#find(channelHash, streamLow, streamHigh);
    // 0 means "no channel"; only a channel that is known to have that hash is meant by it.
    if (channelHash === 0 && entry === undefined) return GateVerdict.Pass;
    const { assignments } = this.#deps;
    let source = header.subnetId;
    // A sender that sets neither is one that does not know of these fields: its announcement says it.
    if (source === 0 && hopTtl === 0) source = assignments.locate(senderLow, senderHigh) ?? 0;
    const target = assignments.locate(destinationLow, destinationHigh);
    if (source === target) return GateVerdict.Pass;
    const question = this.#question;
    question.visibility = entry?.visibility;
    question.targets = entry?.targets;
    question.source = source;
    question.target = target;
    question.hopTtl = hopTtl;
    question.hopCount = header.hopCount;
    const verdict = decideForward(question);
    if (verdict === ForwardVerdict.Forward) {
      this.counters.forwarded_total += 1;
      return GateVerdict.Forward;
    }
    this.counters[COUNTER_OF[verdict]] += 1;
    return GateVerdict.Drop;
  }

  #read(): ReadonlyMap<number, readonly Entry[]> {
    const { channels, exports } = this.#deps;
    const entries = new Map<number, Entry[]>();
    for (const { hash, visibility } of channels()) {
      const streamLow = lowHalf(hash);
      const streamHigh = (highHalf(hash) | PUBLISH_BIT) >>> 0;
      const wireHash = streamLow & 0xffff;
      const others = entries.get(wireHash) ?? [];
      const isTwin = others.some((other) => isStream(other, streamLow, streamHigh));
      entries.set(wireHash, [
        ...others.filter((other) => !isStream(other, streamLow, streamHigh)),
        {
          streamLow,
          streamHigh,
          visibility: isTwin ? undefined : visibility,
          targets: exports.targetsOf(hash),
        },
      ]);
    }
    this.#entries = entries;
    return entries;
  }

  #find(wireHash: number, streamLow: number, streamHigh: number): Entry | undefined {
    const entries = (this.#entries ?? this.#read()).get(wireHash);
    if (entries === undefined) return undefined;
    for (const entry of entries) if (isStream(entry, streamLow, streamHigh)) return entry;
    return undefined;
  }
}

function isStream(entry: Entry, low: number, high: number): boolean {
  return entry.streamLow === low && entry.streamHigh === high;
}
