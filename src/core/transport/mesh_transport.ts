/**
 * The transport of a node: receives, classifies and opens datagrams, keeps sessions and peers alive,
 * and offers messages and streams to the planes above (`wire.md` 2 to 12).
 */

import {
  type Clock,
  highHalf,
  idToHex,
  lowHalf,
  NetError,
  type RandomBytes,
  systemRandom,
} from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { type NoiseKeyPair, type PacketCipher, ReplayWindows } from "../crypto/mod.ts";
import { formatAddress } from "./address.ts";
import { AddressGuard } from "./address_guard.ts";
import { Breakers } from "./breakers.ts";
import { SUBPROTOCOL_REFLEX } from "./builtin_messages.ts";
import { CloneWatch } from "./clones.ts";
import { ConductTable } from "./conduct.ts";
import { createTransportCounters } from "./counters.ts";
import { Egress } from "./egress.ts";
import {
  Handshaker,
  type HandshakeResult,
  type HandshakeTarget,
  type SealingOptions,
} from "./handshake.ts";
import { EventCursor } from "./event_frame.ts";
import { HandshakeBudget } from "./handshake_budget.ts";
import { MAX_EVENT_BYTES } from "./header.ts";
import {
  HEARTBEAT_MS,
  RECEIVE_BUFFER_BYTES,
  RETRANSMIT_TICK_MS,
  SESSION_TIMEOUT_MS,
  SWEEP_MS,
} from "./limits.ts";
import { Liveness, type LivenessChange } from "./liveness.ts";
import { Loopback } from "./loopback.ts";
import { ANNOUNCEMENT_FAN_OUT } from "./mesh_limits.ts";
import { requireInterval, requireOneIdentity } from "./option_checks.ts";
import { PacketReceiver } from "./packet_receiver.ts";
import { PacketSender } from "./packet_sender.ts";
import { PacketStore } from "./packet_store.ts";
import { Paths } from "./paths.ts";
import { type Peer, PeerTable } from "./peers.ts";
import { type PingwaveFacts, Pingwaves } from "./pingwaves.ts";
import { RateLimits } from "./rate_limits.ts";
import { Relay } from "./relay.ts";
import { ReorderBudget } from "./reorder_buffer.ts";
import { RetryGate } from "./retry_gate.ts";
import { Routing } from "./routing.ts";
import { SealedDatagrams } from "./sealed_datagrams.ts";
import type { Session, SessionProver } from "./session.ts";
import { SessionResets } from "./session_resets.ts";
import { SessionRegistry } from "./session_registry.ts";
import type { DatagramSocket } from "./socket.ts";
import { ScheduledPackets } from "./scheduled_packets.ts";
import type { SendStreamHandle } from "./send_stream.ts";
import { type EventHandler, StreamPlane } from "./stream_plane.ts";
import { describeStreams, type StreamInfo } from "./stream_info.ts";
import type {
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
  ReceiveStreamHandler,
  RelayedStream,
  RouteInfo,
  SocketAddress,
  StreamReader,
  SubprotocolMessage,
  TableSizes,
} from "./types.ts";
import { WithdrawalFlood } from "./withdrawal_flood.ts";

const EMPTY = new Uint8Array(0);

/** What {@linkcode MeshTransport} needs. */
export interface MeshTransportDeps {
  readonly socket: DatagramSocket;
  readonly cipher: PacketCipher;
  readonly clock: Clock;
  readonly log: Log;
  /** The system's when left out. */
  readonly random?: RandomBytes;
}

/** Who this node is and how patient it is. */
export interface MeshTransportOptions {
  readonly nodeId: bigint;
  readonly noiseKeys: NoiseKeyPair;
  /** The 32-byte secret (PSK) all nodes of the mesh share. */
  readonly meshSecret: Uint8Array;
  /** Node ids whose direct handshakes are accepted; at most 64. */
  readonly expected?: readonly bigint[];
  readonly heartbeatMs?: number;
  readonly sessionTimeoutMs?: number;
  /** Identity for sealed sessions; left out, every session is compat. */
  readonly sealing?: SessionProver & Pick<SealingOptions, "policyOf">;
}

