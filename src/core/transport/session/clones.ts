/**
 * Two nodes with one identity take turns: each proves itself and takes over from the other (`sealed.md` 5).
 * Who comes back to the address before the last one again and again is reported; nothing else is done,
 * because no one can tell which of the two is the real one.
 */
import { type Clock, idToHex } from "../../../base/mod.ts";
import type { Log } from "../../../observe/mod.ts";
import { addressKey, formatAddress, isSameAddress } from "../address.ts";
import type { TransportCounters } from "../counters.ts";
import { CLONE_TURNS_MAX, CLONE_WINDOW_MS } from "../limits.ts";
import type { Peer } from "../peers/peers.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode CloneWatch} needs. */
export interface CloneWatchDeps {
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly log: Log;
}

/** Where a peer that came to another address proved itself before. */
interface Whereabouts {
  /** Key of the address before the latest. */
  before: string;
  /** When it came back to the address before; the latest few. */
  turns: number[];
  warnedAt: number;
}

/** Watches for identities in use twice. */
export class CloneWatch {
  readonly #deps: CloneWatchDeps;
  /** Peers that proved themselves at more than one address: of most the latest is all there is. */
  readonly #whereabouts = new WeakMap<Peer, Whereabouts>();

  constructor(deps: CloneWatchDeps) {
    this.#deps = deps;
  }

  /** A new session with the peer was proven, from this address. */
  note(peer: Peer, address: SocketAddress): void {
    const latest = peer.provenAt;
    peer.provenAt = address;
    if (latest === undefined || isSameAddress(address, latest)) return;
    const now = this.#deps.clock.now();
    const before = addressKey(latest);
    const known = this.#whereabouts.get(peer);
    if (known === undefined) {
      this.#whereabouts.set(peer, { before, turns: [], warnedAt: -Infinity });
      return;
    }
    if (addressKey(address) === known.before) known.turns.push(now);
    known.before = before;
    known.turns = known.turns.filter((at) => now - at < CLONE_WINDOW_MS);
    if (known.turns.length <= CLONE_TURNS_MAX) return;
    known.turns.shift();
    this.#report(peer, known, [address, latest], now);
  }

  #report(
    peer: Peer,
    known: Whereabouts,
    addresses: readonly SocketAddress[],
    now: number,
  ): void {
    const { counters, log } = this.#deps;
    peer.clonedAt = now;
    counters.clones_reported_total += 1;
    if (now - known.warnedAt < CLONE_WINDOW_MS) return;
    known.warnedAt = now;
    log.warn("identity_cloned", {
      peer: idToHex(peer.nodeId),
      addresses: addresses.map(formatAddress).join(", "),
      hint: "two nodes use one identity key; stop one of them, or give it a key of its own",
    });
  }
}
