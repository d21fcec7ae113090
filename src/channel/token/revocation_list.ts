/**
 * The text of the revocations file: pretty JSON with one floor per issuer, in the order of their bytes
 * (`identity-and-channels.md` 7).
 */
import { fromHex } from "../../base/mod.ts";
import { ENTITY_ID_BYTES, isIssuerGeneration } from "../../core/crypto/mod.ts";
import { REVOCATION_FILE_BYTES_MAX, REVOKED_ISSUERS_MAX } from "./limits.ts";
import type { RevocationFloor } from "./revocation_registry.ts";

/** Why text is no list of revocations. */
export type RevocationListFault = "too_long" | "not_json" | "no_floors" | "entry" | "too_many";

/** What {@linkcode parseRevocationList} found. */
export type ParsedRevocationList =
  | { readonly ok: true; readonly floors: readonly RevocationFloor[] }
  | { readonly ok: false; readonly fault: RevocationListFault };

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Text of a list; issuers that come twice keep the highest floor, those of floor 0 are left out.
 *
 * @example
 * ```ts
 * import { formatRevocationList } from "./revocation_list.ts";
 * console.assert(formatRevocationList([]) === '{\n  "floors": []\n}');
 * ```
 */
export function formatRevocationList(floors: Iterable<RevocationFloor>): string {
  const entries = mergeFloors(floors)
    .map(({ issuer, floor }) => ({ issuer: issuer.toHex(), generation: floor }));
  return JSON.stringify({ floors: entries }, undefined, 2);
}

/** Reads a list; never throws. Members that are not known are passed over. */
export function parseRevocationList(bytes: Uint8Array): ParsedRevocationList {
  if (bytes.length > REVOCATION_FILE_BYTES_MAX) return { ok: false, fault: "too_long" };
  let document: unknown;
  try {
    document = JSON.parse(DECODER.decode(bytes));
  } catch {
    return { ok: false, fault: "not_json" };
  }
  const list = isRecord(document) ? document.floors : undefined;
  if (!Array.isArray(list)) return { ok: false, fault: "no_floors" };
  const floors: RevocationFloor[] = [];
  for (const entry of list) {
    const floor = readEntry(entry);
    if (floor === undefined) return { ok: false, fault: "entry" };
    floors.push(floor);
  }
  const merged = mergeFloors(floors);
  return merged.length > REVOKED_ISSUERS_MAX
    ? { ok: false, fault: "too_many" }
    : { ok: true, floors: merged };
}

function readEntry(entry: unknown): RevocationFloor | undefined {
  if (!isRecord(entry)) return undefined;
  const { issuer, generation } = entry;
  if (typeof issuer !== "string" || typeof generation !== "number") return undefined;
  const id = fromHex(issuer, ENTITY_ID_BYTES);
  if (id === undefined || !isIssuerGeneration(generation)) return undefined;
  return { issuer: id, floor: generation };
}

/** One floor above 0 per issuer, in the order of the issuers' bytes. */
function mergeFloors(floors: Iterable<RevocationFloor>): RevocationFloor[] {
  const highest = new Map<string, RevocationFloor>();
  for (const entry of floors) {
    const key = entry.issuer.toHex();
    if (entry.floor > (highest.get(key)?.floor ?? 0)) highest.set(key, entry);
  }
  return [...highest].sort(([left], [right]) => left < right ? -1 : 1).map(([, entry]) => entry);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
