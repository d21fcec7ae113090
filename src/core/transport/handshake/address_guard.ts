/**
 * What may be sent to an address that has not yet shown that it receives (`sealed.md` 3): the ledger of
 * `amplification.ts`, and who needs none.
 *
 * An address is proven by a peer's authentic packet, by a token that came back, or by this node having
 * chosen to dial it. Sessions remember that, so that the ledger is never asked on their steady path.
 */
import type { Clock } from "../../../base/mod.ts";
import { addressKey } from "../address.ts";
import { AmplificationLedger } from "./amplification.ts";
import type { TransportCounters } from "../counters.ts";
import { AMPLIFICATION_FACTOR } from "../mesh_limits.ts";
import type { PeerTable } from "../peers/peers.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode AddressGuard} needs. */
export interface AddressGuardDeps {
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly peers: PeerTable;
}

/** Says what may be sent where. */
export class AddressGuard {
  readonly #deps: AddressGuardDeps;
  readonly #ledger: AmplificationLedger;

  constructor(deps: AddressGuardDeps) {
    this.#deps = deps;
    this.#ledger = new AmplificationLedger(deps.counters);
  }

  /** True when a peer is known to receive there. */
  isProven(address: SocketAddress): boolean {
    return this.#deps.peers.ownerOf(address)?.session?.isAddressProven === true;
  }

  /** Books a datagram that is going to be answered. */
  onReceived(address: SocketAddress, bytes: number): void {
    this.#ledger.onReceived(addressKey(address), bytes, this.#deps.clock.now());
  }

  /** Books a datagram about to be sent to an unproven address; false when it must not be. */
  mayAnswer(address: SocketAddress, bytes: number): boolean {
    return this.#ledger.take(addressKey(address), bytes, this.#deps.clock.now());
  }

  /**
   * True when an answer is within what its own trigger allows. For short answers to strangers, of which
   * there may be so many that an account for each would push out the others'.
   */
  answersOnce(receivedBytes: number, sentBytes: number): boolean {
    if (sentBytes <= receivedBytes * AMPLIFICATION_FACTOR) return true;
    this.#deps.counters.drop_amplification_total += 1;
    return false;
  }

  /** The address showed that it receives. */
  onProven(address: SocketAddress): void {
    this.#ledger.onProven(addressKey(address));
  }

  /** Forgets addresses that were silent for long. */
  sweep(): void {
    this.#ledger.sweep(this.#deps.clock.now());
  }
}
