/**
 * How a node that lost its sessions says so (`sealed.md` 5).
 *
 * A packet of an unknown session is answered with a RESET that only this identity can make; whoever holds
 * the session compares it with what the proof promised, ends it and dials again. So a peer that restarted
 * is back at once, not after a timeout.
 */
import { type Clock, equalBytesConstantTime } from "../../base/mod.ts";
import { decodeSealedDatagram, encodeReset, type ResetTagger } from "../crypto/mod.ts";
import type { TransportCounters } from "./counters.ts";
import { TokenBucket } from "./limiters.ts";
import { RESETS_PER_SECOND } from "./limits.ts";
import type { PacketSender } from "./packet_sender.ts";
import type { Session } from "./session.ts";
import type { SessionRegistry } from "./session_registry.ts";
import type { SocketAddress } from "./types.ts";

/** What {@linkcode SessionResets} needs. */
export interface SessionResetsDeps {
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly sender: PacketSender;
  readonly sessions: SessionRegistry;
  readonly resetTagger: ResetTagger;
  /** A peer lost its side of this session. */
  readonly onReset: (session: Session) => void;
}

/** Sends and takes RESETs. */
export class SessionResets {
  readonly #deps: SessionResetsDeps;
  readonly #bucket: TokenBucket;

  constructor(deps: SessionResetsDeps) {
    this.#deps = deps;
    this.#bucket = new TokenBucket(RESETS_PER_SECOND, deps.clock.now());
  }

  /**
   * Answers a packet of a session that is not here; smaller than any packet, and rate-limited.
   *
   * @param isRelayed A relay brought it: its address is not the sender's.
   */
  answer(low: number, high: number, from: SocketAddress, isRelayed: boolean): void {
    const { clock, counters, sender, resetTagger } = this.#deps;
    if (isRelayed || !this.#bucket.take(1, clock.now())) return;
    counters.resets_sent_total += 1;
    sender.sendRaw(encodeReset(low, high, resetTagger(low, high)), from);
  }

  /** Takes a datagram of the sealing's class. */
  receive(datagram: Uint8Array): void {
    const { counters, sessions, onReset } = this.#deps;
    const decoded = decodeSealedDatagram(datagram);
    const session = decoded.kind === "reset"
      ? sessions.get(decoded.sessionIdLow, decoded.sessionIdHigh)
      : undefined;
    const expected = session?.proof?.peerResetTag;
    if (
      decoded.kind !== "reset" || session === undefined || expected === undefined ||
      !equalBytesConstantTime(decoded.resetTag, expected)
    ) {
      counters.drop_sealed_datagram_total += 1;
      return;
    }
    counters.resets_received_total += 1;
    onReset(session);
  }
}
