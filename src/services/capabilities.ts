/**
 * The capability service: tells peers what this node can do, signed, and keeps what they tell
 * (`capabilities.md` 6).
 *
 * It alone feeds what others ask questions of: whoever keeps an index, subnets or folds listens to
 * `onChange`. Only signed announcements get that far.
 */
import { type Clock, Emitter, idToHex, repeat, toNetError } from "../base/mod.ts";
import {
  ANNOUNCED_CLASS,
  type Announcement,
  ANNOUNCEMENT_LIFE_MS_MAX,
  AnnouncementStore,
  AnnounceSchedule,
  CapabilityIndex,
  type CapabilityMembership,
  type CapabilitySet,
  decodeAnnouncement,
  encodeAnnouncement,
  factsOfMembership,
  type GatedEntry,
  ingestCapabilities,
  mayAdmit,
  mayExecute,
  readMembership,
  RESTORED_LIFE_MS,
  SUBPROTOCOL_ANNOUNCEMENT,
  TAG_STREAM_ACK_RANGES,
  TAG_SUBNET_HEADER,
} from "../core/capability/mod.ts";
import { deriveOriginHash, type NodeKeys } from "../core/crypto/mod.ts";
import type { AnnouncementChanges, AnnouncementRecord } from "../core/ledger/mod.ts";
import type { SubprotocolMessage } from "../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";
import type { MeshService } from "./mesh.ts";
import type { CapabilityBaseline } from "./capability_baseline.ts";
import { type CapabilityFacts, OwnCapabilities } from "./own_capabilities.ts";

/** What the service keeps over restarts. */
export interface CapabilityMemory {
  readBaseline(): Promise<CapabilityBaseline | undefined>;
  writeBaseline(baseline: CapabilityBaseline): Promise<void>;
  /** Announcements heard since a time in Unix milliseconds, the latest first. */
  readAnnouncements(heardSinceMs: number): Promise<readonly AnnouncementRecord[]>;
  writeAnnouncements(changes: AnnouncementChanges): Promise<void>;
}

/** What {@linkcode CapabilityService} needs. */
export interface CapabilityServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: MeshService;
  readonly keys: NodeKeys;
  readonly memory: CapabilityMemory;
}

/** Options of {@linkcode CapabilityService}. */
export interface CapabilityServiceOptions {
  /** Time between repetitions in milliseconds, 0 for none; 150000 when left out. */
  readonly repeatMs?: number;
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

/** What this version of the program can do on the wire. */
const TAG_SEALED = "net.sealed@1";
const WIRE_SOURCE = "wire";
const START_SOURCE = "start";
const STREAM_ID = BigInt(SUBPROTOCOL_ANNOUNCEMENT);
const SWEEP_MS = 1_000;
/** What is kept over restarts is written this much later: a crash forgets no more than that. */
const WRITE_MS = 2_000;
/** Peers told in one go, and the pause until the next ones are: 10,000 take less than a second. */
const PUSH_SLICE = 64;
const PUSH_PAUSE_MS = 5;
/** Entities of peers remembered: as many as the transport holds peers. */
const PINS_MAX = 4_096;

/** Announcements of this node and of others. */
export class CapabilityService implements Service {
  readonly name = "capabilities";
  readonly #deps: CapabilityServiceDeps;
  readonly #store: AnnouncementStore;
  readonly #schedule: AnnounceSchedule;
  readonly #own: OwnCapabilities;
  readonly #index = new CapabilityIndex();
  readonly #denied = { denied_caller_side_total: 0, denied_callee_side_total: 0 };
  readonly #changes = new Emitter<[change: CapabilityChange]>();
  readonly #indexChanges = new Emitter<[]>();
  /** Entity of each node that spoke for itself, or proved who it is. */
  readonly #pins = new Map<bigint, Uint8Array>();
  /** Nodes whose record is older than what is known. */
  readonly #unwritten = new Set<bigint>();
  #stops: (() => void)[] = [];
  #cancelPush: () => void = () => {};
  #cancelBroadcast: () => void = () => {};
  #writing: Promise<void> = Promise.resolve();
  #memberships: (nodeId: bigint) => Iterable<GatedEntry> = () => [];
  #isRunning = false;

