/**
 * How a node that lost its sessions says so (`sealed.md` 5).
 *
 * A packet of an unknown session is answered with a RESET that only this identity can make; whoever holds
 * the session compares it with what the proof promised, ends it and dials again. So a peer that restarted
 * is back at once, not after a timeout.
 */
import {
  type Clock,
  equalBytesConstantTime,
  type RandomBytes,
  TokenBucket,
} from "../../../base/mod.ts";
import {
  encodeReset,
  RESET_BYTES,
  type ResetTagger,
  type SealedDatagram,
} from "../../crypto/mod.ts";
import type { AddressGuard } from "../handshake/address_guard.ts";
import { AddressQuota } from "../handshake/address_quota.ts";
import type { TransportCounters } from "../counters.ts";
import { RESETS_PER_ADDRESS_PER_SECOND, RESETS_PER_SECOND } from "../limits.ts";
import type { PacketSender } from "../packet_sender.ts";
import type { Session } from "./session.ts";
import type { SessionRegistry } from "./session_registry.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode SessionResets} needs. */
export interface SessionResetsDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly counters: TransportCounters;
  readonly sender: PacketSender;
  readonly sessions: SessionRegistry;
  readonly guard: AddressGuard;
  readonly resetTagger: ResetTagger;
  /** A peer lost its side of this session. */
  readonly onReset: (session: Session) => void;
}

/** Sends and takes RESETs. */
export class SessionResets {
  readonly #deps: SessionResetsDeps;
  readonly #bucket: TokenBucket;
  readonly #quota: AddressQuota;

  constructor(deps: SessionResetsDeps) {
    this.#deps = deps;
    this.#bucket = new TokenBucket({ perSecond: RESETS_PER_SECOND }, deps.clock.now());
    const seed = new DataView(deps.random(4).buffer).getUint32(0);
    this.#quota = new AddressQuota(RESETS_PER_ADDRESS_PER_SECOND, seed);
  }

  /**
   * Answers a packet of a session that is not here; smaller than any packet, and rate-limited.
   *
   * @param isRelayed A relay brought it: its address is not the sender's.
   * @param bytes Length of the packet.
   */
  answer(low: number, high: number, from: SocketAddress, isRelayed: boolean, bytes: number): void {
    const { clock, counters, sender, guard, resetTagger } = this.#deps;
    const now = clock.now();
    if (isRelayed || !this.#quota.take(from, now) || !this.#bucket.take(1, now)) return;
    if (!guard.answersOnce(bytes, RESET_BYTES)) return;
    counters.resets_sent_total += 1;
    sender.sendRaw(encodeReset(low, high, resetTagger(low, high)), from);
  }

  /** Takes a RESET; false when it is none of a peer of ours. */
  receive(reset: Extract<SealedDatagram, { readonly kind: "reset" }>): boolean {
    const { sessions, onReset } = this.#deps;
    const session = sessions.get(reset.sessionIdLow, reset.sessionIdHigh);
    const expected = session?.peerResetTag;
    if (session === undefined || expected === undefined) return false;
    if (!equalBytesConstantTime(reset.resetTag, expected)) return false;
    onReset(session);
    return true;
  }
}
