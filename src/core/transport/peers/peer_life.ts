/**
 * What a change in a peer's life means: for the ways through it, for what is kept about it by its slot,
 * and for the planes above, which are told.
 */
import { type Clock, idToHex } from "../../../base/mod.ts";
import type { Log } from "../../../observe/mod.ts";
import { formatAddress } from "../address.ts";
import type { Breakers } from "./breakers.ts";
import type { CloneWatch } from "../session/clones.ts";
import type { ConductTable } from "./conduct.ts";
import type { HandshakeResult } from "../handshake/handshake_types.ts";
import type { LivenessChange } from "./liveness.ts";
import type { MeshEvents } from "../mesh_events.ts";
import type { Peer, PeerTable } from "./peers.ts";
import type { Pingwaves } from "../routing/pingwaves.ts";
import type { RateLimits } from "./rate_limits.ts";
import type { Relay } from "../routing/relay.ts";
import type { Routing } from "../routing/routing.ts";
import type { Session } from "../session/session.ts";
import type { SessionRegistry } from "../session/session_registry.ts";

/** What {@linkcode PeerLife} needs. */
export interface PeerLifeDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: MeshEvents;
  readonly peers: PeerTable;
  readonly sessions: SessionRegistry;
  readonly routing: Routing;
  readonly pingwaves: Pingwaves;
  readonly relay: Relay;
  readonly breakers: Breakers;
  readonly conduct: ConductTable;
  readonly rates: RateLimits;
  readonly clones: CloneWatch;
}

/** Hears of changes and passes them on. */
export class PeerLife {
  readonly #deps: PeerLifeDeps;

  constructor(deps: PeerLifeDeps) {
    this.#deps = deps;
  }

  /** The peer got its first session, or another one in place of the old. */
  onSession(peer: Peer, isReplacement: boolean): void {
    this.#deps.log.info("session_opened", {
      peer: idToHex(peer.nodeId),
      form: peer.form,
      sealed: peer.session?.isSealed,
      initiator: peer.session?.isInitiator,
    });
    if (isReplacement) this.#tellChange(peer, false);
    // Who has not yet shown that it holds the keys is no peer to the planes above.
    if (peer.isConnected) this.onConfirmed(peer);
  }

  /** The peer showed that it holds the keys of its session: it is there. */
  onConfirmed(peer: Peer): void {
    this.#deps.breakers.close(peer.slot);
    this.#deps.routing.onSession(peer);
    this.#deps.pingwaves.announceTo(peer);
    this.#tellChange(peer, true);
  }

  /** Both sides of a sealed session proved who they are. */
  onProven(peer: Peer, { sealed, isInitiator, isRelayed, address }: HandshakeResult): void {
    if (sealed === undefined) return;
    this.#deps.clones.note(peer, address);
    const { entityId, noisePublicKey } = sealed.peer;
    this.#deps.events.proven.emit({
      nodeId: peer.nodeId,
      entityId,
      noisePublicKey,
      address,
      hasDialledUs: !isInitiator,
      isRelayed,
    });
  }

  /** The peer is reached elsewhere; its session, and all that uses it, goes on. */
  onMoved(peer: Peer): void {
    const { routing, log, events } = this.#deps;
    const { address } = peer;
    routing.onMoved();
    log.info("peer_moved", { peer: idToHex(peer.nodeId), address: formatAddress(address) });
    events.moved.emit(peer.nodeId, address);
  }

  /** The peer is reached without its relay; its session, and all that uses it, goes on. */
  onUnrelayed(peer: Peer): void {
    const { routing, pingwaves, log, events } = this.#deps;
    const { address } = peer;
    routing.onSession(peer);
    log.info("peer_unrelayed", { peer: idToHex(peer.nodeId), address: formatAddress(address) });
    // The first packet on the new way tells the peer of it.
    peer.session?.sendHeartbeat();
    pingwaves.announceTo(peer);
    events.moved.emit(peer.nodeId, address);
  }

  /** The peer lost its side of the session: it restarted. */
  onReset(session: Session): void {
    if (this.#lose(session, "session_lost")) this.onSilence(session.peer.nodeId);
  }

  /** The peer said that it stops: nothing need be waited for, and nobody need be asked for. */
  onFarewell(session: Session): void {
    this.#lose(session, "peer_left");
  }

  /** A plane above waited in vain for the peer, or its session is lost. */
  onSilence(nodeId: bigint): void {
    const { peers, breakers, clock, events } = this.#deps;
    const peer = peers.get(nodeId);
    if (peer !== undefined) breakers.onSilence(peer.slot, peer.lastReceivedAt, clock.now());
    events.silence.emit(nodeId);
  }

  /** The failure detector moved the peer's state. */
  onLivenessChange(peer: Peer, change: LivenessChange): void {
    const { breakers, routing, pingwaves, events, clock, log } = this.#deps;
    switch (change) {
      case "suspected":
      case "relieved":
        routing.onSuspicion(peer, change === "suspected");
        events.suspicion.emit(peer.nodeId, change === "suspected");
        break;
      case "failed":
        breakers.onFailed(peer.slot, clock.now());
        routing.onFailed(peer);
        peer.session?.streams.end("peer_lost");
        log.warn("peer_failed", { peer: idToHex(peer.nodeId) });
        this.#tellChange(peer, false);
        break;
      case "recovered":
        breakers.close(peer.slot);
        routing.onRecovered(peer);
        pingwaves.announceTo(peer);
        this.#tellChange(peer, true);
        break;
      case "evicted":
        this.forget(peer);
        break;
    }
  }

  /** Forgets the peer and all that is kept about it. */
  forget(peer: Peer): void {
    const { peers, sessions, routing, relay, breakers, conduct, rates } = this.#deps;
    sessions.endAll(peer);
    routing.onGone(peer);
    relay.onGone(peer);
    peers.remove(peer);
    // The slot may be another peer's next.
    breakers.close(peer.slot);
    conduct.reset(peer.slot);
    rates.reset(peer.slot);
  }

  /** Ends a session that its peer no longer has; false when it was not the one in use. */
  #lose(session: Session, event: string): boolean {
    const { sessions, routing, log } = this.#deps;
    const { peer } = session;
    const isInUse = peer.session === session;
    sessions.end(session);
    if (!isInUse) return false;
    routing.onSessionLost(peer);
    log.info(event, { peer: idToHex(peer.nodeId) });
    this.#tellChange(peer, false);
    return true;
  }

  #tellChange(peer: Peer, isConnected: boolean): void {
    this.#deps.events.peerChange.emit(peer.nodeId, isConnected);
  }
}
