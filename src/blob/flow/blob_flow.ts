/**
 * How blobs flow on one node: heat, gravity, greedy caching, overflow and copies of what was fetched, put together
 * (`dataforts.md` 15 to 20). What is off does nothing; what is switched off stops at once; the same again changes
 * nothing (rows 50, 61).
 *
 * It knows the store and the mesh by their ports only, so that a simulator can run a day of it in seconds.
 */
import { type Clock, type RandomBytes, repeat, toHex, toNetError } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import {
  BandwidthBucket,
  BLOB_FEATURE_TAGS,
  createBlobMetrics,
  type DataClaims,
  type DataPolicy,
  GreedyMetrics,
  type GreedyView,
  HeatRegistry,
  linkBytesPerSecond,
  type LocalData,
  MoveLedger,
  type OverflowOffer,
  type OverflowReply,
  roomBelow,
  stepHealthGate,
} from "../policy/mod.ts";
import { GIB } from "../policy/limits.ts";
import { CHUNK_BYTES } from "../limits.ts";
import { Arrivals } from "./arrivals.ts";
import { BandwidthGate, LinkMeter } from "./bandwidth_gate.ts";
import { ClaimsAnnouncer } from "./claims_announcer.ts";
import { CopyCache } from "./copy_cache.ts";
import { Gravity } from "./gravity.ts";
import { GreedyCache, type PassingEvent } from "./greedy_cache.ts";
import { HeatAnnouncer } from "./heat_announcer.ts";
import { HoldResponder } from "./hold_responder.ts";
import type { HoldReply, HoldRequest } from "./hold_wire.ts";
import { LeaseBook } from "./lease_book.ts";
import { LEASE_SHARE } from "./limits.ts";
import { Passes } from "./passes.ts";
import { placeOf } from "./place.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";
import { Promises } from "./promises.ts";
import { PullQueue } from "./pull_queue.ts";
import { Shedder } from "./shedder.ts";
import { SizeBook } from "./size_book.ts";

/** What {@linkcode BlobFlow} needs. */
export interface BlobFlowDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  /** What this node's capabilities say to intents of greedy caching. */
  readonly greedyView: GreedyView;
}

/** Sources of tags in the announcement. */
const CLAIMS_SOURCE = "blob_claims";
const HEAT_SOURCE = "blob_heat";
/** How often claims and promises are looked at. */
const CARE_MS = 10_000;
/** What runs whatever the policy says. */
const PROMISES = "promises";
const PROMISES_MS = 300_000;

/** Everything that moves blobs by itself on one node. */
export class BlobFlow {
  readonly metrics = createBlobMetrics();
  readonly greedyMetrics = new GreedyMetrics();
  readonly heat: HeatRegistry;
  readonly ledger: MoveLedger;
  readonly meter = new LinkMeter();
  readonly pulls: PullQueue;
  readonly gravity: Gravity;
  readonly greedy: GreedyCache;
  readonly copies: CopyCache;
  readonly leases: LeaseBook;
  readonly arrivals: Arrivals;
  readonly responder: HoldResponder;
  readonly shedder: Shedder;
  readonly promises: Promises;
  readonly #deps: BlobFlowDeps;
  readonly #passes: Passes;
  readonly #sizes = new SizeBook();
  readonly #bucket: BandwidthBucket;
  readonly #claims: ClaimsAnnouncer;
  readonly #heatAnnouncer: HeatAnnouncer;
  #policy: DataPolicy;
  #isUnhealthy = false;
  #isRunning = false;
  #stopCare = () => {};
  /** Ends of what runs now, by feature. */
  readonly #running = new Map<string, () => void>();
  readonly #signals = new Map<string, AbortController>();