/** The transport of one node. */
export class MeshTransport implements MeshLink {
  readonly nodeId: bigint;
  readonly counters = createTransportCounters();
  readonly heartbeatMs: number;
  readonly #deps: MeshTransportDeps;
  readonly #memory: Uint8Array;
  readonly #receiveAt: number;
  readonly #receiveBytes: number;
  readonly #peers = new PeerTable();
  readonly #sessions: SessionRegistry;
  readonly #conduct: ConductTable;
  readonly #breakers = new Breakers();
  readonly #rates: RateLimits;
  readonly #routing: Routing;
  readonly #withdrawals: WithdrawalFlood;
  readonly #pingwaves: Pingwaves;
  readonly #relay: Relay;
  readonly #egress: Egress;
  readonly #liveness: Liveness;
  readonly #loopback: Loopback;
  readonly #sender: PacketSender;
  readonly #handshaker: Handshaker;
  readonly #receiver: PacketReceiver;
  readonly #guard: AddressGuard;
  readonly #paths: Paths;
  readonly #clones: CloneWatch;
  readonly #messageHandlers = new Map<number, (message: SubprotocolMessage) => void>();
  readonly #peerHandlers = new Set<(peer: bigint, isConnected: boolean) => void>();
  readonly #provenHandlers = new Set<(peer: ProvenPeer) => void>();
  readonly #movedHandlers = new Set<(peer: bigint, address: SocketAddress) => void>();
  readonly #silenceHandlers = new Set<(peer: bigint) => void>();
  readonly #suspicionHandlers = new Set<(peer: bigint, isSuspected: boolean) => void>();
  readonly #busy = new Set<Session>();
  readonly #streams: StreamPlane;
  #cancelTick: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;
  #failure: NetError | undefined;
  #isStopped = false;

