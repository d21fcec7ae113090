/**
 * Tells the mesh that this node drains, so that peers choose others: for work by our own tag, and for copies of blobs
 * by the one that every implementation knows.
 */
import { toNetError } from "../base/mod.ts";
import { TAG_STORAGE_UNHEALTHY } from "../blob/mod.ts";
import { TAG_DRAINING } from "../core/capability/mod.ts";
import type { DrainPart } from "../kernel/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { CapabilityService } from "./capabilities/mod.ts";

const SOURCE = "drain";

/** What {@linkcode drainAnnouncement} needs. */
export interface DrainAnnouncementDeps {
  readonly log: Log;
  readonly capabilities: Pick<CapabilityService, "contribute">;
}

/** The announcement as a part of the node's drain. */
export function drainAnnouncement({ log, capabilities }: DrainAnnouncementDeps): DrainPart {
  const say = (isDraining: boolean) => {
    try {
      const tags = [TAG_DRAINING, TAG_STORAGE_UNHEALTHY];
      capabilities.contribute(SOURCE, isDraining ? { tags } : undefined);
    } catch (error) {
      // An announcement that is full says nothing of it: callers are refused all the same.
      log.warn("drain_not_announced", {
        reason: toNetError(error, "Cannot announce the drain").message,
      });
    }
  };
  return {
    name: "announcement",
    begin: () => say(true),
    resume: () => say(false),
    inFlight: () => 0,
  };
}
