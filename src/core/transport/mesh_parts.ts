/**
 * The parts of a transport and who knows whom: the one place where they are made and tied together.
 *
 * From the ground up: ways (peers, routes, relaying), sessions on them, handshakes that make sessions, and
 * what receives for all of them. Where a lower part has to tell a higher one, it is given a callback.
 */
import { highHalf, idToHex, lowHalf, systemRandom } from "../../base/mod.ts";
import { BOOT_BYTES, ReplayWindows } from "../crypto/mod.ts";
import { AddressGuard } from "./handshake/address_guard.ts";
import { Breakers } from "./peers/breakers.ts";
import { CloneWatch } from "./session/clones.ts";
import { ConductTable } from "./peers/conduct.ts";
import { createTransportCounters, type TransportCounters } from "./counters.ts";
import { Egress } from "./routing/egress.ts";
import { EventCursor } from "./wire/event_frame.ts";
import { Handshaker } from "./handshake/handshake.ts";
import { HandshakeBudget } from "./handshake/handshake_budget.ts";
import { Intake } from "./intake.ts";
import { LifeSigns } from "./peers/life_signs.ts";
import { HEARTBEAT_MS, SESSION_TIMEOUT_MS } from "./limits.ts";
import { Liveness } from "./peers/liveness.ts";
import { MeshEvents } from "./mesh_events.ts";
import type { MeshTransportDeps, MeshTransportOptions } from "./mesh_options.ts";
import { MeshView } from "./mesh_view.ts";
import { MessagePlane } from "./message_plane.ts";
import { requireInterval, requireOneIdentity } from "./option_checks.ts";
import { PacketDispatch } from "./packet_dispatch.ts";
import { PacketReceiver } from "./packet_receiver.ts";
import { PacketSender } from "./packet_sender.ts";
import { PacketStore } from "./streams/packet_store.ts";
import { Paths } from "./session/paths.ts";
import { PeerLife } from "./peers/peer_life.ts";
import { PeerTable } from "./peers/peers.ts";
import { Pingwaves } from "./routing/pingwaves.ts";
import { RateLimits } from "./peers/rate_limits.ts";
import { Relay } from "./routing/relay.ts";
import { ReorderBudget } from "./streams/reorder_buffer.ts";
import { RetryGate } from "./handshake/retry_gate.ts";
import { Routing } from "./routing/routing.ts";
import { ScheduledPackets } from "./streams/scheduled_packets.ts";
import { SealedDatagrams } from "./handshake/sealed_datagrams.ts";
import type { SessionContext } from "./session/session_context.ts";
import { openDialled } from "./handshake/session_opening.ts";
import { SessionRegistry } from "./session/session_registry.ts";
import { SessionResets, type SessionResetsDeps } from "./session/session_resets.ts";
import { SessionsInUse } from "./session/sessions_in_use.ts";
import { StreamPlane } from "./streams/stream_plane.ts";
import { Upkeep } from "./upkeep.ts";
import { WithdrawalFlood } from "./routing/withdrawal_flood.ts";

/** The parts that `MeshTransport` speaks to. */
export interface MeshParts {
  readonly counters: TransportCounters;
  readonly heartbeatMs: number;
  readonly peers: PeerTable;
  readonly sessions: SessionRegistry;
  readonly events: MeshEvents;
  readonly view: MeshView;
  readonly messages: MessagePlane;
  readonly streams: StreamPlane;
  readonly lifeSigns: LifeSigns;
  readonly life: PeerLife;
  readonly handshaker: Handshaker;
  readonly paths: Paths;
  readonly routing: Routing;
  readonly pingwaves: Pingwaves;
  readonly withdrawals: WithdrawalFlood;
  readonly egress: Egress;
  readonly relay: Relay;
  readonly sender: PacketSender;
  readonly intake: Intake;
  readonly receiver: PacketReceiver;
  readonly liveness: Liveness;
  readonly upkeep: Upkeep;
}

