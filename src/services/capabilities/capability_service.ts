/**
 * The capability service: tells peers what this node can do, signed, and keeps what they tell
 * (`capabilities.md` 6).
 *
 * It alone feeds what others ask questions of: whoever keeps an index, subnets or folds listens to
 * `onChange`. Only signed announcements get that far.
 */
import { type Clock, Emitter, idToHex, repeat } from "../../base/mod.ts";
import {
  ANNOUNCED_CLASS,
  type Announcement,
  AnnouncementStore,
  AnnounceSchedule,
  CapabilityIndex,
  type CapabilityMembership,
  type CapabilitySet,
  factsOfMembership,
  type GatedEntry,
  ingestCapabilities,
  mayAdmit,
  mayExecute,
  noiseKeyEntry,
  readMembership,
  SUBPROTOCOL_ANNOUNCEMENT,
  TAG_SEALED,
  TAG_STREAM_ACK_RANGES,
  TAG_SUBNET_HEADER,
} from "../../core/capability/mod.ts";
import { deriveOriginHash, type NodeKeys } from "../../core/crypto/mod.ts";
import type { SubprotocolMessage } from "../../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import type { MeshService } from "../mesh.ts";
import type { CapabilityBaseline } from "./baseline.ts";
import { AnnouncementKeeper } from "./announcement_keeper.ts";
import { Broadcaster } from "./broadcaster.ts";
import { EntityPins } from "./entity_pins.ts";
import type { CapabilityMemory } from "./memory.ts";
import { type CapabilityFacts, OwnCapabilities } from "./own_capabilities.ts";

/** What {@linkcode CapabilityService} needs. */
export interface CapabilityServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: Pick<MeshService, "transport" | "requireSealing">;
  readonly keys: NodeKeys;
  readonly memory: CapabilityMemory;
}

/** Options of {@linkcode CapabilityService}. */
export interface CapabilityServiceOptions {
  /** Time between repetitions in milliseconds, 0 for none; 150000 when left out. */
  readonly repeatMs?: number;
  /**
   * Time between looks for what expired in milliseconds, 0 for never; 1000 when left out. What is not looked for
   * is found until its origin says something new, or room is needed.
   */
  readonly sweepMs?: number;
  /** What the command line adds to the operator's words, for this run. */
  readonly facts?: CapabilityFacts;
}

/** What is known of one node's capabilities. */
export interface KnownCapabilities {
  readonly announcement: Announcement;
  /** The announced set without what is not believed of others; what questions are asked of. */
  readonly set: CapabilitySet;
  /** From before this node's restart, and not confirmed since. */
  readonly isStale: boolean;
  readonly isOwn: boolean;
  /** Milliseconds until it is forgotten, unless its origin says something new; `undefined` for the own. */
  readonly expiresInMs: number | undefined;
}

/** One change of what is known. */
export interface CapabilityChange {
  readonly nodeId: bigint;
  /** `undefined` when nothing is known any more. */
  readonly known: KnownCapabilities | undefined;
  /** The node itself said so, on its own session. */
  readonly isDirect: boolean;
}

/** What this version of the program can do on the wire, and the key it is reached by. */
const WIRE_SOURCE = "wire";
const START_SOURCE = "start";
const SWEEP_MS = 1_000;
/** What is kept over restarts is written this much later: a crash forgets no more than that. */
const WRITE_MS = 2_000;

/** Announcements of this node and of others. */
export class CapabilityService implements Service {
  readonly name = "capabilities";
  readonly #deps: CapabilityServiceDeps;
  readonly #store: AnnouncementStore;
  readonly #own: OwnCapabilities;
  readonly #index = new CapabilityIndex();
  readonly #denied = { denied_caller_side_total: 0, denied_callee_side_total: 0 };
  readonly #changes = new Emitter<[change: CapabilityChange]>();
  readonly #indexChanges = new Emitter<[]>();
  readonly #pins = new EntityPins();
  readonly #keeper: AnnouncementKeeper;
  readonly #broadcaster: Broadcaster;
  #stops: (() => void)[] = [];
  #memberships: (nodeId: bigint) => Iterable<GatedEntry> = () => [];
  readonly #sweepMs: number;
  #isRunning = false;