  constructor(deps: BlobFlowDeps, policy: DataPolicy) {
    this.#deps = deps;
    this.#policy = policy;
    const { clock, store, mesh } = deps;
    const current = () => this.#policy;
    this.heat = new HeatRegistry(heatOptions(policy));
    this.ledger = new MoveLedger(policy.moves);
    this.#bucket = new BandwidthBucket(this.#bandwidth(), clock.now());
    const gate = new BandwidthGate(clock, this.#bucket);
    const pulls = this.pulls = new PullQueue({ ...deps, gate, meter: this.meter });
    const rateOf = (hex: string, nowMs: number) => this.heat.rateOf(hex, nowMs) ?? 0;
    const leases = this.leases = new LeaseBook(store);
    const leaseRoomBytes = () => this.#leaseRoomBytes();
    this.copies = new CopyCache({ clock, store, policy: current, rateOf });
    this.greedy = new GreedyCache({
      ...deps,
      pulls,
      sizes: this.#sizes,
      bucket: this.#bucket,
      policy: current,
      local: () => this.#local("low"),
      view: deps.greedyView,
      metrics: this.greedyMetrics,
    });
    this.gravity = new Gravity({
      ...deps,
      pulls,
      ledger: this.ledger,
      policy: current,
      local: () => this.#local("low"),
      isShedding: () => this.shedder.state.isActive,
      sizeOf: (hex) => this.#sizes.sizeOf(hex),
      onPrefetched: (isOk) => void (this.greedyMetrics.prefetches[isOk ? "ok" : "err"] += 1),
    });
    this.arrivals = new Arrivals({
      ...deps,
      pulls,
      local: () => this.#local("high"),
      leaseRoomBytes,
      perHourMax: () => this.#policy.moves.perHourMax,
      onRefused: (reason) => void (this.metrics.overflowRejectedTotal[reason] += 1),
      onArrived: (hex) => this.ledger.rest(hex, clock.now()),
    });
    this.responder = new HoldResponder({
      clock,
      store,
      mesh,
      leases,
      leaseRoomBytes,
      isOpen: () => this.#isRunning && this.#policy.overflow.isEnabled && !this.#isUnhealthy,
    });
    this.shedder = new Shedder({
      ...deps,
      leases,
      ledger: this.ledger,
      policy: current,
      local: () => this.#local("high"),
      disk: () => this.#disk(),
      rateOf,
      isCached: (hex) => this.copies.has(hex) || this.greedy.has(hex),
      onDropped: (hex) => {
        this.ledger.rest(hex, clock.now());
        this.#forgetCopy(hex);
      },
      metrics: this.metrics,
    });
    this.promises = new Promises({
      ...deps,
      onLost: ({ hash, size }) => {
        deps.log.warn("overflow_promise_broken", { hash: toHex(hash) });
        const signal = this.#signalOf(PROMISES);
        if (signal !== undefined) void pulls.pull({ hash, sizeBytes: size, sources: [], signal });
      },
    });
    this.#passes = new Passes(deps);
    this.#claims = new ClaimsAnnouncer((tags) =>
      mesh.say(CLAIMS_SOURCE, [...BLOB_FEATURE_TAGS, ...tags])
    );
    this.#heatAnnouncer = new HeatAnnouncer(this.heat, (tags) => mesh.say(HEAT_SOURCE, tags));
  }

  /** The policy in force. */
  get policy(): DataPolicy {
    return this.#policy;
  }

  /** What this node says of its store. */
  get claims(): DataClaims {
    return this.#local("high").claims;
  }