/**
 * Makes the parts; nothing runs yet.
 *
 * @throws RangeError when an interval is out of bounds, TypeError when the identity is another node's.
 */
export function createMeshParts(deps: MeshTransportDeps, options: MeshTransportOptions): MeshParts {
  const ground = createGround(deps, options);
  const { clock, log, random, cipher, counters, events, peers, guard } = ground;
  const { nodeId, heartbeatMs, sessionTimeoutMs } = ground;
  const ways = createWays(ground);
  const { breakers, conduct, pingwaves, rates, relay, routing } = ways;

  const inUse = new SessionsInUse({ clock, peers, breakers });
  const messages = new MessagePlane({ log, sessions: inUse }, nodeId);
  const streams = new StreamPlane({ counters, sessions: inUse });
  const sessions = new SessionRegistry({
    peers,
    counters,
    clock,
    guard,
    context: createSessionContext(ground, {
      egress: ways.egress,
      prover: options.sealing && { ...options.sealing, boot: random(BOOT_BYTES) },
      onEvent: (...event) => streams.onEvent(...event),
      hasEventHandler: () => streams.handler !== undefined,
      acceptStream: (session, low, high) => streams.accept(session, low, high),
      onBusy: (session) => upkeep.markBusy(session),
    }),
    onSession: (peer, isReplacement) => life.onSession(peer, isReplacement),
    onConfirmed: (peer) => life.onConfirmed(peer),
    onProven: (peer, result) => life.onProven(peer, result),
  }, nodeId);

  const clones = new CloneWatch({ clock, counters, log });
  const life = new PeerLife({ clock, log, events, peers, sessions, clones, ...ways });
  const lifeSigns = new LifeSigns({ clock, peers, pingwaves });
  const liveness = new Liveness({
    clock,
    peers,
    counters,
    conduct,
    onRound: (now) => {
      pingwaves.beginRound();
      routing.sweep(now);
      relay.sweep(now);
    },
    beat: (peer) => lifeSigns.give(peer),
    onChange: (peer, change) => life.onLivenessChange(peer, change),
  }, { heartbeatMs, sessionTimeoutMs });
  const paths = new Paths({
    clock,
    random,
    counters,
    peers,
    guard,
    onMoved: (peer) => life.onMoved(peer),
    onUnrelayed: (peer) => life.onUnrelayed(peer),
  });

  const { handshaker, resets, sealedDatagrams } = createHandshakes(ground, options, {
    sessions,
    onReset: (session) => life.onReset(session),
  });
  const upkeep = new Upkeep({
    clock,
    sessions,
    guard,
    handshaker,
    forget: (peer) => life.forget(peer),
  });
  const dispatch = new PacketDispatch({
    memory: cipher.memory,
    counters,
    sessions,
    routing,
    rates,
    conduct,
    liveness,
    paths,
    onFarewell: (session) => life.onFarewell(session),
    messageHandlers: messages.handlers,
  });
  const receiver = new PacketReceiver({
    cipher,
    clock,
    counters,
    peers,
    sessions,
    pingwaves,
    relay,
    conduct,
    handshaker,
    resets,
    sealedDatagrams,
    dispatch,
  }, nodeId);
  const { loopback } = messages;
  const view = new MeshView({ clock, peers, sessions, loopback, ...ways });
  return {
    counters,
    heartbeatMs,
    peers,
    sessions,
    events,
    view,
    messages,
    streams,
    lifeSigns,
    life,
    handshaker,
    paths,
    routing,
    pingwaves,
    withdrawals: ways.withdrawals,
    egress: ways.egress,
    relay,
    sender: ground.sender,
    intake: ground.intake,
    receiver,
    liveness,
    upkeep,
  };
}

type Ground = ReturnType<typeof createGround>;

