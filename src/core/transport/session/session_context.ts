/** What all sessions of a transport share, and what they ask of it. */
import type { Clock } from "../../../base/mod.ts";
import type { Identity, PacketCipher, ReplayWindows, ResetTagger } from "../../crypto/mod.ts";
import type { AddressGuard } from "../handshake/address_guard.ts";
import type { TransportCounters } from "../counters.ts";
import type { Egress } from "../routing/egress.ts";
import type { EventCursor } from "../wire/event_frame.ts";
import type { PacketSender } from "../packet_sender.ts";
import type { PacketStore } from "../streams/packet_store.ts";
import type { ReorderBudget } from "../streams/reorder_buffer.ts";
import type { ScheduledPackets } from "../streams/scheduled_packets.ts";
import type { Session } from "./session.ts";
import type { Stream } from "../streams/stream.ts";

/** What all sessions of a transport share. */
export interface SessionContext {
  readonly cipher: PacketCipher;
  readonly sender: PacketSender;
  readonly counters: TransportCounters;
  readonly clock: Clock;
  /** Asked before a proof is sent to an address that is not proven; nothing else is sent there. */
  readonly guard: Pick<AddressGuard, "mayAnswer">;
  /** Keeps plaintexts until they are acknowledged, or in order. */
  readonly store: PacketStore;
  /** The way out of scheduled streams, and their packets on it. */
  readonly egress: Egress;
  readonly scheduled: ScheduledPackets;
  /** The cipher's memory. */
  readonly view: DataView;
  readonly replayWindows: ReplayWindows;
  /** Walks over the events of one packet at a time. */
  readonly cursor: EventCursor;
  /** Memory that all ordered streams share. */
  readonly reorderBudget: ReorderBudget;
  /** Takes events of streams that nobody diverted. */
  readonly onEvent: (
    session: Session,
    stream: Stream,
    sequence: number,
    payload: Uint8Array,
    index: number,
  ) => void;
  /** True while somebody takes those. */
  readonly hasEventHandler: () => boolean;
  /** A packet came for a stream that nobody reads; true when somebody does from now on. */
  readonly acceptStream: (session: Session, low: number, high: number) => boolean;
  /**
   * Who this node proves to be on sealed sessions, and what this life of it is called (8 random bytes);
   * `undefined` where there are none.
   */
  readonly prover: SessionProver & { readonly boot: Uint8Array } | undefined;
  /** A packet now waits for an acknowledgement, or a gap for its filling. */
  readonly onBusy: (session: Session) => void;
}

/** What a node proves its identity with. */
export interface SessionProver {
  readonly identity: Pick<Identity, "entityId" | "sign">;
  readonly resetTagger: ResetTagger;
}
