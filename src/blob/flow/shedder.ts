/**
 * The sender's side of overflow (`dataforts.md` 18, promises D1 and 60): a node whose disk is almost full hands its
 * coldest chunks to peers with room. The copy here goes when so many peers as the policy asks for have proven that
 * they hold the chunk and promised to keep it; the proof is asked for after the peer said that it has synced.
 *
 * What a tick pushes is decided by `tickOverflow`; this carries it out. A peer that took an offer and can't prove
 * the chunk, or does not answer, is left alone for a while.
 */
import { type Clock, equalBytes, fromHex, type RandomBytes, toHex } from "../../base/mod.ts";
import {
  type BlobMetrics,
  chooseTarget,
  type ChunkStanding,
  type DataPolicy,
  isDeletable,
  type LocalData,
  type MoveLedger,
  OVERFLOW_START,
  type OverflowCandidate,
  type OverflowPeer,
  type OverflowPush,
  type OverflowState,
  parseBlobHeat,
  readDataClaims,
  tickOverflow,
} from "../policy/mod.ts";
import { HASH_BYTES } from "../limits.ts";
import { Backoff } from "./_backoff.ts";
import { HOLD_NONCE_BYTES, type HoldKind, proofOf } from "./hold_wire.ts";
import type { LeaseBook } from "./lease_book.ts";
import {
  CANDIDATES_MAX,
  OFFER_TIMEOUT_MS,
  PROOF_DELAYS_MS,
  PROOF_TIMEOUT_MS,
  PUSHES_RUNNING_MAX,
  RETRY_MIN_MS,
} from "./limits.ts";
import { placeOf } from "./place.ts";
import type { FlowMesh, FlowPeer, FlowStore } from "./ports.ts";
import { bounded, wait } from "./wait.ts";

/** What {@linkcode Shedder} needs. */
export interface ShedderDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  readonly leases: LeaseBook;
  readonly ledger: MoveLedger;
  readonly policy: () => DataPolicy;
  readonly local: () => LocalData;
  readonly disk: () => { readonly used: number; readonly capacity: number };
  readonly rateOf: (hex: string, nowMs: number) => number;
  /** True for a chunk that only a cache of this node keeps. */
  readonly isCached: (hex: string) => boolean;
  /** The copy of a chunk is gone from here. */
  readonly onDropped: (hex: string) => void;
  readonly metrics: BlobMetrics;
}

/** Counters beside those of the specification. */
export interface ShedCounters {
  proofs: number;
  proofsFailed: number;
  dropped: number;
  droppedBytes: number;
}

/** Peers whose failures are remembered. */
const SHUNNED_MAX = 1_024;

/** Gives chunks away. */
export class Shedder {
  readonly counters: ShedCounters = {
    proofs: 0,
    proofsFailed: 0,
    dropped: 0,
    droppedBytes: 0,
  };
  readonly #deps: ShedderDeps;
  readonly #shunned = new Backoff<bigint>(RETRY_MIN_MS * 6, SHUNNED_MAX);
  #state: OverflowState = OVERFLOW_START;
  #isBusy = false;

  constructor(deps: ShedderDeps) {
    this.#deps = deps;
  }

  /** Whether chunks are shed, and how full the disk was at the last look. */
  get state(): OverflowState {
    return this.#state;
  }

  /** Overflow was switched off. */
  reset(): void {
    this.#state = { ...this.#state, isActive: false };
    this.#deps.metrics.isOverflowActive = false;
  }

