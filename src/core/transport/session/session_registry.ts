/**
 * Which sessions exist, which one of a peer is used, and how a new one takes over (`wire.md` 4.5).
 *
 * A session that a peer began is a candidate until the peer sends an authentic packet on it: a replayed
 * first message can therefore never displace a working session, and a peer that restarted is back as
 * soon as it speaks, without waiting for the old session to time out.
 */

import { type Clock, idToHex, NetError, PairMap } from "../../../base/mod.ts";
import type { AddressGuard } from "../handshake/address_guard.ts";
import type { TransportCounters } from "../counters.ts";
import { HalfOpenTable } from "../handshake/half_open.ts";
import type { HandshakeResult } from "../handshake/handshake_types.ts";
import { CROSSING_MS, SEALED_CROSSING_MS, SUPERSEDED_MS, UNCONFIRMED_MS } from "../limits.ts";
import type { PacketRoute } from "../packet_sender.ts";
import { Peer, type PeerTable } from "../peers/peers.ts";
import { Session } from "./session.ts";
import type { SessionContext } from "./session_context.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode SessionRegistry} needs. */
export interface SessionRegistryDeps {
  readonly peers: PeerTable;
  readonly counters: TransportCounters;
  readonly clock: Clock;
  readonly context: SessionContext;
  readonly guard: Pick<AddressGuard, "onProven">;
  /** The peer got its first session, or another one in place of the old. */
  readonly onSession: (peer: Peer, isReplacement: boolean) => void;
  /** Both sides of a sealed session have proven who they are. */
  readonly onProven: (peer: Peer, result: HandshakeResult) => void;
  /** The peer spoke on the session in use for the first time. */
  readonly onConfirmed: (peer: Peer) => void;
}

/** All sessions of a node. */
export class SessionRegistry {
  readonly #deps: SessionRegistryDeps;
  readonly #nodeId: bigint;
  readonly #byId = new PairMap<Session>(64);
  readonly #halfOpen = new HalfOpenTable();
  /** How candidates came about. */
  readonly #pending = new Map<Session, HandshakeResult>();
  /** How proven sessions that lost a crossing came about, until they end. */
  readonly #losers = new Map<Session, HandshakeResult>();

  constructor(deps: SessionRegistryDeps, nodeId: bigint) {
    this.#deps = deps;
    this.#nodeId = nodeId;
  }

  /** Number of sessions, candidates and superseded ones included. */
  get size(): number {
    return this.#byId.size;
  }

  /** The session with this id. */
  get(low: number, high: number): Session | undefined {
    return this.#byId.get(low, high);
  }

  /** All sessions. */
  values(): Iterable<Session> {
    return this.#byId.values();
  }

  /** Takes over the outcome of a handshake that a peer began; false refuses it. */
  accept(result: HandshakeResult): boolean {
    if (result.sealed !== undefined) return this.begin(result, () => {}) !== undefined;
    const { peers, counters, clock } = this.#deps;
    const peer = peers.getOrCreate(result.nodeId, result.address, clock.now());
    if (peer === undefined) {
      counters.drop_handshake_limit_total += 1;
      return false;
    }
    const isReplayed = peer.session?.ephemeral === result.ephemeral ||
      peer.candidate?.ephemeral === result.ephemeral;
    if (isReplayed) {
      counters.drop_handshake_replayed_total += 1;
      return false;
    }
    const session = this.#create(peer, result);
    if (session === undefined) return false;
    if (peer.session === undefined) {
      this.#use(session, result);
      return true;
    }
    if (peer.candidate !== undefined) this.end(peer.candidate);
    peer.candidate = session;
    this.#pending.set(session, result);
    return true;
  }