  constructor(deps: CapabilityServiceDeps, options: CapabilityServiceOptions = {}) {
    this.#deps = deps;
    this.#sweepMs = options.sweepMs ?? SWEEP_MS;
    const { clock, keys, mesh } = deps;
    const store = this.#store = new AnnouncementStore({ nodeId: keys.identity.nodeId });
    const schedule = new AnnounceSchedule({ repeatMs: options.repeatMs });
    const ttlSeconds = () => schedule.ttlSeconds;
    const own = this.#own = new OwnCapabilities({ clock, identity: keys.identity, ttlSeconds });
    this.#keeper = new AnnouncementKeeper({ ...deps, store, own });
    const transport = () => mesh.transport;
    this.#broadcaster = new Broadcaster({ clock, transport, own, schedule });
    this.#own.contribute(WIRE_SOURCE, {
      tags: [TAG_STREAM_ACK_RANGES, TAG_SEALED, TAG_SUBNET_HEADER],
      metadata: [noiseKeyEntry(keys.noise.publicKey)],
    });
    if (options.facts !== undefined) this.#own.contribute(START_SOURCE, options.facts);
    this.#publish(this.own.nodeId, this.#describe(this.own), true);
  }

  async start(): Promise<void> {
    const { clock, mesh, metrics, memory } = this.#deps;
    const { transport } = mesh;
    const baseline = await memory.readBaseline();
    if (baseline !== undefined) {
      this.#own.setBaseline(baseline);
      this.#onOwnChange();
    }
    for (const announcement of await this.#keeper.restore()) {
      this.#publish(announcement.nodeId, this.#describe(announcement), false);
    }
    this.#isRunning = true;
    metrics.register("announcements", () => {
      const { dropped, ...totals } = this.#store.counters;
      const drops = Object.entries(dropped).map(([reason, count]) =>
        [`drop_${reason}_total`, count] as const
      );
      return { ...totals, ...Object.fromEntries(drops), known: this.#store.size };
    });
    metrics.register("capability", () => ({ ...this.#denied }));
    metrics.register("capability_index", () => ({ ...this.#index.counters }));
    this.#stops = [
      transport.onMessage(SUBPROTOCOL_ANNOUNCEMENT, (message) => this.#receive(message)),
      transport.onPeerChange((peer, isConnected) => this.#onPeerChange(peer, isConnected)),
      transport.onProven(({ nodeId, entityId }) => this.#pins.pin(nodeId, entityId)),
      this.#sweepMs === 0 ? () => {} : repeat(clock, this.#sweepMs, () => this.#sweep()),
      repeat(clock, WRITE_MS, () => void this.#keeper.write()),
      () => this.#broadcaster.stop(),
    ];
    for (const peer of transport.connectedPeers()) this.#broadcaster.push(peer);
    this.#broadcaster.announceSoon();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    if (!this.#isRunning) return;
    this.#isRunning = false;
    await this.#keeper.write();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /**
   * The caller's gate: true when this node may ask `target` for what `tag` names (`capabilities.md` 7).
   * Refusals are counted.
   */
  mayExecute(target: bigint, tag: string): boolean {
    const { nodeId, capabilities } = this.own;
    const caller = { nodeId, ...readMembership(capabilities.tags) };
    const mayCall = mayExecute(this.#gatedEntries(target), tag, caller);
    if (!mayCall) this.#denied.denied_caller_side_total += 1;
    return mayCall;
  }

  /**
   * The callee's gate: true when this node runs what `tag` names for `caller`, whose id a session proves.
   * Refusals are counted.
   */
  mayAdmit(caller: bigint, tag: string): boolean {
    const isAdmitted = mayAdmit(this.#gatedEntries(this.own.nodeId), tag, caller);
    if (!isAdmitted) this.#denied.denied_callee_side_total += 1;
    return isAdmitted;
  }

  /**
   * Takes in what a node said of itself in a class of the capability fold, beside what it announced;
   * `undefined` takes it away.
   */
  setMembership(
    nodeId: bigint,
    classHash: bigint,
    membership: CapabilityMembership | undefined,
    isStale: boolean,
  ): void {
    if (classHash === ANNOUNCED_CLASS) return;
    if (membership === undefined) this.#index.remove(nodeId, classHash);
    else this.#index.set(nodeId, { ...factsOfMembership(membership), isStale });
    this.#indexChanges.emit();
  }

  /** Says where the gates look up what nodes said of themselves beside their announcement. */
  useMemberships(memberships: (nodeId: bigint) => Iterable<GatedEntry>): void {
    this.#memberships = memberships;
  }

  /** Answers who can do what; only this service changes it. */
  get index(): CapabilityIndex {
    return this.#index;
  }

  /**
   * Resolves when the index has another version than `version`, or when the time is up.
   *
   * @throws The signal's reason when it is aborted.
   */
  async whenChanged(version: number, waitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#index.version !== version || waitMs <= 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    const stops = [
      this.#indexChanges.on(() => resolve()),
      this.#deps.clock.after(waitMs, resolve),
      () => signal.removeEventListener("abort", onAbort),
    ];
    signal.addEventListener("abort", onAbort);
    try {
      await promise;
    } finally {
      for (const stop of stops) stop();
    }
  }

  /** This node's own announcement, as it stands now. */
  get own(): Announcement {
    return this.#own.announcement;
  }

  /** What the operator says of this node. */
  get baseline(): CapabilityBaseline {
    return this.#own.baseline;
  }

  /** Announcements taken and dropped since the start, by reason. */
  get counters(): AnnouncementStore["counters"] {
    return this.#store.counters;
  }

  /** What a node announced, itself included; `undefined` when it did not, or that is too long ago. */
  get(nodeId: bigint): Announcement | undefined {
    if (nodeId === this.own.nodeId) return this.own;
    return this.#store.get(nodeId, this.#deps.clock.now());
  }

  /** What is known of a node's capabilities. */
  known(nodeId: bigint): KnownCapabilities | undefined {
    const announcement = this.get(nodeId);
    return announcement === undefined ? undefined : this.#describe(announcement);
  }

  /** What every node announced, this one first. */
  *values(): Generator<Announcement, void, undefined> {
    yield this.own;
    yield* this.#store.values(this.#deps.clock.now());
  }

  /**
   * The entity of a peer: proven on a sealed session, or else of its first signed announcement that came
   * from itself. It stays once set (`identity-and-channels.md` 11).
   */
  entityOf(peer: bigint): Uint8Array | undefined {
    return peer === this.own.nodeId ? this.own.entityId : this.#pins.get(peer);
  }

  /** Origin hash of a peer whose entity is known. */
  originHashOf(peer: bigint): bigint | undefined {
    const entityId = this.entityOf(peer);
    return entityId === undefined ? undefined : deriveOriginHash(entityId);
  }

  /** Calls back on every change, this node's own included; the result stops that. */
  onChange(handler: (change: CapabilityChange) => void): () => void {
    return this.#changes.on(handler);
  }

  /**
   * Replaces what a service of this node adds to its announcement; `undefined` takes it away. The own
   * entry follows at once, peers are told shortly after.
   *
   * @throws NetError `limit` when the whole does not fit in one announcement; nothing changes then.
   */
  contribute(source: string, facts: CapabilityFacts | undefined): void {
    this.#own.contribute(source, facts);
    this.#onOwnChange();
  }

  /**
   * Replaces what the operator says of the node, and keeps it over restarts.
   *
   * @throws NetError `limit` as {@linkcode CapabilityService.contribute}.
   */
  async setBaseline(baseline: CapabilityBaseline): Promise<void> {
    this.#own.setBaseline(baseline);
    this.#onOwnChange();
    await this.#deps.memory.writeBaseline(baseline);
  }

  /** Sends the own announcement to one peer now, which may have missed it. */
  announceTo(peer: bigint): void {
    this.#broadcaster.push(peer);
  }

  /** Milliseconds until peers are told of the latest change; `undefined` when they were. */
  get untilBroadcastMs(): number | undefined {
    return this.#broadcaster.untilBroadcastMs;
  }

  /** Everything that a node says of whom it admits. */
  *#gatedEntries(nodeId: bigint): Generator<GatedEntry, void, undefined> {
    const announcement = this.get(nodeId);
    if (announcement === undefined) return;
    const { capabilities, allowedNodes, allowedSubnets, allowedGroups } = announcement;
    yield { tags: capabilities.tags, allowedNodes, allowedSubnets, allowedGroups };
    yield* this.#memberships(nodeId);
  }

  #onOwnChange(): void {
    this.#publish(this.own.nodeId, this.#describe(this.own), true);
    if (this.#isRunning) this.#broadcaster.announceSoon();
  }

  #onPeerChange(peer: bigint, isConnected: boolean): void {
    if (isConnected) {
      this.#broadcaster.push(peer);
      // Its tags of before hold until it says otherwise.
      this.#noteFeatures(peer);
      return;
    }
    // The failure detector gave it up: nothing is asked of it until it says something again.
    this.#store.forget(peer, this.#deps.clock.now());
    this.#end(peer);
  }

  #receive(message: SubprotocolMessage): void {
    const { clock, log, mesh } = this.#deps;
    const verdict = this.#store.receive(message.payload, message.from, clock.now());
    if (this.#sweepMs === 0) { for (const nodeId of this.#store.takeEnded()) this.#end(nodeId); }
    if (verdict.kind === "dropped") {
      log.debug("announcement_dropped", { peer: idToHex(message.from), reason: verdict.reason });
      return;
    }
    const { announcement } = verdict;
    const { nodeId } = announcement;
    const isDirect = verdict.kind === "confirmed" || verdict.isDirect;
    if (isDirect) this.#pins.pin(nodeId, announcement.entityId);
    this.#keeper.note(nodeId);
    this.#noteFeatures(nodeId);
    this.#publish(nodeId, this.#describe(announcement), isDirect);
    if (verdict.kind === "confirmed" || verdict.forward === undefined) return;
    mesh.transport.noteAnnouncement(nodeId, message.from, announcement.hopCount);
    const turn = Number(announcement.version & 0xffff_ffffn);
    const peers = mesh.transport.passOnTo(nodeId, message.from, turn);
    this.#broadcaster.forward(peers, verdict.forward);
  }

  #describe(announcement: Announcement): KnownCapabilities {
    const { nodeId, capabilities } = announcement;
    if (nodeId === this.own.nodeId) {
      const set = capabilities;
      return { announcement, set, isStale: false, isOwn: true, expiresInMs: undefined };
    }
    const now = this.#deps.clock.now();
    const entry = this.#store.entry(nodeId, now);
    return {
      announcement,
      set: ingestCapabilities(capabilities),
      isStale: entry?.isStale ?? false,
      isOwn: false,
      expiresInMs: entry === undefined ? 0 : entry.expiresAt - now,
    };
  }

  /** Lets the transport use what the peer says it understands. */
  #noteFeatures(peer: bigint): void {
    const announcement = this.get(peer);
    const tags = announcement?.capabilities.tags ?? [];
    if (announcement !== undefined && tags.includes(TAG_SEALED)) {
      this.#deps.mesh.requireSealing(peer, announcement.entityId);
    }
    this.#deps.mesh.transport.setPeerFeatures(peer, {
      takesAckRanges: tags.includes(TAG_STREAM_ACK_RANGES),
      takesSubnetHeader: tags.includes(TAG_SUBNET_HEADER),
    });
  }

  #sweep(): void {
    for (const nodeId of this.#store.sweep(this.#deps.clock.now())) this.#end(nodeId);
  }

  #end(nodeId: bigint): void {
    this.#keeper.note(nodeId);
    this.#publish(nodeId, undefined, false);
  }

  /** Lets the index, then everybody else, know what is known of a node now. */
  #publish(nodeId: bigint, known: KnownCapabilities | undefined, isDirect: boolean): void {
    if (known === undefined) this.#index.remove(nodeId, 0n);
    else this.#index.set(nodeId, { capabilities: known.set, isStale: known.isStale });
    this.#indexChanges.emit();
    this.#changes.emit({ nodeId, known, isDirect });
  }
}