  /** Bytes per second that the shares are of. */
  get linkBytesPerSecond(): number {
    return linkBytesPerSecond(this.#policy, this.meter.peakAt(this.#deps.clock.now()));
  }

  /** The disk as the marks see it, in bytes; a capacity of 0 bounds nothing. */
  get disk(): { readonly used: number; readonly capacity: number } {
    return this.#disk();
  }

  /** Tags that tell the heat of chunks. */
  get heatTags(): readonly string[] {
    return this.#heatAnnouncer.shown;
  }

  /** Reads what was promised and kept before a restart, and runs what is on. */
  async start(): Promise<void> {
    await this.leases.load();
    await this.copies.load();
    await this.greedy.load();
    this.#isRunning = true;
    this.#care();
    this.#stopCare = repeat(this.#deps.clock, CARE_MS, () => this.#care());
    this.#runFeatures();
  }

  /** Ends everything at once; idempotent. */
  stop(): void {
    this.#isRunning = false;
    this.#stopCare();
    for (const end of this.#running.values()) end();
    this.#running.clear();
    this.greedy.stop();
  }

  /** Goes on by another policy; what is off now has stopped when this returns. */
  configure(policy: DataPolicy): void {
    const before = this.#policy;
    const nowMs = this.#deps.clock.now();
    this.#policy = policy;
    this.heat.configure(heatOptions(policy), nowMs);
    this.ledger.configure(policy.moves);
    this.#bucket.configure(this.#bandwidth(), nowMs);
    if (!this.#isRunning) return;
    const isChanged = (group: keyof DataPolicy) =>
      JSON.stringify(before[group]) !== JSON.stringify(policy[group]);
    this.#runFeatures(isChanged("gravity"), isChanged("overflow"));
    if (isChanged("greedy")) this.#quietly(this.greedy.configure(), "greedy");
    if (isChanged("cache")) this.#quietly(this.copies.configure(), "cache");
    this.#care();
  }

  /** A chunk was read here, or served from here. */
  noteRead(hash: Uint8Array): void {
    const hex = toHex(hash);
    this.heat.bump(hex, this.#deps.clock.now());
    this.copies.touch(hex);
    this.greedy.touch(hex);
  }

  /** A chunk was fetched for somebody here, and is in the store now. */
  noteFetched(hash: Uint8Array, size: number): void {
    this.heat.bump(toHex(hash), this.#deps.clock.now());
    // What just came to be read is not pushed on.
    this.ledger.rest(toHex(hash), this.#deps.clock.now());
    this.#quietly(this.copies.note(hash, size), "cache");
  }

  /** A chunk was removed from here by somebody else. */
  noteRemoved(hash: Uint8Array): void {
    this.#forgetCopy(toHex(hash));
  }

  /** An event of a channel came by; resolves when what follows from it is over. */
  observe(event: PassingEvent): Promise<void> {
    return this.#isRunning ? this.greedy.observe(event) : Promise.resolve();
  }

  /** A peer offers a chunk. */
  async onOffer(from: bigint, offer: OverflowOffer): Promise<OverflowReply> {
    // Bound to the switch, not to the call: the answer may come before the bytes do.
    const signal = this.#signalOf("overflow");
    if (signal !== undefined) return await this.arrivals.onOffer(from, offer, signal);
    this.metrics.overflowRejectedTotal.not_participating += 1;
    return { kind: "rejected", reason: "not_participating" };
  }

  /** A peer asks for a proof or a promise. */
  onHold(from: bigint, request: HoldRequest): Promise<HoldReply> {
    return this.responder.onRequest(from, request);
  }

  /** Peers that hold a chunk in this node's stead. */
  holdersOf(hash: Uint8Array): Promise<readonly bigint[]> {
    return this.#deps.store.spilled.holders(hash);
  }

  /** A chunk that peers hold in this node's stead; `undefined` when none can give it now. */
  async fetchSpilled(hash: Uint8Array): Promise<Uint8Array | undefined> {
    const signal = this.#signalOf(PROMISES);
    return signal && await this.#passes.fetch(hash, signal);
  }

  #signalOf(feature: string): AbortSignal | undefined {
    return this.#running.has(feature) ? this.#signals.get(feature)?.signal : undefined;
  }

  /** Starts what is on and ends what is off. */
  #runFeatures(isGravityOther = true, isOverflowOther = true): void {
    const { gravity, overflow } = this.#policy;
    const pull = async (signal: AbortSignal) => {
      this.#heatAnnouncer.tick(this.#deps.clock.now());
      await this.gravity.tick(signal);
    };
    this.#run("gravity", gravity.isEnabled, gravity.tickIntervalMs, isGravityOther, pull);
    if (!gravity.isEnabled) this.#heatAnnouncer.withdraw();
    this.#run(
      "overflow",
      overflow.isEnabled,
      overflow.tickIntervalMs,
      isOverflowOther,
      async (signal) => {
        await this.#relieve();
        await this.shedder.tick(signal);
      },
    );
    if (!overflow.isEnabled) this.shedder.reset();
    this.#run(PROMISES, true, PROMISES_MS, false, (signal) => this.promises.tick(signal));
  }

  #run(
    feature: string,
    isOn: boolean,
    everyMs: number,
    isRestart: boolean,
    tick: (signal: AbortSignal) => Promise<void>,
  ): void {
    const end = this.#running.get(feature);
    if (isOn && end !== undefined && !isRestart) return;
    end?.();
    this.#running.delete(feature);
    if (!isOn) return;
    const abort = new AbortController();
    this.#signals.set(feature, abort);
    const stop = repeat(
      this.#deps.clock,
      everyMs,
      () => this.#quietly(tick(abort.signal), feature, abort.signal),
    );
    this.#running.set(feature, () => {
      stop();
      abort.abort(new Error("it was switched off"));
    });
  }