  constructor(deps: MeshTransportDeps, options: MeshTransportOptions) {
    const { socket, cipher, clock, log, random = systemRandom } = deps;
    const { counters } = this;
    this.#deps = deps;
    this.nodeId = options.nodeId;
    this.heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
    const sessionTimeoutMs = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    requireInterval("the heartbeat interval", this.heartbeatMs);
    requireInterval("the session timeout", sessionTimeoutMs);
    requireOneIdentity(options.nodeId, options.sealing?.identity.entityId);
    this.#memory = cipher.memory;
    this.#receiveBytes = socket.receiveBytes ?? RECEIVE_BUFFER_BYTES;
    this.#receiveAt = cipher.allocate(this.#receiveBytes, 16);
    this.#sender = new PacketSender({
      cipher,
      socket,
      counters,
      routingId: lowHalf(options.nodeId),
    });
    const { memory } = cipher;
    const peers = this.#peers;
    const conduct = this.#conduct = new ConductTable(sessionTimeoutMs);
    const rates = this.#rates = new RateLimits(clock.now());
    const routing = this.#routing = new Routing({
      peers,
      clock,
      conduct,
      flood: (emission) => this.#withdrawals.add(emission),
    }, { nodeId: options.nodeId, sessionTimeoutMs });
    this.#withdrawals = new WithdrawalFlood({ clock, neighbours: routing.neighbours });
    this.#pingwaves = new Pingwaves(
      { clock, counters, sender: this.#sender, routing, rates, conduct },
      options.nodeId,
    );
    const guard = this.#guard = new AddressGuard({ clock, counters, peers });
    this.#clones = new CloneWatch({ clock, counters, log });
    this.#paths = new Paths({
      clock,
      random,
      counters,
      peers,
      guard,
      onMoved: (peer) => this.#onMoved(peer),
    });
    const egress = this.#egress = new Egress({ sender: this.#sender, counters, memory });
    const store = new PacketStore(cipher);
    this.#streams = new StreamPlane({
      counters,
      sessionOf: (peer) => this.#peers.get(peer)?.session,
      requireSession: (peer) => this.#requireSession(peer),
    });
    this.#relay = new Relay(
      { counters, egress, peers, routing, rates, conduct, memory },
      { routingId: lowHalf(options.nodeId), seed: new DataView(random(4).buffer).getUint32(0) },
    );
    this.#liveness = new Liveness({
      clock,
      peers,
      counters,
      conduct,
      onRound: (now) => this.#onRound(now),
      beat: (peer) => this.#beat(peer),
      onChange: (peer, change) => this.#onLivenessChange(peer, change),
    }, { heartbeatMs: this.heartbeatMs, sessionTimeoutMs });
    this.#loopback = new Loopback({ log: deps.log, handlers: this.#messageHandlers });
    this.#sessions = new SessionRegistry({
      peers,
      counters,
      clock,
      guard,
      context: {
        cipher,
        sender: this.#sender,
        counters,
        clock,
        guard,
        store,
        egress,
        scheduled: new ScheduledPackets(store),
        view: new DataView(cipher.memory.buffer, cipher.memory.byteOffset),
        replayWindows: new ReplayWindows(),
        cursor: new EventCursor(),
        reorderBudget: new ReorderBudget(),
        prover: options.sealing,
        onEvent: (...event) => this.#streams.onEvent(...event),
        hasEventHandler: () => this.#streams.handler !== undefined,
        onBusy: (session) => {
          this.#busy.add(session);
          this.#scheduleTick();
        },
      },
      onSession: (peer, isReplacement) => this.#onSession(peer, isReplacement),
      onConfirmed: (peer) => {
        this.#beginPeer(peer);
        this.#tellPeerChange(peer, true);
      },
      onProven: (peer, result) => this.#onProven(peer, result),
    }, options.nodeId);
    const { sealing } = options;
    const retries = sealing === undefined
      ? undefined
      : new RetryGate({ clock, random, counters, sender: this.#sender, guard });
    this.#handshaker = new Handshaker({
      sender: this.#sender,
      counters,
      clock,
      guard,
      budget: new HandshakeBudget({ clock, counters, guard, retries }),
      onAccepted: (result) => this.#sessions.accept(result),
      onAnswered: (result) => this.#sessions.greet(result),
      onInitiated: (result) => {
        if (result.sealed !== undefined) return this.#beginSealed(result);
        const session = this.#sessions.initiate(result);
        // The first packet on the session tells the responder that the keys are in use; no heartbeat
        // passes a relay.
        if (result.isRelayed) {
          session?.sendMessage(SUBPROTOCOL_REFLEX, SUBPROTOCOL_REFLEX, 0, EMPTY);
        } else session?.sendHeartbeat();
        return undefined;
      },
      onNegotiationFailed: (nodeId, fault) => {
        deps.log.warn("handshake_refused", { peer: idToHex(nodeId), reason: fault });
      },
    }, {
      nodeId: options.nodeId,
      noiseKeys: options.noiseKeys,
      meshSecret: options.meshSecret,
      expected: options.expected ?? [],
      sealing: sealing === undefined ? undefined : {
        entityId: sealing.identity.entityId,
        policyOf: sealing.policyOf,
      },
    });
    const resets = sealing === undefined ? undefined : new SessionResets({
      clock,
      random,
      counters,
      sender: this.#sender,
      sessions: this.#sessions,
      guard,
      resetTagger: sealing.resetTagger,
      onReset: (session) => this.#onReset(session),
    });
    const sealedDatagrams = resets === undefined || retries === undefined
      ? undefined
      : new SealedDatagrams({
        counters,
        handshaker: this.#handshaker,
        resets,
        retries,
        low: lowHalf(options.nodeId),
        high: highHalf(options.nodeId),
      });
    this.#receiver = new PacketReceiver({
      cipher,
      clock,
      counters,
      peers,
      sessions: this.#sessions,
      routing,
      pingwaves: this.#pingwaves,
      relay: this.#relay,
      rates,
      conduct,
      liveness: this.#liveness,
      handshaker: this.#handshaker,
      messageHandlers: this.#messageHandlers,
      resets,
      sealedDatagrams,
      paths: this.#paths,
    }, options.nodeId);
  }

  /** Where the socket is bound. */
  get localAddress(): SocketAddress {
    return this.#deps.socket.localAddress;
  }

  /** Starts receiving and keeping peers alive. */
  start(): void {
    const { socket } = this.#deps;
    const buffer = this.#memory.subarray(this.#receiveAt, this.#receiveAt + this.#receiveBytes);
    socket.start(buffer, (length, from, offset = 0) => {
      try {
        if (!this.#isStopped) this.#receiver.receive(this.#receiveAt + offset, length, from);
      } catch (error) {
        // A fault of ours in handling one packet must not end receiving.
        this.counters.rx_failures_total += 1;
        this.#deps.log.error("packet_handler_failed", {
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }, (error) => this.#onBroken(error));
    this.#liveness.start();
    this.#scheduleSweep();
  }

  /** Why nothing is received any more; `undefined` as long as the socket works. */
  get failure(): NetError | undefined {
    return this.#failure;
  }

  #onBroken(cause: unknown): void {
    this.#failure = new NetError("network", "Cannot receive from the mesh: its socket is broken", {
      cause,
      next: "restart the node",
    });
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#deps.log.error("socket_broken", { reason });
  }

  /** Ends every session and closes the socket; idempotent. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#liveness.stop();
    this.#withdrawals.stop();
    this.#cancelSweep?.();
    this.#pingwaves.stop();
    this.#handshaker.stop();
    this.#paths.stop();
    for (const session of this.#sessions.values()) this.#sessions.end(session);
    this.#deps.socket.close();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  // --- Peers -----------------------------------------------------------------------------------

  /** One handshake attempt; see {@linkcode Handshaker.attempt}. */
  async dial(target: HandshakeTarget, patienceMs: number, signal?: AbortSignal): Promise<void> {
    await this.#handshaker.attempt(target, patienceMs, signal);
  }

  /** All peers, failed ones included. */
  peers(): PeerInfo[] {
    const now = this.#deps.clock.now();
    return [...this.#peers.values()].map((peer) => peer.info(now));
  }

  /** What is known of one peer. */
  peer(nodeId: bigint): PeerInfo | undefined {
    return this.#peers.get(nodeId)?.info(this.#deps.clock.now());
  }

  /** The streams of one peer, or of all. */
  streams(nodeId?: bigint): StreamInfo[] {
    const now = this.#deps.clock.now();
    const infos: StreamInfo[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.session === undefined || (nodeId !== undefined && peer.nodeId !== nodeId)) continue;
      infos.push(...describeStreams(peer.session, now));
    }
    return infos;
  }

  /** Lets what is sent to a peer use what it understands; nothing happens for an unknown peer. */
  setPeerFeatures(nodeId: bigint, features: PeerFeatures): void {
    const peer = this.#peers.get(nodeId);
    if (peer !== undefined) peer.takesAckRanges = features.takesAckRanges;
  }

  /** Sessions held: in use, replaced a moment ago, waiting for a proof. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Nodes heard of through pingwaves. */
  discoveredNodes(): DiscoveredNode[] {
    return this.#routing.nodes.nodes((slot) => this.#peers.at(slot)?.nodeId ?? 0n);
  }

  /** Which neighbour packets for each node are handed to. */
  routes(): RouteInfo[] {
    return this.#routing.routes();
  }

  /** How many peers are in each state, exact at any time. */
  failureCounts(): FailureCounts {
    const { connecting, connected: healthy, suspected, failed } = this.#peers.counts;
    return { connecting, healthy, suspected, failed };
  }

  /** What was observed of a peer; `undefined` for an unknown one. */
  conduct(nodeId: bigint): PeerConduct | undefined {
    const peer = this.#peers.get(nodeId);
    return peer === undefined ? undefined : this.#conduct.describe(peer.slot);
  }

  /** What this node sees of the streams it relays. */
  relayedStreams(): RelayedStream[] {
    return this.#relay.streams.streams();
  }

  /** How full the tables are that others fill. */
  tableSizes(): TableSizes {
    return {
      peers: this.#peers.size,
      sessions: this.#sessions.size,
      ...this.#routing.sizes(),
      relayedPairs: this.#relay.pairs.size,
      relayedStreams: this.#relay.streams.size,
      waiting: this.#egress.waiting,
    };
  }

  /** Counters of routing, relaying and recovery, by the names of metrics. */
  routingCounters(): Record<string, number> {
    return {
      ...this.#routing.allCounters(),
      ...this.#withdrawals.counters,
      ...this.#relay.pairs.counters,
      ...this.#relay.streams.counters,
      ...this.#egress.counters,
      ...this.#breakers.counters,
      ...this.#loopback.counters,
    };
  }

  /** The way out for scheduled streams; relayed packets share it. */
  get egress(): Egress {
    return this.#egress;
  }

  /**
   * A signed announcement of `origin` came from the peer `via`, over so many hops: it is reached that way
   * (`wire.md` 9.6).
   */
  noteAnnouncement(origin: bigint, via: bigint, hopCount: number): void {
    const peer = this.#peers.get(via);
    if (peer !== undefined && hopCount > 0) this.#routing.onAnnouncement(origin, peer, hopCount);
  }

  /**
   * Peers to pass on an announcement to (promise W8): not back, not towards its origin, and of very many
   * neighbours some.
   *
   * @param turn Number of this announcement among those of its origin.
   */
  passOnTo(origin: bigint, from: bigint, turn: number): readonly bigint[] {
    return this.#routing.passOnTo(origin, from, turn, ANNOUNCEMENT_FAN_OUT);
  }

  /** What this node can do has changed: its pingwaves say so from now on, the next one soon. */
  announceFacts(facts: PingwaveFacts): void {
    this.#pingwaves.announceFacts(facts);
  }

  connectedPeers(): readonly bigint[] {
    const ids: bigint[] = [];
    const suspected: bigint[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.isConnected) (peer.state === "suspected" ? suspected : ids).push(peer.nodeId);
    }
    return suspected.length === 0 ? ids : [...ids, ...suspected];
  }

  onPeerChange(handler: (peer: bigint, isConnected: boolean) => void): () => void {
    this.#peerHandlers.add(handler);
    return () => void this.#peerHandlers.delete(handler);
  }

  /** Calls back when a peer proved who it is on a sealed session; the result stops that. */
  onProven(handler: (peer: ProvenPeer) => void): () => void {
    this.#provenHandlers.add(handler);
    return () => void this.#provenHandlers.delete(handler);
  }

  /** Calls back when a peer is reached at another address from now on; the result stops that. */
  onPeerMoved(handler: (peer: bigint, address: SocketAddress) => void): () => void {
    this.#movedHandlers.add(handler);
    return () => void this.#movedHandlers.delete(handler);
  }

  /** Asks the peer for a sign of life; any authentic answer counts. */
  probe(nodeId: bigint): void {
    const peer = this.#peers.get(nodeId);
    if (peer?.session === undefined) return;
    peer.probedAt = this.#deps.clock.now();
    peer.session.sendMessage(SUBPROTOCOL_REFLEX, SUBPROTOCOL_REFLEX, 0, EMPTY);
  }

  /**
   * Round-trip time to a peer.
   *
   * @returns Milliseconds, or `undefined` when no answer came in time or there is no session.
   */
  ping(nodeId: bigint, timeoutMs: number): Promise<number | undefined> {
    const peer = this.#peers.get(nodeId);
    if (peer?.session === undefined) return Promise.resolve(undefined);
    this.probe(nodeId);
    return new Promise((resolve) => {
      const onAnswer = (rttMs: number) => {
        cancel();
        resolve(rttMs);
      };
      (peer.onProbeAnswer ??= []).push(onAnswer);
      const cancel = this.#deps.clock.after(timeoutMs, () => {
        peer.onProbeAnswer = peer.onProbeAnswer?.filter((other) => other !== onAnswer);
        resolve(undefined);
      });
    });
  }

  reportSilence(peer: bigint): void {
    const known = this.#peers.get(peer);
    if (known !== undefined) {
      this.#breakers.onSilence(known.slot, known.lastReceivedAt, this.#deps.clock.now());
    }
    for (const handler of this.#silenceHandlers) handler(peer);
  }

  /** Calls back when a plane above found a peer silent; the result stops that. */
  onSilence(handler: (peer: bigint) => void): () => void {
    this.#silenceHandlers.add(handler);
    return () => void this.#silenceHandlers.delete(handler);
  }

  /**
   * Calls back when a peer is suspected, because it is silent, and when it no longer is; the result stops
   * that. Nothing new should be asked of a suspected peer that another one can do.
   */
  onSuspicion(handler: (peer: bigint, isSuspected: boolean) => void): () => void {
    this.#suspicionHandlers.add(handler);
    return () => void this.#suspicionHandlers.delete(handler);
  }

  // --- Messages and streams --------------------------------------------------------------------

  sendMessage(
    peer: bigint,
    subprotocol: number,
    streamId: bigint,
    payload: Uint8Array,
    options: { readonly reliableFlag?: boolean; readonly sequence?: number } = {},
  ): boolean {
    if (payload.length > MAX_EVENT_BYTES) {
      throw new RangeError(
        `Cannot send message: length is ${payload.length}, must be at most ${MAX_EVENT_BYTES}`,
      );
    }
    if (peer === this.nodeId) {
      const sequence = options.sequence ?? 0;
      return this.#loopback.deliver({ from: peer, subprotocol, streamId, sequence, payload });
    }
    const known = this.#peers.get(peer);
    const session = known?.session;
    if (session === undefined || known === undefined || !this.#maySend(known)) return false;
    return session.sendMessage(
      subprotocol,
      lowHalf(streamId),
      highHalf(streamId),
      payload,
      options.reliableFlag,
      options.sequence,
    );
  }

  onMessage(subprotocol: number, handler: (message: SubprotocolMessage) => void): () => void {
    if (this.#messageHandlers.has(subprotocol)) {
      throw new TypeError(`Cannot register subprotocol ${subprotocol}: it has a handler`);
    }
    this.#messageHandlers.set(subprotocol, handler);
    return () => void this.#messageHandlers.delete(subprotocol);
  }

  /**
   * Sets who takes events of streams that nobody diverted. Without one, events of unreliable streams are
   * counted and dropped, and packets of reliable ones are not acknowledged, so that they come again.
   */
  setEventHandler(handler: EventHandler | undefined): void {
    this.#streams.handler = handler;
  }

  openSendStream(
    peer: bigint,
    streamId: bigint,
    options: OpenSendStreamOptions = {},
  ): SendStreamHandle {
    return this.#streams.openSend(peer, streamId, options);
  }

  openReceiveStream(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
    options: OpenReceiveStreamOptions = {},
  ): EndReceiving {
    return this.#streams.openReceive(peer, streamId, handler, options);
  }

  /**
   * Reads a stream of `peer` event by event: once and in order with `isOrdered`, else as they arrive.
   *
   * @throws NetError `unreachable` when there is no session with the peer.
   */
  readStream(peer: bigint, streamId: bigint, options: ReadStreamOptions = {}): StreamReader {
    return this.#streams.read(peer, streamId, options);
  }

  #requireSession(nodeId: bigint): Session {
    const peer = this.#peers.get(nodeId);
    const session = peer?.session;
    // Who has not yet shown that it holds the keys is no peer.
    if (peer !== undefined && session?.isConfirmed) {
      if (this.#maySend(peer)) return session;
      throw new NetError("unreachable", `Cannot reach node ${idToHex(nodeId)}: it is silent`, {
        next: "try again later; see net node peers for its state",
      });
    }
    throw new NetError("unreachable", `Cannot reach node ${idToHex(nodeId)}: no session with it`, {
      next: "see net node peers for the nodes that are connected",
    });
  }

  /** Asks the peer's breaker. */
  #maySend(peer: Peer): boolean {
    return this.#breakers.allows(peer.slot, peer.lastReceivedAt, this.#deps.clock.now());
  }

  // --- Time ------------------------------------------------------------------------------------

  /** Begins a sealed session that this node initiated; settles with its proofs. */
  #beginSealed(result: HandshakeResult): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (failure?: Error) => failure === undefined ? resolve() : reject(failure);
    if (this.#sessions.begin(result, settle) === undefined) {
      reject(new NetError("limit", "Cannot open a sealed session: there is no room for another"));
    } else this.#sessions.greet(result);
    return promise;
  }

  #onProven(peer: Peer, result: HandshakeResult): void {
    const { sealed, isInitiator, isRelayed, address } = result;
    if (sealed === undefined) return;
    this.#clones.note(peer, address);
    const { entityId, noisePublicKey } = sealed.peer;
    const proven: ProvenPeer = {
      nodeId: peer.nodeId,
      entityId,
      noisePublicKey,
      address,
      hasDialledUs: !isInitiator,
      isRelayed,
    };
    for (const handler of this.#provenHandlers) handler(proven);
  }

  /** The peer is reached elsewhere; its session, and all that uses it, goes on. */
  #onMoved(peer: Peer): void {
    const { address } = peer;
    this.#routing.onMoved();
    this.#deps.log.info("peer_moved", {
      peer: idToHex(peer.nodeId),
      address: formatAddress(address),
    });
    for (const handler of this.#movedHandlers) handler(peer.nodeId, address);
  }

  /** The peer lost its side of the session: it restarted. */
  #onReset(session: Session): void {
    const { peer } = session;
    const isInUse = peer.session === session;
    this.#sessions.end(session);
    if (!isInUse) return;
    this.#routing.onSessionLost(peer);
    this.#deps.log.info("session_lost", { peer: idToHex(peer.nodeId) });
    this.#tellPeerChange(peer, false);
    this.reportSilence(peer.nodeId);
  }

  #onSession(peer: Peer, isReplacement: boolean): void {
    this.#deps.log.info("session_opened", {
      peer: idToHex(peer.nodeId),
      form: peer.form,
      sealed: peer.session?.isSealed,
      initiator: peer.session?.isInitiator,
    });
    if (isReplacement) this.#tellPeerChange(peer, false);
    // Who has not yet shown that it holds the keys is no peer to the planes above.
    if (!peer.isConnected) return;
    this.#beginPeer(peer);
    this.#tellPeerChange(peer, true);
  }

  /** A peer is there, for the first time or with another session. */
  #beginPeer(peer: Peer): void {
    this.#breakers.close(peer.slot);
    this.#routing.onSession(peer);
    this.#pingwaves.announceTo(peer);
  }

  #tellPeerChange(peer: Peer, isConnected: boolean): void {
    for (const handler of this.#peerHandlers) handler(peer.nodeId, isConnected);
  }

  #scheduleTick(): void {
    this.#cancelTick ??= this.#deps.clock.after(RETRANSMIT_TICK_MS, () => {
      this.#cancelTick = undefined;
      const now = this.#deps.clock.now();
      for (const session of this.#busy) {
        const isReady = session.isOpen && session.isConfirmed;
        const isOpening = !isReady && this.#sessions.tickOpening(session, now);
        if (session.isEnded || (!session.streamsIfAny?.tick(now) && !isOpening)) {
          this.#busy.delete(session);
        }
      }
      if (this.#busy.size > 0) this.#scheduleTick();
    });
  }

  #onRound(now: number): void {
    this.#pingwaves.beginRound();
    this.#routing.sweep(now);
    this.#relay.sweep(now);
  }

  /** A sign of life for a peer; relays drop heartbeats (`wire.md` 9.2), so behind one it is asked for one. */
  #beat(peer: Peer): void {
    if (peer.relayTo !== undefined) return this.probe(peer.nodeId);
    peer.session?.sendHeartbeat();
    this.#pingwaves.sendRound(peer);
  }

  #onLivenessChange(peer: Peer, change: LivenessChange): void {
    const { clock, log } = this.#deps;
    switch (change) {
      case "suspected":
      case "relieved":
        this.#routing.onSuspicion(peer, change === "suspected");
        this.#tellSuspicion(peer, change === "suspected");
        break;
      case "failed":
        this.#breakers.onFailed(peer.slot, clock.now());
        this.#routing.onFailed(peer);
        peer.session?.streams.end("peer_lost");
        log.warn("peer_failed", { peer: idToHex(peer.nodeId) });
        this.#tellPeerChange(peer, false);
        break;
      case "recovered":
        this.#breakers.close(peer.slot);
        this.#routing.onRecovered(peer);
        this.#pingwaves.announceTo(peer);
        this.#tellPeerChange(peer, true);
        break;
      case "evicted":
        this.#forget(peer);
        break;
    }
  }

  #tellSuspicion(peer: Peer, isSuspected: boolean): void {
    for (const handler of this.#suspicionHandlers) handler(peer.nodeId, isSuspected);
  }

  #scheduleSweep(): void {
    this.#cancelSweep = this.#deps.clock.after(SWEEP_MS, () => {
      this.#guard.sweep();
      this.#handshaker.sweep();
      for (const peer of this.#sessions.sweep(this.#deps.clock.now())) {
        this.#forget(peer);
      }
      this.#scheduleSweep();
    });
  }

  #forget(peer: Peer): void {
    this.#sessions.endAll(peer);
    this.#routing.onGone(peer);
    this.#relay.onGone(peer);
    this.#peers.remove(peer);
    // The slot may be another peer's next.
    this.#breakers.close(peer.slot);
    this.#conduct.reset(peer.slot);
    this.#rates.reset(peer.slot);
  }
}
