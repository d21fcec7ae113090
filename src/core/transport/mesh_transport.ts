/**
 * The transport of a node: receives, classifies and opens datagrams, keeps sessions and peers alive,
 * and offers messages and streams to the planes above (`wire.md` 2 to 12).
 *
 * This is its door; what does the work is made and tied together in `mesh_parts.ts`.
 */
import type { NetError } from "../../base/mod.ts";
import type { TransportCounters } from "./counters.ts";
import type { Egress } from "./routing/egress.ts";
import type { HandshakeTarget } from "./handshake/handshake_types.ts";
import { ANNOUNCEMENT_FAN_OUT } from "./mesh_limits.ts";
import type { MeshTransportDeps, MeshTransportOptions } from "./mesh_options.ts";
import { createMeshParts, type MeshParts } from "./mesh_parts.ts";
import type { MessageHandler, SendMessageOptions } from "./message_plane.ts";
import { REFLEX_TIMEOUT_MS } from "./nat/mod.ts";
import type { KeepAliveHandler } from "./packet_receiver.ts";
import type { PingwaveFacts } from "./routing/pingwaves.ts";
import type { RelayGate } from "./routing/relay_gate.ts";
import type { SendStreamHandle } from "./streams/send_stream.ts";
import type { DatagramSocket } from "./socket/socket.ts";
import type { StreamInfo } from "./streams/stream_info.ts";
import type { EventHandler } from "./streams/stream_plane.ts";
import { encodeKeepAlive } from "./wire/nat_frames.ts";
import type {
  AcceptStream,
  DiscoveredNode,
  EndReceiving,
  FailureCounts,
  MeshLink,
  OpenReceiveStreamOptions,
  OpenSendStreamOptions,
  PeerConduct,
  PeerFeatures,
  PeerInfo,
  ProvenPeer,
  ReadStreamOptions,
  ReceiveStreamHandle,
  ReceiveStreamHandler,
  RelayedStream,
  RouteInfo,
  SocketAddress,
  StreamReader,
  TableSizes,
} from "./types.ts";

/** The transport of one node. */
export class MeshTransport implements MeshLink {
  readonly nodeId: bigint;
  readonly counters: TransportCounters;
  readonly heartbeatMs: number;
  readonly #socket: DatagramSocket;
  readonly #parts: MeshParts;
  #isStopped = false;

  /**
   * @throws RangeError when an interval is out of bounds, TypeError when the identity for sealed sessions
   * gives another node id.
   */
  constructor(deps: MeshTransportDeps, options: MeshTransportOptions) {
    this.nodeId = options.nodeId;
    this.#socket = deps.socket;
    this.#parts = createMeshParts(deps, options);
    this.counters = this.#parts.counters;
    this.heartbeatMs = this.#parts.heartbeatMs;
  }

  /** Where the socket is bound. */
  get localAddress(): SocketAddress {
    return this.#socket.localAddress;
  }

  /** Starts receiving and keeping peers alive. */
  start(): void {
    const { intake, receiver, liveness, upkeep } = this.#parts;
    intake.start(receiver);
    liveness.start();
    upkeep.start();
  }

  /** Why nothing is received any more; `undefined` as long as the socket works. */
  get failure(): NetError | undefined {
    return this.#parts.intake.failure;
  }

