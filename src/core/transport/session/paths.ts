/**
 * Peers that move (`sealed.md` 5): an authentic packet from a new address makes this node ask there, with 8
 * random bytes, whether the peer receives. Until the answer comes from that very address, everything goes
 * to the old one.
 *
 * For sealed sessions only, and for packets that no relay brought: a routing header says nothing of where
 * the peer is. A challenge is answered to where it came from, so both sides may move.
 *
 * In the same way a session leaves its relay: a path that a punch or a dial may have opened is checked, and
 * what is under way on the session goes on over it (`nrpc.md` 16).
 */
import {
  type Clock,
  equalBytesConstantTime,
  type RandomBytes,
  TokenBucket,
} from "../../../base/mod.ts";
import {
  encodePathChallenge,
  encodePathResponse,
  PATH_BYTES,
  PATH_DATA_BYTES,
  type SealedMessage,
} from "../../crypto/mod.ts";
import { isSameAddress } from "../address.ts";
import type { AddressGuard } from "../handshake/address_guard.ts";
import type { TransportCounters } from "../counters.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import {
  PACKET_OVERHEAD_BYTES,
  PATH_CHALLENGE_REPEAT_MS,
  PATH_CHALLENGES,
  PATH_PROBES_MAX,
  PATH_PROBES_PER_SECOND,
  PATH_RESPONSES_PER_SECOND,
  PATH_REST_MS,
} from "../limits.ts";
import { AMPLIFICATION_FACTOR } from "../mesh_limits.ts";
import type { Peer, PeerTable } from "../peers/peers.ts";
import type { Session } from "./session.ts";
import type { SocketAddress } from "../types.ts";

/** A path message as a packet. */
const PATH_PACKET_BYTES = PACKET_OVERHEAD_BYTES + FRAME_PREFIX_BYTES + PATH_BYTES;

/** What {@linkcode Paths} needs. */
export interface PathsDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly counters: TransportCounters;
  readonly peers: PeerTable;
  readonly guard: AddressGuard;
  /** The peer is reached at another address from now on; nothing else has changed. */
  readonly onMoved: (peer: Peer) => void;
  /** The peer is reached without the relay there was. */
  readonly onUnrelayed: (peer: Peer) => void;
}

/** A path being checked. */
interface Probe {
  readonly address: SocketAddress;
  readonly data: Uint8Array;
  /** It was answered: the session rests before it may move again. */
  isOver: boolean;
  /** Bytes that may still be sent there: three times what came from there since the check began. */
  creditBytes: number;
  challengesLeft: number;
  cancel: () => void;
  /** Told whether the session moved; once. */
  readonly settle: (hasMoved: boolean) => void;
}

/** Follows peers to new addresses. */
export class Paths {
  readonly #deps: PathsDeps;
  /** One per session at most. */
  readonly #probes = new Map<Session, Probe>();
  readonly #begun: TokenBucket;
  readonly #answered: TokenBucket;

  constructor(deps: PathsDeps) {
    const now = deps.clock.now();
    this.#deps = deps;
    this.#begun = new TokenBucket({ perSecond: PATH_PROBES_PER_SECOND }, now);
    this.#answered = new TokenBucket({ perSecond: PATH_RESPONSES_PER_SECOND }, now);
  }

  /** Paths being checked. */
  get probing(): number {
    return this.#probes.size;
  }

  /**
   * Notes that an authentic packet came without a routing header and from another address object than
   * the last. Most often it is the same address; then that is remembered and this is not called again.
   *
   * @param isNewest No later packet of the peer came before it: late ones say where the peer was.
   * @param bytes Length of the datagram.
   */
  note(session: Session, from: SocketAddress, isNewest: boolean, bytes: number): void {
    const { peer } = session;
    if (!session.isSealed || isSameAddress(from, peer.address)) {
      session.source = from;
      return;
    }
    if (!isNewest || peer.session !== session) return;
    const probe = this.#probes.get(session);
    if (probe === undefined) this.#begin(session, from, credit(bytes), () => {});
    else if (isSameAddress(from, probe.address)) probe.creditBytes += credit(bytes);
  }

