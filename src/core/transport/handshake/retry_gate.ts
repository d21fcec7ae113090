/**
 * What a node does with first messages it has no time for (`sealed.md` 5): it asks their senders to show
 * with a token that they receive where they send from, and works for those who do.
 *
 * Nothing is kept per sender. Everything here is bounded per second and per address, because anybody can
 * ask for it.
 */
import { type Clock, type RandomBytes, TokenBucket } from "../../../base/mod.ts";
import { encodeRetry, RETRY_BYTES, RetryTokens } from "../../crypto/mod.ts";
import { encodeAddress, parseHost } from "../address.ts";
import type { AddressGuard } from "./address_guard.ts";
import { AddressQuota } from "./address_quota.ts";
import type { TransportCounters } from "../counters.ts";
import {
  RETRIES_PER_ADDRESS_PER_SECOND,
  RETRIES_PER_SECOND,
  TOKEN_CHECKS_PER_ADDRESS_PER_SECOND,
  TOKEN_CHECKS_PER_SECOND,
} from "../limits.ts";
import type { PacketSender } from "../packet_sender.ts";
import type { SocketAddress } from "../types.ts";

/** Shortest first message that offers a sealed session: ephemeral, node id, block, tag. */
export const SEALED_MESSAGE1_BYTES = 32 + 8 + 68 + 16;

const EPHEMERAL_BYTES = 32;

/** What {@linkcode RetryGate} needs. */
export interface RetryGateDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly counters: TransportCounters;
  readonly sender: PacketSender;
  readonly guard: AddressGuard;
}

/** Sends RETRYs and checks what comes back. */
export class RetryGate {
  readonly #deps: RetryGateDeps;
  readonly #tokens: RetryTokens;
  readonly #retries: TokenBucket;
  readonly #retryQuota: AddressQuota;
  readonly #checks: TokenBucket;
  readonly #checkQuota: AddressQuota;

  constructor(deps: RetryGateDeps) {
    const { clock, random } = deps;
    this.#deps = deps;
    this.#tokens = new RetryTokens({ clock, random });
    const seeds = new DataView(random(8).buffer);
    this.#retries = new TokenBucket({ perSecond: RETRIES_PER_SECOND }, clock.now());
    this.#retryQuota = new AddressQuota(RETRIES_PER_ADDRESS_PER_SECOND, seeds.getUint32(0));
    this.#checks = new TokenBucket({ perSecond: TOKEN_CHECKS_PER_SECOND }, clock.now());
    this.#checkQuota = new AddressQuota(TOKEN_CHECKS_PER_ADDRESS_PER_SECOND, seeds.getUint32(4));
  }

  /**
   * Answers a first message that nobody has time for with a RETRY.
   *
   * @param datagramBytes Bytes that came with it.
   * @returns False when it gets no answer: its sender does not know RETRY, or had enough of them.
   */
  answer(message: Uint8Array, from: SocketAddress, datagramBytes: number, now: number): boolean {
    const { counters, sender, guard } = this.#deps;
    if (message.length < SEALED_MESSAGE1_BYTES) return false;
    if (!this.#retryQuota.take(from, now) || !this.#retries.take(1, now)) return false;
    if (!isBindable(from) || !guard.answersOnce(datagramBytes, RETRY_BYTES)) return false;
    const ephemeral = message.subarray(0, EPHEMERAL_BYTES);
    counters.retries_sent_total += 1;
    sender.sendRaw(
      encodeRetry(ephemeral, this.#tokens.issue(encodeAddress(from), ephemeral)),
      from,
    );
    return true;
  }

  /** True when there is time to look at a token from that address. */
  mayCheck(from: SocketAddress): boolean {
    const now = this.#deps.clock.now();
    return this.#checkQuota.take(from, now) && this.#checks.take(1, now);
  }

  /** True when this node gave the token to the sender of this first message, for this message. */
  verify(token: Uint8Array, message: Uint8Array, from: SocketAddress): boolean {
    if (message.length < SEALED_MESSAGE1_BYTES || !isBindable(from)) return false;
    return this.#tokens.verify(token, encodeAddress(from), message.subarray(0, EPHEMERAL_BYTES));
  }
}

/** Addresses with a zone have no form on the wire that a token could name. */
function isBindable({ host }: SocketAddress): boolean {
  return parseHost(host) !== undefined;
}
