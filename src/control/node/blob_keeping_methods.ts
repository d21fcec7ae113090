/** Methods about what stays and what goes; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { toHex } from "../../base/mod.ts";
import type { CollectReport } from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";

/** Ten years, as in the policy. */
const RETENTION_MS_MAX = 3_650 * 86_400_000;

/** The methods about keeping blobs. */
export function blobKeepingMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.gc",
      access: "privileged",
      summary: "Remove chunks that nothing needs, or say which would go",
      isReadOnly: false,
      params: v.object({
        retention_ms: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(RETENTION_MS_MAX)),
        ),
        disk_pressure: v.optional(v.boolean(), false),
        dry_run: v.optional(v.boolean(), false),
      }),
      handle: async ({ retention_ms, disk_pressure, dry_run }, { signal }) => {
        const retentionMs = retention_ms ?? node.keeping.retentionMs;
        const report = await node.keeping.collect({
          retentionMs,
          isUnderPressure: disk_pressure,
          isDryRun: dry_run,
          signal,
        });
        return {
          dry_run,
          disk_pressure,
          retention_ms: retentionMs,
          ...describeReport(report),
        };
      },
    }),
  ];
}

function describeReport(report: CollectReport): object {
  return {
    scanned: report.scanned,
    candidates: report.candidates.map(({ hash, size, firstSeenMs }) => ({
      hash: toHex(hash),
      size,
      first_seen: new Date(firstSeenMs).toISOString(),
    })),
    candidate_count: report.candidateCount,
    candidate_bytes: report.candidateBytes,
    removed: report.removed,
    freed_bytes: report.freedBytes,
    kept: report.kept,
    holds_ended: report.holdsEnded,
  };
}