/** What every part stands on: what was given, checked and filled in, and tables that all of them share. */
function createGround(deps: MeshTransportDeps, options: MeshTransportOptions) {
  const { socket, cipher, clock, log, random = systemRandom } = deps;
  const { nodeId, heartbeatMs = HEARTBEAT_MS, sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
  requireInterval("the heartbeat interval", heartbeatMs);
  requireInterval("the session timeout", sessionTimeoutMs);
  requireOneIdentity(nodeId, options.sealing?.identity.entityId);
  const counters = createTransportCounters();
  const peers = new PeerTable();
  return {
    cipher,
    clock,
    log,
    random,
    nodeId,
    heartbeatMs,
    sessionTimeoutMs,
    counters,
    peers,
    events: new MeshEvents(),
    intake: new Intake({ socket, cipher, log, counters }),
    sender: new PacketSender({ cipher, socket, counters, routingId: lowHalf(nodeId) }),
    guard: new AddressGuard({ clock, counters, peers }),
  };
}

/** Who is reached through whom, and what is relayed for others. */
function createWays({ cipher, clock, random, counters, peers, sender, ...own }: Ground) {
  const { nodeId, sessionTimeoutMs } = own;
  const { memory } = cipher;
  const conduct = new ConductTable(sessionTimeoutMs);
  const rates = new RateLimits(clock.now());
  const routing = new Routing({
    peers,
    clock,
    conduct,
    flood: (emission) => withdrawals.add(emission),
  }, { nodeId, sessionTimeoutMs });
  const withdrawals = new WithdrawalFlood({ clock, neighbours: routing.neighbours });
  const pingwaves = new Pingwaves({ clock, counters, sender, routing, rates, conduct }, nodeId);
  const egress = new Egress({ sender, counters, memory });
  const relay = new Relay(
    { counters, egress, peers, routing, rates, conduct, memory },
    { routingId: lowHalf(nodeId), seed: new DataView(random(4).buffer).getUint32(0) },
  );
  const breakers = new Breakers();
  return { conduct, rates, routing, withdrawals, pingwaves, egress, relay, breakers };
}

/** What all sessions share; the planes they serve are handed in. */
function createSessionContext(
  { cipher, sender, counters, clock, guard }: Ground,
  { egress, prover, onEvent, hasEventHandler, acceptStream, onBusy }: Pick<
    SessionContext,
    "egress" | "prover" | "onEvent" | "hasEventHandler" | "acceptStream" | "onBusy"
  >,
): SessionContext {
  const store = new PacketStore(cipher);
  return {
    cipher,
    sender,
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
    prover,
    onEvent,
    hasEventHandler,
    acceptStream,
    onBusy,
  };
}

/** Handshakes, and what sealed sessions have beside them: tokens and resets. */
function createHandshakes(
  { clock, log, random, counters, sender, guard }: Ground,
  { nodeId, noiseKeys, meshSecret, expected = [], sealing }: MeshTransportOptions,
  { sessions, onReset }: Pick<SessionResetsDeps, "sessions" | "onReset">,
) {
  const retries = sealing && new RetryGate({ clock, random, counters, sender, guard });
  const handshaker = new Handshaker({
    sender,
    counters,
    clock,
    guard,
    budget: new HandshakeBudget({ clock, counters, guard, retries }),
    onAccepted: (result) => sessions.accept(result),
    onAnswered: (result) => sessions.greet(result),
    onInitiated: (result) => openDialled(sessions, result),
    onNegotiationFailed: (peer, fault) => {
      log.warn("handshake_refused", { peer: idToHex(peer), reason: fault });
    },
  }, {
    nodeId,
    noiseKeys,
    meshSecret,
    expected,
    sealing: sealing && { entityId: sealing.identity.entityId, policyOf: sealing.policyOf },
  });
  const resets = sealing && new SessionResets({
    clock,
    random,
    counters,
    sender,
    sessions,
    guard,
    resetTagger: sealing.resetTagger,
    onReset,
  });
  const sealedDatagrams = resets && retries && new SealedDatagrams({
    counters,
    handshaker,
    resets,
    retries,
    low: lowHalf(nodeId),
    high: highHalf(nodeId),
  });
  return { handshaker, resets, sealedDatagrams };
}