  /** Takes over the outcome of a handshake that this node began. */
  initiate(result: HandshakeResult): Session | undefined {
    const { peers, counters, clock } = this.#deps;
    const peer = peers.getOrCreate(result.nodeId, result.address, clock.now());
    if (peer === undefined) {
      counters.drop_handshake_limit_total += 1;
      return undefined;
    }
    const session = this.#create(peer, result);
    if (session === undefined) return undefined;
    // The responder proved that it holds the static key we dialled, so there is nothing to wait for.
    session.isConfirmed = true;
    const current = peer.session;
    if (current !== undefined && !current.isConfirmed && !current.isInitiator) {
      // The peer may never have completed what it began, so that cannot win; it may still come true.
      peer.candidate ??= current;
    } else if (this.#losesCrossing(peer, session, result)) {
      session.supersededAt = clock.now();
      return session;
    }
    this.#use(session, result);
    return session;
  }

  /**
   * Begins a sealed session; it is nobody's until both sides have proven who they are.
   *
   * @param settle Told how that ended, once.
   * @returns `undefined` when there is no room, or the handshake was seen before.
   */
  begin(result: HandshakeResult, settle: (failure?: Error) => void): Session | undefined {
    const { peers, counters, clock, context } = this.#deps;
    const known = peers.get(result.nodeId)?.session;
    if (this.#halfOpen.has(result) || known?.ephemeral === result.ephemeral) {
      counters.drop_handshake_replayed_total += 1;
      return undefined;
    }
    const stranger = new Peer(result.nodeId, result.address, clock.now());
    stranger.relayTo = routeOf(stranger, result).relayTo;
    const session = this.#create(stranger, result);
    if (session === undefined) return undefined;
    const evicted = this.#halfOpen.add({ session, result, settle });
    if (evicted !== undefined) {
      counters.half_open_evicted_total += 1;
      this.end(evicted.session);
      evicted.settle(unproven(evicted.result, "too many handshakes at once"));
    }
    context.onBusy(session);
    return session;
  }

  /**
   * Asks for the first packet of a new session, on a sealed one with the proof.
   */
  greet(result: HandshakeResult): void {
    const session = this.#byId.get(result.keys.sessionIdLow, result.keys.sessionIdHigh);
    if (session === undefined) return;
    if (session.proof !== undefined) session.sendProof(session.proof.start());
    else {
      session.sendGreeting();
      this.#deps.context.onBusy(session);
    }
  }

  /**
   * Does what time asks of a session that nobody has spoken on or whose proofs are not done.
   *
   * @returns True while it needs another tick.
   */
  tickOpening(session: Session, now: number): boolean {
    const { proof } = session;
    if (proof === undefined) {
      // Once more: what comes right behind message 2 the Rust core drops, not yet knowing the session.
      session.sendGreeting();
      return false;
    }
    const message = proof.tick(now);
    if (message !== undefined) session.sendProof(message);
    this.settleProof(session);
    return this.#halfOpen.get(session) !== undefined;
  }

  /** Looks at a session's proof after it may have moved: a proven session is taken into use. */
  settleProof(session: Session): void {
    const { counters, peers, clock } = this.#deps;
    const state = session.proof?.state;
    if (state !== "open" && state !== "failed") return;
    const entry = this.#halfOpen.remove(session);
    if (entry === undefined) return;
    const { result, settle } = entry;
    const peer = state === "open"
      ? peers.getOrCreate(result.nodeId, result.address, clock.now())
      : undefined;
    if (peer === undefined) {
      counters.sessions_unproven_total += 1;
      this.end(session);
      settle(unproven(result, session.proof?.failure ?? "no room for another peer"));
      return;
    }
    counters.sessions_proven_total += 1;
    session.peer = peer;
    session.isConfirmed = true;
    const entityId = result.sealed?.peer.entityId;
    if (this.#losesCrossing(peer, session, result, entityId)) {
      session.supersededAt = clock.now();
      this.#losers.set(session, result);
    } else this.#use(session, result);
    this.#deps.onProven(peer, result);
    settle();
  }

