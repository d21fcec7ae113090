/**
 * The announcement service: tells peers what this node can do, signed, and keeps what they tell
 * (`decisions.md` 13, `capabilities.md`). The index that answers questions builds on it.
 */
import { type Clock, idToHex } from "../base/mod.ts";
import {
  type Announcement,
  AnnouncementStore,
  AnnounceSchedule,
  encodeAnnouncement,
  localAnnouncement,
  nextAnnouncementVersion,
  SUBPROTOCOL_ANNOUNCEMENT,
  TAG_STREAM_ACK_RANGES,
} from "../core/capability/mod.ts";
import type { NodeKeys } from "../core/crypto/mod.ts";
import type { SubprotocolMessage } from "../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";
import type { MeshService } from "./mesh.ts";

/** What {@linkcode AnnouncementService} needs. */
export interface AnnouncementServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: MeshService;
  readonly keys: NodeKeys;
}

/** What this version of the program can do on the wire. */
const TAG_SEALED = "net.sealed@1";
const OWN_TAGS: readonly string[] = [TAG_STREAM_ACK_RANGES, TAG_SEALED];
const STREAM_ID = BigInt(SUBPROTOCOL_ANNOUNCEMENT);
const SWEEP_MS = 1_000;
/** Peers told in one go, and the pause until the next ones are: 10,000 take less than a second. */
const PUSH_SLICE = 64;
const PUSH_PAUSE_MS = 5;

/** Announcements of this node and of others. */
export class AnnouncementService implements Service {
  readonly name = "announcements";
  readonly #deps: AnnouncementServiceDeps;
  readonly #store: AnnouncementStore;
  readonly #schedule = new AnnounceSchedule();
  #own: Uint8Array | undefined;
  #version = 0n;
  #stops: (() => void)[] = [];
  #cancelPush: () => void = () => {};

  constructor(deps: AnnouncementServiceDeps) {
    this.#deps = deps;
    this.#store = new AnnouncementStore({ nodeId: deps.keys.identity.nodeId });
  }

  start(): Promise<void> {
    const { clock, mesh, metrics } = this.#deps;
    const { transport } = mesh;
    this.#renew();
    metrics.register("announcements", () => {
      const { dropped, ...totals } = this.#store.counters;
      const drops = Object.entries(dropped).map(([reason, count]) =>
        [`drop_${reason}_total`, count] as const
      );
      return { ...totals, ...Object.fromEntries(drops), known: this.#store.size };
    });
    let cancelTimer = () => {};
    const tick = () => {
      this.#tick();
      cancelTimer = clock.after(SWEEP_MS, tick);
    };
    cancelTimer = clock.after(SWEEP_MS, tick);
    this.#stops = [
      transport.onMessage(SUBPROTOCOL_ANNOUNCEMENT, (message) => this.#receive(message)),
      transport.onPeerChange((peer, isConnected) => this.#onPeerChange(peer, isConnected)),
      () => cancelTimer(),
      () => this.#cancelPush(),
    ];
    for (const peer of transport.connectedPeers()) this.#push(peer);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** What a node announced; `undefined` when it did not, or that is too long ago. */
  get(nodeId: bigint): Announcement | undefined {
    return this.#store.get(nodeId, this.#deps.clock.now());
  }

  #onPeerChange(peer: bigint, isConnected: boolean): void {
    if (!isConnected) return;
    this.#push(peer);
    // Its tags of before hold until it says otherwise.
    this.#noteFeatures(peer);
  }

  #receive(message: SubprotocolMessage): void {
    const { clock, log, mesh } = this.#deps;
    const verdict = this.#store.receive(message.payload, message.from, clock.now());
    if (verdict.kind === "dropped") {
      log.debug("announcement_dropped", { peer: idToHex(message.from), reason: verdict.reason });
      return;
    }
    this.#noteFeatures(verdict.announcement.nodeId);
    if (verdict.kind === "confirmed" || verdict.forward === undefined) return;
    const origin = verdict.announcement.nodeId;
    mesh.transport.noteAnnouncement(origin, message.from, verdict.announcement.hopCount);
    const turn = Number(verdict.announcement.version & 0xffff_ffffn);
    for (const peer of mesh.transport.passOnTo(origin, message.from, turn)) {
      mesh.transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, verdict.forward);
    }
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
    });
  }

  #tick(): void {
    const now = this.#deps.clock.now();
    this.#store.sweep(now);
    if (!this.#schedule.take(now)) return;
    this.#renew();
    this.#pushSlice(this.#deps.mesh.transport.connectedPeers(), 0);
  }

  /** Tells many peers a slice at a time: all at once would be a burst that drowns other packets. */
  #pushSlice(peers: readonly bigint[], start: number): void {
    const end = start + PUSH_SLICE;
    for (const peer of peers.slice(start, end)) this.#push(peer);
    this.#cancelPush = end < peers.length
      ? this.#deps.clock.after(PUSH_PAUSE_MS, () => this.#pushSlice(peers, end))
      : () => {};
  }

  #renew(): void {
    const { clock, keys } = this.#deps;
    const wallMs = clock.wallMs();
    this.#version = nextAnnouncementVersion(this.#version, wallMs);
    this.#own = encodeAnnouncement(localAnnouncement({
      identity: keys.identity,
      tags: OWN_TAGS,
      version: this.#version,
      wallMs,
      ttlSeconds: this.#schedule.ttlSeconds,
    }));
  }

  #push(peer: bigint): void {
    if (this.#own === undefined) return;
    const { transport } = this.#deps.mesh;
    transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, this.#own);
  }
}
