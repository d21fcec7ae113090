/**
 * The receiver's side of overflow (`dataforts.md` 18): a peer offers a chunk, this node looks whether it may take
 * it, fetches it from the peer and answers when it is synced. Offers cost the peer more than this node: they are
 * bounded in number at a time, per hour, per peer, and in bytes.
 */
import { type Clock, toHex } from "../../base/mod.ts";
import { CHUNK_BYTES_MAX } from "../limits.ts";
import {
  type LocalData,
  MoveLedger,
  type OverflowOffer,
  type OverflowRefusal,
  type OverflowReply,
  overflowRoomBytes,
  readDataClaims,
  refuseOverflow,
} from "../policy/mod.ts";
import { Backoff } from "./_backoff.ts";
import {
  ARRIVAL_PEERS_MAX,
  ARRIVALS_PEER_SHARE,
  ARRIVALS_PER_PEER_MAX,
  ARRIVALS_RUNNING_MAX,
  OFFER_ANSWER_MS,
  RETRY_MIN_MS,
} from "./limits.ts";
import { placeOf } from "./place.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";
import type { PullQueue } from "./pull_queue.ts";
import { wait } from "./wait.ts";

/** What {@linkcode Arrivals} needs. */
export interface ArrivalsDeps {
  readonly clock: Clock;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  readonly pulls: PullQueue;
  /** What is true of this node now; room counts up to the high mark. */
  readonly local: () => LocalData;
  /** Bytes that may still be taken for others. */
  readonly leaseRoomBytes: () => number;
  readonly perHourMax: () => number;
  readonly onRefused: (reason: OverflowRefusal) => void;
  /** A chunk came; it rests from now on. */
  readonly onArrived: (hex: string) => void;
}

/** Counters of the offers of peers. */
export interface ArrivalCounters {
  offers: number;
  accepted: number;
  acceptedBytes: number;
  /** Above a bound of this node. */
  busy: number;
  failed: number;
}

const HOUR_MS = 3_600_000;

/** What peers push to one node. */
export class Arrivals {
  readonly counters: ArrivalCounters = {
    offers: 0,
    accepted: 0,
    acceptedBytes: 0,
    busy: 0,
    failed: 0,
  };
  readonly #deps: ArrivalsDeps;
  readonly #running = new Map<bigint, number>();
  /** Arrivals of the last hour, of all and by peer; the one that was heard of least lately first. */
  readonly #all: MoveLedger;
  readonly #byPeer = new Map<bigint, MoveLedger>();
  readonly #failures = new Backoff<bigint>(RETRY_MIN_MS, ARRIVAL_PEERS_MAX);
  #runningCount = 0;
  #reservedBytes = 0;

  constructor(deps: ArrivalsDeps) {
    this.#deps = deps;
    this.#all = new MoveLedger({ perHourMax: deps.perHourMax(), restMs: 0 });
  }

  /** Decides on an offer of `from`, which its session proves, and takes the chunk. */
  async onOffer(from: bigint, offer: OverflowOffer, signal: AbortSignal): Promise<OverflowReply> {
    const { store } = this.#deps;
    this.counters.offers += 1;
    const isHere = await store.has(offer.hash) !== undefined;
    const reason = this.#refuse(from, offer);
    // What is here takes no room.
    if (isHere && (reason ?? "insufficient_disk") === "insufficient_disk") {
      return { kind: "accepted" };
    }
    if (reason !== undefined) {
      this.#deps.onRefused(reason);
      return { kind: "rejected", reason };
    }
    if (!this.#begin(from)) {
      this.counters.busy += 1;
      return { kind: "open_chunk_failed" };
    }
    return await this.#take(from, offer, signal);
  }

  #refuse(from: bigint, offer: OverflowOffer): OverflowRefusal | undefined {
    const { mesh, local, leaseRoomBytes } = this.#deps;
    const tags = mesh.peer(from)?.tags ?? [];
    const sizeBytes = Number(offer.sizeBytes);
    const sender = { claims: readDataClaims(tags), place: placeOf(tags) };
    const mine = local();
    const roomBytes = (mine.roomBytes ?? Infinity) - this.#reservedBytes;
    const reason = refuseOverflow({ ...mine, roomBytes }, sender, sizeBytes);
    if (reason !== undefined) return reason;
    // Nobody speaks for somebody else.
    if (offer.senderId !== from) return "sender_not_overflowing";
    const isTooLarge = sizeBytes > CHUNK_BYTES_MAX ||
      sizeBytes + this.#reservedBytes > leaseRoomBytes();
    return isTooLarge ? "insufficient_disk" : undefined;
  }

  /** Counts an arrival, if there is still room for one. */
  #begin(from: bigint): boolean {
    const nowMs = this.#deps.clock.now();
    const running = this.#running.get(from) ?? 0;
    if (this.#runningCount >= ARRIVALS_RUNNING_MAX || running >= ARRIVALS_PER_PEER_MAX) {
      return false;
    }
    if (this.#failures.isOff(from, nowMs)) return false;
    const perHourMax = this.#deps.perHourMax();
    this.#all.configure({ perHourMax, restMs: 0 });
    const share = this.#ledgerOf(from, Math.ceil(perHourMax * ARRIVALS_PEER_SHARE));
    if (this.#all.leftAt(nowMs) === 0 || !share.spend(nowMs)) return false;
    this.#all.spend(nowMs);
    this.#running.set(from, running + 1);
    this.#runningCount += 1;
    return true;
  }

  async #take(from: bigint, offer: OverflowOffer, signal: AbortSignal): Promise<OverflowReply> {
    const sizeBytes = Number(offer.sizeBytes);
    const reserved = overflowRoomBytes(sizeBytes);
    this.#reservedBytes += reserved;
    const taken = this.#fetch(from, offer.hash, sizeBytes, signal).finally(() => {
      this.#reservedBytes -= reserved;
      this.#runningCount -= 1;
      const running = (this.#running.get(from) ?? 1) - 1;
      if (running > 0) this.#running.set(from, running);
      else this.#running.delete(from);
    });
    // Who is asked over a slow link answers before the bytes are here, as the reference always does.
    const late = new AbortController();
    const isLate = wait(this.#deps.clock, OFFER_ANSWER_MS, late.signal).then(
      () => true,
      () => true,
    );
    const isTaken = await Promise.race([taken, isLate]);
    late.abort();
    return isTaken ? { kind: "accepted" } : { kind: "open_chunk_failed" };
  }

  async #fetch(
    from: bigint,
    hash: Uint8Array,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { pulls, clock, onArrived } = this.#deps;
    const outcome = await pulls.pull({
      hash,
      sizeBytes,
      sources: [from],
      isOnlyThese: true,
      signal,
    });
    const isHere = outcome === "stored" || outcome === "present";
    if (!isHere) {
      this.counters.failed += 1;
      if (!signal.aborted) this.#failures.fail(from, clock.now());
      return false;
    }
    this.#failures.succeed(from);
    this.counters.accepted += 1;
    this.counters.acceptedBytes += sizeBytes;
    onArrived(toHex(hash));
    return true;
  }

  #ledgerOf(peer: bigint, perHourMax: number): MoveLedger {
    const rule = { perHourMax, restMs: HOUR_MS };
    const ledger = this.#byPeer.get(peer) ?? new MoveLedger(rule);
    ledger.configure(rule);
    this.#byPeer.delete(peer);
    this.#byPeer.set(peer, ledger);
    const [oldest] = this.#byPeer.keys();
    if (this.#byPeer.size > ARRIVAL_PEERS_MAX && oldest !== undefined) this.#byPeer.delete(oldest);
    return ledger;
  }
}
