/**
 * A predicate as a header of a call: which of its answers the caller wants (`capabilities.md` 9).
 *
 * A header that cannot be read is not the same as none: who took it for none would answer with more than
 * was asked for.
 */
import { NetError } from "../../../base/mod.ts";
import { PREDICATE_HEADER_BYTES_MAX } from "./limits.ts";
import type { Predicate } from "./predicate.ts";
import { decodePredicate, encodePredicate, type PredicateFault } from "./predicate_wire.ts";

/** Name of the header, in exactly these letters. */
export const PREDICATE_HEADER = "net-where";

/** Name and value. */
export type RpcHeader = readonly [name: string, value: Uint8Array];

/** What the headers of a call say. */
export type PredicateHeader =
  | { readonly kind: "absent" }
  | { readonly kind: "predicate"; readonly predicate: Predicate }
  /** To be answered with an error. */
  | { readonly kind: "bad"; readonly fault: PredicateFault | "repeated" };

/**
 * The header for a predicate.
 *
 * @throws NetError `limit` when its JSON is longer than 4096 bytes.
 */
export function createPredicateHeader(predicate: Predicate): RpcHeader {
  const value = encodePredicate(predicate);
  if (value.length <= PREDICATE_HEADER_BYTES_MAX) return [PREDICATE_HEADER, value];
  throw new NetError(
    "limit",
    `Cannot send predicate with a call: its length is ${value.length}, ` +
      `must be at most ${PREDICATE_HEADER_BYTES_MAX}`,
    { next: "ask for less at once, or filter the answers" },
  );
}

/**
 * Looks for the predicate among the headers of a call; never throws.
 *
 * @example
 * ```ts
 * import { createPredicateHeader, readPredicateHeader } from "./rpc_header.ts";
 * const header = createPredicateHeader({ kind: "metadata_exists", key: "intent" });
 * console.assert(readPredicateHeader([header]).kind === "predicate");
 * console.assert(readPredicateHeader([]).kind === "absent");
 * ```
 */
export function readPredicateHeader(headers: Iterable<RpcHeader>): PredicateHeader {
  let found: Uint8Array | undefined;
  for (const [name, value] of headers) {
    if (name !== PREDICATE_HEADER) continue;
    if (found !== undefined) return { kind: "bad", fault: "repeated" };
    found = value;
  }
  if (found === undefined) return { kind: "absent" };
  if (found.length > PREDICATE_HEADER_BYTES_MAX) return { kind: "bad", fault: "too_long" };
  const decoded = decodePredicate(found);
  return decoded.ok
    ? { kind: "predicate", predicate: decoded.predicate }
    : { kind: "bad", fault: decoded.fault };
}
