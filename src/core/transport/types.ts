/**
 * What the planes above the transport see of it: peers, messages, streams.
 *
 * Views handed to callbacks are valid only during the call; copy what must outlive it.
 */

import type { SocketAddress } from "../../base/mod.ts";

export type { SocketAddress };

/** How a session with a peer came about. */
export type SessionForm = "direct" | "routed";

/** Life of a peer as the failure detector sees it (`wire.md` 11). */
export type PeerState = "connecting" | "connected" | "suspected" | "failed";

/** What is known of a peer now. */
export interface PeerInfo {
  readonly nodeId: bigint;
  readonly address: SocketAddress;
  readonly state: PeerState;
  readonly form: SessionForm;
  /** True when a relay stands in between; the address is the relay's then. */
  readonly isRelayed: boolean;
  readonly initiator: boolean;
  /** True when the session is forward secret and both sides proved their identity. */
  readonly isSealed: boolean;
  /** True when another node seems to use the same identity: both proved it in turn, again and again. */
  readonly hasDouble: boolean;
  readonly sessionAgeMs: number;
  /** Streams of the session that have state here. */
  readonly streams: number;
  /** Smoothed round-trip time in milliseconds; `undefined` before the first sample. */
  readonly rttMs: number | undefined;
  /** Where it said last that it sees this node; behind a relay, where it sees the relay. */
  readonly reflex: SocketAddress | undefined;
  /** Milliseconds since the last authentic packet. */
  readonly idleMs: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** A node heard of through pingwaves. */
export interface DiscoveredNode {
  readonly nodeId: bigint;
  /** The neighbour its pingwaves come through on the best way. */
  readonly via: bigint;
  readonly hops: number;
  /** Time of its newest pingwave, by the clock of the node. */
  readonly seenAt: number;
  /** Time its pingwaves take; meaningful as far as clocks agree. */
  readonly latencyMs: number;
  /** As it says: load 0 to 255, health 0 healthy to 3 unknown. */
  readonly load: number;
  readonly health: number;
  readonly capabilityVersion: number;
}

/** The neighbour that packets for a node are handed to. */
export interface RouteInfo {
  readonly nodeId: bigint;
  readonly via: bigint;
  /** 1 for a session, hops + 2 for what was learned. */
  readonly metric: number;
  /** Bound to the neighbour's identity, not only to its address. */
  readonly isProtected: boolean;
  /** The neighbour is silent and there is no other. */
  readonly isSuspected: boolean;
  /** Milliseconds since the route was last confirmed. */
  readonly ageMs: number;
}

/** How many peers are in each state now. */
export interface FailureCounts {
  /** No session in use yet, or none any more. */
  readonly connecting: number;
  readonly healthy: number;
  readonly suspected: number;
  readonly failed: number;
}

/** What was observed of a peer. */
export interface PeerConduct {
  /** 100 when nothing speaks against it; below 50 others are preferred as next hop. */
  readonly score: number;
  /** Heartbeats of late: in time, and after a silence of a session timeout or more. */
  readonly heartbeatsInTime: number;
  readonly heartbeatsLate: number;
  /** Packets above a limit. */
  readonly floods: number;
  /** Packets to be relayed whose time-to-live was used up. */
  readonly spentTtls: number;
  /** Packets to be relayed that had been here before. */
  readonly loops: number;
  /** Packets that could not be read. */
  readonly malformed: number;
}

/** Entries in the tables that other nodes fill. */
export interface TableSizes {
  readonly peers: number;
  readonly sessions: number;
  readonly routes: number;
  /** Edges of the graph of who hears whom. */
  readonly edges: number;
  readonly nodes: number;
  readonly relayedPairs: number;
  readonly relayedStreams: number;
  /** Packets waiting for their turn to leave. */
  readonly waiting: number;
}

/** What the router saw of one stream it relays. */
export interface RelayedStream {
  readonly streamId: bigint;
  readonly packets: number;
  readonly bytes: number;
  readonly drops: number;
}

/** One event of a packet whose subprotocol somebody registered for. */
export interface SubprotocolMessage {
  readonly from: bigint;
  readonly subprotocol: number;
  readonly streamId: bigint;
  readonly sequence: number;
  /** Valid only during the call. */
  readonly payload: Uint8Array;
}

/** What a peer announced that it understands beyond the bare wire. */
export interface PeerFeatures {
  /** SACK control events (`wire.md` 7.6). */
  readonly takesAckRanges: boolean;
  /** Subnet and hop limit in packet headers (`decisions.md` 11); false when left out. */
  readonly takesSubnetHeader?: boolean;
}

/** A peer that proved on a sealed session who it is. */
export interface ProvenPeer {
  readonly nodeId: bigint;
  readonly entityId: Uint8Array;
  readonly noisePublicKey: Uint8Array;
  readonly address: SocketAddress;
  /** False when we dialled it, so that the address is one it can be reached at. */
  readonly hasDialledUs: boolean;
  readonly isRelayed: boolean;
}

/** Why a stream ended before its close. */
export type StreamEnd = "reset" | "peer_lost" | "replaced" | "gap" | "idle" | "closed";

/** Sending half of a stream on the event plane, as far as the planes above need it (`wire.md` 7). */
export interface SendStream {
  readonly peer: bigint;
  readonly streamId: bigint;
  /**
   * Queues one event as one packet if credit and congestion window allow it.
   *
   * @param event At most 8104 bytes, 8086 through a relay; copied before the call returns.
   * @returns False when the caller has to wait for {@linkcode SendStream.ready}.
   * @throws NetError `unreachable` once the stream has ended.
   */
  trySend(event: Uint8Array): boolean;
  /** Resolves when `trySend` is worth another try; rejects when the stream ended. */
  ready(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Waits until every event sent was acknowledged, then forgets the stream; rejects on loss or abort. A
   * node of ours acknowledges what a reader, or the event handler, has taken, and nothing else.
   */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Gives the stream up at once: the peer is sent a RESET. */
  abort(): void;
}

/** Options of sending with patience. */
export interface SendOptions {
  readonly signal?: AbortSignal;
  /** False fails with `backpressure` instead of waiting; true when left out. */
  readonly isPatient?: boolean;
}

/** Receiving half of a stream. */
export interface ReceiveStreamHandler {
  /**
   * One event, in arrival order and at most once.
   *
   * @param sequence The packet's number in its stream, from 0.
   * @param payload Valid only during the call.
   * @param index The event's place in its packet, from 0.
   */
  onEvent(sequence: number, payload: Uint8Array, index: number): void;
  /** The stream ended without our asking. */
  onEnd(reason: StreamEnd): void;
}

/** What the headers of a stream's packets say beside what the transport itself needs (`wire.md` 3). */
export interface PacketLabel {
  /** Low 16 bits of a channel's hash; a hint. */
  readonly channelHash: number;
  /** 0 to 255. */
  readonly priority: number;
  /** Origin hash of the sender. */
  readonly originHash: bigint;
}

/** Options of {@linkcode MeshLink.openSendStream}. */
export interface OpenSendStreamOptions {
  /** Credit window in bytes (payload plus 84 per packet); 65536 when left out. */
  readonly windowBytes?: number;
  /** Lost packets are sent again; true when left out. */
  readonly isReliable?: boolean;
  /**
   * Packets wait their turn among relayed ones and other scheduled streams; left out, they leave at once
   * while there is room.
   */
  readonly isScheduled?: boolean;
  /** Share of the way out of a scheduled stream, 1 to 1024; 1 when left out, as for relayed packets. */
  readonly weight?: number;
  /** What the headers of its packets say beside; nothing when left out. */
  readonly label?: PacketLabel;
  /** The stream ended without our asking, or was given up by `abort`. */
  readonly onEnd?: (reason: StreamEnd) => void;
  /**
   * Silence does not end it, as long as this half is open so; opened again without, it may end. Both sides
   * must agree: who ends a stream alone and begins again with number 0 is not understood by the other.
   */
  readonly isKept?: boolean;
}

/** One event of a stream that nobody diverted. */
export interface MeshEvent {
  readonly from: bigint;
  readonly streamId: bigint;
  readonly sequence: number;
  readonly index: number;
  /** Valid only during the call. */
  readonly payload: Uint8Array;
}

/** Options of {@linkcode MeshLink.openReceiveStream}. */
export interface OpenReceiveStreamOptions {
  /** Credit window the sender uses; sizes the reorder horizon and the pace of grants. 65536 when left out. */
  readonly windowBytes?: number;
  /**
   * Events are handed on in the order they were sent in; as they arrive when left out, and on streams whose
   * sender does not repeat what was lost.
   */
  readonly isOrdered?: boolean;
  /** As with the sending half. */
  readonly isKept?: boolean;
  /**
   * Packets are taken as they come, and none is waited for, whatever their sender says: the Rust core flags
   * what it publishes on reliable channels and never repeats it.
   */
  readonly isFlagIgnored?: boolean;
  /**
   * The receiver says what it holds: that earns the sender no credit, and packets beyond two windows of it
   * are refused, so that they come again.
   */
  readonly isHeld?: boolean;
}

/** Options of reading a stream event by event. */
export interface ReadStreamOptions extends OpenReceiveStreamOptions {
  readonly signal?: AbortSignal;
}

/**
 * Events of a stream, taken one at a time. What was received and not taken earns the sender no credit, so a
 * slow reader slows the sender down and holds no more than the window.
 *
 * The wire has no end of a stream: iteration ends when the reader cancels, and fails with a NetError when
 * the stream ends early.
 */
export interface StreamReader extends AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly peer: bigint;
  readonly streamId: bigint;
  /** Events that can be taken without waiting. */
  readonly available: number;
  /** The next event, the caller's own copy; `undefined` once cancelled. */
  read(options?: { readonly signal?: AbortSignal }): Promise<Uint8Array | undefined>;
  /** Ends reading; with `abort` the sender is told to stop (RESET). */
  cancel(options?: { readonly abort?: boolean }): void;
}

/** A receiving half that somebody opened. */
export interface ReceiveStreamHandle {
  /** True when the sender repeats what was lost; known with the first packet. */
  readonly isReliable: boolean;
  /**
   * Origin hash that the header of the packet says which came last, in halves: during `onEvent` the packet
   * the event came in, on streams that are not ordered. Sealed peers of ours say 0.
   */
  readonly packetOriginLow: number;
  readonly packetOriginHigh: number;
  /** Counts bytes that came and were not taken yet; negative ones are taken by now. */
  hold(bytes: number): void;
  /** Ends receiving. */
  readonly end: EndReceiving;
}

/** How a stream is taken that a peer began. */
export interface AcceptedStream {
  readonly handler: ReceiveStreamHandler;
  readonly options?: OpenReceiveStreamOptions;
  /** Gets the handle before the first event. */
  readonly attach?: (handle: ReceiveStreamHandle) => void;
}

/** Says how a stream of a peer is taken; `undefined` treats it as if nobody had asked for it. */
export type AcceptStream = (peer: bigint) => AcceptedStream | undefined;

/**
 * Ends receiving. With `abort` the sender is told to stop as well (RESET), for what will never be wanted;
 * without it late copies are still acknowledged.
 */
export type EndReceiving = (options?: { readonly abort?: boolean }) => void;

/** The part of the transport that other planes are built on. */
export interface MeshLink {
  /** This node's id. */
  readonly nodeId: bigint;
  /** Peers with a live session; those that are suspected, because they are silent, come last. */
  connectedPeers(): readonly bigint[];
  /** Sends one message of a subprotocol; unreliable, dropped when the peer has no session. Returns whether it left. */
  sendMessage(
    peer: bigint,
    subprotocol: number,
    streamId: bigint,
    payload: Uint8Array,
    options?: { readonly reliableFlag?: boolean; readonly sequence?: number },
  ): boolean;
  /** Registers the one handler of a subprotocol; the result removes it. */
  onMessage(subprotocol: number, handler: (message: SubprotocolMessage) => void): () => void;
  /**
   * Opens the sending half of an event stream.
   *
   * @throws NetError `unreachable` when there is no session with the peer.
   */
  openSendStream(peer: bigint, streamId: bigint, options?: OpenSendStreamOptions): SendStream;
  /**
   * Diverts events of a stream of `peer` to `handler`; the result ends that (a late packet is ignored).
   * Without a session the handler is told `peer_lost` before this returns.
   */
  openReceiveStream(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
    options?: OpenReceiveStreamOptions,
  ): EndReceiving;
  /** Calls back when a peer's session opens or is lost; the result stops that. */
  onPeerChange(handler: (peer: bigint, isConnected: boolean) => void): () => void;
  /**
   * Says that `peer` did not answer for longer than it should have; the transport probes it and, where
   * it knows how to reach it, dials it again.
   */
  reportSilence(peer: bigint): void;
}
