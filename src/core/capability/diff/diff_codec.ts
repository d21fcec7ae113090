/**
 * Diffs as JSON (`capabilities.md` 5): members and names of steps are the reference's, so that a log of
 * either can be read by the other. What only we know, metadata of tools for example, are further members.
 *
 * The steps' own shapes are `_diff_op_json.ts`.
 */
import { NetError, utf8 } from "../../../base/mod.ts";
import { JsonReader } from "../_json_reader.ts";
import { DIFF_BYTES_MAX, DIFF_OPS_MAX } from "../limits.ts";
import { formatDiffOp, parseDiffOp } from "./_diff_op_json.ts";
import type { CapabilityDiff, DiffOp } from "./diff_ops.ts";

const U64_MAX = (1n << 64n) - 1n;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Why bytes are no diff. */
export type DiffDecodeFault = "too_long" | "too_many_ops" | "malformed" | "missing_member";

/** What {@linkcode decodeDiff} found. */
export type DecodedDiff =
  | { readonly ok: true; readonly diff: CapabilityDiff }
  | { readonly ok: false; readonly fault: DiffDecodeFault };

/**
 * Bytes of a diff.
 *
 * @throws NetError `limit` when it has more than 1024 steps or is longer than 64 KiB.
 * @throws RangeError when a number is outside 64 bits.
 *
 * @example
 * ```ts
 * import { decodeDiff, encodeDiff } from "./diff_codec.ts";
 * const bytes = encodeDiff({
 *   nodeId: 1n,
 *   baseVersion: 1n,
 *   newVersion: 2n,
 *   ops: [{ kind: "remove_tag", tag: "gpu" }],
 *   timestampNs: 0n,
 * });
 * console.assert(decodeDiff(bytes).ok);
 * ```
 */
export function encodeDiff(diff: CapabilityDiff): Uint8Array<ArrayBuffer> {
  const { nodeId, baseVersion, newVersion, ops, timestampNs } = diff;
  requireAtMost("steps", ops.length, DIFF_OPS_MAX);
  for (const value of [nodeId, baseVersion, newVersion, timestampNs]) {
    if (value >= 0n && value <= U64_MAX) continue;
    throw new RangeError(`Cannot encode diff: ${value} must be 0..2^64-1`);
  }
  const bytes = utf8(
    `{"node_id":${nodeId},"base_version":${baseVersion},"new_version":${newVersion},` +
      `"ops":[${ops.map(formatDiffOp).join(",")}],"timestamp_ns":${timestampNs}}`,
  );
  requireAtMost("bytes", bytes.length, DIFF_BYTES_MAX);
  return bytes;
}

/** Reads a diff; never throws. Unknown members are passed over, a known one twice is a fault. */
export function decodeDiff(bytes: Uint8Array): DecodedDiff {
  if (bytes.length > DIFF_BYTES_MAX) return { ok: false, fault: "too_long" };
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return { ok: false, fault: "malformed" };
  }
  const reader = new JsonReader(text);
  const numbers = new Map<string, bigint>();
  let ops: readonly DiffOp[] | "too_many_ops" | undefined;
  for (let key = reader.firstKey(); key !== undefined; key = reader.nextKey()) {
    if (key === "ops" && ops === undefined) ops = readOps(reader);
    else if (NUMBERS.has(key) && !numbers.has(key)) numbers.set(key, reader.unsigned(U64_MAX));
    else if (key === "ops" || NUMBERS.has(key)) reader.fail();
    else reader.raw();
  }
  reader.end();
  if (ops === "too_many_ops") return { ok: false, fault: ops };
  if (reader.hasFailed) return { ok: false, fault: "malformed" };
  const nodeId = numbers.get("node_id");
  const baseVersion = numbers.get("base_version");
  const newVersion = numbers.get("new_version");
  const timestampNs = numbers.get("timestamp_ns");
  if (
    ops === undefined || nodeId === undefined || baseVersion === undefined ||
    newVersion === undefined || timestampNs === undefined
  ) return { ok: false, fault: "missing_member" };
  return { ok: true, diff: { nodeId, baseVersion, newVersion, ops, timestampNs } };
}

const NUMBERS = new Set(["node_id", "base_version", "new_version", "timestamp_ns"]);

function readOps(reader: JsonReader): readonly DiffOp[] | "too_many_ops" {
  const ops: DiffOp[] = [];
  for (let isMore = reader.firstItem(); isMore; isMore = reader.nextItem()) {
    if (ops.length === DIFF_OPS_MAX) {
      reader.fail();
      return "too_many_ops";
    }
    const text = reader.raw();
    const op = reader.hasFailed ? undefined : parseDiffOp(text);
    if (op === undefined) {
      reader.fail();
      return ops;
    }
    ops.push(op);
  }
  return ops;
}

function requireAtMost(what: string, value: number, max: number): void {
  if (value <= max) return;
  throw new NetError(
    "limit",
    `Cannot encode diff: it has ${value} ${what}, must have at most ${max}`,
    {
      next: "announce the whole set instead",
    },
  );
}
