/** Methods about looking through the chunks of a node; all of them privileged. */
import * as v from "../../schema/mod.ts";
import type { ScrubCounts, ScrubFinding } from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import type { KeptScrub } from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";

/** Bytes per second; more than any disk reads. */
const RATE_MAX = 2 ** 40;

/** The methods about scrubs. */
export function blobScrubMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.scrub",
      access: "privileged",
      summary: "Read every chunk, and find what is damaged, missing or misnamed",
      isReadOnly: false,
      params: v.object({
        repair: v.optional(v.boolean(), false),
        convert: v.optional(v.boolean(), false),
        fresh: v.optional(v.boolean(), false),
        bytes_per_second: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(RATE_MAX)),
        ),
      }),
      handle: async ({ repair, convert, fresh, bytes_per_second }, context) => {
        const result = await node.scrub.scrub({
          isRepairing: repair,
          isConverting: convert,
          isFresh: fresh,
          bytesPerSecond: bytes_per_second,
          signal: context.signal,
          onProgress: ({ counts }) => {
            const total = node.storage.chunks.room().usedBytes;
            context.progress({
              stage: "scrub",
              done_bytes: counts.bytes,
              total_bytes: Math.max(total, counts.bytes),
            });
          },
        });
        return {
          ...describeScrub(result),
          resumed: result.isResumed,
          findings: result.findings.map(describeFinding),
        };
      },
    }),
    defineMethod({
      name: "blob.scrub_status",
      access: "privileged",
      summary: "How far the scrub is, or how the last one ended",
      isReadOnly: true,
      params: v.object({}),
      handle: () => {
        const { last, isRunning } = node.scrub;
        return { running: isRunning, scrub: last === undefined ? null : describeScrub(last) };
      },
    }),
  ];
}

function describeScrub({ startedAtMs, endedAtMs, counts }: KeptScrub): object {
  return {
    started_at: new Date(startedAtMs).toISOString(),
    ended_at: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    ...describeCounts(counts),
    lost: counts.corrupt + counts.missing - counts.repaired,
  };
}

function describeCounts(counts: ScrubCounts): object {
  const { chunks, bytes, corrupt, missing, unreadable, repaired, converted } = counts;
  const { strangers, renamed } = counts;
  return {
    chunks,
    bytes,
    corrupt,
    missing,
    unreadable,
    repaired,
    converted,
    strangers,
    renamed,
  };
}

function describeFinding({ kind, name, isRepaired }: ScrubFinding): object {
  return { kind, name, repaired: isRepaired };
}
