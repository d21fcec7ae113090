/** Keeps the announcements of others over restarts of this node. */
import { type Clock, toNetError } from "../../base/mod.ts";
import {
  type Announcement,
  ANNOUNCEMENT_LIFE_MS_MAX,
  type AnnouncementStore,
  decodeAnnouncement,
  encodeAnnouncement,
  RESTORED_LIFE_MS,
} from "../../core/capability/mod.ts";
import type { AnnouncementRecord } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { CapabilityMemory } from "./memory.ts";

/** What {@linkcode AnnouncementKeeper} needs. */
export interface AnnouncementKeeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: AnnouncementStore;
  readonly memory: CapabilityMemory;
}

/** Between the announcement store and what survives it. */
export class AnnouncementKeeper {
  readonly #deps: AnnouncementKeeperDeps;
  /** Nodes whose record is older than what is known. */
  readonly #unwritten = new Set<bigint>();
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: AnnouncementKeeperDeps) {
    this.#deps = deps;
  }

  /** What is known of a node has changed. */
  note(nodeId: bigint): void {
    this.#unwritten.add(nodeId);
  }

  /** Puts what was kept back into the store; returns what found room there. */
  async restore(): Promise<readonly Announcement[]> {
    const { clock, log, store, memory } = this.#deps;
    const wallMs = clock.wallMs();
    const now = clock.now();
    const restored: Announcement[] = [];
    for (const record of await memory.readAnnouncements(wallMs - ANNOUNCEMENT_LIFE_MS_MAX)) {
      const decoded = decodeAnnouncement(record.bytes);
      if (!decoded.ok || decoded.announcement.nodeId !== record.nodeId) continue;
      // Time stood still for this node: what it heard last is worth an answer, however long it slept.
      const leftMs = Math.min(record.expiresAtMs - wallMs, ANNOUNCEMENT_LIFE_MS_MAX);
      const expiresAt = now + Math.max(leftMs, RESTORED_LIFE_MS);
      if (store.restore(decoded.announcement, expiresAt, now)) restored.push(decoded.announcement);
    }
    if (restored.length > 0) log.info("capabilities_restored", { nodes: restored.length });
    return restored;
  }

  /** Writes down what changed; one write at a time, and never throws. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeChanges());
    return this.#writing;
  }

  async #writeChanges(): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const { clock, log, store, memory } = this.#deps;
    const wallMs = clock.wallMs();
    const now = clock.now();
    const written: AnnouncementRecord[] = [];
    const removed: bigint[] = [];
    for (const nodeId of this.#unwritten) {
      const announcement = store.get(nodeId, now);
      if (announcement === undefined) {
        removed.push(nodeId);
        continue;
      }
      const lifeMs = Math.min(announcement.ttlSeconds * 1000, ANNOUNCEMENT_LIFE_MS_MAX);
      const bytes = encodeAnnouncement(announcement);
      written.push({ nodeId, bytes, heardAtMs: wallMs, expiresAtMs: wallMs + lifeMs });
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
