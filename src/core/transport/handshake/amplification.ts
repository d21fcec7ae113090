/**
 * Never more to an address that proved nothing than three times what came from it: a forged source
 * cannot make this node a cannon (`sealed.md` 3).
 *
 * An address is unproven until an authentic packet came from it; from then on it is not asked about here.
 */

import {
  AMPLIFICATION_FACTOR,
  UNPROVEN_ADDRESS_MS,
  UNPROVEN_ADDRESSES_MAX,
} from "../mesh_limits.ts";

/** Counters of the ledger; they are the transport's. */
export interface AmplificationCounters {
  /** Datagrams not sent because the address had no credit. */
  drop_amplification_total: number;
  /** Addresses forgotten to make room; they have no credit until they send again. */
  unproven_evicted_total: number;
}

/** Options of {@linkcode AmplificationLedger}. */
export interface AmplificationLedgerOptions {
  readonly addressesMax?: number;
  readonly maxAgeMs?: number;
}

interface Account {
  /** Bytes that may still be sent. */
  credit: number;
  at: number;
}

/** Bytes received from and sent to unproven addresses. */
export class AmplificationLedger {
  readonly #counters: AmplificationCounters;
  readonly #addressesMax: number;
  readonly #maxAgeMs: number;
  /** By address text; the one that sent last stands last. */
  readonly #accounts = new Map<string, Account>();

  constructor(counters: AmplificationCounters, options: AmplificationLedgerOptions = {}) {
    this.#counters = counters;
    this.#addressesMax = options.addressesMax ?? UNPROVEN_ADDRESSES_MAX;
    this.#maxAgeMs = options.maxAgeMs ?? UNPROVEN_ADDRESS_MS;
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#accounts.size;
  }

  /** A datagram came from the address. */
  onReceived(address: string, bytes: number, now: number): void {
    const known = this.#live(address, now);
    if (known !== undefined) this.#accounts.delete(address);
    else if (this.#accounts.size >= this.#addressesMax) this.#makeRoom(now);
    const credit = (known?.credit ?? 0) + bytes * AMPLIFICATION_FACTOR;
    this.#accounts.set(address, { credit, at: now });
  }

  /** Books a datagram about to be sent; false, and nothing is booked, when it must not be. */
  take(address: string, bytes: number, now: number): boolean {
    const account = this.#live(address, now);
    if (account === undefined || account.credit < bytes) {
      this.#counters.drop_amplification_total += 1;
      return false;
    }
    account.credit -= bytes;
    return true;
  }

  /** The address showed that it holds the keys: it is forgotten here. */
  onProven(address: string): void {
    this.#accounts.delete(address);
  }

  /** Forgets addresses that were silent for long. */
  sweep(now: number): void {
    // Accounts stand in the order in which their addresses last sent.
    for (const [address, { at }] of this.#accounts) {
      if (now - at <= this.#maxAgeMs) return;
      this.#accounts.delete(address);
    }
  }

  #live(address: string, now: number): Account | undefined {
    const account = this.#accounts.get(address);
    if (account === undefined || now - account.at <= this.#maxAgeMs) return account;
    this.#accounts.delete(address);
    return undefined;
  }

  #makeRoom(now: number): void {
    this.sweep(now);
    if (this.#accounts.size < this.#addressesMax) return;
    const [oldest] = this.#accounts.keys();
    if (oldest === undefined) return;
    this.#accounts.delete(oldest);
    this.#counters.unproven_evicted_total += 1;
  }
}