  /**
   * Notes which life of its peer a session belongs to. One that lost a crossing to a session of another
   * life takes over: that one is as dead as the process that began it.
   *
   * @param boot What the peer calls this life, 8 bytes.
   */
  noteBoot(session: Session, boot: Uint8Array): void {
    session.peerBoot = new DataView(boot.buffer, boot.byteOffset).getInt32(0);
    const result = this.#losers.get(session);
    const current = session.peer.session;
    if (result === undefined || current === undefined) return;
    if (session.openedAt < current.openedAt || !isOtherLife(current, session)) return;
    this.#losers.delete(session);
    session.supersededAt = undefined;
    this.#use(session, result);
  }

  /** Notes the first authentic packet of a session: a candidate takes over. */
  confirm(session: Session): void {
    session.isConfirmed = true;
    this.proveAddress(session);
    const { peer } = session;
    if (peer.session === session) {
      const result = this.#pending.get(session);
      this.#pending.delete(session);
      // The way it had, which is now known to be its own.
      if (result !== undefined) this.#deps.peers.setRoute(peer, peer, !result.isRelayed);
      peer.state = "connected";
      this.#deps.onConfirmed(peer);
    }
    if (peer.candidate !== session) return;
    peer.candidate = undefined;
    const result = this.#pending.get(session);
    this.#pending.delete(session);
    if (result === undefined || this.#losesCrossing(peer, session, result)) {
      session.supersededAt = this.#deps.clock.now();
      return;
    }
    this.#use(session, result);
  }

  /**
   * Notes that the address a session answers to receives: what opens was sealed by somebody who saw
   * message 2, and that went there.
   */
  proveAddress(session: Session): void {
    if (session.isAddressProven) return;
    session.isAddressProven = true;
    this.#deps.guard.onProven(session.peer.address);
  }

  /** Ends a session and forgets it. */
  end(session: Session): void {
    const { peer } = session;
    this.#byId.delete(session.sessionLow, session.sessionHigh);
    this.#pending.delete(session);
    this.#losers.delete(session);
    const entry = this.#halfOpen.remove(session);
    if (peer.candidate === session) peer.candidate = undefined;
    if (peer.session === session) {
      peer.session = undefined;
      peer.state = "connecting";
    }
    session.end();
    entry?.settle(unproven(entry.result, "the session ended before it"));
  }

  /** Ends every session of a peer. */
  endAll(peer: Peer): void {
    for (const session of this.#byId.values()) if (session.peer === peer) this.end(session);
  }

  /**
   * Ends superseded sessions whose time is over and sessions nobody ever spoke on.
   *
   * @returns Peers left without a session.
   */
  sweep(now: number): Peer[] {
    const abandoned: Peer[] = [];
    for (const session of this.#byId.values()) {
      session.sweep(now);
      if (session.supersededAt !== undefined && now - session.supersededAt > SUPERSEDED_MS) {
        this.end(session);
      } else if (
        session.isOpen && !session.isConfirmed && now - session.openedAt > UNCONFIRMED_MS
      ) {
        this.#deps.counters.sessions_unconfirmed_total += 1;
        this.end(session);
        const { peer } = session;
        // A candidate is a newer handshake, whose proof may be on its way.
        if (peer.session === undefined && peer.candidate === undefined) abandoned.push(peer);
      }
    }
    return abandoned;
  }

  #create(peer: Peer, result: HandshakeResult): Session | undefined {
    const { context, counters } = this.#deps;
    if (this.#byId.get(result.keys.sessionIdLow, result.keys.sessionIdHigh) !== undefined) {
      counters.drop_handshake_replayed_total += 1;
      return undefined;
    }
    let session: Session;
    try {
      session = new Session(context, peer, result);
    } catch {
      counters.drop_handshake_limit_total += 1; // No key slot is free.
      return undefined;
    }
    counters.handshakes_completed_total += 1;
    this.#byId.set(session.sessionLow, session.sessionHigh, session);
    return session;
  }