  constructor(deps: CapabilityServiceDeps, options: CapabilityServiceOptions = {}) {
    this.#deps = deps;
    const { clock, keys } = deps;
    this.#store = new AnnouncementStore({ nodeId: keys.identity.nodeId });
    const schedule = this.#schedule = new AnnounceSchedule({ repeatMs: options.repeatMs });
    const ttlSeconds = () => schedule.ttlSeconds;
    this.#own = new OwnCapabilities({ clock, identity: keys.identity, ttlSeconds });
    this.#own.contribute(WIRE_SOURCE, {
      tags: [TAG_STREAM_ACK_RANGES, TAG_SEALED, TAG_SUBNET_HEADER],
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
    await this.#restore();
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
      transport.onProven(({ nodeId, entityId }) => this.#pin(nodeId, entityId)),
      repeat(clock, SWEEP_MS, () => this.#sweep()),
      repeat(clock, WRITE_MS, () => void this.#write()),
      () => this.#cancelBroadcast(),
      () => this.#cancelPush(),
    ];
    for (const peer of transport.connectedPeers()) this.#push(peer);
    this.#announceSoon();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    if (!this.#isRunning) return;
    this.#isRunning = false;
    await this.#write();
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

  /** Milliseconds until peers are told of the latest change; `undefined` when they were. */
  get untilBroadcastMs(): number | undefined {
    const { dueAt, hasChange } = this.#schedule;
    if (!hasChange || dueAt === undefined) return undefined;
    return Math.max(0, dueAt - this.#deps.clock.now());
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
    if (this.#isRunning) this.#announceSoon();
  }

  #announceSoon(): void {
    this.#schedule.change(this.#deps.clock.now());
    this.#arm();
  }

  #onPeerChange(peer: bigint, isConnected: boolean): void {
    if (isConnected) {
      this.#push(peer);
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
    if (verdict.kind === "dropped") {
      log.debug("announcement_dropped", { peer: idToHex(message.from), reason: verdict.reason });
      return;
    }
    const { announcement } = verdict;
    const { nodeId } = announcement;
    const isDirect = verdict.kind === "confirmed" || verdict.isDirect;
    if (isDirect) this.#pin(nodeId, announcement.entityId);
    this.#unwritten.add(nodeId);
    this.#noteFeatures(nodeId);
    this.#publish(nodeId, this.#describe(announcement), isDirect);
    if (verdict.kind === "confirmed" || verdict.forward === undefined) return;
    mesh.transport.noteAnnouncement(nodeId, message.from, announcement.hopCount);
    const turn = Number(announcement.version & 0xffff_ffffn);
    for (const peer of mesh.transport.passOnTo(nodeId, message.from, turn)) {
      mesh.transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, verdict.forward);
    }
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

  #pin(nodeId: bigint, entityId: Uint8Array): void {
    if (this.#pins.has(nodeId)) return;
    if (this.#pins.size >= PINS_MAX) {
      // A peer that comes back is pinned again by what it says first.
      for (const oldest of this.#pins.keys()) {
        this.#pins.delete(oldest);
        break;
      }
    }
    this.#pins.set(nodeId, entityId);
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
    this.#unwritten.add(nodeId);
    this.#publish(nodeId, undefined, false);
  }

  /** Lets the index, then everybody else, know what is known of a node now. */
  #publish(nodeId: bigint, known: KnownCapabilities | undefined, isDirect: boolean): void {
    if (known === undefined) this.#index.remove(nodeId, 0n);
    else this.#index.set(nodeId, { capabilities: known.set, isStale: known.isStale });
    this.#indexChanges.emit();
    this.#changes.emit({ nodeId, known, isDirect });
  }

  /** Sets the timer of the next broadcast. */
  #arm(): void {
    const { clock } = this.#deps;
    const { dueAt } = this.#schedule;
    this.#cancelBroadcast();
    this.#cancelBroadcast = dueAt === undefined
      ? () => {}
      : clock.after(Math.max(0, dueAt - clock.now()), () => this.#broadcast());
  }

  #broadcast(): void {
    const { clock, mesh } = this.#deps;
    const peers = mesh.transport.connectedPeers();
    if (this.#schedule.take(clock.now(), peers.length > 0)) {
      this.#own.renew();
      this.#cancelPush();
      this.#pushSlice(peers, 0);
    }
    this.#arm();
  }

  /** Tells many peers a slice at a time: all at once would be a burst that drowns other packets. */
  #pushSlice(peers: readonly bigint[], start: number): void {
    const end = start + PUSH_SLICE;
    for (const peer of peers.slice(start, end)) this.#push(peer);
    this.#cancelPush = end < peers.length
      ? this.#deps.clock.after(PUSH_PAUSE_MS, () => this.#pushSlice(peers, end))
      : () => {};
  }

  #push(peer: bigint): void {
    const { transport } = this.#deps.mesh;
    transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, this.#own.bytes);
  }

  /** Takes in what was kept over the restart. */
  async #restore(): Promise<void> {
    const { clock, log, memory } = this.#deps;
    const wallMs = clock.wallMs();
    const now = clock.now();
    let restored = 0;
    for (const record of await memory.readAnnouncements(wallMs - ANNOUNCEMENT_LIFE_MS_MAX)) {
      const decoded = decodeAnnouncement(record.bytes);
      if (!decoded.ok || decoded.announcement.nodeId !== record.nodeId) continue;
      // Time stood still for this node: what it heard last is worth an answer, however long it slept.
      const leftMs = Math.min(record.expiresAtMs - wallMs, ANNOUNCEMENT_LIFE_MS_MAX);
      const expiresAt = now + Math.max(leftMs, RESTORED_LIFE_MS);
      if (!this.#store.restore(decoded.announcement, expiresAt, now)) continue;
      restored += 1;
      this.#publish(record.nodeId, this.#describe(decoded.announcement), false);
    }
    if (restored > 0) log.info("capabilities_restored", { nodes: restored });
  }

  /** Writes down what changed; one at a time. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeChanges());
    return this.#writing;
  }

  async #writeChanges(): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const { clock, log, memory } = this.#deps;
    const wallMs = clock.wallMs();
    const written: AnnouncementRecord[] = [];
    const removed: bigint[] = [];
    for (const nodeId of this.#unwritten) {
      const announcement = this.get(nodeId);
      if (announcement === undefined) removed.push(nodeId);
      else {
        const lifeMs = Math.min(announcement.ttlSeconds * 1000, ANNOUNCEMENT_LIFE_MS_MAX);
        const bytes = encodeAnnouncement(announcement);
        written.push({ nodeId, bytes, heardAtMs: wallMs, expiresAtMs: wallMs + lifeMs });
      }
    }
    this.#unwritten.clear();
    try {
      await memory.writeAnnouncements({ written, removed });
    } catch (error) {
      const { message } = toNetError(error, "Cannot keep announcements");
      log.warn("announcements_not_kept", { reason: message });
    }
  }
}