  /** One look at the disk and what follows from it; one at a time, and never rejects but by the signal. */
  async tick(signal: AbortSignal): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const standings = await this.#candidates(signal);
      await this.#carryOut(this.#decide(standings), standings, signal);
    } finally {
      this.#isBusy = false;
    }
  }

  #decide(standings: ReadonlyMap<string, Candidate>): readonly OverflowPush[] {
    const { clock, policy, local, disk, ledger, metrics } = this.#deps;
    const { claims, place } = local();
    const tick = tickOverflow(
      this.#state,
      policy().overflow,
      { disk: disk(), local: claims, place, candidates: standings.values(), peers: this.#peers() },
      ledger,
      clock.now(),
    );
    this.#state = tick.state;
    metrics.isOverflowActive = tick.state.isActive;
    metrics.overflowDiskRatio = tick.state.diskRatio;
    metrics.overflowNoTargetTotal += tick.withoutTarget;
    if (tick.isHighWaterTriggered) metrics.overflowHighWaterTotal += 1;
    if (tick.isLowWaterCleared) metrics.overflowLowWaterTotal += 1;
    return tick.pushes;
  }

  /** Chunks that may go, the coldest first; none while the disk has room. */
  async #candidates(signal: AbortSignal): Promise<ReadonlyMap<string, Candidate>> {
    const { store, policy, disk, rateOf, clock, isCached, leases } = this.#deps;
    const { overflow } = policy();
    const { used, capacity } = disk();
    if (!overflow.isEnabled || used < overflow.lowWaterRatio * capacity) return new Map();
    const isReferredToo = overflow.spillHoldersMin > 0;
    const nowMs = clock.now();
    const oldest = (await store.oldest({ limit: 4 * CANDIDATES_MAX, isReferredToo }))
      .map(({ hash, size }) => ({ hash, size, key: toHex(hash) }))
      .filter(({ key }) => !leases.isLeased(key, clock.wallMs()))
      .map((chunk) => ({ ...chunk, rate: rateOf(chunk.key, nowMs) }))
      .sort((a, b) => a.rate - b.rate || (a.key < b.key ? -1 : 1))
      .slice(0, CANDIDATES_MAX);
    const candidates = new Map<string, Candidate>();
    for (const { hash, size, key } of oldest) {
      signal.throwIfAborted();
      const standing = await store.standing(hash);
      if (standing === undefined) continue;
      const refcount = Math.max(0, standing.refcount - (isCached(key) ? 1 : 0));
      const isPinned = standing.isPinned || standing.isStaged === true ||
        standing.isReplica === true || standing.isStripeShort === true;
      candidates.set(key, { key, sizeBytes: size, refcount, isPinned });
    }
    return candidates;
  }

  #peers(): OverflowPeer[] {
    const { mesh, clock } = this.#deps;
    const nowMs = clock.now();
    return [...mesh.peers()]
      .filter(({ nodeId, isConnected }) => isConnected && !this.#shunned.isOff(nodeId, nowMs))
      .map((peer) => ({
        nodeId: peer.nodeId,
        claims: readDataClaims(peer.tags),
        place: placeOf(peer.tags),
        wants: wantedBy(peer),
      }));
  }

  async #carryOut(
    pushes: readonly OverflowPush[],
    candidates: ReadonlyMap<string, Candidate>,
    signal: AbortSignal,
  ): Promise<void> {
    const left = [...pushes];
    const worker = async () => {
      for (let push = left.shift(); push !== undefined; push = left.shift()) {
        const { ledger, clock } = this.#deps;
        // A peer that just failed is spared the rest of what was meant for it.
        const isShunned = this.#shunned.isOff(push.nodeId, clock.now());
        if (isShunned || signal.aborted) ledger.giveBack(push.key);
        else await this.#push(push, (candidates.get(push.key)?.refcount ?? 1) > 0, signal);
      }
    };
    await Promise.all(Array.from({ length: PUSHES_RUNNING_MAX }, worker));
  }

  /** Pushes one chunk to as many peers as it takes, then lets the copy go. */
  async #push(push: OverflowPush, isReferred: boolean, signal: AbortSignal): Promise<void> {
    const { policy, store, ledger, clock } = this.#deps;
    const hash = fromHex(push.key, HASH_BYTES);
    if (hash === undefined) return;
    const needed = isReferred ? Math.max(1, policy().overflow.spillHoldersMin) : 1;
    const kind: HoldKind = isReferred ? "promise" : "prove";
    const proven = new Set<bigint>();
    // Who held it before, for example when it came back to be read, needs no bytes.
    for (const holder of await store.spilled.holders(hash)) {
      if (proven.size < needed && await this.#prove(holder, hash, kind, [0], signal)) {
        proven.add(holder);
      }
    }
    const asked = new Set(proven);
    for (let target: bigint | undefined = push.nodeId; target !== undefined;) {
      if (proven.size >= needed || signal.aborted) break;
      if (asked.has(target)) {
        target = this.#nextTarget(push, asked);
        continue;
      }
      if (asked.size > 0 && !ledger.spend(clock.now())) break;
      asked.add(target);
      if (
        await this.#offer(target, hash, push.sizeBytes, signal) &&
        await this.#prove(target, hash, kind, PROOF_DELAYS_MS, signal)
      ) proven.add(target);
    }
    if (proven.size >= needed && !signal.aborted) {
      await this.#drop(push, hash, [...proven], isReferred);
    }
  }

  #nextTarget(push: OverflowPush, asked: ReadonlySet<bigint>): bigint | undefined {
    const { policy, local } = this.#deps;
    const { claims, place } = local();
    const peers = this.#peers().filter(({ nodeId }) => !asked.has(nodeId));
    return chooseTarget(push.key, push.sizeBytes, policy().overflow, {
      local: claims,
      place,
      peers,
    });
  }

  async #offer(
    target: bigint,
    hash: Uint8Array,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { mesh, metrics, clock } = this.#deps;
    const time = bounded(clock, OFFER_TIMEOUT_MS, signal);
    try {
      const offer = { hash, sizeBytes: BigInt(sizeBytes), senderId: mesh.nodeId };
      const reply = await mesh.offer(target, offer, time.signal);
      if (reply.kind === "accepted") {
        metrics.overflowPushesAdmittedTotal += 1;
        metrics.overflowPushedBytesTotal += sizeBytes;
        return true;
      }
    } catch {
      // Counted like any other answer that is not "accepted" (row 52).
    } finally {
      time.end();
    }
    metrics.overflowPushErrorsTotal += 1;
    if (!signal.aborted) this.#shunned.fail(target, clock.now());
    return false;
  }

  /** True when the peer proved, now, that it holds the chunk. */
  async #prove(
    target: bigint,
    hash: Uint8Array,
    kind: HoldKind,
    delaysMs: readonly number[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, clock } = this.#deps;
    for (const delayMs of delaysMs) {
      if (delayMs > 0) await wait(clock, delayMs, signal).catch(() => {});
      if (signal.aborted) return false;
      const nonce = this.#deps.random(HOLD_NONCE_BYTES);
      const reply = await this.#ask(target, kind, hash, nonce, signal);
      if (reply?.kind === "absent") continue;
      const own = reply?.kind === "proven" ? await store.read(hash) : undefined;
      if (own === undefined || reply?.kind !== "proven") break;
      if (!equalBytes(reply.proof, proofOf(nonce, own))) break;
      this.counters.proofs += 1;
      this.#shunned.succeed(target);
      return true;
    }
    this.counters.proofsFailed += 1;
    if (!signal.aborted) this.#shunned.fail(target, clock.now());
    return false;
  }

  async #ask(
    target: bigint,
    kind: HoldKind,
    hash: Uint8Array,
    nonce: Uint8Array,
    signal: AbortSignal,
  ) {
    const { mesh, clock } = this.#deps;
    const time = bounded(clock, PROOF_TIMEOUT_MS, signal);
    try {
      return await mesh.hold(target, { kind, hash, nonce }, time.signal);
    } catch {
      return undefined; // No answer proves nothing.
    } finally {
      time.end();
    }
  }

  /** Lets the copy go if nothing else keeps it. */
  async #drop(
    push: OverflowPush,
    hash: Uint8Array,
    holders: readonly bigint[],
    isReferred: boolean,
  ): Promise<void> {
    const { store, leases, clock, onDropped, isCached } = this.#deps;
    const standing = await store.standing(hash);
    if (!this.#mayDrop(push.key, standing, holders.length)) return;
    // Who holds it is written first: after a crash between the two the chunk is in both places.
    if (isReferred) {
      const provenAtMs = clock.wallMs();
      const spill = { hash, size: push.sizeBytes, provenAtMs };
      await store.spilled.write(holders.map((holder) => ({ ...spill, holder })));
    }
    if (isCached(push.key)) onDropped(push.key);
    const size = await leases.drop(push.key, clock.wallMs(), () => store.drop(hash));
    if (size === undefined) return;
    this.counters.dropped += 1;
    this.counters.droppedBytes += size;
    onDropped(push.key);
  }

  #mayDrop(hex: string, standing: ChunkStanding | undefined, holders: number): boolean {
    const { policy, disk, clock, isCached } = this.#deps;
    const { overflow, gc } = policy();
    const { used, capacity } = disk();
    const isNeeded = overflow.isEnabled && used > overflow.lowWaterRatio * capacity;
    if (standing === undefined || !isNeeded) return false;
    const refcount = Math.max(0, standing.refcount - (isCached(hex) ? 1 : 0));
    const { spillHoldersMin } = overflow;
    const rule = { retentionFloorMs: gc.retentionFloorMs, isUnderPressure: true, spillHoldersMin };
    return isDeletable({ ...standing, refcount, holders }, rule, clock.wallMs());
  }
}

type Candidate = OverflowCandidate;

/** Where a chunk is read it is of use. */
function wantedBy({ tags }: FlowPeer): (key: string) => boolean {
  let hot: Set<string> | undefined;
  return (key) => {
    hot ??= new Set(
      tags.map(parseBlobHeat).filter((heat) => (heat?.rate ?? 0) > 0).map((heat) =>
        heat?.hex ?? ""
      ),
    );
    return hot.has(key);
  };
}
