/** Keeps the announcements of others, and how far the node's own have come, over restarts. */
import { type Clock, toNetError } from "../../base/mod.ts";
import {
  type Announcement,
  ANNOUNCEMENT_LIFE_MS_MAX,
  type AnnouncementStore,
  decodeAnnouncement,
  encodeAnnouncement,
  ORIGINS_MAX,
  RESTORED_LIFE_MS,
} from "../../core/capability/mod.ts";
import type { AnnouncementRecord } from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { CapabilityMemory } from "./memory.ts";
import type { OwnCapabilities } from "./own_capabilities.ts";

/** What {@linkcode AnnouncementKeeper} needs. */
export interface AnnouncementKeeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: AnnouncementStore;
  readonly memory: CapabilityMemory;
  readonly own: OwnCapabilities;
}

/** Versions that a crash may leave unwritten: a change of the own announcement takes longer than 2 ms. */
const VERSIONS_AHEAD = 1_000n;
/** Nodes that wait to be written while nothing can be. */
const UNWRITTEN_MAX = 2 * ORIGINS_MAX;

/** Between the announcement store and what survives it. */
export class AnnouncementKeeper {
  readonly #deps: AnnouncementKeeperDeps;
  /** Nodes whose record is older than what is known. */
  readonly #unwritten = new Set<bigint>();
  #writtenVersion = 0n;
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: AnnouncementKeeperDeps) {
    this.#deps = deps;
  }

  /** What is known of a node has changed. */
  note(nodeId: bigint): void {
    if (this.#unwritten.size < UNWRITTEN_MAX) this.#unwritten.add(nodeId);
  }

  /**
   * Puts what was kept back into the store, and lets the own announcements go on where they were.
   *
   * @returns What found room in the store; nothing when it cannot be read, because others say it all again.
   */
  async restore(): Promise<readonly Announcement[]> {
    const { log, memory, own } = this.#deps;
    try {
      const mark = await memory.readMark();
      if (mark !== undefined) own.continueFrom(mark);
      return await this.#restoreOthers();
    } catch (error) {
      const { message } = toNetError(error, "Cannot read kept announcements");
      log.warn("announcements_not_read", { reason: message });
      return [];
    }
  }

  async #restoreOthers(): Promise<readonly Announcement[]> {
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
    this.#writing = this.#writing.then(() => this.#writeChanges()).then(() => this.#writeMark());
    return this.#writing;
  }

  async #writeMark(): Promise<void> {
    const { log, memory, own: { mark } } = this.#deps;
    if (mark.version === this.#writtenVersion) return;
    try {
      await memory.writeMark({ ...mark, version: mark.version + VERSIONS_AHEAD });
      this.#writtenVersion = mark.version;
    } catch (error) {
      const { message } = toNetError(error, "Cannot keep announcement");
      log.warn("announcement_mark_not_kept", { reason: message });
    }
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
      // What is written next time is what is known then.
      for (const { nodeId } of written) this.note(nodeId);
      for (const nodeId of removed) this.note(nodeId);
      const { message } = toNetError(error, "Cannot keep announcements");
      log.warn("announcements_not_kept", { reason: message });
    }
  }
}