  /**
   * Checks a path that this node believes in, and moves the session there if it holds.
   *
   * @returns False when nobody answered there within a second, or another path is being checked.
   */
  seek(session: Session, address: SocketAddress): Promise<boolean> {
    if (!session.isSealed || !session.isOpen || this.#probes.has(session)) {
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      if (!this.#begin(session, address, PATH_CHALLENGES * PATH_PACKET_BYTES, resolve)) {
        resolve(false);
      }
    });
  }

  /**
   * Takes a path message of a session.
   *
   * @param isRouted It came behind a routing header.
   * @returns False when it is to be counted as dropped.
   */
  receive(
    session: Session,
    message: Extract<SealedMessage, { readonly data: Uint8Array }>,
    from: SocketAddress,
    isRouted: boolean,
  ): boolean {
    const { peer } = session;
    if (!session.isOpen || isRouted || peer.session !== session) return false;
    return message.kind === "path_challenge"
      ? this.#answer(session, message.data, from)
      : this.#finish(session, message.data, from);
  }

  /** Gives up every check. */
  stop(): void {
    for (const session of [...this.#probes.keys()]) this.#forget(session);
  }

  /** False when it may not be checked. */
  #begin(
    session: Session,
    address: SocketAddress,
    creditBytes: number,
    settle: Probe["settle"],
  ): boolean {
    const { clock, random, counters, peers } = this.#deps;
    const isFull = this.#probes.size >= PATH_PROBES_MAX;
    if (isFull || !this.#begun.take(1, clock.now())) {
      counters.drop_path_limit_total += 1;
      return false;
    }
    // Where another peer lives and speaks, this one cannot: somebody forwards its packets.
    const owner = peers.ownerOf(address);
    if (owner !== undefined && owner !== session.peer && owner.isConnected) {
      counters.drop_path_owned_total += 1;
      return false;
    }
    const probe: Probe = {
      address,
      data: random(PATH_DATA_BYTES),
      isOver: false,
      creditBytes,
      challengesLeft: PATH_CHALLENGES,
      cancel: () => {},
      settle,
    };
    this.#probes.set(session, probe);
    this.#challenge(session, probe);
    return true;
  }

  #challenge(session: Session, probe: Probe): void {
    const { clock, counters } = this.#deps;
    if (session.isEnded || probe.challengesLeft === 0) {
      if (!session.isEnded) counters.paths_failed_total += 1;
      this.#forget(session);
      return;
    }
    probe.challengesLeft -= 1;
    if (probe.creditBytes < PATH_PACKET_BYTES) counters.drop_amplification_total += 1;
    else {
      probe.creditBytes -= PATH_PACKET_BYTES;
      counters.path_challenges_sent_total += 1;
      session.sendSealedMessage(encodePathChallenge(probe.data), probe.address);
    }
    probe.cancel = clock.after(PATH_CHALLENGE_REPEAT_MS, () => this.#challenge(session, probe));
  }

  #answer(session: Session, data: Uint8Array, from: SocketAddress): boolean {
    const { clock, guard } = this.#deps;
    if (!this.#answered.take(1, clock.now())) return false;
    if (!guard.answersOnce(PATH_PACKET_BYTES, PATH_PACKET_BYTES)) return false;
    session.sendSealedMessage(encodePathResponse(data), from);
    return true;
  }

  #finish(session: Session, data: Uint8Array, from: SocketAddress): boolean {
    const { clock, counters, peers, onMoved, onUnrelayed } = this.#deps;
    const probe = this.#probes.get(session);
    if (probe === undefined || probe.isOver || !isSameAddress(from, probe.address)) return false;
    if (!equalBytesConstantTime(data, probe.data)) return false;
    probe.isOver = true;
    probe.cancel();
    probe.cancel = clock.after(PATH_REST_MS, () => this.#forget(session));
    counters.paths_moved_total += 1;
    session.source = from;
    const { peer } = session;
    const wasRelayed = peer.relayTo !== undefined;
    peers.setRoute(peer, { address: from, relayTo: undefined }, true);
    // None came through the relay: the silence that counts begins now.
    if (wasRelayed) peer.lastHeartbeatAt = clock.now();
    (wasRelayed ? onUnrelayed : onMoved)(peer);
    probe.settle(true);
    return true;
  }

  #forget(session: Session): void {
    const probe = this.#probes.get(session);
    if (probe === undefined) return;
    probe.cancel();
    this.#probes.delete(session);
    probe.settle(false);
  }
}

function credit(bytes: number): number {
  return bytes * AMPLIFICATION_FACTOR;
}
