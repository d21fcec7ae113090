/** Methods about what stays and what goes; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { toHex } from "../../base/mod.ts";
import { type CollectReport, describeTarget, parseBlobTarget } from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import type { StoreHealth } from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { BLOB_TARGET, describeHash, describeKeeping } from "./blob_view.ts";

/** Ten years, as in the policy. */
const RETENTION_MS_MAX = 3_650 * 86_400_000;

/** Damaged blobs that are named. */
const DAMAGED_LISTED_MAX = 100;

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
    ...pinMethods(node),
    defineMethod({
      name: "blob.health",
      access: "privileged",
      summary: "How full the store of blobs is, and what is wrong with it",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({}),
      handle: () => describeHealth(node.keeping.state),
    }),
    defineMethod({
      name: "blob.why",
      access: "privileged",
      summary: "Every reason that a blob or a chunk stays",
      isReadOnly: true,
      params: v.object({ target: BLOB_TARGET }),
      handle: async ({ target }) => {
        const facts = await node.keeping.care.why(parseBlobTarget(target));
        return { target: describeHash(facts.hash), ...describeKeeping(facts) };
      },
    }),
    defineMethod({
      name: "blob.remove",
      access: "privileged",
      summary: "Forget a blob of this node and free its chunks, or remove a chunk",
      isReadOnly: false,
      params: v.object({ target: BLOB_TARGET, force: v.optional(v.boolean(), false) }),
      handle: async ({ target, force }) => {
        const { what, freedBytes } = await node.keeping.care.remove(parseBlobTarget(target), {
          isForced: force,
        });
        return {
          target: describeTarget(parseBlobTarget(target)),
          removed: true,
          what,
          freed_bytes: freedBytes,
        };
      },
    }),
  ];
}

function pinMethods(node: Node): readonly Method[] {
  return ([["blob.pin", true], ["blob.unpin", false]] as const).map(([name, isPinned]) =>
    defineMethod({
      name,
      access: "privileged",
      summary: isPinned ? "Keep a blob or a chunk whatever happens" : "Take a pin back",
      isReadOnly: false,
      params: v.object({ target: BLOB_TARGET }),
      handle: async ({ target }) => {
        const parsed = parseBlobTarget(target);
        const what = await node.keeping.care.pin(parsed, isPinned);
        return { target: describeTarget(parsed), what, pinned: isPinned };
      },
    })
  );
}

function describeHealth(state: StoreHealth): object {
  const { missing, auditedAtMs } = state;
  const damaged = new Set(missing.map(({ address }) => describeHash(address)));
  return {
    used_bytes: state.usedBytes,
    capacity_bytes: state.capacityBytes,
    free_bytes: state.freeBytes,
    full: state.isFull,
    missing_chunks: state.missingCount,
    damaged_blobs: [...damaged].slice(0, DAMAGED_LISTED_MAX),
    corrupt_chunks: state.corruptCount,
    pending_chunks: state.pendingCount,
    audited_at: auditedAtMs === undefined ? null : new Date(auditedAtMs).toISOString(),
  };
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