  #use(session: Session, result: HandshakeResult): void {
    const { peers, counters, clock, onSession } = this.#deps;
    const { peer } = session;
    const previous = peer.session;
    const now = clock.now();
    if (previous !== undefined) {
      if (previous !== peer.candidate) previous.supersededAt = now;
      // Who began at the same time lost nothing by it; a peer that proved itself again began anew.
      const isAnew = session.isSealed && !isCrossing(previous, session);
      previous.streamsIfAny?.end(isAnew ? "replaced" : "peer_lost");
      counters.sessions_replaced_total += 1;
    }
    counters.sessions_opened_total += 1;
    if (!session.isConfirmed) this.#pending.set(session, result);
    peer.session = session;
    peer.form = result.form;
    peer.state = session.isConfirmed ? "connected" : "connecting";
    peer.lastHeartbeatAt = now;
    peer.lastReceivedAt = now;
    const ownsAddress = !result.isRelayed && this.#mayOwn(session, result.address);
    peers.setRoute(peer, routeOf(peer, result), ownsAddress);
    onSession(peer, previous !== undefined);
  }

  /** An address that may be a lie is not taken away from the peer that was heard there. */
  #mayOwn(session: Session, address: SocketAddress): boolean {
    const owner = this.#deps.peers.ownerOf(address);
    return owner === undefined || owner === session.peer || session.isConfirmed ||
      !owner.isConnected;
  }

  /**
   * When both sides dial at once two handshakes complete; both keep the one whose initiator has the
   * lower node id.
   *
   * @param entityId Who the peer has just proven to be, on a sealed session.
   */
  #losesCrossing(
    peer: Peer,
    session: Session,
    { isRelayed }: HandshakeResult,
    entityId?: Uint8Array,
  ): boolean {
    const current = peer.session;
    if (current === undefined || current.isInitiator === session.isInitiator) return false;
    if (session.isSealed !== current.isSealed) return !session.isSealed;
    // A way without a relay was sought on purpose, maybe right behind the one that has one.
    const hadRelay = peer.relayTo !== undefined;
    if (isRelayed !== hadRelay && isCrossing(current, session)) return isRelayed;
    // What comes true only now, but was begun long before the one in use, is a leftover.
    if (!isCrossing(current, session)) return session.openedAt < current.openedAt;
    const isOursLower = this.#isOursLower(peer, entityId);
    return session.isInitiator !== isOursLower;
  }

  /** True when this node comes before the peer: by node id, on sealed sessions by entity id. */
  #isOursLower(peer: Peer, theirs: Uint8Array | undefined): boolean {
    const own = this.#deps.context.prover?.identity.entityId;
    if (own === undefined || theirs === undefined) return this.#nodeId < peer.nodeId;
    return own.toHex() < theirs.toHex();
  }
}

/** True when two sessions come from handshakes that both sides began at about the same time. */
function isCrossing(one: Session, other: Session): boolean {
  if (one.isInitiator === other.isInitiator || isOtherLife(one, other)) return false;
  const isSealed = one.isSealed && other.isSealed;
  const limitMs = isSealed ? SEALED_CROSSING_MS : CROSSING_MS;
  return Math.abs(one.openedAt - other.openedAt) <= limitMs;
}

/** True when the peer said that it was started anew between two sessions. */
function isOtherLife(one: Session, other: Session): boolean {
  return one.peerBoot !== 0 && other.peerBoot !== 0 && one.peerBoot !== other.peerBoot;
}

function routeOf(peer: Peer, result: HandshakeResult): PacketRoute {
  const relayTo = result.isRelayed ? { low: peer.low, high: peer.high } : undefined;
  return { address: result.address, relayTo };
}

function unproven(result: HandshakeResult, reason: string): NetError {
  return new NetError(
    "handshake_refused",
    `Cannot open a sealed session with node ${
      idToHex(result.nodeId)
    }: its proof failed (${reason})`,
  );
}