  /** On a disk that is too full caches go first: nothing is lost and nothing has to move. */
  async #relieve(): Promise<void> {
    const { highWaterRatio, lowWaterRatio } = this.#policy.overflow;
    const { used, capacity } = this.#disk();
    if (capacity === 0 || used < highWaterRatio * capacity) return;
    const excess = used - lowWaterRatio * capacity;
    const freed = await this.copies.shed(excess);
    if (freed < excess) await this.greedy.shed(excess - freed);
  }

  #care(): void {
    const { clock } = this.#deps;
    const { health } = this.#policy;
    this.#isUnhealthy = stepHealthGate(this.#isUnhealthy, this.#disk(), health).isUnhealthy;
    this.leases.sweep(clock.wallMs());
    this.#bucket.configure(this.#bandwidth(), clock.now());
    if (!this.#claims.tell(this.claims, clock.now())) this.#deps.log.debug("claims_not_announced");
    this.greedyMetrics.gravityEmits = this.heat.counters.emitted;
    this.greedyMetrics.heatRegistrySize = this.heat.size;
    this.greedyMetrics.ioBudgetUsedBytes = this.#bucket.usedAt(clock.now());
  }

  #local(mark: "low" | "high"): LocalData {
    const { greedy, gravity, overflow } = this.#policy;
    const { freeBytes, capacityBytes } = this.#deps.store.room();
    const ratio = mark === "low" ? overflow.lowWaterRatio : overflow.highWaterRatio;
    const disk = this.#disk();
    // A full chunk below the mark: the copy itself must not set the next push off.
    const below = disk.capacity > 0 ? roomBelow(disk, ratio) - CHUNK_BYTES : Infinity;
    const gib = (bytes: number) => Number.isFinite(bytes) ? Math.floor(bytes / GIB) : 0;
    return {
      claims: {
        hasStorage: true,
        isUnhealthy: this.#isUnhealthy,
        diskTotalGib: gib(capacityBytes),
        // A store that nothing bounds has room: zero would say that it has none.
        diskFreeGib: Number.isFinite(freeBytes) ? gib(freeBytes) : UNBOUNDED_GIB,
        isOverflowing: overflow.isEnabled,
        greedy: claimOf(greedy),
        gravity: claimOf(gravity),
      },
      place: placeOf(this.#deps.mesh.ownTags()),
      roomBytes: Math.max(0, Math.min(below, freeBytes)),
    };
  }

  /** The disk as the marks see it; without a capacity there is nothing to be full. */
  #disk(): { readonly used: number; readonly capacity: number } {
    const { usedBytes, capacityBytes, freeBytes } = this.#deps.store.room();
    // The disk itself may be smaller than the quota.
    const capacity = Math.min(capacityBytes, usedBytes + freeBytes);
    return { used: usedBytes, capacity: Number.isFinite(capacity) ? capacity : 0 };
  }

  #leaseRoomBytes(): number {
    const { capacity } = this.#disk();
    return capacity === 0 ? Infinity : Math.max(0, LEASE_SHARE * capacity - this.leases.bytes);
  }

  #bandwidth() {
    const { bandwidth, greedy } = this.#policy;
    return {
      fraction: greedy.bandwidthFraction,
      peakBytesPerSecond: this.linkBytesPerSecond,
      backgroundFraction: bandwidth.backgroundFraction,
      realtimeFraction: bandwidth.realtimeFraction,
    };
  }

  #forgetCopy(hex: string): void {
    this.greedy.forget(hex);
    this.#quietly(this.copies.forget(hex), "cache");
  }

  /** Work that nobody waits for: what went wrong is logged, unless it was ended on purpose. */
  #quietly(work: Promise<unknown>, what: string, signal?: AbortSignal): void {
    work.catch((error) => {
      if (signal?.aborted || !this.#isRunning) return;
      const reason = toNetError(error, `Cannot go on with ${what}`).message;
      this.#deps.log.warn("blob_flow_failed", { what, reason });
    });
  }
}

/** What a node says that knows no bound of its store. */
const UNBOUNDED_GIB = 1_024;

function heatOptions({ gravity }: DataPolicy) {
  return {
    // Counted whether or not it is told: overflow goes by it too.
    isEnabled: true,
    thresholdRatio: gravity.emitThresholdRatio,
    halfLifeMs: gravity.chunkHalfLifeMs,
    entriesMax: gravity.registryEntriesMax,
  };
}

function claimOf(rule: DataPolicy["greedy"] | DataPolicy["gravity"]) {
  const { isEnabled, scope, proximity } = rule;
  // What is off claims nothing: tags cost everybody something.
  return isEnabled ? { isEnabled, scope, proximity } : { isEnabled, scope, proximity: 0 };
}