  /** Takes leave of every peer that understands it, ends all sessions and closes the socket; idempotent. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const parts = this.#parts;
    parts.intake.stop();
    parts.upkeep.stop();
    parts.liveness.stop();
    parts.withdrawals.stop();
    parts.pingwaves.stop();
    parts.handshaker.stop();
    parts.paths.stop();
    for (const session of parts.sessions.values()) {
      session.sendFarewell();
      parts.sessions.end(session);
    }
    this.#socket.close();
  }

  /** Resolves when nothing of a stopped transport runs any more, within a twentieth of a second. */
  get stopped(): Promise<void> {
    return this.#socket.closed ?? Promise.resolve();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  // --- Peers -----------------------------------------------------------------------------------

  /** One handshake attempt; see `Handshaker.attempt`. */
  async dial(target: HandshakeTarget, patienceMs: number, signal?: AbortSignal): Promise<void> {
    await this.#parts.handshaker.attempt(target, patienceMs, signal);
  }

  /** All peers, failed ones included. */
  peers(): PeerInfo[] {
    return this.#parts.view.peers();
  }

  /** What is known of one peer. */
  peer(nodeId: bigint): PeerInfo | undefined {
    return this.#parts.view.peer(nodeId);
  }

  connectedPeers(): readonly bigint[] {
    return this.#parts.view.connectedPeers();
  }

  /** What was observed of a peer; `undefined` for an unknown one. */
  conduct(nodeId: bigint): PeerConduct | undefined {
    return this.#parts.view.conduct(nodeId);
  }

  /** How many peers are in each state, exact at any time. */
  failureCounts(): FailureCounts {
    return this.#parts.view.failureCounts();
  }

  /** Sessions held: in use, replaced a moment ago, waiting for a proof. */
  get sessionCount(): number {
    return this.#parts.sessions.size;
  }

  /** Lets what is sent to a peer use what it understands; nothing happens for an unknown peer. */
  setPeerFeatures(nodeId: bigint, features: PeerFeatures): void {
    const peer = this.#parts.peers.get(nodeId);
    if (peer === undefined) return;
    peer.takesAckRanges = features.takesAckRanges;
    peer.takesSubnetHeader = features.takesSubnetHeader ?? false;
  }

  /** Sets the subnet that packets of this node say they come from; 0 is the global one. */
  setSubnet(subnet: number): void {
    this.#parts.sender.subnet = subnet;
  }

  /** Sets who decides on packets of channels that are relayed through here; nobody does without one. */
  setRelayGate(gate: RelayGate | undefined): void {
    this.#parts.relay.gate = gate;
  }

  /** Asks the peer for a sign of life; any authentic answer counts. */
  probe(nodeId: bigint): void {
    this.#parts.lifeSigns.ask(nodeId);
  }

  /**
   * Round-trip time to a peer.
   *
   * @returns Milliseconds, or `undefined` when no answer came in time or there is no session.
   */
  ping(nodeId: bigint, timeoutMs: number): Promise<number | undefined> {
    return this.#parts.lifeSigns.measure(nodeId, timeoutMs);
  }

  /**
   * Asks a peer where it sees this node (`nrpc.md` 16).
   *
   * @throws NatError `peer-not-reachable` without a session, `reflex-timeout` without an answer,
   * `transport` when the answer is no address.
   */
  queryReflex(nodeId: bigint, timeoutMs = REFLEX_TIMEOUT_MS): Promise<SocketAddress> {
    return this.#parts.lifeSigns.queryReflex(nodeId, timeoutMs);
  }

  /**
   * Asks a relayed peer on its sealed session whether it receives at an address, and takes the relay out of
   * the way if so: nothing that is under way on the session is lost.
   *
   * @returns False when it did not answer from there within a second, or has no such session.
   */
  leaveRelay(nodeId: bigint, address: SocketAddress): Promise<boolean> {
    const peer = this.#parts.peers.get(nodeId);
    if (peer?.session === undefined || peer.relayTo === undefined) return Promise.resolve(false);
    return this.#parts.paths.seek(peer.session, address);
  }

  /** Sends a keep-alive datagram, which opens a hole in a NAT and says nothing else. */
  sendKeepAlive(punchId: number, to: SocketAddress): void {
    this.#parts.sender.sendRaw(encodeKeepAlive({ senderNodeId: this.nodeId, punchId }), to);
  }

  /** Sets who takes keep-alive datagrams; without one they are counted and dropped. */
  setKeepAliveHandler(handler: KeepAliveHandler | undefined): void {
    this.#parts.receiver.keepAliveHandler = handler;
  }

  reportSilence(peer: bigint): void {
    this.#parts.life.onSilence(peer);
  }

  onPeerChange(handler: (peer: bigint, isConnected: boolean) => void): () => void {
    return this.#parts.events.peerChange.on(handler);
  }

  /** Calls back when a peer proved who it is on a sealed session; the result stops that. */
  onProven(handler: (peer: ProvenPeer) => void): () => void {
    return this.#parts.events.proven.on(handler);
  }

  /** Calls back when a peer is reached at another address from now on; the result stops that. */
  onPeerMoved(handler: (peer: bigint, address: SocketAddress) => void): () => void {
    return this.#parts.events.moved.on(handler);
  }

  /** Calls back when a plane above found a peer silent; the result stops that. */
  onSilence(handler: (peer: bigint) => void): () => void {
    return this.#parts.events.silence.on(handler);
  }

  /**
   * Calls back when a peer is suspected, because it is silent, and when it no longer is; the result stops
   * that. Nothing new should be asked of a suspected peer that another one can do.
   */
  onSuspicion(handler: (peer: bigint, isSuspected: boolean) => void): () => void {
    return this.#parts.events.suspicion.on(handler);
  }

  // --- Ways through the mesh -------------------------------------------------------------------

  /** Nodes heard of through pingwaves. */
  discoveredNodes(): DiscoveredNode[] {
    return this.#parts.view.discoveredNodes();
  }

  /** Which neighbour packets for each node are handed to. */
  routes(): RouteInfo[] {
    return this.#parts.view.routes();
  }

  /** The neighbour that packets for a node are handed to now; `undefined` when none leads there. */
  nextHop(nodeId: bigint): PeerInfo | undefined {
    return this.#parts.view.nextHop(nodeId);
  }

  /** What this node sees of the streams it relays. */
  relayedStreams(): RelayedStream[] {
    return this.#parts.view.relayedStreams();
  }

  /** How full the tables are that others fill. */
  tableSizes(): TableSizes {
    return this.#parts.view.tableSizes();
  }

  /** Counters of routing, relaying and recovery, by the names of metrics. */
  routingCounters(): Record<string, number> {
    return this.#parts.view.routingCounters();
  }

  /** The way out for scheduled streams; relayed packets share it. */
  get egress(): Egress {
    return this.#parts.egress;
  }

  /**
   * A signed announcement of `origin` came from the peer `via`, over so many hops: it is reached that way
   * (`wire.md` 9.6).
   */
  noteAnnouncement(origin: bigint, via: bigint, hopCount: number): void {
    const peer = this.#parts.peers.get(via);
    if (peer !== undefined && hopCount > 0) {
      this.#parts.routing.onAnnouncement(origin, peer, hopCount);
    }
  }

  /**
   * Peers to pass on an announcement to (promise W8): not back, not towards its origin, and of very many
   * neighbours some.
   *
   * @param turn Number of this announcement among those of its origin.
   */
  passOnTo(origin: bigint, from: bigint, turn: number): readonly bigint[] {
    return this.#parts.routing.passOnTo(origin, from, turn, ANNOUNCEMENT_FAN_OUT);
  }

  /** What this node can do has changed: its pingwaves say so from now on, the next one soon. */
  announceFacts(facts: PingwaveFacts): void {
    this.#parts.pingwaves.announceFacts(facts);
  }

  // --- Messages and streams --------------------------------------------------------------------

  sendMessage(
    peer: bigint,
    subprotocol: number,
    streamId: bigint,
    payload: Uint8Array,
    options: SendMessageOptions = {},
  ): boolean {
    return this.#parts.messages.send(peer, subprotocol, streamId, payload, options);
  }

  onMessage(subprotocol: number, handler: MessageHandler): () => void {
    return this.#parts.messages.on(subprotocol, handler);
  }

  /** The streams of one peer, or of all. */
  streams(nodeId?: bigint): StreamInfo[] {
    return this.#parts.view.streams(nodeId);
  }

  /**
   * Sets who takes events of streams that nobody diverted. Without one, events of unreliable streams are
   * counted and dropped, and packets of reliable ones are not acknowledged, so that they come again.
   */
  setEventHandler(handler: EventHandler | undefined): void {
    this.#parts.streams.handler = handler;
  }

  openSendStream(
    peer: bigint,
    streamId: bigint,
    options: OpenSendStreamOptions = {},
  ): SendStreamHandle {
    return this.#parts.streams.openSend(peer, streamId, options);
  }

  openReceiveStream(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
    options: OpenReceiveStreamOptions = {},
  ): EndReceiving {
    return this.#parts.streams.openReceive(peer, streamId, handler, options);
  }

  /** As `openReceiveStream`; the result tells of the stream as well, and takes what is held (`isHeld`). */
  receiveStream(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
    options: OpenReceiveStreamOptions = {},
  ): ReceiveStreamHandle {
    return this.#parts.streams.receive(peer, streamId, handler, options);
  }

  /**
   * Takes a stream of any peer from now on, as soon as a packet for it comes on a session; `accept` says how.
   * A stream that somebody opened by `receiveStream` stays with whom opened it.
   *
   * @returns Ends that; streams that were taken go on.
   * @throws NetError `conflict` when the stream is accepted already, `limit` when too many are.
   */
  acceptStream(streamId: bigint, accept: AcceptStream): () => void {
    return this.#parts.streams.acceptFrom(streamId, accept);
  }

  /**
   * Reads a stream of `peer` event by event: once and in order with `isOrdered`, else as they arrive.
   *
   * @throws NetError `unreachable` when there is no session with the peer.
   */
  readStream(peer: bigint, streamId: bigint, options: ReadStreamOptions = {}): StreamReader {
    return this.#parts.streams.read(peer, streamId, options);
  }
}
