/**
 * Tells neighbours which nodes are unreachable through this one (`wire.md` 12).
 *
 * What has to be said at one time goes out together: one packet per neighbour holds as many withdrawals
 * as fit, and neighbours are served in slices, so that many failures at once are no burst of packets.
 */

import type { Clock } from "../../../base/mod.ts";
import { FRAME_PREFIX_BYTES } from "../wire/event_frame.ts";
import { FLOOD_PAUSE_MS, FLOOD_SLICE, WITHDRAWAL_DAMPED_MAX } from "../mesh_limits.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Peer } from "../peers/peers.ts";
import { MAX_RELAYED_PAYLOAD } from "../wire/routing_header.ts";
import { SUBPROTOCOL_ROUTE_WITHDRAWAL } from "../wire/subprotocols.ts";
import type { WithdrawalEmission } from "./withdrawal.ts";
import { ROUTE_WITHDRAWAL_BYTES } from "../wire/withdrawal_frame.ts";

const FRAME_BYTES = FRAME_PREFIX_BYTES + ROUTE_WITHDRAWAL_BYTES;
const EVENTS_MAX = Math.floor(MAX_RELAYED_PAYLOAD / FRAME_BYTES);

/** What {@linkcode WithdrawalFlood} needs. */
export interface WithdrawalFloodDeps {
  readonly clock: Clock;
  readonly neighbours: Neighbours;
}

/** Counters of the flood. */
export interface WithdrawalFloodCounters {
  /** Withdrawals times the neighbours they were sent to. */
  withdrawals_sent_total: number;
  drop_withdrawal_flood_limit_total: number;
}

/** Sends withdrawals to all neighbours. */
export class WithdrawalFlood {
  readonly counters: WithdrawalFloodCounters = {
    withdrawals_sent_total: 0,
    drop_withdrawal_flood_limit_total: 0,
  };
  readonly #deps: WithdrawalFloodDeps;
  readonly #buffer = new Uint8Array(EVENTS_MAX * FRAME_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  /** Waiting for the next pass over the neighbours. */
  #pending: WithdrawalEmission[] = [];
  /** Being sent in the present pass. */
  #current: readonly WithdrawalEmission[] = [];
  #place = 0;
  #cancel: (() => void) | undefined;

  constructor(deps: WithdrawalFloodDeps) {
    this.#deps = deps;
  }

  /** Puts a withdrawal on its way to all neighbours but those it names. */
  add(emission: WithdrawalEmission): void {
    if (this.#pending.length >= WITHDRAWAL_DAMPED_MAX) {
      this.counters.drop_withdrawal_flood_limit_total += 1;
      return;
    }
    this.#pending.push(emission);
    // What else fails in this turn comes along.
    this.#cancel ??= this.#deps.clock.after(0, () => this.#pass());
  }

  /** Sends nothing more. */
  stop(): void {
    this.#cancel?.();
    this.#pending = [];
    this.#current = [];
  }

  #pass(): void {
    this.#current = this.#pending;
    this.#pending = [];
    // From the last one down: one that fails meanwhile is replaced by one that was told already.
    this.#place = this.#deps.neighbours.size - 1;
    this.#sendSlice();
  }

  #sendSlice(): void {
    const { clock, neighbours } = this.#deps;
    for (let left = FLOOD_SLICE; left > 0 && this.#place >= 0; left--, this.#place--) {
      const peer = neighbours.at(this.#place);
      if (peer?.isConnected) this.#tell(peer);
    }
    if (this.#place >= 0) {
      this.#cancel = clock.after(FLOOD_PAUSE_MS, () => this.#sendSlice());
      return;
    }
    this.#current = [];
    const isMore = this.#pending.length > 0;
    this.#cancel = isMore ? clock.after(FLOOD_PAUSE_MS, () => this.#pass()) : undefined;
  }

  #tell(peer: Peer): void {
    let count = 0;
    for (const { low, high, sequence, exceptHop } of this.#current) {
      if (exceptHop === peer.slot || (low === peer.low && high === peer.high)) continue;
      const at = count * FRAME_BYTES;
      this.#view.setUint32(at, ROUTE_WITHDRAWAL_BYTES, true);
      this.#view.setUint32(at + FRAME_PREFIX_BYTES, low, true);
      this.#view.setUint32(at + FRAME_PREFIX_BYTES + 4, high, true);
      this.#view.setBigUint64(at + FRAME_PREFIX_BYTES + 8, sequence, true);
      count += 1;
      if (count === EVENTS_MAX) count = this.#send(peer, count);
    }
    if (count > 0) this.#send(peer, count);
  }

  /** Sends what lies in the buffer; 0 events lie there then. */
  #send(peer: Peer, count: number): number {
    // The stream has the subprotocol's id.
    const id = SUBPROTOCOL_ROUTE_WITHDRAWAL;
    peer.session?.sendFramed(id, id, 0, this.#buffer.subarray(0, count * FRAME_BYTES), count);
    this.counters.withdrawals_sent_total += count;
    return 0;
  }
}
